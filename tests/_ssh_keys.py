"""Keys of OpenSSH for tests, and lists of whose they are."""

from __future__ import annotations

import subprocess
from pathlib import Path

PRINCIPALS = {"alice": "alice@example.org", "mallory": "mallory@example.org"}


def make_keys(folder: Path) -> Path:
    """Return the folder with a new key of each principal, and `signers`, a list that has only alice."""
    for name in PRINCIPALS:
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name)]
        subprocess.run(command, check=True)
    (folder / "signers").write_text(
        f'{PRINCIPALS["alice"]} namespaces="pytest-workflow-exec" {public(folder, "alice")}\n'
    )
    return folder


def public(folder: Path, name: str) -> str:
    """Return a public key as lists hold it."""
    return " ".join((folder / f"{name}.pub").read_text().split()[:2])
