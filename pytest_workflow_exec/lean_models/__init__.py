"""Models that cost little: what a file may say, declared as pydantic has it, read without importing pydantic.

Importing pydantic and building its models was half of what the start of a run took, and a quarter of its memory. A model
here takes the same declarations and says the same errors, as far as files of this project need them; whatever else is
declared is refused when the model is first used. The real model of pydantic's is made where a JSON Schema is wanted
(`as_pydantic`), and tests hold both to the same answers.
"""

from ._errors import Complaint, Detail, ValidationError
from ._marks import AfterValidator, BeforeValidator, Field, PlainValidator, StringConstraints, field_validator
from ._model import FieldInfo, Model, Others

__all__ = [
    "AfterValidator",
    "BeforeValidator",
    "Complaint",
    "Detail",
    "Field",
    "FieldInfo",
    "Model",
    "Others",
    "PlainValidator",
    "StringConstraints",
    "ValidationError",
    "field_validator",
]
