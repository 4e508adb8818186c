"""`workflow-exec seal` and `verify --signers`, with keys of OpenSSH."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_workflow_exec.cli import main
from pytest_workflow_exec.events import Event
from pytest_workflow_exec.model import Outcome
from pytest_workflow_exec.verify import Verdict, verify_log
from tests.evidence._logs import (
    begun,
    ended,
    finished,
    new_log,
    note,
    passed_run,
    rechained,
    records_in,
    resumed,
    started,
    written,
)

pytestmark = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="there is no ssh-keygen")

LIBRARY = "cryptography.hazmat.primitives.asymmetric.ed25519"
"""What is missing of the library where it is not installed."""


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the keys of alice and mallory, and the list of signers that has only alice."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("alice", "mallory"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name)]
        subprocess.run(command, check=True)
    public = (folder / "alice.pub").read_text().split()[:2]
    (folder / "signers").write_text(f'alice@example.org namespaces="pytest-workflow-exec" {" ".join(public)}\n')
    return folder


def _seal(path: Path, keys: Path, *, key: str = "alice", principal: str = "alice@example.org") -> int:
    return main(["seal", str(path), "--key", str(keys / key), "--principal", principal])


def _verdict(path: Path, keys: Path) -> Verdict:
    return verify_log(path, signers=keys / "signers")


def test_a_seal_of_a_listed_signer_anchors_a_run(
    tmp_path: Path, keys: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Sealed by one of the signers, a passed run is verified without any head; whose seal it is, is said."""
    path = written(tmp_path, passed_run())
    head = records_in(path)[-1]["hash"]
    assert _verdict(path, keys).word == "bounded"

    assert _seal(path, keys) == 0

    seal = records_in(path)[-1]
    assert capsys.readouterr().out == (
        f"sealed by alice@example.org: the head of the log is now {seal['seq']} {seal['hash']}\n"
    )
    assert (seal["type"], seal["data"]["principal"], seal["data"]["head"]) == (
        "run.sealed", "alice@example.org", {"seq": 12, "hash": head},
    )  # fmt: skip
    assert main(["verify", str(path), "--signers", str(keys / "signers")]) == 0
    told = capsys.readouterr().out
    assert "VERDICT verified: intact, complete, passed, and anchored by the seal of alice@example.org" in told
    assert verify_log(path).word == "bounded"
    assert verify_log(path, expect_head=head).exit_code == 0
    main(["note", str(path), "later"])
    assert _verdict(path, keys).sealed_by == "alice@example.org"


def _forged(change: Callable[[list[dict[str, Any]]], object]) -> Callable[[Path], None]:
    def forge(path: Path) -> None:
        records = records_in(path)
        change(records)
        path.write_bytes(rechained(records))

    return forge


FORGERIES: dict[str, Callable[[Path], None]] = {
    "another command": _forged(lambda records: [records[at]["data"].update(argv=["rm"]) for at in (2, 3)]),
    "another version": _forged(lambda records: records[0]["data"]["inputs"].update(version="6.6.6")),
    "another time": _forged(lambda records: records[4].update(ts="2026-01-01T00:00:00.000000Z")),
    "another run": _forged(lambda records: [record.update(run="0" * 8) for record in records]),
    "another principal": _forged(lambda records: records[-1]["data"].update(principal="mallory@example.org")),
    "no principal": _forged(lambda records: records[-1]["data"].update(principal="")),
    "a principal that is no text": _forged(lambda records: records[-1]["data"].update(principal="\0")),
    "an option": _forged(lambda records: records[-1]["data"].update(principal="-f/dev/null")),
    "half a signature": _forged(lambda records: records[-1]["data"].update(armor=records[-1]["data"]["armor"][:90])),
    "no signature": _forged(lambda records: records[-1]["data"].update(armor=None)),
    "a huge signature": _forged(lambda records: records[-1]["data"].update(armor="x" * 20_000)),
    "a remark before it": _forged(lambda records: records.insert(-1, {**records[-1], "type": "note"})),
    "moved before the end": _forged(lambda records: records.insert(12, records.pop())),
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_a_seal_holds_for_nothing_else(tmp_path: Path, keys: Path, forge: Callable[[Path], None]) -> None:
    """A log that was minted again under a real seal, and a seal that was changed, are not anchored."""
    path = written(tmp_path, passed_run())
    _seal(path, keys)
    copy = tmp_path / "copy" / "evidence.jsonl"
    copy.parent.mkdir()
    shutil.copy(path, copy)

    forge(copy)

    verdict = _verdict(copy, keys)
    assert verdict.exit_code != 0
    assert not verdict.anchored


def test_only_listed_signers_count(tmp_path: Path, keys: Path) -> None:
    """A key that is not on the list, or one that claims another's name, anchors nothing; the reason is said."""
    for principal in ("mallory@example.org", "alice@example.org"):
        path = written(tmp_path, passed_run())
        assert _seal(path, keys, key="mallory", principal=principal) == 0

        verdict = _verdict(path, keys)

        assert (verdict.word, verdict.anchored) == ("bounded", False)
        assert f"the seal of {principal} is none of your signers'" in verdict.message
    assert _seal(path, keys) == 0
    assert _verdict(path, keys).exit_code == 0, "a real seal beside a false one holds"


def test_a_signature_for_something_else_is_no_seal(tmp_path: Path, keys: Path) -> None:
    """The right text, signed by the right key for another purpose, anchors nothing."""
    path = written(tmp_path, passed_run())
    _seal(path, keys)
    seal = records_in(path)[-1]
    text = (
        f'pytest-workflow-exec seal 1\nrun {seal["run"]}\nworkflow "release"\n'
        f"plan {_verdict(path, keys).plan_digest}\nhead 12 {seal['prev']}\n"
    )
    for namespace, exit_code in (("pytest-workflow-exec", 0), ("file", 3)):
        command = ["ssh-keygen", "-Y", "sign", "-q", "-f", str(keys / "alice"), "-n", namespace]
        armor = subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout
        records = records_in(path)
        records[-1]["data"]["armor"] = armor
        path.write_bytes(rechained(records))

        assert _verdict(path, keys).exit_code == exit_code


def test_a_list_of_signers_beside_the_log_is_no_anchor(tmp_path: Path, keys: Path) -> None:
    """Whoever can write the log can write what lies with it, also under another name of its folder."""
    path = written(tmp_path, passed_run())
    _seal(path, keys)
    (tmp_path / "link").symlink_to(path.parent)
    places = [path.parent, path.parents[1], path.parents[2], path.parent / "outputs", tmp_path / "link"]

    for place in places:
        shutil.copy(keys / "signers", place / "signers")
        verdict = verify_log(path, signers=place / "signers")
        assert (verdict.exit_code, verdict.word) == (3, "bounded")
        assert "lies beside the log" in verdict.message
    (tmp_path / "signers").symlink_to(path.parent / "signers")
    assert verify_log(path, signers=tmp_path / "signers").exit_code == 3
    (path.parent / "away").symlink_to(keys / "signers")
    assert verify_log(path, signers=path.parent / "away").exit_code == 3


def test_what_follows_a_seal_is_not_covered(tmp_path: Path, keys: Path) -> None:
    """A failed run that was sealed and went on is anchored again only by a seal of its new end."""
    failed = [*passed_run()[:5], begun("approve"), ended("approve", Outcome.DENIED), finished("denied")]
    path = written(tmp_path, failed)
    assert _seal(path, keys) == 0
    assert (_verdict(path, keys).exit_code, _verdict(path, keys).anchored) == (4, True)
    rest: list[Event] = [resumed(), ended("build", Outcome.CARRIED)]
    for event in passed_run()[5:]:
        again = event.step == "approve"
        rest.append(type(event)(**{**_fields(event), "attempt": 2}) if again else event)
    from ..verify.test_recovery import _go_on

    _go_on(path, rest)
    verdict = _verdict(path, keys)
    assert verdict.exit_code == 3, verdict.message
    assert f"{len(rest)} records after the seal are not covered by it" in verdict.message

    assert _seal(path, keys) == 0
    assert _verdict(path, keys).exit_code == 0


def _fields(event: Event) -> dict[str, Any]:
    return {name: getattr(event, name) for name in ("type", "step", "attempt", "actor", "data")}


@pytest.mark.parametrize(
    ("happened", "reason"),
    [
        (passed_run()[:-1], "has not finished"),
        ([started()], "has not finished"),
        ([], "has not finished"),
        ([started(), finished("passed")], "nothing is sealed that is broken"),
    ],
)
def test_only_an_intact_end_is_sealed(
    tmp_path: Path, keys: Path, capsys: pytest.CaptureFixture[str], happened: list[Event], reason: str
) -> None:
    """An unfinished or broken run gets no seal, and nothing is written to its log."""
    path = written(tmp_path, happened)
    before = path.read_bytes()

    assert _seal(path, keys) == 2

    assert reason in capsys.readouterr().err
    assert path.read_bytes() == before


def test_what_can_not_sign_seals_nothing(
    tmp_path: Path, keys: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing key, an empty principal, a torn log, a log under way and no OpenSSH are exit 2, in words."""
    path = written(tmp_path, [*passed_run(), note(text="x")])
    before = path.read_bytes()
    assert _seal(path, keys, key="nobody") == 2
    assert "ssh-keygen did not sign" in capsys.readouterr().err
    assert _seal(path, keys, principal=" ") == 2
    under_way = new_log(tmp_path)
    for event in passed_run():
        under_way.append(event)
    assert _seal(under_way.path, keys) == 2
    under_way.close()
    torn = written(tmp_path, passed_run())
    torn.write_bytes(torn.read_bytes() + b'{"v":1')
    assert _seal(torn, keys) == 2
    assert "ends in a torn record" in capsys.readouterr().err
    monkeypatch.setenv("PATH", str(tmp_path))
    assert _seal(path, keys) == 2
    assert "there is no ssh-keygen here" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_a_seal_is_checked_without_openssh(
    tmp_path: Path, keys: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever verifies needs no ssh-keygen: the signature is checked in process."""
    path = written(tmp_path, passed_run())
    _seal(path, keys)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert main(["verify", str(path), "--signers", str(keys / "signers")]) == 0

    assert "anchored by the seal of alice@example.org" in capsys.readouterr().out


def test_a_seal_is_checked_by_openssh_without_the_library(
    tmp_path: Path, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where cryptography is not installed, ssh-keygen checks seals: the real one holds, a false one does not."""
    path = written(tmp_path, passed_run())
    monkeypatch.setitem(sys.modules, LIBRARY, None)
    assert _seal(path, keys, key="mallory") == 0
    assert _verdict(path, keys).exit_code == 3

    assert _seal(path, keys) == 0

    assert _verdict(path, keys).exit_code == 0


def test_a_seal_that_can_not_be_checked_is_a_usage_error(
    tmp_path: Path, keys: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With neither the library nor OpenSSH no seal is believed: exit 2, and no verdict."""
    path = written(tmp_path, passed_run())
    _seal(path, keys)
    capsys.readouterr()
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, LIBRARY, None)

    assert main(["verify", str(path), "--signers", str(keys / "signers")]) == 2

    told = capsys.readouterr()
    assert told.out == ""
    assert "there is no ssh-keygen here" in told.err
    assert "pytest-workflow-exec[sign]" in told.err


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("alice@example.org ssh-ed25519 AAAA", "signers:2: "),
        ("*@example.org cert-authority ssh-ed25519 AAAA", "cert-authority is refused"),
        ('bob valid-before="soon" ssh-ed25519 AAAA', "valid-before is no time"),
    ],
)
def test_a_list_of_signers_with_a_bad_line_is_a_usage_error(
    tmp_path: Path, keys: Path, capsys: pytest.CaptureFixture[str], line: str, reason: str
) -> None:
    """No line of the list is skipped for being wrong, whoever's it is: exit 2, its place, and no verdict."""
    path = written(tmp_path, passed_run())
    _seal(path, keys)
    capsys.readouterr()
    signers = tmp_path / "elsewhere" / "signers"
    signers.parent.mkdir()
    signers.write_text((keys / "signers").read_text() + line + "\n")

    assert main(["verify", str(path), "--signers", str(signers)]) == 2

    told = capsys.readouterr()
    assert told.out == ""
    assert f"{signers}:2: " in told.err
    assert reason in told.err


def test_a_key_that_would_count_nowhere_seals_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A key too weak to be believed later is refused when it signs, and nothing is written."""
    path = written(tmp_path, passed_run())
    before = path.read_bytes()
    command = ["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", str(tmp_path / "weak")]
    subprocess.run(command, check=True)

    assert _seal(path, tmp_path, key="weak") == 2

    assert "an RSA key of 2048 bits is too weak to count: 3072 are needed" in capsys.readouterr().err
    assert path.read_bytes() == before
