"""Tables of a configuration whose models are made when a file has one: most files have few of them."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import core_schema

FilledText = Annotated[str, Field(min_length=1)]


class Strict(BaseModel):
    """A table with these keys and no others; every value is what it is, never converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


class Later:
    """Stands for a model: reads a table by it, and says what is wrong with one as the model itself would."""

    def __init__(self, module: str, name: str) -> None:
        """Keep where the model is.

        Args:
            module: The module of this package that holds it.
            name: Its name there.
        """
        self._module, self._name = module, name

    @property
    def model(self) -> type[BaseModel]:
        """The model."""
        model: type[BaseModel] = getattr(import_module(f"{__package__}.{self._module}"), self._name)
        return model

    def __call__(self, value: object) -> BaseModel:
        """Return the table as its model has it."""
        return self.model.model_validate(value)

    def __get_pydantic_core_schema__(self, source: object, handler: object) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(self)


def no_table() -> Any:  # noqa: ANN401  # a table is what its model makes of it, and this is none
    """Return what stands for a table that a file does not have."""
    return {}
