"""Plans that somebody rejected: a new run of one needs a reason, which its first record holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import LogUnreadableError
from pytest_workflow_exec.evidence import open_log, segments_of
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import RunId, Workflow
from pytest_workflow_exec.run._earlier import EarlierRun, runs_with_starts

_DECIDED = b'"gate.decided"'


@dataclass(frozen=True, slots=True, kw_only=True)
class AfterRejection:
    """Why a plan is started again that somebody rejected."""

    runs: tuple[RunId, ...]
    """The runs in which it was rejected."""
    reason: str
    who: str

    def to_data(self) -> Mapping[str, Json]:
        """Return it as evidence keeps it."""
        return {"runs": list(self.runs), "reason": self.reason, "who": self.who}


def rejected_runs(workflow: Workflow) -> Sequence[RunId]:
    """Return the runs in which just this plan was rejected, unless a later one was started with a reason for that.

    Raises:
        LogUnreadableError: The folder of runs can't be read.
    """
    answered, rejected = set[str](), list[RunId]()
    # Newest first: a reason is given after the rejection that it is for.
    for run, started in runs_with_starts(workflow.root, workflow.name):
        after = started.get("after_rejection")
        named = after.get("runs") if isinstance(after, Mapping) else None
        answered |= set(map(str, named)) if isinstance(named, list) else set()
        # Its end says too little: a session may have been killed in between, or have cleaned up behind the rejection.
        if run.result == "passed" or run.id in answered or not _holds_decision(run):
            continue
        if _rejected_plan(run, started) == workflow.digest:
            rejected.append(run.id)
    return rejected


def _holds_decision(run: EarlierRun) -> bool:
    """Return whether a decision may stand in a run's log: most have none, and reading one whole takes its time."""
    try:
        for path in segments_of(run.log):
            with open_log(path) as file:
                if any(_DECIDED in line for line in file):
                    return True
    except OSError as error:
        raise LogUnreadableError(f"{run.log} can't be read: {error.strerror}") from error
    return False


def _rejected_plan(run: EarlierRun, started: Mapping[str, Json]) -> Json:
    from pytest_workflow_exec.run._history import History

    try:
        return History.of(run.log).rejected
    except LogUnreadableError:
        # It holds a decision, and nobody can tell which: then it may have been rejected.
        return started.get("plan_digest")
