"""Our verdict beside OpenSSH's own: never looser, and where stricter, by a reason that is named here."""

from __future__ import annotations

import base64
import random
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from pytest_workflow_exec.approval.signature import SignersError

from ._made import (
    ALICE,
    KINDS,
    MESSAGE,
    NAMESPACE,
    Keys,
    Token,
    accepted_by_openssh,
    armored,
    openssh,
    refusal,
    unarmored,
)

_FLIPS = 40


def _flipped(raw: bytes, bit: int) -> bytes:
    changed = bytearray(raw)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def _bytes_meant(armor: str) -> bytes:
    return base64.b64decode(armor.partition("SIGNATURE-----")[2].partition("-----END")[0])


@pytest.mark.parametrize("kind", KINDS)
def test_no_flipped_bit_counts(keys: Keys, tmp_path: Path, kind: str) -> None:
    """One bit of a signature, or one of its armor, and it counts no more: nowhere where OpenSSH refuses it."""
    chance = random.Random(kind)  # noqa: S311  # the same flips each time
    armor, signers = keys.sign(kind), f"{ALICE} {keys.line(kind)}\n"
    blob = unarmored(armor)
    changed = [armored(_flipped(blob, bit)) for bit in chance.sample(range(8 * len(blob)), _FLIPS)]
    changed += [
        _flipped(armor.encode(), bit).decode("latin-1")
        for bit in chance.sample(range(8 * len(armor.rstrip())), _FLIPS // 2)
    ]
    assert accepted_by_openssh(armor, signers, tmp_path)
    assert refusal(armor, signers) == ""

    for each in changed:
        assert refusal(each, signers) != ""
        # How the same bytes are spelled is all that OpenSSH does not look at.
        assert not accepted_by_openssh(each, signers, tmp_path) or _bytes_meant(each) == blob


def test_every_bit_of_a_signature_matters(keys: Keys) -> None:
    """Of an Ed25519 signature, each single bit."""
    signers = f"{ALICE} {keys.line('ed25519')}\n"
    blob = unarmored(keys.sign("ed25519"))

    assert [bit for bit in range(8 * len(blob)) if not refusal(armored(_flipped(blob, bit)), signers)] == []


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa"])
def test_tokens_are_believed_by_openssh_too(keys: Keys, tmp_path: Path, kind: str) -> None:
    """What the tests make of a token is what OpenSSH takes for one: accepted, and refused with any flipped bit."""
    token, chance = Token(kind), random.Random(kind)  # noqa: S311  # the same flips each time
    armor, signers = token.sign(), f"{ALICE} {token.line}\n"
    assert accepted_by_openssh(armor, signers, tmp_path)
    blob = unarmored(armor)

    for bit in chance.sample(range(8 * len(blob)), _FLIPS):
        each = armored(_flipped(blob, bit))
        assert refusal(each, signers) != ""
        assert not accepted_by_openssh(each, signers, tmp_path)


SAME = {
    "alice@example.org KEY": True,
    "*@example.org KEY": True,
    "al?ce@example.org KEY": True,
    "bob,alice@example.org KEY": True,
    "*,!alice@example.org KEY": False,
    "!alice@example.org,* KEY": False,
    "!bob@example.org,* KEY": True,
    "ALICE@example.org KEY": False,
    "alice KEY": False,
    "bob KEY": False,
    '"alice@example.org" KEY': True,
    '"alice@example.org,bob" KEY': True,
    "\t alice@example.org \t KEY remark": True,
    "alice@example.org OTHER": False,
    "alice@example.org OTHER\nalice@example.org KEY": True,
    "# alice@example.org KEY": False,
    "": False,
    '* namespaces="pytest-workflow-exec" KEY': True,
    '* namespaces="git,pytest-*" KEY': True,
    '* namespaces="git" KEY': False,
    '* namespaces="*,!pytest-*" KEY': False,
    '* NAMESPACES="git" KEY': False,
    '* namespaces="git" KEY\n* KEY': True,
    '* valid-after="20260502" KEY': False,
    '* valid-after="20260430" KEY': True,
    '* valid-after="202605011201" KEY': False,
    '* valid-before="20260430" KEY': False,
    '* valid-before="20260503" KEY': True,
    '* valid-after="20260101",valid-before="20270101" KEY': True,
    '* valid-after="20260101",valid-before="20260201",namespaces="pytest-workflow-exec" KEY': False,
    "* cert-authority KEY": False,
    "* namespaces=git KEY": False,
    "* unknown KEY": False,
    '* namespaces="a",namespaces="*" KEY': False,
    '* namespaces="*", KEY': False,
    '* valid-after="soon" KEY': False,
    '* valid-after="20260102",valid-before="20260101" KEY': False,
    '"* KEY': False,
    "* ssh-rsa KEY": False,
}
STRICTER = {
    "a bad line of somebody else": "bob KE\nalice@example.org KEY",
    "a bad line after it": "alice@example.org KEY\nbob",
    "an option that is refused, of somebody else": "bob cert-authority KEY\nalice@example.org KEY",
    "an empty pattern": "alice@example.org,,bob KEY",
    "a time that depends on the zone": '* valid-before="202605011500" KEY',
    "a weak key of somebody else": "bob WEAK\nalice@example.org KEY",
}


def _ours(armor: str, signers: str) -> bool:
    try:
        return refusal(armor, signers) == ""
    except SignersError:
        return False


@pytest.mark.parametrize("text", [*SAME, *STRICTER.values()])
def test_lists_mean_what_they_mean_to_openssh(keys: Keys, tmp_path: Path, text: str) -> None:
    """A list gives the same answer here as there; where it is stricter here, that is one of the named cases."""
    signers = text.replace("KEY", keys.line("ed25519")).replace("OTHER", keys.line("mallory"))
    signers = signers.replace("WEAK", keys.line("weak"))
    armor = keys.sign("ed25519")

    ours, theirs = _ours(armor, signers), accepted_by_openssh(armor, signers, tmp_path)

    assert (ours, theirs) == ((SAME[text],) * 2 if text in SAME else (False, True))


@pytest.mark.parametrize("hours", [14, 0, -12])
def test_no_zone_makes_a_date_count_that_does_not_count_here(keys: Keys, tmp_path: Path, hours: int) -> None:
    """Wherever OpenSSH runs: at an hour at which we accept a signer, so does it."""
    armor = keys.sign("ed25519")
    signers = f'* valid-after="20260501",valid-before="20260503" {keys.line("ed25519")}\n'
    (tmp_path / "signers").write_text(signers)
    (tmp_path / "signature").write_text(armor)
    start = datetime(2026, 4, 30, tzinfo=timezone.utc)
    moments = [start + timedelta(hours=hour, minutes=1) for hour in range(0, 96, 3)]
    accepted = [moment for moment in moments if refusal(armor, signers, at=moment) == ""]
    assert accepted

    local = timezone(timedelta(hours=hours))
    for moment in accepted:
        done = openssh(
            "-Y", "verify", "-f", tmp_path / "signers", "-I", ALICE, "-n", NAMESPACE, "-s", tmp_path / "signature",
            f"-Overify-time={moment.astimezone(local):%Y%m%d%H%M%S}", message=MESSAGE, TZ=f"XXX{-hours:+d}",
        )  # fmt: skip
        assert done.returncode == 0, (moment, done.stderr)
