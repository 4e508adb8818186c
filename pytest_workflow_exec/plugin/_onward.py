"""Earlier runs of a workflow: a new one beside them is asked for, and an old one goes on only if its log allows it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import pytest

from pytest_workflow_exec.counted import counted
from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import LockHeldError, LogUnreadableError, PreflightError, Problem
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import StepId, Workflow, is_named_by
from pytest_workflow_exec.run import EarlierRun, doubt_of_records, lost_runs, newest_run, starter

if TYPE_CHECKING:
    from pytest_workflow_exec.run import History, Present, Resumption
    from pytest_workflow_exec.sandbox import Policy
    from pytest_workflow_exec.verify import Signers, Verdict

_WAYS_ON = "--workflow-resume goes on with it, --workflow-new starts another"
_NOT_TO_TRUST = ("broken", "unreadable")


@dataclass(frozen=True, slots=True, kw_only=True)
class Onward:
    """An earlier run that is to go on."""

    earlier: EarlierRun
    history: History
    redo: StepId | None = None
    anchored_through: int = -1
    """The last record that a seal of a pinned signer covers."""
    doubt_of_records: str | None = None
    """Why its log can't be taken for all there was."""
    only_finally: str = ""
    """Why no step starts but those of `finally`; empty if others do."""

    @property
    def given(self) -> Mapping[str, str]:
        """The inputs that its last session was given, as they were typed."""
        given = self.history.facts.get("given")
        return {name: str(text) for name, text in given.items()} if isinstance(given, Mapping) else {}

    def resumption(self, workflow: Workflow, present: Present, *, reason: str = "") -> Resumption:
        """Return how the run goes on.

        Args:
            reason: Why a step is to run again that a person wants to.
        """
        from pytest_workflow_exec.run import Redo, resumption_of

        redo = None if self.redo is None else Redo(step=self.redo, reason=reason, who=str(starter()["user"]))
        found = resumption_of(workflow, self.history, present, run=self.earlier.id, redo=redo)
        return found.cleaning_up(workflow, self.only_finally) if self.only_finally else found


def check_options(config: pytest.Config) -> None:
    """Return if the options about earlier runs fit together.

    Raises:
        pytest.UsageError: They do not.
    """
    resume, new = config.getoption("workflow_resume"), config.getoption("workflow_new")
    if resume and new:
        raise pytest.UsageError("--workflow-resume and --workflow-new exclude each other")
    for option in ("workflow_run", "workflow_redo"):
        if config.getoption(option) and not resume:
            what = (
                "chooses the run that goes on" if option == "workflow_run" else "runs a step again when a run goes on"
            )
            raise pytest.UsageError(f"--{option.replace('_', '-')} {what}: add --workflow-resume, or leave it away")
    _check_finally(config, resume=bool(resume))


def _check_finally(config: pytest.Config, *, resume: bool) -> None:
    why = config.getoption("workflow_finally")
    if why is None:
        return
    if not resume:
        raise pytest.UsageError(
            "--workflow-finally plays what a run that has begun left to be cleaned up: add --workflow-resume"
        )
    if not why.strip():
        raise pytest.UsageError("--workflow-finally needs a reason: nothing but the steps of finally will be played")
    for option in ("workflow_redo", "workflow_until", "workflow_break_glass"):
        if config.getoption(option):
            raise pytest.UsageError(f"--workflow-finally and --{option.replace('_', '-')} exclude each other")


def onward(config: pytest.Config, workflow: Workflow, *, only: bool, signers: Signers | None) -> Onward | None:
    """Return the earlier run that is to go on; None if a new one is to begin.

    Args:
        signers: Whose seals and redactions count: those of the project's pin; None without one.
        only: Whether the workflow is the only one of the session that runs.

    Raises:
        PreflightError: A new run would begin beside one that has not passed, or an old one can't go on.
    """
    check_options(config)
    try:
        if config.getoption("workflow_resume"):
            return _resumed(config, workflow, only=only, signers=signers)
        if not config.getoption("workflow_new"):
            _refuse_beside_unpassed(workflow)
    except LogUnreadableError as error:
        raise _problem(workflow, f"{error}. --workflow-new starts another run") from error
    return None


def pinned_signers(policy: Policy | None) -> Signers | None:
    """Return whose signatures count in the evidence of earlier runs; None if no pin says so."""
    if policy is None or policy.pin is None or policy.signers is None:
        return None
    from pytest_workflow_exec.verify import Signers

    revoked = None if policy.revoked is None else policy.revoked.content
    return Signers(name=policy.signers.path, content=policy.signers.content, revoked=revoked)


def refuse_among_passed(config: pytest.Config, workflows: Sequence[Workflow]) -> None:
    """Return unless some of several workflows have passed and others can go on.

    Raises:
        pytest.UsageError: So it is; says which have passed, and names the others as they have to be named.
    """
    if len(workflows) < 2 or not config.getoption("workflow_resume") or config.getoption("workflow_run"):  # noqa: PLR2004  # among several
        return
    try:
        newest = [(each, newest_run(each.root, each.name)) for each in workflows]
    except LogUnreadableError:
        # It is said for its own workflow, with its place.
        return
    passed = [each for each, run in newest if run is not None and run.result == "passed"]
    unfinished = [each for each, run in newest if run is not None and run.result != "passed"]
    if passed and unfinished:
        here = config.invocation_params.dir
        files = " ".join(shlex.quote(os.path.relpath(each.file, here)) for each in unfinished)
        raise pytest.UsageError(
            f"nothing was run, because {_names(passed)} passed and there is nothing to resume there. Name only what "
            f"has not passed ({_names(unfinished)}): pytest {files} --workflow-resume"
        )


def problems_of(
    onward: Onward, resumption: Resumption, workflow: Workflow, *, terminal_problem: Callable[[], str | None]
) -> Iterator[str]:
    """Give what keeps a run from going on.

    Args:
        terminal_problem: Says why no person can be asked here, or None if one can; asked only where one is needed.
    """
    if onward.history.denied is not None and not onward.only_finally:
        yield from _of_denial(onward.history.denied, onward, workflow)
    needed = resumption.redo is not None or resumption.confirm or resumption.gone
    alone = terminal_problem() if needed else None
    if alone is None:
        return
    if resumption.redo is not None:
        yield f"--workflow-redo asks a person for a reason: {alone}"
    for step in resumption.confirm:
        what = "was started and has no end" if step in resumption.unknown else "has passed before"
        yield (
            f"step {step!r} {what}, and was not declared idempotent, so a person must say that it may run again: "
            f"{alone}"
        )
    for step, how in resumption.gone.items():
        yield f"step {step!r} is not in the plan any more, but {how}: a person must say that it goes on: {alone}"


def _of_denial(gate: StepId, onward: Onward, workflow: Workflow) -> Iterator[str]:
    said = f"run {onward.earlier.id} was denied at gate {gate!r}"
    order = {step.id: number for number, step in enumerate(workflow.steps)}
    if gate not in order:
        yield f"{said}, which is not in the plan any more: --workflow-new starts another run"
    elif onward.redo is None:
        yield f"{said}: --workflow-redo {gate} asks again"
    # With a reason, the gate is asked again, and so it is behind a step before it that is to be done better.
    elif order[onward.redo] > order[gate]:
        yield f"{said}, which stands before {onward.redo!r}: --workflow-redo {gate} asks again"


def with_reason(onward: Onward, workflow: Workflow, present: Present, resumption: Resumption) -> Resumption:
    """Return the resumption with a person's reason, if it needs one.

    Raises:
        PreflightError: Nobody gave a reason.
    """
    if onward.redo is None:
        return resumption
    from pytest_workflow_exec.approval import ask_reason

    again = [step.id for step in workflow.steps if step.id in resumption.again]
    reason = ask_reason(f"run {onward.earlier.id} of workflow {workflow.name}: {', '.join(again)} will run again.")
    if not reason:
        raise _problem(workflow, f"--workflow-redo {onward.redo} needs a reason; nothing was run")
    return onward.resumption(workflow, present, reason=reason)


def lost_of(workflow: Workflow) -> Iterator[str]:
    """Give what a person is told if runs of the workflow began here and nothing is left of them."""
    lost = lost_runs(workflow.root, workflow.name, anywhere=True)
    if lost:
        count = f"{len(lost)} runs" if len(lost) > 1 else "a run"
        yield (
            f"warning: the ledger knows {count} of workflow {workflow.name!r} that left no evidence here "
            f"(newest {lost[0]}): see workflow-exec runs"
        )


def said_of(
    workflow: Workflow, resumption: Resumption | None, *, until: StepId | None, earlier_root: Json = None
) -> Iterator[str]:
    """Give what a person is told when a run goes on: how much is carried, and why what had passed runs again.

    Args:
        until: The last step that is to run; None for all.
        earlier_root: The project in which the run was begun; None if that is not known.
    """
    from pytest_workflow_exec.run import steps_until

    if resumption is None:
        return
    if resumption.only_finally:
        yield f"workflow {workflow.name}: only finally of run {resumption.run} is played: {resumption.only_finally}"
        return
    if earlier_root not in (None, str(workflow.root)):
        yield f"warning: run {resumption.run} was begun in {earlier_root}; what it did there may not be done here"
    asked = [step.id for step in steps_until(workflow, until)]
    carried = [step for step in asked if step in resumption.carried]
    yield (
        f"workflow {workflow.name} goes on with run {resumption.run}, session {resumption.session}: "
        f"{counted(len(carried), 'step')} carried, {len(asked) - len(carried)} to run"
    )
    for step, reasons in resumption.again.items():
        yield f"  {step} runs again: {'; '.join(reasons)}"
    for step in resumption.unknown:
        how = "its check tells whether it runs again" if step in resumption.probe else "runs again"
        yield f"  {step} {how}: it was started and has no end"
    for step, by in resumption.undone.items():
        yield f"  {step} runs again: undone by {by}"
    for each in workflow.steps:
        if each.always and each.block is None and each.id in resumption.attempts and until is None:
            yield f"  {each.id} runs again: it stands in finally, at the end of every session"


def _resumed(config: pytest.Config, workflow: Workflow, *, only: bool, signers: Signers | None) -> Onward:
    from pytest_workflow_exec.run import run_named

    named = config.getoption("workflow_run")
    earlier = run_named(named, workflow.root) if named else newest_run(workflow.root, workflow.name)
    if earlier is None:
        raise _problem(
            workflow,
            f"there is no run of workflow {workflow.name!r} to resume: leave --workflow-resume away to start one",
        )
    if earlier.workflow != workflow.name:
        raise _problem(workflow, f"run {earlier.id} is of workflow {earlier.workflow!r}, not of {workflow.name!r}")
    if earlier.result == "passed":
        raise _problem(workflow, f"run {earlier.id} of workflow {workflow.name!r} passed: there is nothing to resume")
    _demand_unlocked(workflow, earlier)
    history, verdict = _verified_history(workflow, earlier, signers)
    redo = _redo(config.getoption("workflow_redo"), workflow, only=only)
    anchored = verdict.anchored_through
    return Onward(
        earlier=earlier,
        history=history,
        redo=redo,
        anchored_through=-1 if anchored is None else anchored,
        doubt_of_records=doubt_of_records(workflow.root, earlier.id, history.head),
        only_finally=(config.getoption("workflow_finally") or "").strip(),
    )


def _verified_history(workflow: Workflow, earlier: EarlierRun, signers: Signers | None) -> tuple[History, Verdict]:
    """Return what the run's log tells, verified and understood in one reading."""
    from pytest_workflow_exec.run import History
    from pytest_workflow_exec.verify import SignerError, verify_log

    history = History()
    try:
        verdict = verify_log(earlier.log, signers=signers, fold=history.take)
    except SignerError as error:
        raise _problem(workflow, f"the pinned signers can't be used: {error}") from error
    if verdict.word in _NOT_TO_TRUST:
        raise _problem(
            workflow,
            f"run {earlier.id} can't go on, because its log is {verdict.word}: {verdict.message}. "
            f"See `workflow-exec verify {earlier.id}`",
        )
    if verdict.unsigned_redaction is not None:
        raise _problem(
            workflow,
            f"run {earlier.id} can't go on, because {verdict.unsigned_redaction}. A seal of a pinned signer over the "
            "record accepts it; --workflow-new starts another run",
        )
    if verdict.torn_bytes:
        # To the verifier a record without its newline is torn; the next writer only adds the newline.
        return History.of(earlier.log), verdict
    history.end(verdict.head)
    return history, verdict


def _refuse_beside_unpassed(workflow: Workflow) -> None:
    earlier = newest_run(workflow.root, workflow.name)
    if earlier is None or earlier.result == "passed":
        return
    _demand_unlocked(workflow, earlier)
    how = earlier.result or "it has no end"
    raise _problem(workflow, f"run {earlier.id} of workflow {workflow.name!r} has not passed ({how}): {_WAYS_ON}")


def _demand_unlocked(workflow: Workflow, earlier: EarlierRun) -> None:
    from pytest_workflow_exec.run import RunLock

    if earlier.result is not None:
        return
    try:
        RunLock.take(workflow.root, workflow.name, run=earlier.id).release()
    except LockHeldError as error:
        raise PreflightError([Problem(message=str(error))]) from error


def _redo(options: Sequence[str], workflow: Workflow, *, only: bool) -> StepId | None:
    steps = []
    for option in options:
        target, _, step = option.rpartition(":")
        if not target and not only:
            raise _problem(workflow, f"--workflow-redo {option!r} does not say of which workflow: WORKFLOW:STEP")
        if target in ("", workflow.name):
            steps.append(step)
    if len(steps) > 1:
        raise _problem(workflow, f"--workflow-redo takes one step of a workflow, not {len(steps)}")
    known = [step.id for step in workflow.steps if not step.always]
    for step in steps:
        cases = [each for each in known if is_named_by(each, step)]
        if step not in known and cases:
            raise _problem(
                workflow, f"--workflow-redo {step!r}: it has several cases; name one of them: {', '.join(cases)}"
            )
        if step not in known:
            raise _problem(workflow, f"--workflow-redo {step!r}: there is no such step (known: {', '.join(known)})")
    return steps[0] if steps else None


def _problem(workflow: Workflow, message: str) -> PreflightError:
    return PreflightError([Problem(path=workflow.file, message=message)])


def _names(workflows: Sequence[Workflow]) -> str:
    return ", ".join(repr(each.name) for each in workflows)
