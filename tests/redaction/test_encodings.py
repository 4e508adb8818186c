"""No encoding of a known secret survives, whatever the secret is."""

from __future__ import annotations

import json
import string

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pytest_workflow_exec.redaction import Redactor, holds_mask

from ._encodings import ALL, WHOLE, readings

# Of characters that give every kind of escape, and of any.
_SIGNS = st.text(alphabet="ab\"\\/+%&=?'<>-_ é\u00ff€\U0001f600", min_size=8, max_size=40)
_ANY = st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=8, max_size=60)
_TOKENS = st.text(alphabet=string.ascii_letters + string.digits + "-_=+/.", min_size=8, max_size=80)
SECRETS = st.one_of(_TOKENS, _SIGNS, _ANY)


@pytest.mark.parametrize("encoding", ALL)
@settings(max_examples=60, deadline=None)
@given(
    secret=SECRETS, before=st.sampled_from(["", "token=", "{", "\n", "E   "]), after=st.sampled_from(["", "&b", "}\n"])
)
def test_no_encoding_of_a_known_secret_survives(encoding: str, secret: str, before: str, after: str) -> None:
    """However a secret is written, a mask stands where it was, and it can't be read out of what is left."""
    # Where lines are joined again, white space and signs before it may be lost with their breaks: several words are
    # known as far as that leaves them unambiguous, one word always.
    assume(encoding in WHOLE or [secret] == secret.split())
    text = before + ALL[encoding](secret) + after

    masked = Redactor({"TOKEN": secret}).text(text)

    assert holds_mask(masked)
    assert ALL[encoding](secret) not in masked
    if len(set(secret)) > 3:
        # A secret of few different characters may be read out of anything, by chance.
        assert not any(secret in reading for reading in readings(masked.replace("[secret TOKEN]", "\0")))


@settings(max_examples=200, deadline=None)
@given(secret=_TOKENS, text=st.text(max_size=200))
def test_a_text_without_the_secret_is_not_touched(secret: str, text: str) -> None:
    """What does not hold the secret in any spelling is returned as it was."""
    bare = "".join(text.split())
    redactor = Redactor({"TOKEN": secret})

    if not any(secret in reading for reading in (text, bare, *readings(text))):
        assert redactor.text(text) == text


@settings(max_examples=100, deadline=None)
@given(secret=SECRETS)
def test_a_masked_text_stays_as_it_is(secret: str) -> None:
    """Masking twice is masking once, and JSON of a masked value is still JSON."""
    redactor = Redactor({"T": secret})
    masked = redactor.value({"a": f"x {secret} y", secret: [secret]})

    assert json.loads(json.dumps(masked)) == masked
    assert redactor.value(masked) == masked


def test_a_secret_that_is_learned_later_is_masked_from_then_on() -> None:
    """`add` makes a value known to everybody who holds the redactor; short and repeated ones change nothing."""
    redactor = Redactor({})
    mask = redactor.text

    assert mask("hunter2hunter2") == "hunter2hunter2"
    redactor.add("TOKEN", "hunter2hunter2")
    redactor.add("OTHER", "hunter2hunter2")
    redactor.add("SHORT", "ordinar")

    assert mask("ordinary hunter2hunter2") == "ordinary [secret TOKEN]"


@pytest.mark.parametrize("filler", [" ", "\\", "\n", "+", " \\", "%20", "\\n", "a", "E \n", "\\u"])
@pytest.mark.parametrize(
    "secret", [" \\" * 20 + "x" * 10, " " * 20, "\\" * 20 + "\n" * 10, "a a a a a a a a a", "%" * 20]
)
def test_no_text_keeps_the_search_busy(secret: str, filler: str) -> None:
    """Secrets and texts of repeated signs are gone through once: a search that tried combinations would never end."""
    text = filler * 20_000 + "!"

    masked = Redactor({"TOKEN": secret}).text(text)

    assert masked.endswith(("!", "]!"))
