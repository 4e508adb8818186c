"""Keys within the reach of whoever runs this: found in the user's folder and in an agent, and nothing else trips over."""

from __future__ import annotations

import os
import shutil
import socket
import threading
from pathlib import Path

import pytest

from pytest_workflow_exec.approval.signature import reachable_keys

from ._made import Keys, openssh


@pytest.fixture
def ssh(tmp_path: Path) -> Path:
    """An empty folder of keys below a home."""
    folder = tmp_path / ".ssh"
    folder.mkdir()
    return folder


def _found(ssh: Path, agent: str = "") -> frozenset[bytes]:
    own = reachable_keys({"HOME": "/nonexistent"})
    return reachable_keys({"HOME": str(ssh.parent), "SSH_AUTH_SOCK": agent}) - own


def test_private_keys_of_every_form_are_found(ssh: Path, keys: Keys) -> None:
    """By their own public part, also under a passphrase; an older form by the public key beside it; none by a public key."""
    shutil.copy(keys.folder / "ed25519", ssh / "work")
    shutil.copy(keys.folder / "ecdsa-256", ssh / "locked")
    assert openssh("-q", "-p", "-P", "", "-N", "secret", "-f", ssh / "locked").returncode == 0
    shutil.copy(keys.folder / "rsa", ssh / "old")
    shutil.copy(keys.folder / "rsa.pub", ssh / "old.pub")
    assert openssh("-q", "-p", "-P", "", "-N", "", "-m", "PEM", "-f", ssh / "old").returncode == 0
    shutil.copy(keys.folder / "mallory.pub", ssh / "mallory.pub")

    assert _found(ssh) == {keys.blob("ed25519"), keys.blob("ecdsa-256"), keys.blob("rsa")}


def test_what_is_no_key_is_passed_by(ssh: Path) -> None:
    """Pipes, folders, nonsense, cut keys and a missing folder are no keys, and nobody waits for them."""
    os.mkfifo(ssh / "pipe")
    (ssh / "folder").mkdir()
    (ssh / "binary").write_bytes(b"\xff\xfe PRIVATE KEY-----")
    (ssh / "cut").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaA==\n-----END OPENSSH PRIVATE KEY-----\n")
    (ssh / "open").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n")

    assert _found(ssh) == frozenset()
    assert _found(ssh / "none" / ".ssh") == frozenset()


@pytest.mark.parametrize(
    "answer", [b"", b"\x00\x00\x00\x01\x05", b"\xff\xff\xff\xff", b"\x00\x00\x00\x09\x0c\x00\x00\x00\x09"]
)
def test_an_agent_that_says_nothing_holds_nothing(ssh: Path, answer: bytes) -> None:
    """An agent that refuses, lies about a length or hangs up is none; so is one that is not there."""
    place = str(ssh / "agent")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(place)
        listening.listen()

        def serve() -> None:
            talking, _ = listening.accept()
            with talking:
                talking.recv(5)
                talking.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        found = _found(ssh, place)
        thread.join()

    assert found == frozenset()
    assert _found(ssh, str(ssh / "nowhere")) == frozenset()
