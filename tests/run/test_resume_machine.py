"""Runs that start, fail, are killed, edited and resumed in any order, against a model of what may be carried."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pytest_workflow_exec.approval import Decision, GateRequest
from pytest_workflow_exec.errors import GateDeniedError
from pytest_workflow_exec.model import Outcome
from pytest_workflow_exec.run import History, Run, perform_check
from pytest_workflow_exec.verify import verify_log

from ._resume_model import STEPS, Model, World
from .conftest import Project, approved, no_call
from .test_carry import refusing

BODY = {
    "a": 'run: [echo, "${inputs.x}"], outputs: {said: {stdout: ".+"}}',
    "b": "run: [cp, source, out.txt], outputs: {file: {glob: out.txt}}",
    "c": 'run: [echo, "${steps.a.said}"]',
    "d": "run: [echo, d], check: {run: [test, -e, mark]}",
}
RULES = (("echo *", "echo {:.+}"), ("cp * *", "cp source *"))
FILES = ("content", "other", None)
COUNT = st.sampled_from([0, 1, 2, 3, 3, 3, 4, 4])
ENDS = st.sampled_from(["failed", "interrupted", "killed", "killed", "gone"])
AGREES = st.booleans()
TORN = b'{"v":1,"seq":99,"run":"'


class Runs(RuleBasedStateMachine):
    """One run after the other in a project that a person edits."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.state = os.environ.get("XDG_STATE_HOME")
        os.environ["XDG_STATE_HOME"] = str(self.root / "state")
        self.project = Project(self.root)
        (self.root / "source").write_text("content")
        self.world, self.model = World(), Model()
        self.run: Run | None = None
        """The run that goes on, or went on last."""
        self.waiting: list[str] = []
        """The steps that have not ended in this session."""
        self.carried: set[str] = set()
        self.probed: set[str] = set()
        self.attempts: dict[str, int] = {}
        self.finished = False

    def teardown(self) -> None:
        """Give back what is still held."""
        os.environ.pop("XDG_STATE_HOME")
        if self.state is not None:
            os.environ["XDG_STATE_HOME"] = self.state
        shutil.rmtree(self.root)

    @initialize(count=COUNT, how=ENDS)
    def first(self, count: int, how: str) -> None:
        """Start a run and go through some of its steps."""
        self._start()
        self._go(count, how)

    @precondition(lambda self: self.finished)
    @rule(count=COUNT, how=ENDS)
    def start_anew(self, count: int, how: str) -> None:
        """Start another run, of which nothing is known."""
        self._start()
        self._go(count, how)

    @precondition(lambda self: not self.finished)
    @rule(agrees=AGREES, redo=st.sampled_from([None, None, None, None, None, *STEPS]), count=COUNT, how=ENDS)
    def resume(self, agrees: bool, redo: str | None, count: int, how: str) -> None:
        """Go on: a person is asked about just the steps that the model says, and a refusal starts nothing."""
        self.carried = self.model.carried(self.world, redo)
        self.probed = self.model.probed(self.world, redo)
        expected = self.model.asked(self.world, redo)
        questions: list[GateRequest] = []

        def approver(request: GateRequest, timeout_s: float) -> Decision:
            questions.append(request)
            return (approved if agrees else refusing)(request, timeout_s)

        try:
            self.run = self._open(approver=approver, after=self._run, redo=redo)
        except GateDeniedError:
            assert expected
            assert not agrees
        else:
            assert agrees or not expected
            assert set(self.run._carried) == self.carried
            self.waiting = list(STEPS)
        self.model.resume(self.carried)
        assert [{covered.step for covered in request.covers} for request in questions] == [expected] * bool(expected)
        if agrees or not expected:
            self._go(count, how)

    @precondition(lambda self: not self.finished)
    @rule(what=st.sampled_from(["definition", "definition", "idempotent"]), step=st.integers(0, 3))
    def edit(self, what: str, step: int) -> None:
        """Change the definition of a step, or whether it says that running it twice does no harm."""
        version, said = list(self.world.version), list(self.world.idempotent)
        if what == "definition":
            version[step] = 1 - version[step]
        else:
            said[step] = not said[step]
        self.world = replace(self.world, version=tuple(version), idempotent=tuple(said))

    @precondition(lambda self: not self.finished)
    @rule(what=st.sampled_from(["input", "echo", "cp", "effect", "torn", "file"]))
    def change(self, what: str) -> None:
        """Change what steps depend on besides their definition, or leave half a record at the end of the log."""
        world, (echo, cp) = self.world, self.world.rules
        if what == "torn":
            with self._run.log_path.open("ab") as file:
                file.write(TORN)
        elif what == "input":
            self.world = replace(world, value="y" if world.value == "x" else "x")
        elif what in ("echo", "cp"):
            self.world = replace(world, rules=(1 - echo, cp) if what == "echo" else (echo, 1 - cp))
        elif what == "effect":
            self._put("mark", None if world.effect else "")
            self.world = replace(world, effect=not world.effect)
        else:
            content = FILES[(FILES.index(world.file) + 1) % len(FILES)]
            self._put("out.txt", content)
            self.world = replace(world, file=content)

    @invariant()
    def log_is_never_broken(self) -> None:
        """Whatever happened, the log says one story."""
        if self.run is not None:
            verdict = verify_log(self.run.log_path)
            assert verdict.word not in ("broken", "unreadable"), verdict
            assert (verdict.result == "passed") is self.finished

    @invariant()
    def log_says_what_is_true(self) -> None:
        """What is folded from the log is what the model knows."""
        if self.run is None:
            return
        history, past = History.of(self.run.log_path), self.model.past
        assert set(history.satisfied) == {step for step, each in past.items() if each.status == "passed"}
        assert set(history.unknown) == {step for step, each in past.items() if each.status == "unknown"}
        assert history.invalid == {step for step, each in past.items() if each.stale}
        assert history.attempts == self.attempts

    @property
    def _run(self) -> Run:
        assert self.run is not None
        return self.run

    def _start(self) -> None:
        self.model, self.attempts, self.finished = Model(), {}, False
        self.carried, self.probed = set(), set()
        self.run = self._open(approver=refusing)
        self.waiting = list(STEPS)

    def _go(self, count: int, how: str) -> None:
        """Let so many steps pass that are not carried, and end the session in the next one, or before it."""
        run = self._run
        while self.waiting:
            name = self.waiting[0]
            step = run.workflow.step(name)
            carried = run.carries(step)
            assert carried is (name in self.carried)
            if carried:
                run.carry(step)
            elif count > 0:
                self._perform(name)
                count -= 1
            else:
                break
            self.waiting.pop(0)
        self._end(how)

    def _end(self, how: str) -> None:
        run = self._run
        if self.waiting and how in ("failed", "interrupted", "killed"):
            name = self.waiting[0]
            run.start(run.workflow.step(name))
            self._note_attempt(name)
            if how == "failed":
                self.model.failed(name)
            else:
                self.model.broken_off(name, self.world)
            if how != "killed":
                run.finish(name, Outcome(how), message=how)
        if how in ("killed", "gone"):
            # As if the process were gone: nothing more is written, and the lock is free.
            run._journal.close()
            run._lock.release()
            return
        run.close(interrupted=how == "interrupted")
        self.finished = not self.waiting
        assert run.state.complete is self.finished

    def _put(self, name: str, content: str | None) -> None:
        (self.root / name).unlink(missing_ok=True)
        if content is not None:
            (self.root / name).write_text(content)

    def _open(self, **more: object) -> Run:
        world = self.world
        echo, cp = (spellings[number] for spellings, number in zip(RULES, world.rules, strict=True))
        (self.root / "workflow-exec.toml").write_text(
            f"[policy]\nsandbox = \"none\"\ncommands = ['{echo}', '{cp}', 'test -e mark']\n"
        )
        steps = "".join(
            f"  - {{id: {step}, name: v{version}, idempotent: {str(safe).lower()}, {BODY[step]}}}\n"
            for step, version, safe in zip(STEPS, world.version, world.idempotent, strict=True)
        )
        text = f"workflow: flow\ninputs: {{x: {{default: x}}}}\nsteps:\n{steps}"
        return self.project.open(text, inputs={"x": world.value}, durability="process", **more)  # type: ignore[arg-type]

    def _perform(self, name: str) -> None:
        run, step = self._run, self._run.workflow.step(name)
        if name in self.probed and self.world.effect:
            run.start(step)
            there = perform_check(run, step, call=no_call)
            assert there is not None
            run.finish(name, Outcome.PASSED, outputs=there)
        else:
            self.project.perform(run, name)
        if name == "b":
            self.world = replace(self.world, file="content")
        self._note_attempt(name)
        self.model.passed(name, self.world, by_check=name in self.probed and self.world.effect)

    def _note_attempt(self, name: str) -> None:
        self.attempts[name] = self.attempts.get(name, 0) + 1
        assert self._run._attempts[name] == self.attempts[name]


Runs.TestCase.settings = settings(
    max_examples=30,
    stateful_step_count=12,
    deadline=None,
    # Steps are short as they are; making a failure smaller takes minutes.
    phases=[Phase.explicit, Phase.generate],
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestRuns = Runs.TestCase
