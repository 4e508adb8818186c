"""Examples, copied into repositories of their own and played through real processes, against their own stand-ins."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pexpect

from tests.plugin.conftest import PATIENCE_S, Project, Session, finish

ROOT = Path(__file__).parents[2]
ASKED = re.compile(r"Type ([A-Z0-9]{4}-[A-Z0-9]{4}) to approve, or reject to stop: |Type (done), failed or note: ")


@dataclass(frozen=True)
class StandIn:
    """A server that plays those of an example."""

    address: str

    def ask(self, path: str, method: str = "GET", body: bytes | None = None) -> Any:
        """Return what it answers, read as JSON."""
        request = urllib.request.Request(f"http://{self.address}{path}", data=body, method=method)
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:  # noqa: S310
            return json.loads(answer.read())


@contextmanager
def stand_in(folder: Path) -> Iterator[StandIn]:
    """Start the server of an example, on a port of its own."""
    [program] = folder.glob("stand_in_*.py")
    child = subprocess.Popen(
        [sys.executable, str(program), "0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert child.stdout is not None
        yield StandIn(child.stdout.readline().strip())
    finally:
        child.kill()
        child.communicate()


def copied(
    example: str,
    into: Path,
    *,
    changes: Mapping[str, Mapping[str, str]] | None = None,
    moved: tuple[str, str] | None = None,
) -> Project:
    """Return an example as a repository of its own.

    Args:
        changes: By file, what is written instead of what, such as a shorter wait; each stands there exactly once.
        moved: Where its workflows look for the servers, and where they are.
    """
    shutil.copytree(
        ROOT / "examples" / example,
        into,
        ignore=shutil.ignore_patterns(".workflow-exec", ".pytest_cache", "__pycache__"),
    )
    for name, texts in (changes or {}).items():
        text = (into / name).read_text(encoding="utf-8")
        for old, new in texts.items():
            assert text.count(old) == 1, (name, old)
            text = text.replace(old, new)
        (into / name).write_text(text, encoding="utf-8")
    here, there = moved or ("", "")
    for file in into.rglob("*.workflow.yaml") if here else ():
        file.write_text(file.read_text(encoding="utf-8").replace(here, there), encoding="utf-8")
    commit(into, "init", "-q")
    return Project(into)


def commit(folder: Path, *first: str) -> None:
    """Commit all that is in a folder."""
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    for command in (first, ("add", "-A"), (*who, "commit", "-q", "-m", "An example")):
        if command:
            subprocess.run(["git", *command], cwd=folder, check=True)


def played(child: pexpect.spawn[str], **fields: str) -> Session:
    """Return what a session on a terminal prints, whose user approves, does what is to be done, and fills in forms."""
    forms = [rf"(?<=\n){name} = " for name in fields]
    text = ""
    while True:
        at = child.expect([pexpect.EOF, ASKED, *forms])
        text += f"{child.before}" if at == 0 else f"{child.before}{child.after}"
        if at == 0:
            break
        if at == 1:
            assert isinstance(child.match, re.Match)
            child.sendline(child.match.group(1) or child.match.group(2))
        else:
            child.sendline(list(fields.values())[at - 2])
    ended = finish(child)
    return Session(status=ended.status, text=plain(text))


def plain(text: str) -> str:
    """Return what was printed on a terminal, without its colours and other controls."""
    return re.sub(r"\x1b\[[0-9;?!]*[A-Za-z]|\x1b[78\\]|\x1b\(B|[\x18\x0f\r]", "", text)
