"""What a step has to leave to pass: values by their names, or what a pydantic model takes."""

from __future__ import annotations

from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import ModelType

from ._named_types import NamedTypeError, model_type
from ._names import quoted, suggestion, value_name_problem
from ._problems import Problems, Where
from ._templates import OUTCOME_ONLY, Keys
from ._texts import Files
from ._validation import validated

_WAYS = "write module:Model for a pydantic model of a module beside this file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a step has to leave."""

    keys: tuple[str, ...] = ()
    type: ModelType | None = None


_NONE = Evidence()


def read_evidence(said: object, where: Where, problems: Problems, files: Files, *, keys: Keys | None) -> Evidence:
    """Return what a step's `evidence:` says, after adding what is wrong with it.

    Args:
        said: What is written there; None for nothing.
        where: The way to the step.
        problems: Where to add it.
        files: Reads the module of a model.
        keys: What the step leaves; None if nobody knows before it ran.
    """
    if said is None:
        return _NONE
    place = (*where, "evidence")
    if isinstance(said, str) and ":" in said:
        try:
            return Evidence(type=model_type(said, files, ways=_WAYS))
        except (NamedTypeError, OSError) as error:
            problems.at(place, f"{quoted(said)} can't be its evidence: {error}")
            return _NONE
    from ._schema import EvidenceModel

    model = validated(EvidenceModel, {"evidence": said}, where, problems)
    if model is None:
        return _NONE
    left = None if keys is None else keys.keys() - OUTCOME_ONLY.keys()
    for index, key in enumerate(model.evidence):
        problem = value_name_problem(key)
        if problem is None and left is not None and key not in left:
            problem = f"the step leaves no {quoted(key)}{suggestion(key, left)}"
        if problem is not None:
            problems.at((*place, index), problem)
    return Evidence(keys=tuple(model.evidence))
