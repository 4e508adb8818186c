"""`workflow-exec redact`."""

from __future__ import annotations

import os
import pwd
import shutil
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_workflow_exec.cli import main
from pytest_workflow_exec.cli._arguments import parser
from pytest_workflow_exec.cli._redact import RedactError, redact
from pytest_workflow_exec.errors import LogUnreadableError
from pytest_workflow_exec.evidence import PinPlace, PinPlaces, read_log, write_pin
from pytest_workflow_exec.settings import SignersFile, Trusted
from pytest_workflow_exec.verify import SignerError, verify_log
from tests._ssh_keys import PRINCIPALS, make_keys, public
from tests.evidence._logs import begun, ended, new_log, passed_run, rechained, records_in, started, written

ARGUMENTS = ("redact", "--step", "build", "--reason", "A token stood in it.")
LEAK = "leaked-token " * 1000


def _leaky(root: Path) -> Path:
    run = passed_run()
    run[3] = type(run[3])(type=run[3].type, step="build", attempt=1, data={"argv": ["make"], "exit": 0, "stdout": LEAK})
    run[4] = ended("build", outputs={"stdout": LEAK, "short": "s"}, message=LEAK)
    return written(root, run)


def _blobs(log: Path) -> set[Path]:
    return {path for path in (log.parent / "blobs").rglob("*") if path.is_file()}


def test_a_stored_text_is_taken_out_and_the_chain_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The texts of a step's end go, a record says which, why and by whom, and the run is verified as before."""
    path = _leaky(tmp_path)
    head, before = records_in(path)[-1]["hash"], path.read_bytes()
    assert b"leaked-token" not in before
    assert len(_blobs(path)) == 3

    assert main(["redact", str(path), "--step", "build", "--reason", "A token stood in it."]) == 0

    out, err = capsys.readouterr()
    record = records_in(path)[-1]
    user = pwd.getpwuid(os.getuid()).pw_name
    end = records_in(path)[4]["data"]
    assert path.read_bytes().startswith(before)
    assert (record["type"], record["actor"]["id"]) == ("redaction", user)
    assert record["data"] == {
        "digests": [end["outputs"]["stdout"]["blob"], end["message"]["blob"]],
        "seq": 4, "step": "build", "reason": "A token stood in it.", "who": user,
    }  # fmt: skip
    assert f"2 stored texts taken out: the head of the log is now {record['seq']} {record['hash']}" in out
    assert "kept: record 3 (command.finished)" in err
    assert len(_blobs(path)) == 1
    verdict = verify_log(path, expect_head=head)
    assert (verdict.exit_code, verdict.redacted) == (0, 2)
    assert "2 stored texts were taken out later" in verdict.warnings[0]
    assert list(read_log(path))[4].data["outputs"] == {"stdout": "[secret redacted]", "short": "s"}
    assert main(["show", str(path)]) == 0
    assert main(["redact", str(path), "--step", "build", "--reason", "again"]) == 2


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--step", "build"], "a reason is needed"),
        (["--step", "build", "--reason", " "], "a reason is needed"),
        (["--reason", "x"], "say which stored texts"),
        (["--seq", "3", "--reason", "x"], "record 3 is a command.finished"),
        (["--step", "publish", "--reason", "x"], "there are no stored texts that fit"),
        (["--digest", "a" * 64, "--reason", "x"], "there are no stored texts that fit"),
    ],
)
def test_what_may_not_be_taken_out_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], reason: str
) -> None:
    """Without a reason, a choice or a text that may go, nothing is written and nothing is removed."""
    path = _leaky(tmp_path)
    before, blobs = path.read_bytes(), _blobs(path)

    assert main(["redact", str(path), *arguments]) == 2

    assert reason in capsys.readouterr().err
    assert (path.read_bytes(), _blobs(path)) == (before, blobs)


def test_a_run_under_way_and_a_broken_one_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A log that another process writes to, and one that is not what the engine wrote, keep everything."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    log = new_log(tmp_path / "a")
    for event in (started(), begun("build"), ended("build", message=LEAK)):
        log.append(event)
    broken = _leaky(tmp_path / "b")
    broken.write_bytes(broken.read_bytes().replace(b'"exit":0', b'"exit":1'))

    for path, reason in ((log.path, "is being written by another process"), (broken, "that is broken")):
        before = path.read_bytes(), _blobs(path)
        assert main(["redact", str(path), "--step", "build", "--reason", "x"]) == 2
        assert reason in capsys.readouterr().err
        assert (path.read_bytes(), _blobs(path)) == before
    log.close()


def test_a_removal_that_was_killed_is_named_and_finished(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Killed between the record and the removal, `verify` says what is still there; `redact` again only removes it."""
    path = _leaky(tmp_path)
    kept = {blob: blob.read_bytes() for blob in _blobs(path)}
    main(["redact", str(path), "--seq", "4", "--reason", "x"])
    for blob, content in kept.items():
        blob.write_bytes(content)
    records = path.read_bytes()

    verdict = verify_log(path)

    assert verdict.word == "bounded"
    assert any("2 stored texts that a record says were taken out are still there" in said for said in verdict.warnings)
    assert main(["redact", str(path), "--seq", "4", "--reason", "x"]) == 0
    assert (path.read_bytes(), len(_blobs(path))) == (records, 1)
    assert not any("still there" in said for said in verify_log(path).warnings)


def test_a_missing_text_that_no_later_record_explains_breaks_the_log(tmp_path: Path) -> None:
    """A removed file, one named only before its record, and one of a command are broken, with their line."""
    path = _leaky(tmp_path)
    main(["redact", str(path), "--step", "build", "--reason", "x"])
    records = records_in(path)
    whole = path.read_bytes()

    path.write_bytes(rechained(records[:-1]))
    unexplained = verify_log(path)
    path.write_bytes(rechained([*records[:4], records[-1], *records[4:-1]]))
    too_early = verify_log(path)
    path.write_bytes(whole)
    forged = {**records[-1], "data": {**records[-1]["data"], "digests": [records[3]["data"]["stdout"]["blob"]]}}
    path.write_bytes(rechained([*records, forged]))
    [blob] = _blobs(path)
    blob.unlink()
    of_command = verify_log(path)

    assert [(each.kind, each.line) for each in (unexplained, too_early, of_command)] == [
        ("blob", 5), ("blob", 6), ("blob", 4)
    ]  # fmt: skip
    with pytest.raises(LogUnreadableError, match=r"line 4: blob [0-9a-f]{64} is missing"):
        list(read_log(path))


def test_where_signers_are_pinned_nothing_is_taken_out_unsigned(tmp_path: Path) -> None:
    """A pin with signers refuses it without a signature, or with half of one; a pin without any does not."""
    path, pins = _leaky(tmp_path), tmp_path.resolve() / "pins"
    pins.mkdir(mode=0o700)
    place = PinPlace(base=pins, below=("own",), owner=os.geteuid(), for_machine=False)
    places = PinPlaces(machine=place, user=None)
    arguments = parser().parse_args(["redact", str(path), "--step", "build", "--reason", "x"])
    before, blobs = path.read_bytes(), _blobs(path)

    write_pin(tmp_path, place, Trusted(signers=SignersFile(path="signers", content=b"alice ssh-ed25519 AAAA")))
    with pytest.raises(RedactError, match="the project's signers are pinned"):
        redact(arguments, places=places)
    for half in (["--key", "alice"], ["--principal", "alice"], ["--key", "alice", "--principal", " "]):
        with pytest.raises(RedactError, match=r"--principal NAME|the principal is empty"):
            redact(parser().parse_args([*ARGUMENTS, str(path), *half]), places=places)
    assert (path.read_bytes(), _blobs(path)) == (before, blobs)

    write_pin(tmp_path, place, Trusted())
    assert redact(arguments, places=places) == 0
    assert len(_blobs(path)) == 1


@pytest.fixture
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with keys and a list of signers."""
    return make_keys(tmp_path_factory.mktemp("keys"))


def _pinned(root: Path, keys: Path, *, revoked: bytes | None = None) -> PinPlaces:
    """Pin the list of signers for a project, in a place of its own."""
    pins = root.resolve() / "pins"
    pins.mkdir(mode=0o700, exist_ok=True)
    place = PinPlace(base=pins, below=("own",), owner=os.geteuid(), for_machine=False)
    signers = SignersFile(path="signers", content=(keys / "signers").read_bytes())
    gone = None if revoked is None else SignersFile(path="revoked", content=revoked)
    write_pin(root, place, Trusted(signers=signers, revoked=gone))
    return PinPlaces(machine=place, user=None)


def _signing(path: Path, keys: Path, name: str) -> Namespace:
    return parser().parse_args([*ARGUMENTS, str(path), "--key", str(keys / name), "--principal", PRINCIPALS[name]])


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="there is no ssh-keygen")
def test_a_pinned_signer_takes_texts_out(tmp_path: Path, keys: Path) -> None:
    """Signed by a pinned signer, the texts go and the signature is verified; a rerun after a kill needs no other one."""
    path = _leaky(tmp_path)
    kept = {blob: blob.read_bytes() for blob in _blobs(path)}
    head, places = records_in(path)[-1]["hash"], _pinned(tmp_path, keys)

    assert redact(_signing(path, keys, "alice"), places=places) == 0

    assert records_in(path)[-1]["data"]["principal"] == PRINCIPALS["alice"]
    assert len(_blobs(path)) == 1
    for signers in (None, keys / "signers"):
        verdict = verify_log(path, expect_head=head, signers=signers)
        assert (verdict.exit_code, verdict.redacted, verdict.unsigned_redaction) == (0, 2, None)
    records = path.read_bytes()
    for blob, content in kept.items():
        blob.write_bytes(content)
    assert redact(_signing(path, keys, "alice"), places=places) == 0
    assert (path.read_bytes(), len(_blobs(path))) == (records, 1)


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="there is no ssh-keygen")
@pytest.mark.parametrize("signer", ["unlisted", "revoked"])
def test_whose_signature_does_not_count_takes_nothing_out(tmp_path: Path, keys: Path, signer: str) -> None:
    """A key that is not on the pinned list, or revoked there, is refused before anything is written or removed."""
    path = _leaky(tmp_path)
    before, blobs = path.read_bytes(), _blobs(path)
    places = _pinned(tmp_path, keys, revoked=public(keys, "alice").encode() if signer == "revoked" else None)

    with pytest.raises(SignerError, match="nothing was taken out: the signature is none of the pinned signers'"):
        redact(_signing(path, keys, "alice" if signer == "revoked" else "mallory"), places=places)

    assert (path.read_bytes(), _blobs(path)) == (before, blobs)


def _changed(**said: object) -> Callable[[list[dict[str, Any]]], object]:
    return lambda records: records[-1]["data"].update(said)


FORGERIES: dict[str, Callable[[list[dict[str, Any]]], object]] = {
    "another reason": _changed(reason="Nothing."),
    "another record": _changed(seq=3),
    "another step": _changed(step="publish"),
    "another signer": _changed(principal=PRINCIPALS["mallory"]),
    "no signature": _changed(armor=None),
    "no text": _changed(reason=7),
    "other digests": lambda records: records[-1]["data"]["digests"].append("a" * 64),
    "no digest": lambda records: records[-1]["data"]["digests"].append(1),
    "moved": lambda records: records.insert(-1, {**records[-1], "type": "note", "data": {}}),
    "a seal's": lambda records: records[-1].update(type="run.sealed"),
}


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="there is no ssh-keygen")
@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_a_signature_holds_for_one_redaction(
    tmp_path: Path, keys: Path, forge: Callable[[list[dict[str, Any]]], object]
) -> None:
    """A signed redaction that was changed or moved is never verified behind the anchor; a seal over it accepts it."""
    path = _leaky(tmp_path)
    head = records_in(path)[-1]["hash"]
    redact(_signing(path, keys, "alice"), places=_pinned(tmp_path, keys))
    records = records_in(path)

    forge(records)
    path.write_bytes(rechained(records))

    verdict = verify_log(path, expect_head=head, signers=keys / "signers")
    assert verdict.exit_code in (1, 3)
    if verdict.word == "bounded":
        assert "none of the signers says so" in verdict.message
        assert main(["seal", str(path), "--key", str(keys / "alice"), "--principal", PRINCIPALS["alice"]]) == 0
        assert verify_log(path, expect_head=head, signers=keys / "signers").exit_code == 0
