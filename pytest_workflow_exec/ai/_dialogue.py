"""A person at the terminal who talks with a model: what they type, what they see, and how they end it."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from pytest_workflow_exec.ai._backend import AiNews
from pytest_workflow_exec.ai._failure import plain
from pytest_workflow_exec.ai._interactive import InteractiveSession, Listener, Who
from pytest_workflow_exec.ai._talker import Wish
from pytest_workflow_exec.digests import canonical_json
from pytest_workflow_exec.errors import AiError

_PROMPT = "you> "
_MAX_BYTES = 1 << 20
_HELP = (
    "/done concludes, /abort gives up, /history shows what was said, /cost what it took. A line that ends in \\ goes on in "
    "the next; // begins a line with a slash. Ctrl-C breaks a turn off, twice it ends the session."
)


class Screen(Protocol):
    """What this module uses of the terminal."""

    def read(self, prompt: str, *, timeout_s: float) -> str: ...
    def remember(self, text: str) -> None: ...
    def tell(self, line: str) -> None: ...
    def echo(self, who: str, text: str) -> None: ...
    def passing(self, line: str) -> None: ...
    def words(self, text: str) -> None: ...
    def end_words(self) -> None: ...


class InputScriptError(ValueError):
    """A file of what a person would type can't be used; the message continues its name."""


def read_input_script(path: Path) -> Mapping[str, Sequence[str]]:
    """Return what a person would type, for each step line by line.

    Raises:
        InputScriptError: It holds nothing of that kind.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InputScriptError(f"is larger than {_MAX_BYTES >> 20} MiB")
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, InputScriptError):
            raise
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputScriptError(f"can't be read: {reason}") from error
    if not isinstance(found, dict) or not all(
        isinstance(lines, list) and all(isinstance(line, str) for line in lines) for lines in found.values()
    ):
        raise InputScriptError('must hold an object with a list of lines for each step: {"review": ["Why?", "/done"]}')
    return found


def hold_dialogue(session: InteractiveSession[Any], screen: Screen, *, script: Sequence[str] | None) -> None:
    """Let a person talk with the model until they are done.

    Args:
        script: What is typed for them; None if they type themselves.

    Raises:
        AiError: They gave it up, a bound is reached, or the script has no further line.
        DialogueError: Nobody can be talked with any more.
    """
    session.listener = _Shown(screen)
    person = _Person(session, screen, None if script is None else deque(script))
    screen.tell(f"a conversation with a model, which sees no more than the files that tools show it. {_HELP}")
    if session.earlier.turns and not session.transcript:
        person.choose()
    if not session.transcript:
        person.turn(None)
    while (line := person.line()) is not None:
        person.turn(line)
    screen.end_words()


class _Person:
    def __init__(self, session: InteractiveSession[Any], screen: Screen, script: deque[str] | None) -> None:
        self._session, self._screen, self._script = session, screen, script

    def choose(self) -> None:
        """Ask whether an earlier conversation goes on."""
        turns = self._session.earlier.turns
        self._screen.tell(f"an earlier conversation of this step was broken off after {len(turns)} turns")
        while True:
            said = self._typed("Type continue to go on with it, or new to begin anew: ").strip().casefold()
            if said == "continue":
                self._session.go_on()
                for each in turns:
                    if each.who == "person":
                        self._screen.remember(each.text)
                self._screen.tell("it goes on: the model is told what was said before")
                self._history()
                return
            if said == "new":
                self._screen.tell("it begins anew")
                return
            self._screen.tell("that is neither of the two")

    def line(self) -> str | None:
        """Return what is said next; None if the conversation is done."""
        while True:
            recorded = self._session.recorded if self._script is None else None
            if recorded is not None:
                self._screen.tell(f"recorded: {recorded or '/done'} (Enter says it again)")
            text = self._typed(_PROMPT)
            word = text.strip()
            if not word and recorded:
                return recorded
            if word == "/done" or (not word and recorded is not None):
                return None
            if word == "/abort":
                raise AiError("a person gave the conversation up")
            if word == "/history":
                self._history()
            elif word == "/cost":
                self._cost()
            elif word.startswith("/") and not word.startswith("//"):
                self._screen.tell(_HELP)
            elif word:
                return text.strip().removeprefix("/") if word.startswith("//") else text.strip()

    def turn(self, text: str | None) -> None:
        """Say something and show what comes of it; one that failed can be said again."""
        session = self._session
        who: Who = "person" if self._script is None else "script"
        try:
            if text is None:
                session.begin()
            else:
                session.ask(text, who=who)
        except AiError as error:
            # Only what may be otherwise next time: else nobody could end but by giving up.
            if error.kind != "transient" or not session.turns_left or session.left_s <= 0:
                raise
            self._screen.tell(str(error))
            self._screen.tell("say it again, or /done, or /abort; what was said before is not lost")
            return
        self._screen.end_words()
        self._cost()

    def _typed(self, prompt: str) -> str:
        if self._script is not None:
            if not self._script:
                raise AiError(f"the script of what is typed holds no further line for step {self._session.step!r}")
            text = self._script.popleft()
            self._screen.echo("SCRIPTED", text)
            return text
        broken = False
        while True:
            try:
                return self._screen.read(prompt, timeout_s=max(0.001, self._session.left_s))
            except KeyboardInterrupt:
                if broken:
                    raise
                broken = True
                self._screen.tell("Ctrl-C once more ends the session; /done concludes it")

    def _history(self) -> None:
        for each in self._session.transcript:
            if each.who != "workflow":
                self._screen.echo("you" if each.who == "person" else each.who, each.text)
            self._screen.words(each.reply or "(no reply)")
            self._screen.end_words()

    def _cost(self) -> None:
        session = self._session
        self._screen.tell(f"{session.turns_left} turns left, ${session.cost_usd:.4f} so far")


class _Shown(Listener):
    """Shows a turn as it happens."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def hear(self, text: str) -> None:
        self._screen.words(text)

    def tell(self, news: AiNews) -> None:
        if news.passing:
            self._screen.passing(news.text)
        else:
            self._screen.tell(news.text)

    def looked(self, wish: Wish) -> None:
        told = plain(canonical_json({str(name): str(value) for name, value in wish.arguments.items()}))
        refused = "" if wish.problem is None else f": denied, {wish.problem}"
        self._screen.tell(f"{wish.tool.rpartition('__')[2]} {told}{refused}")

    def interrupted(self) -> None:
        self._screen.tell("the turn is broken off; Ctrl-C once more ends the session")
