"""Everything that can go wrong on purpose: one root, and a class for each thing a caller may handle differently."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pytest_workflow_exec.lean_dataclasses import dataclass

__all__ = [
    "AiError",
    "ApprovalLapsedError",
    "CheckInDoubtError",
    "CommandFailedError",
    "CommandNotFoundError",
    "CommandRefusedError",
    "CommandTimeoutError",
    "DefinitionError",
    "EffectMissingError",
    "EvidenceError",
    "ExpectationError",
    "GateDeniedError",
    "GateSuspendedError",
    "InputError",
    "LockHeldError",
    "LogUnreadableError",
    "ManualFailedError",
    "OutputError",
    "PausedError",
    "PinError",
    "PlanRefusedError",
    "PolicyError",
    "PollFailedError",
    "PreflightError",
    "Problem",
    "SandboxSetupError",
    "SettingsError",
    "StepOrderError",
    "StillRunningError",
    "SuspendedError",
    "ValueRefusedError",
    "VerifyFailedError",
    "WorkflowExecError",
]


class WorkflowExecError(Exception):
    """The root of every error that this package raises on purpose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong, where it is, and what to do about it."""

    message: str
    path: Path | None = None
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        """Return `file:line:column: message`, as far as the place is known."""
        place = ":".join(_harmless(str(part)) for part in (self.path, self.line, self.column) if part is not None)
        return f"{place}: {self.message}" if place else self.message


class _ProblemsError(WorkflowExecError):
    """Several problems found together."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class DefinitionError(_ProblemsError):
    """A workflow file is not a workflow; holds all its problems at once."""


class SettingsError(_ProblemsError):
    """The project's configuration can't be used."""


class PolicyError(_ProblemsError):
    """The project's policy can't be used; nothing is allowed."""


class PreflightError(_ProblemsError):
    """The run would not get through; found before its first step."""


class PinError(WorkflowExecError):
    """A pin can't be read, written or believed."""


class InputError(WorkflowExecError):
    """An input has no value, or one that its declaration does not allow."""

    def __init__(self, *, name: str, reason: str) -> None:
        super().__init__(f"input {name!r} {reason}")
        self.name, self.reason = name, reason


class StepOrderError(WorkflowExecError):
    """A step may not start: an earlier one is not satisfied, or it has already been run."""

    def __init__(self, *, step: str, waiting_for: str, because: str) -> None:
        super().__init__(f"waits for {waiting_for} ({because})")
        self.step, self.waiting_for, self.because = step, waiting_for, because


class StillRunningError(WorkflowExecError):
    """A step returned while commands of it were still running."""

    def __init__(self, *, step: str, commands: int) -> None:
        super().__init__(
            f"step {step!r} returned while {commands} of its commands still ran in another thread. "
            f"Wait for the thread before the step returns."
        )
        self.step, self.commands = step, commands


class StartRefusedError(WorkflowExecError):
    """The start of a run can't be signed, or its signature does not count."""


class GateDeniedError(WorkflowExecError):
    """A gate did not open: rejected by a person, or nobody could be asked."""

    def __init__(self, *, step: str, decision: str, reason: str, again_for: str | None = None) -> None:
        """Say which gate, and why.

        Args:
            again_for: The step that was about to use an approval, if that did not hold any more and was asked for anew.
        """
        again = "" if again_for is None else f", asked again before step {again_for!r},"
        super().__init__(f"gate {step!r}{again} was {decision}: {reason or 'no reason given'}")
        self.step, self.decision, self.reason, self.again_for = step, decision, reason, again_for


class ManualFailedError(WorkflowExecError):
    """Work that a person had to do was not done, as far as anybody said."""

    def __init__(self, *, step: str, result: str, reason: str) -> None:
        said = "failed" if result == "failed" else "was not attested"
        super().__init__(f"the work by hand in step {step!r} {said}: {reason or 'no reason given'}")
        self.step, self.result, self.reason = step, result, reason


class EffectMissingError(WorkflowExecError):
    """A person said that work by hand was done, and the step's check did not find it, or could not tell."""

    def __init__(self, *, step: str, why: str) -> None:
        super().__init__(f"the work by hand in step {step!r} was said to be done, but its check says otherwise: {why}")
        self.step, self.why = step, why


class SuspendedError(WorkflowExecError):
    """A step stays open after its run, which goes on later."""


class PausedError(SuspendedError):
    """A pause is not over, or what is looked at again is not as expected yet."""

    def __init__(self, *, step: str, until: str, last: str = "") -> None:
        seen = f" Last seen: {last}" if last else ""
        super().__init__(f"step {step!r} waits until {until}. pytest with --workflow-resume goes on then.{seen}")
        self.step, self.until = step, until


class GateSuspendedError(SuspendedError):
    """A gate stays open after its run: somebody decides elsewhere, and the run goes on then."""

    def __init__(self, *, step: str, changed: Sequence[str] = (), missing: str = "") -> None:
        lapsed = f" What was decided about it lapsed, because {', '.join(changed)} changed." if changed else ""
        needs = f" It still needs {missing}." if missing else ""
        super().__init__(
            f"gate {step!r} waits for a decision.{needs}{lapsed} `workflow-exec pending` says what it asks."
        )
        self.step, self.changed = step, tuple(changed)


class ApprovalLapsedError(WorkflowExecError):
    """An approval no longer holds: what it was given for is not what is there now."""

    def __init__(self, *, gate: str, changed: Sequence[str]) -> None:
        super().__init__(
            f"the approval at gate {gate!r} no longer holds: after it was given, {' and '.join(changed)} changed. "
            f"Run the workflow again and decide on what is there now."
        )
        self.gate, self.changed = gate, tuple(changed)


class CommandRefusedError(WorkflowExecError):
    """A step asked for a command that the policy does not allow; nothing was started."""

    def __init__(self, *, argv: Sequence[str], reason: str, step: str | None = None) -> None:
        where = f" in step {step!r}" if step is not None else ""
        super().__init__(f"the policy refuses {_shown(argv)}{where}: {reason}")
        self.argv, self.reason, self.step = tuple(argv), reason, step


class EndlessMatchError(WorkflowExecError):
    """A regular expression was tried on a text for so long that it counts as one that never ends."""

    def __init__(self, *, pattern: str, characters: int, seconds: float) -> None:
        super().__init__(
            f"the regular expression {pattern!r} came to no end in {seconds:g} s of processor time, on a text of "
            f"{characters} characters. Write it so that there is one way only to match a text: no repetition inside "
            f"of another one, as in (a+)+, and none next to another one of the same characters."
        )
        self.pattern, self.characters, self.seconds = pattern, characters, seconds


class ProcessStartError(WorkflowExecError):
    """Python code of a step started a process, or wanted to, other than through the sandbox."""

    def __init__(self, *, step: str, call: str, argv: Sequence[str], place: str) -> None:
        what = f"{call} {_shown(argv)}" if argv else call
        super().__init__(
            f"step {step!r} may not start a process other than through the sandbox: {what} at {place}. Use "
            f'sandbox.run([...]) and a rule of the policy, or accept such starts with python_processes = "record" in '
            f"[tool.workflow-exec.policy] of pyproject.toml ([policy] in workflow-exec.toml)."
        )
        self.step, self.call, self.argv, self.place = step, call, tuple(argv), place


class CommandNotFoundError(WorkflowExecError):
    """An allowed program does not exist on the policy's path."""

    def __init__(self, *, program: str, path: Sequence[str]) -> None:
        super().__init__(
            f"program {program!r} was not found on the policy's path ({', '.join(path) or 'empty'}). "
            f"Install it, or set path in [tool.workflow-exec.policy] of pyproject.toml ([policy] in workflow-exec.toml)."
        )
        self.program, self.path = program, tuple(path)


class CommandFailedError(WorkflowExecError):
    """A command ran and exited with something else than 0."""

    def __init__(
        self,
        *,
        argv: Sequence[str],
        exit_status: int | None,
        signal: int | None,
        stderr: str,
        stdout: str = "",
        truncated: bool = False,
        flooded: bool = False,
        limit: str = "",
    ) -> None:
        how = f"was killed by signal {signal}" if signal is not None else f"exited with {exit_status}"
        if flooded:
            how = "was killed because it printed more than is read"
        elif limit:
            how = f"was killed at the policy's limit {limit!r}"
        elif truncated:
            how += "; it printed more than is kept"
        super().__init__(f"{_shown(argv)} {how}{_last_words(stdout, stderr, truncated=truncated or flooded)}")
        self.argv, self.exit_status, self.signal = tuple(argv), exit_status, signal
        self.printed = stderr.strip() or stdout.strip()


class CommandTimeoutError(WorkflowExecError):
    """A command took longer than it may; it and everything it started were killed."""

    def __init__(self, *, argv: Sequence[str], timeout_s: float) -> None:
        super().__init__(f"{_shown(argv)} was killed after {timeout_s:g} s with everything it had started")
        self.argv, self.timeout_s = tuple(argv), timeout_s


class SandboxSetupError(WorkflowExecError):
    """The sandbox could not be set up; the command was not started."""


class ExpectationError(WorkflowExecError):
    """A command ran, but did not do what its step expects."""

    def __init__(
        self,
        *,
        argv: Sequence[str],
        what: str,
        expected: str,
        found: str,
        exit_status: int | None = None,
        printed: str = "",
    ) -> None:
        super().__init__(_harmless(f"{_shown(argv)}: expected {what} {expected}, found {found}"))
        self.argv, self.what, self.expected, self.found = tuple(argv), what, expected, found
        self.exit_status, self.printed = exit_status, printed


class PollFailedError(WorkflowExecError):
    """What a step looks at has become what it must not become."""

    def __init__(self, *, argv: Sequence[str], found: str) -> None:
        super().__init__(_harmless(f"{_shown(argv)}: {found}, which its fail_on names"))
        self.argv, self.found = tuple(argv), found


class CheckInDoubtError(WorkflowExecError):
    """The check of a step whose effect is unknown could not tell whether the effect is there."""

    def __init__(self, *, step: str, why: str) -> None:
        super().__init__(
            f"step {step!r} was started before and has no end, and its check could not tell whether its effect is "
            f"there: {why}\nNothing of it was run. --workflow-resume asks a person whether it may run again."
        )
        self.step, self.why = step, why


class OutputError(WorkflowExecError):
    """A step's output is missing, ambiguous, not what was declared, or can't be kept as JSON."""


class ValueRefusedError(OutputError):
    """A value can't be kept as evidence; nothing was written, and the log goes on."""

    def __init__(self, *, where: str, reason: str) -> None:
        super().__init__(f"{where} can't be recorded: {reason}")
        self.where, self.reason = where, reason


class VerifyFailedError(WorkflowExecError):
    """A `verify:` step's tests did not all run and pass."""

    def __init__(self, message: str) -> None:
        super().__init__(_harmless(message))


class EvidenceError(WorkflowExecError):
    """Evidence can't be written; the run ends, whatever it was doing."""


class LogUnreadableError(WorkflowExecError):
    """A log can't be read: no such run, or a file that is no evidence."""


class LockHeldError(WorkflowExecError):
    """Another run of the same workflow, or of its concurrency group, is under way in this project."""

    def __init__(self, *, workflow: str, holder: str, group: str | None = None) -> None:
        what = f"workflow {workflow!r} is already running here"
        if group is not None:
            what = f"workflow {workflow!r} must wait: a run of its concurrency group {group!r} is under way here"
        super().__init__(f"{what} ({holder}). Wait for it, or stop it.")
        self.workflow, self.group, self.holder = workflow, group, holder


_TAIL_CHARACTERS = 2000


def _last_words(stdout: str, stderr: str, *, truncated: bool) -> str:
    name, text = ("stderr", stderr.strip()) if stderr.strip() else ("stdout", stdout.strip())
    if not text:
        return ""
    tail = text[-_TAIL_CHARACTERS:]
    if len(tail) < len(text):
        # Whole lines, unless the last one alone is longer.
        tail = tail.partition("\n")[2] or tail
    tail = _harmless(tail)
    of = f"what is kept of {name}" if truncated else name
    # stderr is what anyone expects to see; only what is not needs a name.
    return f":\n{tail}" if of == "stderr" else f". The end of {of}:\n{tail}"


def _harmless(text: str) -> str:
    """Return a text in which no character acts on a terminal, hides or turns the direction of others."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(each if each in "\n\t" or each.isprintable() else ascii(each)[1:-1] for each in text)


def _shown(argv: Sequence[str]) -> str:
    return "[" + ", ".join(ascii(argument) for argument in argv) + "]"


class SecretMissingError(WorkflowExecError):
    """A step asked for a secret that the environment does not hold."""

    def __init__(self, *, step: str | None, name: str) -> None:
        who = "a step" if step is None else f"step {step!r}"
        super().__init__(f"{who} needs the secret {name}, which the environment does not set")
        self.step, self.name = step, name


class SecretSourceError(WorkflowExecError):
    """A secret can't be had from where the policy says that it stands."""

    def __init__(self, *, name: str, reason: str) -> None:
        super().__init__(f"the secret {name} {reason}")
        self.name, self.reason = name, reason


class AiError(WorkflowExecError):
    """A model gave no answer that counts.

    `kind` is the class of the failure (`transient`, `permission`, `business` or `definition`), `attempts` holds what was proposed
    and why it was refused, as JSON, `cost_usd` what it took all the same.
    """

    def __init__(
        self, message: str, *, kind: str = "business", attempts: Sequence[object] = (), cost_usd: float = 0.0
    ) -> None:
        super().__init__(message)
        self.kind, self.attempts, self.cost_usd = kind, tuple(attempts), cost_usd


class PlanRefusedError(WorkflowExecError):
    """A plan of commands that a model proposed can't be run; nothing of it was.

    `refused` holds each command that the policy does not allow, with the reason.
    """

    def __init__(
        self, *, what: str, reasons: Sequence[str], refused: Sequence[tuple[tuple[str, ...], str]] = ()
    ) -> None:
        listed = "".join(f"\n  {reason}" for reason in reasons)
        super().__init__(f"{what} is refused as a whole, and nothing of it was run:{listed}")
        self.what, self.reasons, self.refused = what, tuple(reasons), tuple(refused)
