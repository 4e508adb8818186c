"""What a verifier wants of a run beyond its having passed."""

from __future__ import annotations

import pytest

from pytest_workflow_exec.verify import Asked, Verdict, Word, held_to

EXIT_CODES: dict[Word, int] = {
    "verified": 0, "broken": 1, "unreadable": 2, "bounded": 3, "not passed": 4, "torn tail": 5,
}  # fmt: skip


def _verdict(word: Word = "verified", **more: object) -> Verdict:
    facts = {"plan_digest": "p", "policies": ("q",), "assurance": 1, **more}
    return Verdict(exit_code=EXIT_CODES[word], word=word, message="m", **facts)  # type: ignore[arg-type]  # as named


@pytest.mark.parametrize("word", EXIT_CODES)
def test_what_is_as_asked_stays_as_it_is(word: Word) -> None:
    """Nothing asked, or just what is there: the verdict is the same."""
    for asked in (Asked(), Asked(plan="p"), Asked(policy="q"), Asked(min_assurance=1), Asked(min_assurance=0)):
        assert held_to(_verdict(word), asked) == _verdict(word)


@pytest.mark.parametrize(
    ("asked", "more"),
    [
        (Asked(plan="x"), {}),
        (Asked(plan="p"), {"plan_digest": None}),
        (Asked(policy="x"), {}),
        (Asked(policy="q"), {"policies": ()}),
        (Asked(policy="q"), {"policies": ("q", "x")}),
        (Asked(min_assurance=2), {}),
        (Asked(min_assurance=0), {"chain_only": True}),
        (Asked(plan="p", policy="q", min_assurance=2), {}),
    ],
)
def test_any_difference_is_exit_4(asked: Asked, more: dict[str, object]) -> None:
    """One thing that is not as asked makes a verified, bounded or torn run one that is not as asked."""
    for word, code in EXIT_CODES.items():
        verdict = held_to(_verdict(word, **more), asked)
        stands = word in ("broken", "unreadable", "not passed")
        assert (verdict.exit_code, verdict.word) == ((code, word) if stands else (4, "not as asked"))


def test_every_difference_is_named() -> None:
    """The message tells all that is not as asked, not only the first thing."""
    message = held_to(_verdict(), Asked(plan="x", policy="y", min_assurance=3)).message

    assert "its plan is p, not x; it ran under policy q, not y; an approval in it is worth 1, not 3 or more" in message


def test_a_run_without_approvals_has_none_that_is_worth_anything() -> None:
    """Whoever asks what approvals are worth asks for one: a run in which nobody decided anything is not as asked."""
    assert held_to(_verdict(assurance=None), Asked(min_assurance=1)).exit_code == 4
    assert held_to(_verdict(assurance=None), Asked(min_assurance=0)) == _verdict(assurance=None)
