"""Conversations that are kept turn by turn, and ones that are held again from what was kept."""

from __future__ import annotations

from collections.abc import Callable

from pytest_workflow_exec.errors import AiError
from pytest_workflow_exec.lean_dataclasses import replace

from ._backend import AiNews
from ._cassette import Redact
from ._talk_cassette import Exchange, Said
from ._talker import Ear, Reply, Talker, TalkSetup, Wish


class RecordingTalk:
    """Talks through another talker, and keeps each turn once it is over, however it ended."""

    def __init__(self, talker: Talker, setup: TalkSetup, *, redact: Redact, keep: Callable[[Exchange], None]) -> None:
        """Keep what is said from here on.

        Args:
            redact: Takes known secrets out of everything that is kept.
            keep: Takes a turn that is over.
        """
        self._talker, self._setup, self._redact, self._keep = talker, setup, redact, keep
        self._opens = True

    @property
    def is_over(self) -> bool:
        """Whether nothing more can be said."""
        return self._talker.is_over

    def say(self, text: str, ear: Ear, *, timeout_s: float) -> Reply:
        """Say something, and return what came of it once it is kept.

        Raises:
            AiError: It can't be kept.
        """
        wishes: list[Wish] = []

        def judge(wish: Wish) -> None:
            ear.judge(wish)
            wishes.append(wish)

        opens, self._opens = self._opens, False
        reply = self._talker.say(text, replace(ear, judge=judge), timeout_s=timeout_s)
        said = Said.of(self._setup, text, self._redact, opens=opens)
        self._keep(Exchange.of(said, wishes, reply, self._redact, over=self._talker.is_over))
        return reply

    def close(self) -> None:
        """End it."""
        self._talker.close()


class ReplayingTalk:
    """Replies as it was recorded, as long as it is told the same. No tool is used: what was looked at then is told again."""

    def __init__(
        self,
        setup: TalkSetup,
        *,
        redact: Redact,
        take: Callable[[], Exchange | None],
        peek: Callable[[], Exchange | None],
        refuse: Callable[[str], AiError],
    ) -> None:
        """Hold a conversation again.

        Args:
            redact: The same as at the recording: secrets are not compared.
            take: Gives the next turn of the recording; None behind its end.
            peek: Gives the same, and leaves it the next one.
            refuse: Makes the error that says how to record again.
        """
        self._setup, self._redact, self._take, self._peek, self._refuse = setup, redact, take, peek, refuse
        self._opens, self._over = True, False

    @property
    def is_over(self) -> bool:
        """Whether nothing more could be said then."""
        return self._over

    @property
    def next_words(self) -> str | None:
        """What was said next, empty if nothing was; None if that can't be said again as it stands."""
        exchange = self._peek()
        if exchange is None:
            return ""
        return None if exchange.said.opens else exchange.said.text

    def say(self, text: str, ear: Ear, *, timeout_s: float) -> Reply:
        """Return what came of the same turn then.

        Raises:
            AiError: Something else was said then, or nothing more.
        """
        del timeout_s
        said = Said.of(self._setup, text, self._redact, opens=self._opens)
        self._opens = False
        exchange = self._take()
        if exchange is None:
            raise self._refuse("the recorded conversation has no further turn")
        if exchange.said != said:
            raise self._refuse(
                f"something else was recorded in this turn: the {said.differs_in(exchange.said)} changed since"
            )
        self._over = exchange.over
        ear.tell(AiNews(text="replayed from a recording: no model is asked"))
        for wish in exchange.wishes:
            ear.judge(Wish(tool=wish.tool, arguments=wish.arguments, problem=wish.problem))
        if exchange.text:
            ear.hear(exchange.text)
        return exchange.reply()

    def close(self) -> None:
        """There is nothing to end."""
        self._over = True
