"""What a step says for the day when a run goes on: how to see whether it was done, and which steps it reverts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pytest_workflow_exec.lazy_patterns import lazy_pattern
from pytest_workflow_exec.model import Call, Check, Command, Expectation, StepId, Verify, base_of

from ._calls import read_call
from ._names import quoted
from ._problems import Where
from ._sources import inside
from ._templates import dotted_parts, split_step
from ._texts import Files, Texts

if TYPE_CHECKING:
    from ._schema_calls import CallModel, CheckModel, VerifyModel
    from ._schema_commands import ExpectModel

CHECK_FIXTURES = ("workflow", "sandbox")
"""What a function that checks may have of fixtures: the engine makes them without pytest."""

_STATUS = lazy_pattern(r"[0-9]{1,3}")


def read_check(model: CheckModel | None, where: Where, texts: Texts, files: Files) -> Check | None:
    """Return what passes if the effect of a step is there, after adding what is wrong with it; None if it says none."""
    if model is None:
        return None
    if sum(each is not None for each in (model.run, model.call, model.verify)) != 1:
        texts.problems.at(where, "a check is exactly one of run, call, verify")
        return None
    if model.expect is not None and model.run is None:
        whose = "tests say" if model.call is None else "a function says"
        own = "themselves whether they pass" if model.call is None else "itself whether the effect is there"
        texts.problems.at_key((*where, "expect"), f"expect belongs to a run; {whose} {own}")
    if model.with_ is not None and model.call is None:
        texts.problems.at_key((*where, "with"), "with belongs to a call: the values of its function's parameters")
    if model.verify is not None:
        return read_verify(model.verify, where, texts, files, expect=Expectation(), skips=None)
    if model.call is not None:
        return _called(model.call, model.with_, where, texts, files)
    return _command(model.run or (), where, texts, expect=model.expect)


def _called(
    model: CallModel, given: Mapping[str, object] | None, where: Where, texts: Texts, files: Files
) -> Call | None:
    place, given_at = (*where, "call"), (*where, "with")
    if given is not None and model.with_:
        texts.problems.at_key(given_at, "the call has a with already; keep one of them")
        return None
    if given is not None:
        model = model.model_copy(update={"with_": given})
    call = read_call(model, place, texts, files, given_at=None if given is None else given_at)
    for fixture in () if call is None else call.fixtures:
        if fixture not in CHECK_FIXTURES:
            message = (
                f"{model.function} has the parameter {quoted(fixture)}; a check is asked before any fixture is made, and "
                f"can have {' and '.join(CHECK_FIXTURES)} only: give it a value by with"
            )
            texts.problems.at((*place, "function"), message)
    return call


def _command(argv: Sequence[str], where: Where, texts: Texts, *, expect: ExpectModel | None = None) -> Command:
    """Return the command of a check, after adding what is wrong with it."""
    # Workflows in Python without a check load nothing of YAML's commands.
    from ._commands import read_expectation

    place = (*where, "run")
    if argv and not argv[0]:
        texts.problems.at((*place, 0), "the name of the program is empty")
    command = Command(
        argv=tuple(texts.template(text, (*place, index)) for index, text in enumerate(argv)),
        expect=read_expectation(expect, (*where, "expect"), texts),
    )
    for matcher in command.expect.exit:
        plain = all(_STATUS.fullmatch(operand.text) for operand in matcher.operands)
        if matcher.operator not in ("equals", "in") or not plain:
            message = "the exit status of a check is one number, or a choice: {in: [0, 3]}"
            texts.problems.at((*where, "expect", "exit"), message)
    return command


def check_problem(kind: str, *, always: bool) -> str | None:
    """Return why a step of this kind can't have a check; None if it can."""
    if kind in ("verify", "gate", "pause", "ai", "session"):
        return f"a check is for a step that has an effect; a {kind} has none, and runs again unasked"
    if always:
        return "a step of finally runs at the end of every session; it can't have a check"
    return None


def read_undoes(entries: Sequence[str], where: Where, texts: Texts, *, unfit: Sequence[StepId]) -> tuple[StepId, ...]:
    """Return the earlier steps that a step reverts, cases one by one, after adding what is wrong with them.

    Args:
        unfit: The earlier steps that can't be reverted: gates and those of `finally`.
    """
    undone: list[StepId] = []
    for index, entry in enumerate(entries):
        step, *rest = split_step(dotted_parts(entry), texts.scope.all_steps)
        meant = texts.scope.meant(step)
        known = texts.scope.includes_of(meant)
        inside_of = [each for include in known for each in texts.scope.included[include].steps]
        cases = inside_of if known else texts.scope.cases_of(meant)
        found = (None if known else texts.scope.step_problem(each if each != meant else step) for each in cases or ())
        problem = next((each for each in found if each is not None), None)
        if rest:
            problem = f"{quoted(entry)} is no step; name the step alone"
        elif any(base_of(each) in unfit for each in (meant, *(cases or ()))):
            problem = f"{quoted(entry)} can't be undone: a decision stands, and steps of finally run in every session"
        if problem is not None:
            texts.problems.at((*where, index), problem)
        undone += cases or ()
    return tuple(dict.fromkeys(undone))


def read_verify(
    model: VerifyModel, where: Where, texts: Texts, files: Files, *, expect: Expectation, skips: str | None
) -> Verify | None:
    """Return the tests that a `verify:` names, or None after adding why there are none.

    Args:
        where: The way to what holds the `verify:`.
    """
    place = (*where, "verify", "path")
    try:
        path = inside(files.root, files.folder / model.path)
        found = path is not None and path.exists()
    except OSError as error:
        texts.problems.at(place, f"{quoted(model.path)} can't be looked at: {error.strerror or error}")
        return None
    if path is None:
        texts.problems.at(place, f"{quoted(model.path)} leads out of the project")
        return None
    if not found:
        texts.problems.at(place, f"there is no {quoted(model.path)} beside this file; tests are named from its folder")
        return None
    return Verify(path=path, skips_allowed="allow" in (model.skips, skips), expect=expect)
