"""What a signed approval fills into the form of a gate: given as options, or as the signed file holds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pytest_workflow_exec.approval import FormField, answers_in_challenge
from pytest_workflow_exec.digests import Json, canonical_json
from pytest_workflow_exec.evidence import read_small
from pytest_workflow_exec.redaction import Redactor
from pytest_workflow_exec.run import answer_reader, answers_problem

from ._open_gates import GateError, Waiting


def filled_by_options(form: Sequence[FormField], given: Sequence[tuple[str, str]]) -> Mapping[str, Json]:
    """Return what options fill into a form, with the defaults of the fields that they leave out.

    Raises:
        GateError: They name a field that there is not, leave out one that has no default, or a value is not allowed.
    """
    texts, names = dict(given), [field.name for field in form]
    unknown = sorted(texts.keys() - names)
    if unknown or len(texts) < len(given):
        raise GateError(
            f"--fill gives each of these once: {', '.join(names) or 'nothing'}, and not {unknown or 'one twice'}"
        )
    # Secrets of the run are not known here: what holds one is refused when the run goes on.
    read, answers = answer_reader(Redactor({})), dict[str, Json]()
    for field in form:
        text = texts.get(field.name, "")
        if not text and field.default is None:
            raise GateError(f"an approval has to fill in {field.name}: --fill {field.name}=VALUE")
        try:
            answers[field.name] = read(field, text) if text else field.default
        except ValueError as error:
            raise GateError(f"--fill {field.name}: it {error}") from error
    return answers


def filled_beside(form: Sequence[FormField], given: Sequence[tuple[str, str]], signature: Path) -> Mapping[str, Json]:
    """Return what a signed approval fills in: by options, else as the file says that lies beside its signature.

    Raises:
        GateError: Neither says it.
    """
    if given or not form:
        return filled_by_options(form, given)
    try:
        answers = answers_in_challenge(read_small(signature.with_suffix("")))
    except (OSError, ValueError):
        answers = None
    if answers is None:
        raise GateError(
            f"the file that was signed does not lie beside {signature}, or fills in nothing: say what was filled in, with "
            + " ".join(f"--fill {field.name}=VALUE" for field in form)
        )
    if (problem := answers_problem(form, answers)) is not None:
        raise GateError(f"what {signature.with_suffix('')} fills in is no answer: {problem}")
    return answers


def demand_same(waiting: Waiting, answers: Mapping[str, Json]) -> None:
    """Return if nobody whose answer was taken in filled in something else.

    Raises:
        GateError: Somebody did.
    """
    for vote in waiting.gate.votes:
        form = vote.data.get("form")
        if vote.data.get("decision") == "approved" and isinstance(form, Mapping) and dict(form) != dict(answers):
            raise GateError(
                f"{vote.data.get('approver')} filled in {canonical_json(form)}, and a signature of anything else does not "
                "count beside theirs: sign the same, or reject"
            )
