"""Steps whose check was asked in place of their body: only of an unknown effect, and only as the check itself ended."""

from __future__ import annotations

from pytest_workflow_exec.digests import canonical_json
from pytest_workflow_exec.model import Outcome, StepId
from pytest_workflow_exec.redaction import holds_mask

from ._contradiction import ContradictionError
from ._plan import PlannedCheck, PlannedStep
from ._told import Told


class Probes:
    """The check of the step under way, if it is asked."""

    def __init__(self) -> None:
        self._step: StepId | None = None
        self._check: PlannedCheck | None = None
        self._found = False
        """Whether the check's command ended as it ends where the effect is there."""
        self._body = False
        """Whether anything ran that does not belong to the check."""
        self._confirms = False
        """Whether it is asked behind a person's word, not in place of the body."""

    def start(self, step: PlannedStep, record: Told, *, unknown: bool) -> None:
        """Take in the start of a step.

        Args:
            unknown: Whether it was started before in this run, as it is planned now, and nobody knows what it did.

        Raises:
            ContradictionError: Its check is asked though it has none, or nothing about it is unknown.
        """
        probe = record.data.get("probe")
        self._step, self._check, self._found, self._body = step.id, None, False, False
        self._confirms = False
        if probe is None:
            return
        if probe is not True or step.check is None or not unknown:
            raise ContradictionError(f"the check of step {step.id!r} is asked, but there is nothing to ask it")
        self._check = step.check

    def confirm(self, step: PlannedStep) -> None:
        """Take in that a person said that the work of the step under way was done; its check is asked behind that."""
        self._check, self._found, self._confirms = step.check, False, True

    def start_command(self, record: Told) -> None:
        """Take in the start of a command of the step under way.

        Raises:
            ContradictionError: It is said to belong to a check that is not asked, or is another than planned.
        """
        if record.data.get("check") is None:
            self._body = True
            return
        self._demand_check(record)
        if self._body:
            raise ContradictionError(f"the check of step {record.step!r} is asked after its body ran")

    def finish_command(self, record: Told) -> None:
        """Take in the end of a command.

        Raises:
            ContradictionError: It is said to belong to a check that is not asked, or is another than planned.
        """
        if record.data.get("check") is None:
            return
        exits = self._demand_check(record).exits
        self._found = record.data.get("exit") in exits and record.data.get("timed_out") is False

    def end(self, step: PlannedStep, outcome: Outcome, record: Told) -> None:
        """Take in the end of a step.

        Raises:
            ContradictionError: It claims of its check what no record says.
        """
        checked = record.data.get("checked")
        calls = self._check is not None and self._check.calls and self._step == step.id
        # Of a function nothing else tells what it found: the end of its step says it, as that of a function's step does.
        self._found = self._found or (calls and checked is True)
        asked = self._check is not None and self._step == step.id and not self._confirms
        if outcome is Outcome.PASSED and step.kind == "manual" and step.check is not None and not self._found:
            raise ContradictionError(f"step {step.id!r} passed, but no record says that its check found what was done")
        if checked is None or (calls and self._confirms and checked is True and outcome is Outcome.PASSED):
            return
        if not asked or self._body or checked is not (outcome is Outcome.PASSED):
            raise ContradictionError(
                f"step {step.id!r} ends by its check, but no record says that it was asked instead"
            )
        if checked is True and not self._found:
            raise ContradictionError(f"step {step.id!r} passed by its check, but no record says that the check passed")

    def _demand_check(self, record: Told) -> PlannedCheck:
        if self._check is None or self._step != record.step or record.data.get("check") is not True:
            raise ContradictionError(f"a command belongs to the check of step {record.step!r}, which is not asked")
        argv = record.data.get("argv")
        if not isinstance(argv, list) or not self._check.runs([str(word) for word in argv]):
            said = canonical_json(argv)
            if not holds_mask(said):
                raise ContradictionError(f"the check of step {record.step!r} runs something else than planned: {said}")
        return self._check
