"""Secrets: gone from every text in every spelling that is known, and nothing else is touched."""

from __future__ import annotations

import base64
import json
import re
import urllib.parse
from collections.abc import Callable

import pytest

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.redaction import MIN_SECRET_BYTES, Redactor, holds_mask

SECRETS = {
    "PLAIN": "hunter2hunter2",
    "ODD": 'p"a\\s/s w+o&r%d\n\t!',
    "WIDE": "pässwörd-\U0001f600-ünïcode",
    "HIGH": "\u00fb\u00ef\u00be\u00fb\u00ff\u00bf??>>",
}
SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": lambda value: value,
    "JSON": lambda value: json.dumps({"a": value}),
    "JSON, not ASCII": lambda value: json.dumps({"a": value}, ensure_ascii=False),
    "URL, all quoted": lambda value: urllib.parse.quote(value, safe=""),
    "URL path": urllib.parse.quote,
    "URL form": lambda value: urllib.parse.urlencode({"token": value}),
    "URL, small letters": lambda value: re.sub("%..", lambda match: match.group().lower(), urllib.parse.quote(value)),
    "hex": lambda value: value.encode().hex(),
    "hex, capitals": lambda value: value.encode().hex().upper(),
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64 for URLs": lambda value: base64.urlsafe_b64encode(value.encode()).decode(),
}


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_secret_is_masked_in_every_spelling(name: str, spelling: str) -> None:
    """Literal, JSON, URL, hex and base64 spellings are replaced by the secret's name, wherever they stand."""
    spelled = SPELLINGS[spelling](SECRETS[name])

    masked = Redactor(SECRETS).text(f"before {spelled} and {spelled} after")

    assert masked.startswith("before ")
    assert masked.endswith(" after")
    assert masked.count(f"[secret {name}]") == 2
    assert spelled not in masked


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("offset", range(6))
@pytest.mark.parametrize("tail", range(3))
def test_a_secret_within_base64_is_masked_at_every_offset(
    name: str, encode: Callable[[bytes], bytes], offset: int, tail: int
) -> None:
    """In base64 of a longer text the secret looks different at each of three offsets; all of them are known."""
    whole = b"user:x"[:offset] + SECRETS[name].encode() + b"yz"[:tail]

    masked = Redactor(SECRETS).text(encode(whole).decode())

    assert f"[secret {name}]" in masked
    # What is left beside the mask are the characters that its neighbours decide, too: at most two on each side
    # hold bits of the secret.
    rest = masked.replace(f"[secret {name}]", "").rstrip("=")
    assert len(rest) <= len(encode(b"x" * offset)) + len(encode(b"x" * tail)) + 2


def test_a_longer_secret_is_masked_whole() -> None:
    """A secret that begins with another one does not leave its own tail."""
    redactor = Redactor({"SHORT": "abcdefgh", "LONG": "abcdefgh-and-more"})

    assert redactor.text("abcdefgh-and-more, abcdefgh") == "[secret LONG], [secret SHORT]"


def test_a_short_value_is_no_secret() -> None:
    """Below eight bytes a value would be found by chance; from eight on, counted in UTF-8, it is masked."""
    redactor = Redactor({"SEVEN": "1234567", "EIGHT": "12345678", "WIDE": "ääää"})

    assert MIN_SECRET_BYTES == 8
    assert redactor.text("1234567 12345678 ääää") == "1234567 [secret EIGHT] [secret WIDE]"


def test_values_are_masked_at_every_depth() -> None:
    """Texts and keys within lists and mappings are masked; numbers, truth values and nothing stay what they are."""
    value: Json = {"hunter2hunter2": ["x hunter2hunter2", {"a": ("hunter2hunter2", 1, True, None, 0.5)}], "b": "plain"}

    masked = Redactor(SECRETS).value(value)

    mask = "[secret PLAIN]"
    assert masked == {mask: [f"x {mask}", {"a": [mask, 1, True, None, 0.5]}], "b": "plain"}


@pytest.mark.parametrize("secrets", [{}, {"EMPTY": ""}, {"SHORT": "x"}, SECRETS])
def test_other_text_is_not_touched(secrets: dict[str, str]) -> None:
    """What holds no secret is returned as it was."""
    text = "hunter2 hunter2, [brackets] \x00 ä"

    assert Redactor(secrets).text(text) == text
    assert Redactor(secrets).value({"a": [text, 1]}) == {"a": [text, 1]}


@pytest.mark.parametrize(
    "name", ["TOKEN", "inputs.token", "a-b", "päss", "two words", "br]ack[et", "", "new\nline", "a:b", "\x1b[2J"]
)
def test_every_mask_is_known_as_one(name: str) -> None:
    """Whatever a secret is called, its mask is found again, alone and within a text, and moves no cursor."""
    masked = Redactor({name: "hunter2hunter2"}).text("hunter2hunter2")

    assert holds_mask(masked)
    assert holds_mask(f"dist/{masked}.whl")
    assert masked.isprintable()
    assert "hunter2" not in masked


@pytest.mark.parametrize(
    "text", ["", "secret TOKEN", "[secret ]", "[secret", "[Secret X]", "[secrets X]", "[secret a b]"]
)
def test_other_text_holds_no_mask(text: str) -> None:
    """What only looks like a mask is none."""
    assert not holds_mask(text)


@pytest.mark.parametrize(
    "text",
    ["'hunter2hun...' == 'x'", "['...2hunter2'] and 'hunt...ter2'", "hunter2hunter…", 'RuntimeError("hunter2...")'],
)
def test_the_ends_of_a_shortened_secret_are_masked_in_reports(text: str) -> None:
    """Pytest shows long values without their middle; what it leaves of a secret is masked, other text is not."""
    masked = Redactor({"TOKEN": "hunter2hunter2"}).report(text)

    assert "[secret TOKEN]" in masked
    assert "hunt" not in masked
    assert "ter2" not in masked
    assert (
        Redactor({"TOKEN": "hunter2hunter2"}).report("other... text hunter2 ... here")
        == "other... text hunter2 ... here"
    )


UNSEEN = {
    "a colour": "\x1b[1;31m",
    "a colour's end": "\x1b[0m",
    "a link": "\x1b]8;;https://example.org\x1b\\",
    "a title": "\x1b]0;title\x07",
    "a set of signs": "\x1b(B",
    "NUL": "\0",
    "no width": "\u200b",
    "a soft hyphen": "\xad",
    "a direction": "\u202e",
    "struck over": "x\b",
    "a colour and a break": "\x1b[0m\n  ",
}


@pytest.mark.parametrize("between", UNSEEN.values(), ids=UNSEEN)
@pytest.mark.parametrize("every", [1, 3, 7])
def test_a_secret_is_masked_with_what_is_not_seen_in_it(between: str, every: int) -> None:
    """What stands between its signs and does not show leaves it as readable as before."""
    value = SECRETS["PLAIN"]
    spelled = between.join(value[at : at + every] for at in range(0, len(value), every))

    masked = Redactor(SECRETS).text(f"before {spelled} after")

    assert masked == "before [secret PLAIN] after"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_secret_is_masked_in_utf_16(encoding: str) -> None:
    """Read as bytes, it has a NUL in each of its letters."""
    text = f"before {SECRETS['PLAIN']} after".encode(encoding).decode("latin-1")

    assert Redactor(SECRETS).text(text).replace("\0", "") == "before [secret PLAIN] after"


def test_what_is_not_seen_stays_where_there_is_no_secret() -> None:
    """Colours of ordinary output are left as they are, and much of them takes no time without bound."""
    text = "\x1b[1mbold\x1b[0m\x1b]\x1b[" * 2000 + "\0x\b" * 2000

    assert Redactor(SECRETS).text(text) == text
