"""The engine's question before a run goes on: asked, decided and used before any step of the session starts."""

from __future__ import annotations

from ._again import again_in
from ._approvals import facts_of
from ._contradiction import ContradictionError, text_in
from ._told import Told
from ._verdict import GateFacts

_NAME = "resume"
"""What the question is called where a gate has its step's id."""


class Consent:
    """What a person was asked before a session's first step."""

    def __init__(self) -> None:
        self._asked: str | None = None
        self._decision: GateFacts | None = None
        self._used = False
        self._over = True
        self.counted: list[GateFacts] = []
        """Every decision that let a session go on."""

    def resume(self) -> None:
        """Begin a session: nothing was asked yet."""
        self._asked, self._decision, self._used, self._over = None, None, False, False

    def request(self, record: Told) -> None:
        """Take in the question.

        Raises:
            ContradictionError: It stands where none can stand.
        """
        if self._over or self._asked is not None:
            raise ContradictionError("the engine asks whether steps may run again, but not at the start of a session")
        if again_in(record) is not None:
            raise ContradictionError("the engine asks anew whether steps may run again, which it never does")
        self._asked = text_in(record.data, "digest")

    def decide(self, record: Told) -> None:
        """Take in the decision.

        Raises:
            ContradictionError: It is about something else, or comes twice.
        """
        if self._decision is not None or self._asked != text_in(record.data, "digest"):
            raise ContradictionError(
                "it is decided whether steps may run again, but no record says that this was asked"
            )
        self._decision = facts_of(_NAME, record)

    def use(self, record: Told) -> None:
        """Take in the use of the decision.

        Raises:
            ContradictionError: It was no approval of this question, or was used before.
        """
        asked, given = self._asked == text_in(record.data, "digest"), self._decision
        if self._used or not asked or given is None or given.decision != "approved":
            raise ContradictionError("the consent to run steps again is used, but no record says that it was given")
        self._used = True
        self.counted.append(given)

    def demand(self) -> None:
        """Return if a step may start: nothing was asked, or the consent was given and used.

        Raises:
            ContradictionError: It may not.
        """
        self._over = True
        if self._asked is not None and not self._used:
            raise ContradictionError("a step starts, but nobody agreed that steps may run again")
