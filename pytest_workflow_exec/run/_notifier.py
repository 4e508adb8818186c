"""Telling people elsewhere that a gate waits or how a session ended: a courtesy, on which nothing depends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_workflow_exec import events
from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import SandboxSetupError
from pytest_workflow_exec.evidence import Record
from pytest_workflow_exec.model import StepId
from pytest_workflow_exec.redaction import Redactor
from pytest_workflow_exec.settings import NotifyOn, NotifySettings

if TYPE_CHECKING:
    from pytest_workflow_exec.sandbox import Policy


_ENDS: Mapping[str, NotifyOn] = {"suspended": "suspended", "denied": "denied"}
_MAX_TEXT_CHARACTERS = 2000


class Notifier:
    """Runs the project's commands for it, each between two records."""

    def __init__(
        self,
        commands: Sequence[NotifySettings],
        *,
        run: str,
        workflow: str,
        root: Path,
        scratch: Path,
        policy: Policy,
        redactor: Redactor,
        record: Callable[[events.Event], None],
        say: Callable[[str], None],
        listener: Callable[[Record], None] | None = None,
    ) -> None:
        """Begin a session.

        Args:
            scratch: Where they have a home of their own.
            redactor: Masks what they are told.
            record: Keeps an event.
            say: Tells the person who runs this what went wrong.
            listener: Is told of each record first.
        """
        self._commands, self._run, self._workflow, self._root = commands, run, workflow, root
        self._scratch, self._policy, self._redactor = scratch, policy, redactor
        self._record, self._say, self._listener = record, say, listener
        if commands:
            # Now: at the end of a run nothing may be left that loading it needs, such as a free descriptor.
            import_module("pytest_workflow_exec.sandbox._notice")

    def take(self, record: Record) -> None:
        """Tell of a question that was written down, or of a gate that somebody went past.

        Raises:
            EvidenceError: What is done can't be written.
        """
        if self._listener is not None:
            self._listener(record)
        if record.type == "gate.requested":
            self._tell("gate.requested", _asked(record))
        if record.type == "gate.decided" and record.data.get("channel") == "break-glass":
            self.glass_broken(record.step, record.data)

    def glass_broken(self, step: StepId | None, data: Mapping[str, Json]) -> None:
        """Tell of a gate that somebody went past without the signatures that it wants.

        Args:
            data: That of the record of their decision.

        Raises:
            EvidenceError: What is done can't be written.
        """
        self._tell("break_glass", {"step": step, **{key: data.get(key) for key in ("approver", "reason", "missing")}})

    def end(self, result: str) -> None:
        """Tell how the session ended.

        Raises:
            EvidenceError: What is done can't be written.
        """
        self._tell(_ENDS.get(result, "finished"), {"result": result})

    def _tell(self, on: NotifyOn, facts: Mapping[str, Json]) -> None:
        ends = on not in ("gate.requested", "break_glass")
        for each in self._commands:
            # Whoever wants to hear of every end hears of each once.
            if on in each.on or (ends and "finished" in each.on):
                self._give(each, on, facts)

    def _give(self, each: NotifySettings, on: NotifyOn, facts: Mapping[str, Json]) -> None:
        from pytest_workflow_exec.digests import canonical_json
        from pytest_workflow_exec.sandbox import Notice, give_notice, notice_folders

        told: Mapping[str, Json] = {
            "event": on,
            "run": self._run,
            "workflow": self._workflow,
            "project": str(self._root),
            **facts,
        }
        masked = self._redactor.value(told)
        words = masked if isinstance(masked, Mapping) else {}
        notice = Notice(
            command=each.command,
            stdin=canonical_json(masked).encode("ascii") + b"\n",
            variables={f"WORKFLOW_EXEC_{name.upper()}": str(words[name]) for name in _VARIABLES if words.get(name)},
        )
        shown = self._redactor.text(each.command[0])
        try:
            problem = give_notice(
                notice,
                policy=self._policy,
                root=self._root,
                folders=notice_folders(self._scratch),
                announce=lambda started: self._record(events.notice_given(on, started, said=f"telling by {shown}")),
            )
        except SandboxSetupError as error:
            problem = str(error)
        outcome = f"not told by {shown}: {self._redactor.text(problem)}" if problem else f"told by {shown}"
        self._record(events.notice_given(on, {"argv": list(each.command), "problem": problem}, said=outcome))
        if problem:
            self._say(f"warning: {on}: {outcome}")


_VARIABLES = ("event", "run", "workflow", "step", "result", "approver", "reason")


def _asked(record: Record) -> Mapping[str, Json]:
    request = record.data.get("request")
    asked = request if isinstance(request, Mapping) else {}
    words = asked.get("author_words")
    found = [each for each in words if isinstance(each, Mapping)] if isinstance(words, list) else []
    question = next((each.get("text") for each in found if each.get("source") == "question"), "")
    return {
        "step": record.step,
        # The author's words, or a model's: nobody checked them.
        "question": str(question)[:_MAX_TEXT_CHARACTERS],
        "issued": asked.get("issued"),
        "expires": asked.get("expires"),
        "signed": asked.get("rules") is not None,
    }
