"""Models of pydantic that are made when there is data for them: most files have few of the things that one may have."""

from __future__ import annotations

from functools import cached_property
from importlib import import_module

from pydantic import BaseModel
from pydantic_core import core_schema

__all__ = ["Later"]


class Later:
    """Stands for a model: reads a table by it, and says what is wrong with one as the model itself would."""

    def __init__(self, module: str, name: str) -> None:
        """Keep where the model is.

        Args:
            module: The module that holds it.
            name: Its name there.
        """
        self._module, self._name = module, name

    @cached_property
    def model(self) -> type[BaseModel]:
        """The model."""
        model: type[BaseModel] = getattr(import_module(self._module), self._name)
        return model

    def __call__(self, value: object) -> BaseModel:
        """Return the table as its model has it."""
        return self.model.model_validate(value)

    def __get_pydantic_core_schema__(self, source: object, handler: object) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(self)
