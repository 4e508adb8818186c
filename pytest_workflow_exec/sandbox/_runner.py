"""Running commands: judged, resolved, announced, started, ended, recorded, in this order."""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from pytest_workflow_exec.digests import Json, digest_of_bytes
from pytest_workflow_exec.errors import (
    CommandNotFoundError,
    CommandRefusedError,
    CommandTimeoutError,
    SandboxSetupError,
    WorkflowExecError,
)
from pytest_workflow_exec.events import Event, command_finished, command_refused, command_started
from pytest_workflow_exec.lean_dataclasses import dataclass, replace
from pytest_workflow_exec.model import StepId
from pytest_workflow_exec.redaction import Redactor

from ._argv import checked_argv, shown_argv
from ._confinement import Grant, NotConfinableError, confined, engine_folders
from ._environment import (
    check_scratch,
    common_environment,
    granted,
    make_own_folders,
    own_environment,
    remove_folders,
)
from ._last_line import CommandWatch
from ._level import Level
from ._limits import Limits
from ._policy import Policy, find_rule
from ._process import NOT_STARTED, Ended, RunningCommand, can_limit
from ._program import Identity, check_digest, identify, resolve_program
from ._program_pins import ProgramPins
from ._refusal import refusal_reason
from ._result import CommandResult, finished_facts, result_of
from ._rules import Gated, Rule
from ._signals import held_signals
from ._spawner import Confinement
from ._surroundings import (
    PLAIN,
    Surroundings,
    SurroundingsError,
    check_folder,
    check_variables,
    folder_of,
    readable,
    stdin_bytes,
)

_TRUSTED_RULE = "verify"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attempt:
    """Which attempt of which step asks for a command, and how long it may take."""

    step: StepId
    attempt: int
    timeout_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """One command that is allowed, with all it takes to start it."""

    of: _Attempt
    shown: tuple[str, ...]
    """Its arguments as they may be shown."""
    argv: tuple[str, ...]
    """What is started: with the program's own path."""
    environment: Mapping[str, str]
    cwd: Path
    stdin: bytes | None
    facts: Mapping[str, Json]
    level: Level
    limits: Limits
    own: tuple[Path, Path]
    """Its home and its temporary folder, which are there while it runs."""
    grant: Grant


class CommandRunner:
    """Runs the commands of one run's steps; several threads may use it at once."""

    def __init__(
        self,
        *,
        policy: Policy,
        root: Path,
        scratch: Path,
        inputs: Mapping[str, str],
        environment: Mapping[str, str],
        redactor: Redactor,
        record: Callable[[Event], None],
        judged_as: Callable[[str], str] = str,
        closed: Path | None = None,
        work: Path | None = None,
        outputs: Path | None = None,
        decided: Callable[[StepId, Sequence[str], Gated], bool] | None = None,
        programs: ProgramPins | None = None,
        watch: CommandWatch | None = None,
    ) -> None:
        """Prepare for running commands.

        Args:
            policy: What may run.
            root: The project, in which commands run.
            scratch: An existing private directory, in which each command has a home and temporary files of its own.
            inputs: The workflow's input values as texts, by name.
            environment: The engine's environment; only what a rule names is read from it.
            redactor: Knows the run's secrets.
            record: Keeps an event. If it raises, nothing is started.
            closed: The engine's own folder in the project, in which no command runs; None if there is none.
            work: The folder below `closed` that is the commands' own.
            outputs: The folder below `closed` that commands may read.
            judged_as: What an argument is to a rule: of a copy that the run made, the path that was copied.
            decided: Tells whether a decision that is worth what a gated rule asks for listed this command of a step. None:
                none did.
            programs: What the policy's programs were when the run was checked; None: nobody looked.
            watch: Is told of each command as long as it runs. Of a run with secrets it sees no line: what is printed so far
                may be the part of one.

        Raises:
            SandboxSetupError: There is no such directory as `scratch`.
        """
        self._policy, self._root, self._redactor, self._record = policy, root, redactor, record
        self._judged_as, self._decided, self._closed, self._work = judged_as, decided, closed, work
        self._outputs, self._watch = outputs, watch
        self._inputs, self._environment = dict(inputs), environment
        self._programs = ProgramPins() if programs is None else programs
        self._scratch, self._digests = scratch, dict[int, tuple[Rule, str]]()
        self._common = common_environment(path=policy.path, root=root, git_identity=policy.git_identity)
        check_scratch(scratch)

    def run(
        self,
        argv: Sequence[str],
        *,
        step: StepId,
        attempt: int,
        timeout_s: float | None = None,
        surroundings: Surroundings = PLAIN,
        planned: bool = False,
    ) -> CommandResult:
        """Run a command if the policy allows it, and return what it did, whatever its exit status.

        Args:
            surroundings: What it is given besides its arguments.
            planned: Whether it is the command of a `run:` step, or of a plan that was approved; no other can be gated.
            timeout_s: It and everything it started are killed after this; None for no bound.

        Raises:
            CommandRefusedError: The policy does not allow it; nothing was started.
            CommandNotFoundError: The policy's path does not hold the program; nothing was started.
            CommandTimeoutError: It took too long.
            SandboxSetupError: It could not be started, or some of what it started could not be ended.
            KeyboardInterrupt: A signal to the engine ended it, and the signal's handler raised nothing else.
        """
        __tracebackhide__ = True
        of = _Attempt(step=step, attempt=attempt, timeout_s=timeout_s)
        try:
            words = checked_argv(argv)
            judged = tuple(self._judged_as(word) for word in words)
            rule = self._rule_for(judged)
            self._check_decided(judged, step, words, planned=planned)
            program = resolve_program(words[0], self._policy, rule)
            identity = identify(program)
            self._programs.check(words[0], program, self._policy, identity=identity)
            job = self._job(of, words, program, granted(rule, self._environment), rule, identity=identity)
            if surroundings != PLAIN:
                job = self._surrounded(job, surroundings, rule)
            if judged != words:
                job = replace(job, facts={**job.facts, "judged_as": list(self._masked(judged))})
        except SurroundingsError as error:
            raise self._refused(of, argv, CommandRefusedError(argv=argv, reason=str(error))) from None
        except (CommandRefusedError, CommandNotFoundError) as error:
            raise self._refused(of, argv, error) from None
        return self._execute(job)

    def run_trusted(
        self,
        argv: Sequence[str],
        *,
        step: StepId,
        attempt: int,
        timeout_s: float | None,
        extra_environment: Mapping[str, str],
        folder: Path | None = None,
    ) -> CommandResult:
        """Run a command of the engine's own, which no rule has to allow, with the rights of tests.

        Args:
            argv: Starts with an absolute path.
            folder: A folder of the engine's own that it may write in, too.
            timeout_s: It and everything it started are killed after this; None for no bound.
            extra_environment: What it receives besides what every command receives.

        Raises:
            CommandRefusedError: It can't be started as it is; nothing was started.
            CommandTimeoutError: It took too long.
            SandboxSetupError: It could not be started, or some of what it started could not be ended.
            KeyboardInterrupt: A signal to the engine ended it, and the signal's handler raised nothing else.
        """
        __tracebackhide__ = True
        of = _Attempt(step=step, attempt=attempt, timeout_s=timeout_s)
        try:
            words = _with_absolute_program(checked_argv(argv))
            rule, program = self._policy.tests, Path(words[0])
            more = {**granted(rule, self._environment), **extra_environment}
            job = self._job(of, words, program, more, rule, identity=identify(program))
            own = (*job.grant.private, *([folder] if folder is not None else []))
            read = (*job.grant.read, *(str(each) for each in engine_folders()))
            grant = replace(
                job.grant,
                private=own,
                read=read,
                terminals="pty" in rule.needs,
                more_namespaces="namespaces" in rule.needs,
            )
            job = replace(job, grant=grant)
        except CommandRefusedError as error:
            raise self._refused(of, argv, error) from None
        return self._execute(job)

    def _rule_for(self, words: Sequence[str]) -> Rule:
        rule = find_rule(self._policy.rules, words, self._inputs)
        if rule is None:
            reason = refusal_reason(self._policy.rules, words, self._inputs, show=self._redactor.text)
            raise CommandRefusedError(argv=words, reason=reason)
        self._policy.check_narrowed(words, inputs=self._inputs, show=self._redactor.text)
        return rule

    def _check_decided(self, judged: Sequence[str], step: StepId, words: Sequence[str], *, planned: bool) -> None:
        # Each of them: no rule takes the need for a decision away that another one asks for.
        for rule in self._policy.gating(judged, inputs=self._inputs):
            if rule.gated is None:
                continue
            if not (planned and self._decided is not None and self._decided(step, words, rule.gated)):
                raise CommandRefusedError(argv=words, reason=_undecided(rule, rule.gated))

    def _refused(
        self, of: _Attempt, argv: Sequence[str], error: CommandRefusedError | CommandNotFoundError
    ) -> WorkflowExecError:
        __tracebackhide__ = True
        shown = shown_argv(argv, mask=self._redactor.text)
        reason = self._redactor.text(error.reason if isinstance(error, CommandRefusedError) else str(error))
        self._record(command_refused(of.step, attempt=of.attempt, argv=shown, reason=reason))
        if isinstance(error, CommandRefusedError):
            return CommandRefusedError(argv=shown, reason=reason, step=of.step)
        return error

    def _job(
        self,
        of: _Attempt,
        words: tuple[str, ...],
        program: Path,
        more: Mapping[str, str],
        rule: Rule | None,
        *,
        identity: Identity,
    ) -> _Job:
        shown = self._masked(words)
        if rule is not None:
            check_digest(rule, identity)
        # A name that nobody knows before, for this command alone: what one leaves at home must not be configuration
        # of the next, which may have other rights.
        name = f"command-{secrets.token_hex(8)}"
        own = home, tmp = self._scratch / f"{name}-home", self._scratch / f"{name}-tmp"
        environment = {**self._common, **own_environment(home, tmp, secrets.token_hex(16)), **more}
        level: Level = self._policy.level if rule is not None else "none"
        limits = self._policy.limits if rule is None else rule.limits
        facts: dict[str, Json] = {
            "argv": list(shown),
            "program": self._redactor.text(str(identity.real_path)),
            "program_sha256": identity.sha256,
            "rule": rule.text if rule is not None else _TRUSTED_RULE,
            "rule_digest": self._digest_of(rule) if rule is not None else "",
            "cwd": ".",
            "environment": sorted(environment),
            "secrets": sorted(rule.secrets) if rule is not None else [],
            "level": level,
            "limits": limits.facts() if can_limit() else {},
            "timeout_s": of.timeout_s,
        }
        if rule is not None and rule.sockets:
            facts["sockets"] = list(rule.sockets)
        if rule is not None and rule.needs:
            facts["needs"] = list(rule.needs)
        if level == "namespaces" and rule is not None:
            facts["namespaces"] = ["ipc", "mount", *([] if rule.network else ["net"]), "pid", "user"]
        return _Job(
            of=of,
            shown=shown,
            argv=(str(program), *words[1:]),
            environment=environment,
            cwd=self._root,
            stdin=None,
            facts=facts,
            level=level,
            limits=limits,
            own=own,
            grant=self._grant(program, identity, rule, own),
        )

    def _digest_of(self, rule: Rule) -> str:
        # By identity, which is the rule's own as long as it is kept here, too.
        if id(rule) not in self._digests:
            self._digests[id(rule)] = (rule, rule.digest)
        return self._digests[id(rule)][1]

    def _surrounded(self, job: _Job, given: Surroundings, rule: Rule) -> _Job:
        check_variables(given.env, rule)
        cwd = folder_of(given.cwd, root=self._root, closed=self._closed, work=self._work)
        if given.cwd is not None:
            check_folder(os.path.relpath(cwd, self._root.resolve()), rule)
        stdin = None if given.stdin is None else stdin_bytes(given.stdin)
        environment = {**job.environment, **given.env}
        facts: dict[str, Json] = {**job.facts, "environment": sorted(environment)}
        if given.cwd is not None:
            facts["cwd"] = self._redactor.text(os.path.relpath(cwd, self._root.resolve()))
        if given.env:
            facts["set"] = sorted(given.env)
        if given.stdin is not None and stdin is not None:
            facts["stdin"] = self._stdin_facts(given.stdin, stdin)
        return replace(job, environment=environment, cwd=cwd, stdin=stdin, facts=facts)

    def _stdin_facts(self, text: str, content: bytes) -> Json:
        # The digest of a text with a secret in it would let whoever knows the rest try secrets.
        if self._redactor.text(text) != text:
            return "secret"
        return {"sha256": digest_of_bytes(content), "size_bytes": len(content)}

    def _grant(self, program: Path, identity: Identity, rule: Rule | None, own: tuple[Path, Path]) -> Grant:
        private = (*own, *([self._work] if self._work is not None else []))
        if rule is None:
            return Grant(program=program, root=self._root, private=private)
        return Grant(
            program=program,
            stamp=identity.stamp,
            root=self._root,
            private=private,
            path=self._policy.path,
            write=rule.write,
            read=rule.read,
            exec=rule.exec,
            network=rule.network,
            sockets=rule.sockets,
            shared_memory="shared-memory" in rule.needs,
            home=Path(self._environment["HOME"]) if rule.home else None,
            namespaces=self._policy.level == "namespaces",
            hidden=self._closed,
            shown=() if self._outputs is None else (self._outputs,),
        )

    def _execute(self, job: _Job) -> CommandResult:
        __tracebackhide__ = True
        # From before the start until the end is written down nothing may be raised by a signal: it would
        # leave a command alive, or ended without a record.
        with held_signals() as held:
            self._record(command_started(job.of.step, attempt=job.of.attempt, facts=job.facts))
            try:
                ended, result = self._ended(job, held.arrived)
            finally:
                remove_folders(job.own)
        self._check(job, ended)
        return result

    def _ended(self, job: _Job, arrived: Sequence[signal.Signals]) -> tuple[Ended, CommandResult]:
        __tracebackhide__ = True
        if arrived:
            ended = replace(NOT_STARTED, interrupted_by=arrived[0])
            return ended, self._finished(job, ended, _interruption(arrived[0]))
        command = self._started(job)
        error = ""
        try:
            with self._watched(command):
                command.wait(job.of.timeout_s, arrived=arrived)
        except BaseException as interruption:
            error = f"interrupted by {type(interruption).__name__}"
            raise
        finally:
            ended = command.end()
            if ended.interrupted_by is not None:
                error = _interruption(ended.interrupted_by)
            elif ended.trespasses and not error:
                error = self._redactor.text(_trespass(job, ended.trespasses))
            result = self._finished(job, ended, error)
        return ended, result

    def _watched(self, command: RunningCommand) -> AbstractContextManager[None]:
        if self._watch is None:
            return nullcontext()
        last = command.last_line

        def line() -> str:
            return "" if self._redactor.knows_any else last.line.decode("utf-8", "replace")

        return self._watch(line)

    def _started(self, job: _Job) -> RunningCommand:
        __tracebackhide__ = True
        stdin: int | None = None
        try:
            make_own_folders(job.own)
            stdin = None if job.stdin is None else readable(job.stdin, self._scratch)
            if job.level == "none":
                return self._run_as(job, stdin, None)
            with confined(job.grant, find=self._find) as confinement:
                return self._run_as(job, stdin, confinement)
        except BaseException as error:
            words = self._redactor.text(f"could not be started: {str(error) or type(error).__name__}")
            self._finished(job, NOT_STARTED, words)
            if isinstance(error, OSError | NotConfinableError | CommandNotFoundError | CommandRefusedError):
                raise SandboxSetupError(f"{job.shown[0]} {words}") from None
            raise
        finally:
            if stdin is not None:
                os.close(stdin)

    def _run_as(self, job: _Job, stdin: int | None, confinement: Confinement | None) -> RunningCommand:
        return RunningCommand(
            job.argv,
            cwd=job.cwd,
            environment=job.environment,
            limits=job.limits,
            confinement=confinement,
            stdin=stdin,
            is_real=job.cwd is not self._root,
        )

    def _find(self, program: str) -> Path:
        found = resolve_program(program, self._policy)
        self._programs.check(program, found, self._policy)
        return found

    def _finished(self, job: _Job, ended: Ended, error: str) -> CommandResult:
        __tracebackhide__ = True
        result = result_of(argv=job.shown, ended=ended, redactor=self._redactor, level=job.level)
        facts = finished_facts(result, ended, error=error)
        self._record(command_finished(job.of.step, attempt=job.of.attempt, facts=facts))
        return result

    def _check(self, job: _Job, ended: Ended) -> None:
        __tracebackhide__ = True
        if ended.interrupted_by is not None:
            self._go_on_with(ended.interrupted_by, job)
        if not ended.sweep.clean:
            raise SandboxSetupError(f"some processes that {job.shown[0]} started could not be ended; end them by hand")
        if ended.trespasses:
            raise SandboxSetupError(self._redactor.text(_trespass(job, ended.trespasses)))
        if ended.timed_out and job.of.timeout_s is not None:
            raise CommandTimeoutError(argv=job.shown, timeout_s=job.of.timeout_s)
        if ended.exit is None and ended.signal is None:
            raise SandboxSetupError(f"how {job.shown[0]} ended is not known: something else here waited for it")

    def _go_on_with(self, number: signal.Signals, job: _Job) -> None:
        """Raise for a command that a signal to the engine ended, though the signal's own handler raised nothing."""
        __tracebackhide__ = True
        if number is signal.SIGALRM:
            raise SandboxSetupError(f"{job.shown[0]} was ended because {number.name} arrived while it ran")
        raise KeyboardInterrupt(number.name)

    def _masked(self, words: Sequence[str]) -> tuple[str, ...]:
        return tuple(self._redactor.text(word) for word in words)


def _undecided(rule: Rule, gated: Gated) -> str:
    return (
        f"rule {rule.text!r} is gated: its commands run only in a step of kind run or execute, after {gated.words} at a gate of "
        f"this run that listed this very command"
    )


def _trespass(job: _Job, paths: Sequence[str]) -> str:
    listed = ", ".join(map(repr, paths[:_SHOWN_PATHS])) + (", …" if len(paths) > _SHOWN_PATHS else "")
    return f"{job.shown[0]} made {listed} where that is protected; look at it and remove it"


_SHOWN_PATHS = 5


def _interruption(number: signal.Signals) -> str:
    return f"interrupted by {number.name}"


def _with_absolute_program(words: tuple[str, ...]) -> tuple[str, ...]:
    if not Path(words[0]).is_absolute():
        raise CommandRefusedError(argv=words, reason="the engine's own commands start with an absolute path")
    return words
