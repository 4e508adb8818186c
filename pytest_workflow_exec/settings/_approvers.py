"""Groups of approvers as the policy states them: every principal by its own name, no patterns."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

NOT_UNIQUE = "not_unique"
"""The kind of error of a group that names one principal twice."""

# Visible ASCII without what is a pattern, a list or a quotation in an allowed signers file: a name that looks like
# another one would be somebody else.
_PRINCIPAL = r"^[A-Za-z0-9@._+:/=~%&$][A-Za-z0-9@._+:/=~%&$#-]*$"
_GROUP = r"^[A-Za-z0-9][A-Za-z0-9_-]*$"
_MAX_CHARACTERS = 200


def _unique(principals: list[str]) -> list[str]:
    # As mail addresses are compared: Alice@example.org is no second person.
    if len({principal.casefold() for principal in principals}) < len(principals):
        raise PydanticCustomError(NOT_UNIQUE, "a principal stands twice")
    return principals


Group = Annotated[str, StringConstraints(pattern=_GROUP, max_length=_MAX_CHARACTERS)]
Principal = Annotated[str, StringConstraints(pattern=_PRINCIPAL, max_length=_MAX_CHARACTERS)]
Principals = Annotated[list[Principal], Field(min_length=1), AfterValidator(_unique)]
