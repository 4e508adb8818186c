"""What the step under way needs a person or the time for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import (
    GateDeniedError,
    PausedError,
)
from pytest_workflow_exec.model import Gate, Manual, Pause, Step
from pytest_workflow_exec.run._run_parts import RunParts
from pytest_workflow_exec.run._values import StepOutputs


class RunPeople(RunParts):
    """Asks people for a step, and waits with it."""

    def decide(self, step: Step, gate: Gate, *, words: str) -> StepOutputs:
        """Ask a person, and return only if the answer is yes.

        Args:
            words: What the `@gate` function returned; empty for YAML gates.

        Raises:
            GateDeniedError: Anything but an approval.
            OutputError: An output to be shown is not there, or its file changed.
        """
        return self._gatekeeper.ask(step, gate, attempt=self._attempts[step.id], words=words)

    def waive(self, step: Step, *, failure: str) -> str:
        """Ask a person whether the failure of the step under way is accepted, and return who accepted it.

        Args:
            failure: How it failed, without secrets.

        Raises:
            GateDeniedError: Nobody accepted it.
            ApprovalLapsedError: What it was accepted for changed meanwhile.
            EvidenceError: The question or the answer can't be written.
        """
        if step.waive is None:
            raise GateDeniedError(step=step.id, decision="denied", reason="its failure can't be accepted")
        return self._gatekeeper.waive(step, step.waive, attempt=self._attempts[step.id], failure=failure)

    def confirm(self, step: Step, outputs: Mapping[str, Json]) -> str:
        """Ask a person whether the conversation of the step under way came to this, and return who confirmed it.

        Raises:
            GateDeniedError: Nobody confirmed it.
            ApprovalLapsedError: What it was confirmed under changed meanwhile.
            EvidenceError: The question or the answer can't be written.
        """
        return self._gatekeeper.confirm(step, outputs, attempt=self._attempts[step.id])

    def attest(self, step: Step, manual: Manual) -> StepOutputs:
        """Tell a person what to do, and return only if they say that it was done.

        Raises:
            ManualFailedError: Nobody said so.
            OutputError: A value in the instruction is not there.
        """
        from pytest_workflow_exec.run._manual import attested

        return attested(
            step,
            manual,
            attempt=self._attempts[step.id],
            workflow=self.workflow.name,
            values=self._values,
            journal=self._journal,
            attester=self._settings.attester,
        )

    def waited_s(self, step: Step) -> float:
        """Return how long ago, in seconds, the step was first reached that an earlier session was suspended in."""
        since = self._paused_since.get(step.id)
        return 0.0 if since is None else (datetime.now(timezone.utc) - since).total_seconds()

    def look_later(self, step: Step, wait_s: float, *, last: str) -> PausedError:
        """Return what ends the run until it is time to look at a step again.

        Args:
            wait_s: How long that is.
            last: What was seen this time.
        """
        from pytest_workflow_exec.run._pause import spelled

        until = spelled(datetime.now(timezone.utc) + timedelta(seconds=wait_s))
        self._waits_until[step.id] = until
        return PausedError(step=step.id, until=until, last=last)

    def pause(self, step: Step, pause: Pause) -> StepOutputs:
        """Return once the time has come that a step waits for.

        Raises:
            PausedError: It has not, and the run is to end meanwhile.
            OutputError: The moment that it waits for can't be read.
        """
        from pytest_workflow_exec.run._pause import paused

        since = self._paused_since.get(step.id) or datetime.now(timezone.utc)
        try:
            return paused(step, pause, since=since, values=self._values)
        except PausedError as error:
            self._waits_until[step.id] = error.until
            raise
