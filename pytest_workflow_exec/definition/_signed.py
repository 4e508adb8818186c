"""What a gate wants beyond a code typed at a terminal, and what of it does not fit together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import Signed

from ._names import quoted, suggestion

MAX_PERSONS = 100
_TERMINAL, _HIGHEST = 1, 3
_SHORTEST_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a gate says of its decision, as it is written."""

    assurance: int = _TERMINAL
    approvers: Sequence[str] = ()
    required: int | Mapping[str, int] | None = None
    """None: it does not say."""
    min_wait_s: float | None = None
    veto: bool | None = None
    in_advance: bool = False
    suspends: bool = False
    expires_s: float = 0.0
    """How long the question can be answered, in seconds."""

    @property
    def signed(self) -> Signed | None:
        """What is to be signed; None for a gate at a terminal. It counts only without problems."""
        if self.assurance == _TERMINAL:
            return None
        return Signed(
            assurance=self.assurance,
            approvers=tuple(self.approvers),
            required=1 if self.required is None else self.required,
            min_wait_s=self.min_wait_s or 0.0,
            veto=self.veto is not False,
            in_advance=self.in_advance,
        )

    def problems(self) -> Iterator[tuple[str, str]]:
        """Give each key that does not fit, with what is wrong with it."""
        if not _TERMINAL <= self.assurance <= _HIGHEST:
            yield "assurance", f"must be 1 (terminal), 2 (signature) or 3 (presence), not {self.assurance}"
        elif self.assurance == _TERMINAL:
            yield from self._beyond_a_terminal()
        else:
            yield from self._of_groups()
            yield from self._of_numbers()
            yield from self._of_times()
            yield from self._of_advance()

    def _beyond_a_terminal(self) -> Iterator[tuple[str, str]]:
        said = {
            "approvers": bool(self.approvers),
            "required": self.required is not None and self.required != 1,
            "min_wait": self.min_wait_s is not None,
            "veto": self.veto is not None,
            "in_advance": self.in_advance,
        }
        for key in (key for key, is_said in said.items() if is_said):
            yield key, f"a code typed at a terminal proves nobody: {key} needs assurance: 2 (signature) or 3 (presence)"

    def _of_groups(self) -> Iterator[tuple[str, str]]:
        if len(set(self.approvers)) < len(self.approvers):
            yield "approvers", "names a group twice"
        if isinstance(self.required, Mapping):
            for group in sorted(self.required.keys() - set(self.approvers)):
                yield "required", f"{quoted(group)} is none of the approvers{suggestion(group, self.approvers)}"
            for group in sorted(set(self.approvers) - self.required.keys()):
                yield "required", f"does not say how many of {quoted(group)} have to agree"

    def _of_numbers(self) -> Iterator[tuple[str, str]]:
        numbers = self.required.values() if isinstance(self.required, Mapping) else [self.required]
        given = [1 if number is None else number for number in numbers]
        if not given or min(given) < 1:
            yield "required", "needs at least one person"
        if sum(given) > MAX_PERSONS:
            yield "required", f"brings more than {MAX_PERSONS} persons together"
        # One terminal sees one person at one time.
        if sum(given) > 1 and not self.suspends:
            yield "required", "several persons never meet at one terminal: add wait: suspend"

    def _of_times(self) -> Iterator[tuple[str, str]]:
        if self.expires_s < _SHORTEST_S:
            yield "expires", "nobody reads and signs in less than a minute"
        if self.min_wait_s is None:
            return
        if not self.suspends:
            yield "min_wait", "nobody waits at a terminal for that long: add wait: suspend"
        # Both are counted in whole seconds; and somebody has to come in between.
        if self.min_wait_s + _SHORTEST_S > self.expires_s:
            yield "min_wait", "the question expires before it can be approved: let expires be longer"

    def _of_advance(self) -> Iterator[tuple[str, str]]:
        if self.in_advance and not self.suspends:
            yield "in_advance", "a plan that nobody approved has to wait for a signature: add wait: suspend"
        if self.in_advance and self.min_wait_s is not None:
            yield "in_advance", "what was approved in advance passes at once, and min_wait says that it must not"
