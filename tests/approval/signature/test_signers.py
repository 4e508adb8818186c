"""Lists of signers and of revoked keys: what a line means, and that a bad one is never skipped."""

from __future__ import annotations

import base64
import itertools
from datetime import datetime, timezone
from pathlib import Path

import pytest

from pytest_workflow_exec.approval.signature import (
    AllowedSigners,
    SignersError,
    allowed_signers,
    read_allowed_signers,
    read_revoked,
    revoked_keys,
)

from ._made import Keys, Token, mpint, string

KEY = "ssh-ed25519 " + base64.b64encode(string(b"ssh-ed25519") + string(bytes(range(32)))).decode()
P25519 = 2**255 - 19


def _read(text: str) -> AllowedSigners:
    return allowed_signers(text.encode(), file="signers")


def test_lines_are_principals_options_and_a_key() -> None:
    """Comments and empty lines say nothing; quotes hold spaces; what follows the key is a remark."""
    text = (
        f'# people\n\n \t# more\r\nalice,bob@*  {KEY} a remark, of words\n\t"carol jones" {KEY}\n'
        f'dave NameSpaces="git,a\\"b",valid-after="20260101Z",valid-before="202601020304utc" {KEY}'
    )
    alice, carol, dave = _read(text).signers

    assert [signer.line for signer in (alice, carol, dave)] == [4, 5, 6]
    assert [alice.principals.matches(name) for name in ("alice", "bob@x", "bob", "Alice")] == [True, True, False, False]
    assert carol.principals.matches("carol jones")
    assert dave.options.namespaces is not None
    assert dave.options.namespaces.matches('a"b')
    assert dave.options.valid_after == datetime(2026, 1, 1, tzinfo=timezone.utc)
    assert dave.options.valid_before == datetime(2026, 1, 2, 3, 4, tzinfo=timezone.utc)
    assert alice.key == carol.key == dave.key


def test_a_list_may_be_empty() -> None:
    """Nobody listed is nobody who counts, and no error."""
    assert _read("").signers == ()


@pytest.mark.parametrize(
    ("patterns", "matched", "unmatched"),
    [
        ("alice", ["alice"], ["alic", "alicea", "Alice", ""]),
        ("*", ["alice", "", "ä"], []),
        ("a?c", ["abc"], ["ac", "abbc"]),
        ("*@example.org", ["@example.org", "a@example.org"], ["a@example.org.evil", "example.org"]),
        ("a*b*c", ["abc", "axxbyyc", "abcbc"], ["acb", "ab", "abcd"]),
        ("*a*b", ["ab", "aab", "xaxb"], ["ba", "abx"]),
        ("**", ["x", ""], []),
        ("*,!mallory", ["alice"], ["mallory"]),
        ("!mallory,*", ["alice"], ["mallory"]),
        ("!m*,alice,mike", ["alice"], ["mike", "mallory"]),
        ("[a-z]", ["[a-z]"], ["a"]),
        ("??", ["ab", "ä"], ["a", "äö"]),
    ],
)
def test_patterns_mean_what_they_mean_to_openssh(patterns: str, matched: list[str], unmatched: list[str]) -> None:
    """Stars, question marks (of one byte) and exclusions, which win wherever they stand."""
    principals = _read(f"{patterns} {KEY}").signers[0].principals

    assert [name for name in matched + unmatched if principals.matches(name)] == matched


def test_many_stars_are_no_long_work() -> None:
    """A pattern of stars against a long name is decided, not tried in every way."""
    principals = _read(f"{'*a' * 400}b {KEY}").signers[0].principals

    assert not principals.matches("a" * 5000)


def test_a_time_without_a_zone_counts_where_it_counts_everywhere() -> None:
    """A date without Z is another moment on each machine: the key counts only when it does on all of them."""
    options = _read(f'a valid-after="20260101",valid-before="20260201000000" {KEY}').signers[0].options

    assert options.valid_after == datetime(2026, 1, 1, 12, tzinfo=timezone.utc)
    assert options.valid_before == datetime(2026, 1, 31, 10, tzinfo=timezone.utc)


RSA_2048 = base64.b64encode(string(b"ssh-rsa") + mpint(65537) + mpint(2**2047 + 1)).decode()
DSS = base64.b64encode(string(b"ssh-dss") + mpint(3) + mpint(3) + mpint(3) + mpint(3)).decode()
CERTIFICATE = base64.b64encode(string(b"ssh-ed25519-cert-v01@openssh.com") + string(b"x")).decode()
BAD = {
    "alice": "no signer",
    "alice ": "no signer",
    f'"alice {KEY}': "no signer",
    f'"alice"{KEY}': "no signer",
    f'al"i"ce {KEY}': "no signer",
    f"alice,,bob {KEY}": "empty pattern",
    f"alice, {KEY}": "empty pattern",
    f'"" {KEY}': "empty pattern",
    f"! {KEY}": "empty pattern",
    f"!alice {KEY}": "only what is not meant",
    f"{'a' * 1023} {KEY}": "longer than any",
    "alice ssh-ed25519": "no key",
    "alice ssh-ed25519 ?": "not base64",
    f"alice {KEY[:-1]}": "not base64",
    "alice ssh-ed25519 QUJDRA==": "ends too early",
    f"alice ssh-rsa {KEY.split()[1]}": "of another kind",
    f"alice {KEY.split()[1]}": "no key",
    f"alice ssh-rsa {RSA_2048}": "RSA key of 2048 bits is too weak to count: 3072 are needed",
    f"alice ssh-dss {DSS}": r"DSA key \(ssh-dss\) is too weak",
    f"alice ssh-ed25519-cert-v01@openssh.com {CERTIFICATE}": "is a certificate",
    "alice ssh-ed448 " + base64.b64encode(string(b"ssh-ed448")).decode(): "keys of type 'ssh-ed448' do not count",
    f"alice cert-authority {KEY}": "cert-authority is refused: certificates do not count",
    f"alice CERT-AUTHORITY {KEY}": "cert-authority is refused",
    f'alice namespaces="git",cert-authority {KEY}': "cert-authority is refused",
    f"alice no-touch-required {KEY}": "the option 'no-touch-required' is not known",
    f'alice restrict="x" {KEY}': "the option 'restrict' is not known",
    f'alice namespaces="a",namespaces="b" {KEY}': "is there twice",
    f'alice namespaces="a",,verify-required {KEY}': "is no option",
    f'alice namespaces="a", {KEY}': "is no option",
    f"alice namespaces=git {KEY}": "needs a value in quotes",
    f"alice namespaces {KEY}": "needs a value in quotes",
    f'alice namespaces="git {KEY}': "a quote without its end",
    f'alice namespaces="" {KEY}': "empty pattern",
    f'alice namespaces="!git" {KEY}': "only what is not meant",
    f'alice namespaces="git"x {KEY}': "follows the option",
    f'alice verify-required="yes" {KEY}': "the option 'verify-required' is not known",
    f"alice verify-required {KEY}": "verify-required can't be met: a key of type ssh-ed25519 is no token's",
    f'alice valid-after="2026" {KEY}': "valid-after is no time",
    f'alice valid-after="20261301Z" {KEY}': "valid-after is no time",
    f'alice valid-before="20260230Z" {KEY}': "valid-before is no time",
    f'alice valid-before="2026010125Z" {KEY}': "valid-before is no time",
    f'alice valid-before="20260101T" {KEY}': "valid-before is no time",
    f'alice valid-before="99991231Z ",valid-after="20260101Z" {KEY}': "valid-before is no time",
    f'alice valid-after="999912312359" {KEY}': "valid-after is no time",
    f'alice valid-before="00010101" {KEY}': "valid-before is no time",
    f'alice valid-after="19700101Z" {KEY}': "before 1970",
    f'alice valid-after="19600101Z" {KEY}': "before 1970",
    f'alice valid-after="２0260101Z" {KEY}': "valid-after is no time",  # noqa: RUF001  # such a digit is the point
    f'alice valid-after="20260102Z",valid-before="20260101Z" {KEY}': "never valid",
    f'alice valid-after="20260101Z",valid-before="20260101Z" {KEY}': "never valid",
    f"alice\0bob {KEY}": "can't be seen",
    f"alice {KEY} remark\0": "can't be seen",
    f"# remark\0\nalice {KEY}": "can't be seen",
    f"alice\r {KEY}": "can't be seen",
    f"alice\u2028 {KEY}": "can't be seen",
    f"alice \u3000{KEY}": "can't be seen",
}


@pytest.mark.parametrize(("line", "reason"), BAD.items())
def test_a_bad_line_is_an_error_with_its_number(line: str, reason: str) -> None:
    """A line that can't be used stops the list, whoever's it is and whatever stands around it."""
    text = f"alice {KEY}\n{line}\nalice {KEY}\n"

    with pytest.raises(SignersError, match=reason) as caught:
        _read(text)

    assert caught.value.line == 2
    assert str(caught.value).startswith("signers:2: ")


def test_what_is_no_text_is_an_error_with_its_number() -> None:
    """Bytes that are not UTF-8 are told with their line."""
    with pytest.raises(SignersError, match="signers:2: it is not UTF-8"):
        allowed_signers(f"alice {KEY}\n".encode() + b"\xff\n", file="signers")


def test_a_file_that_can_not_be_read_lists_nobody(tmp_path: Path) -> None:
    """A missing file, a folder and a huge one are errors, for signers and for revoked keys."""
    (tmp_path / "huge").write_bytes(b"#" * (1 << 20) + b"\n")

    for path, reason in (
        (tmp_path / "none", "can't be read"),
        (tmp_path, "can't be read"),
        (tmp_path / "huge", "longer"),
    ):
        for read in (read_allowed_signers, read_revoked):
            with pytest.raises(SignersError, match=reason):
                read(path)


def test_files_are_read(tmp_path: Path) -> None:
    """Signers and revoked keys come from files, whose names stand in what is said of them."""
    (tmp_path / "signers").write_text(f"alice {KEY}\n")

    listed = read_allowed_signers(tmp_path / "signers")

    (tmp_path / "revoked").write_text(f"{KEY}\n")
    assert listed.file == str(tmp_path / "signers")
    assert read_revoked(tmp_path / "revoked").hold(listed.signers[0].key)


def test_keys_of_any_kind_can_be_revoked() -> None:
    """A list of revoked keys may hold keys that never counted, but no line that is no key."""
    text = f"# gone\nssh-dss {DSS}\nssh-rsa\t{RSA_2048} remark\n{KEY}\n"

    assert len(revoked_keys(text.encode(), file="revoked").blobs) == 3
    for line in (
        "x",
        "ssh-ed25519",
        f"alice {KEY}",
        f"ssh-rsa {KEY.split()[1]}",
        "ssh-rsa ?",
        "SHA256:abc",
        "serial: 1",
    ):
        with pytest.raises(SignersError, match=r"revoked:2: "):
            revoked_keys(f"{KEY}\n{line}\n".encode(), file="revoked")


@pytest.mark.parametrize(
    ("exponent", "modulus"),
    [(1, 2**3072 - 1), (2, 2**3072 - 1), (65537, 2**3072 - 2), (2**3072 + 1, 2**3072 - 1)],
)
def test_numbers_of_no_rsa_key_are_refused(exponent: int, modulus: int) -> None:
    """An exponent of 1, an even number or one that is out of range would let anybody sign."""
    blob = string(b"ssh-rsa") + mpint(exponent) + mpint(modulus)

    with pytest.raises(SignersError, match="no real key"):
        _read(f"alice ssh-rsa {base64.b64encode(blob).decode()}")


def test_an_endless_rsa_key_is_refused() -> None:
    """A key so long that checking it takes minutes is none."""
    blob = string(b"ssh-rsa") + mpint(65537) + mpint(2**16400 + 1)

    with pytest.raises(SignersError, match="longer than any"):
        _read(f"alice ssh-rsa {base64.b64encode(blob).decode()}")


def _added(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    d = -121665 * pow(121666, -1, P25519)
    (x1, y1), (x2, y2) = one, other
    product = d * x1 * x2 * y1 * y2
    x = (x1 * y2 + x2 * y1) * pow(1 + product, -1, P25519) % P25519
    y = (y1 * y2 + x1 * x2) * pow(1 - product, -1, P25519) % P25519
    return x, y


def _some_point() -> tuple[int, int]:
    d = -121665 * pow(121666, -1, P25519)
    for y in itertools.count(2):
        square = (y * y - 1) * pow(d * y * y + 1, -1, P25519) % P25519
        x = pow(square, (P25519 + 3) // 8, P25519)
        if (x * x - square) % P25519:
            x = x * pow(2, (P25519 - 1) // 4, P25519) % P25519
        if not (x * x - square) % P25519:
            return x, y
    raise AssertionError


def _eight_points() -> set[int]:
    """Return the ordinates of all points that eight steps bring back: multiples of points by the big prime order."""
    order = 2**252 + 27742317777372353535851937790883648493
    found: set[int] = set()
    point = _some_point()
    while len(found) < 5:
        multiple, left, power = (0, 1), order, point
        while left:
            multiple = _added(multiple, power) if left & 1 else multiple
            power, left = _added(power, power), left >> 1
        step = multiple
        for _ in range(8):
            found.add(step[1])
            step = _added(step, multiple)
        point = _added(point, _some_point())
    return found


def test_an_ed25519_key_under_which_anybody_can_sign_is_refused() -> None:
    """The points of small order, worked out here, are refused with either sign; so is another spelling of a point."""
    for ordinate in _eight_points():
        for sign in (0, 1 << 255):
            blob = string(b"ssh-ed25519") + string((ordinate | sign).to_bytes(32, "little"))
            with pytest.raises(SignersError, match="anybody can sign anything"):
                _read(f"alice ssh-ed25519 {base64.b64encode(blob).decode()}")
    other = string(b"ssh-ed25519") + string((P25519 + 3).to_bytes(32, "little"))
    with pytest.raises(SignersError, match="only spelling"):
        _read(f"alice ssh-ed25519 {base64.b64encode(other).decode()}")


def test_an_ecdsa_key_is_a_whole_point_on_its_own_curve(keys: Keys) -> None:
    """A compressed or cut point, and a curve that is not the kind's, are refused."""
    blob = keys.blob("ecdsa-256")
    kind, point = string(b"ecdsa-sha2-nistp256"), blob[-65:]
    for changed in (
        kind + string(b"nistp384") + string(point),
        kind + string(b"nistp256") + string(b"\x02" + point[1:33]),
        kind + string(b"nistp256") + string(point[:-1]),
        kind + string(b"nistp256") + string(b"\x06" + point[1:]),
    ):
        with pytest.raises(SignersError):
            _read(f"alice ecdsa-sha2-nistp256 {base64.b64encode(changed).decode()}")


def test_tokens_keys_are_listed_as_any_others() -> None:
    """Both kinds of keys of tokens, and that they need a PIN."""
    for kind in ("ed25519", "ecdsa"):
        token = Token(kind)
        [signer] = _read(f"alice verify-required {token.line} token").signers
        assert (signer.key.type, signer.key.application, signer.options.verify_required) == (token.type, "ssh:", True)
