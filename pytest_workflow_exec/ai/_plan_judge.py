"""The policy's word on plans while a model is asked for them: what it refuses goes back to the model, as it says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_workflow_exec import events
from pytest_workflow_exec.ai._answer_kind import AnswerKind
from pytest_workflow_exec.ai._asking import answered_by
from pytest_workflow_exec.ai._backend import AiAnswer
from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import AiError, PlanRefusedError
from pytest_workflow_exec.model import StepId
from pytest_workflow_exec.run import JudgedPlan, Run, judge_plan, read_plan

COMMANDS = "commands"
"""The key of a `CommandPlan` that holds its commands."""


class PlanJudge:
    """Judges what one request proposes; each refused command is written before the model is told of it."""

    def __init__(self, run: Run, step: StepId, kind: AnswerKind, keys: Sequence[str]) -> None:
        """Judge plans of a step.

        Args:
            keys: The outputs that are plans.
        """
        self._run, self._step, self._kind, self._keys = run, step, kind, tuple(dict.fromkeys(keys))
        self._refused: PlanRefusedError | None = None
        self._told: tuple[str, ...] = ()

    def problems(self, value: Json) -> tuple[str, ...]:
        """Return why the policy refuses what is proposed; nothing if it refuses nothing of it.

        Args:
            value: It is what its type asks for.

        Raises:
            EvidenceError: What is refused can't be written.
        """
        outputs = self._kind.outputs(value)
        for key in self._keys:
            if key not in outputs:
                held = ", ".join(outputs)
                return (f"the answer holds no {key!r}, which a later step executes (it holds {held})",)
            try:
                self._judged(key, outputs[key])
            except PlanRefusedError as error:
                return self._refuse(error)
        self._refused = None
        return ()

    def demand_asked_now(self, answer: AiAnswer) -> None:
        """Return if no command of an accepted answer is gated, or a model gave it in this run.

        Raises:
            PlanRefusedError: One is, and nobody was asked for it.
        """
        source, outputs = answered_by(answer), self._kind.outputs(answer.value)
        for key in self._keys:
            if source != "live" and self._judged(key, outputs[key]).is_gated:
                reason = f"it holds a gated command, and no model gave it now: it is {source}. Add --workflow-ai=live"
                raise PlanRefusedError(what=self._what(key), reasons=[reason])

    def refusal_behind(self, error: AiError, attempts: int) -> PlanRefusedError | None:
        """Return what the policy refused last, if that is why there is no answer; None if anything else is.

        Args:
            attempts: How many proposals may be made.
        """
        last = error.attempts[-1] if error.attempts else None
        told = last.get("errors") if isinstance(last, Mapping) else None
        if self._refused is None or len(error.attempts) < attempts or tuple(told or ()) != self._told:
            return None
        refused = PlanRefusedError(
            what=self._refused.what, reasons=self._refused.reasons, refused=self._refused.refused
        )
        if len(error.attempts) > 1:
            refused.args = (f"{refused}\nNone of the {len(error.attempts)} proposals was accepted.",)
        return refused

    def _refuse(self, error: PlanRefusedError) -> tuple[str, ...]:
        self._refused = error
        attempt = self._run.attempt_of(self._step)
        for argv, reason in error.refused:
            self._run.record_asking(events.command_refused(self._step, attempt=attempt, argv=list(argv), reason=reason))
        # What goes back to the model leaves the machine.
        said = self._run.redactor.text("; ".join(error.reasons))
        self._told = (f"the policy refuses {error.what} as a whole, and nothing of it is run: {said}",)
        return self._told

    def _judged(self, key: str, commands: Json) -> JudgedPlan:
        return judge_plan(read_plan(commands, what=self._what(key)), self._run.policy, self._run.input_texts)

    def _what(self, key: str) -> str:
        return f"the plan in {key!r} of step {self._step!r}"
