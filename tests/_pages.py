"""Pages of documentation: their blocks, and running what stands in them, on a terminal where a person is asked."""

from __future__ import annotations

import getpass
import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pexpect

PATIENCE_S = 60
# With one of these pytest cuts no line of its summary to the window.
CI = ("CI", "BUILD_NUMBER")
LEFT_OUT = "..."
"""A line of a shown output that stands for any number of lines."""


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    language: str
    text: str

    @property
    def file(self) -> str | None:
        """The file that it is, by its first line; None for anything else."""
        first = self.text.splitlines()[0]
        named = self.language in ("toml", "yaml", "python") and first.startswith("# ")
        return first.removeprefix("# ") if named else None

    @property
    def commands(self) -> list[tuple[str, str]]:
        """The commands in it, each with its output."""
        parts = re.split(r"^\$ (.*)\n", self.text, flags=re.MULTILINE)[1:]
        return list(zip(parts[::2], parts[1::2], strict=True))


def blocks_of(page: Path) -> list[Block]:
    """Return a page's fenced blocks."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return [Block(language, text) for language, text in found]


def environment_of(more: Mapping[str, str]) -> dict[str, str]:
    """Return the environment in which what a page shows is run."""
    scripts = Path(sys.executable).parent
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("PYTEST_") and name not in CI},
        "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "80",
        "NO_COLOR": "1",
        "TERM": "xterm",
        **more,
    }


def run(command: str, root: Path, more: Mapping[str, str] | None = None) -> str:
    """Return what a command prints; one that asks a person is answered, on a terminal."""
    environment = environment_of(more or {})
    if ("-s" in command.split() or command.startswith("workflow-exec approve ")) and "|" not in command:
        return on_terminal(command, root, environment)
    done = subprocess.run(
        command, shell=True, cwd=root, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    return done.stdout + done.stderr


def on_terminal(command: str, root: Path, environment: Mapping[str, str]) -> str:
    """Return what a command prints on a terminal whose user approves, and did what is asked for."""
    program, *arguments = shlex.split(command)
    child = pexpect.spawn(
        program,
        arguments,
        cwd=str(root),
        env=dict(environment),
        encoding="utf-8",
        dimensions=(60, 80),
        timeout=PATIENCE_S,
    )
    printed = ""
    while True:
        asked = child.expect(
            [
                pexpect.EOF,
                r"Type ([A-Z0-9-]+) to approve, or reject to stop: ",
                "Type done, failed or note: ",
                r"(?<=\n)incident = ",
            ]
        )
        printed += f"{child.before}" if asked == 0 else f"{child.before}{child.after}"
        if asked == 0:
            return printed
        answer = {2: "done", 3: "INC-7"}.get(asked)
        child.sendline(answer or child.match.group(1))  # type: ignore[union-attr]  # a pattern matched, no EOF


MASKS = [
    (r"\x1b\[[0-9;?!]*[A-Za-z]|\x1b[78\\]|\x1b\(B|[\x18\x0f\r]", ""),
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\b", "RUN"),
    (r"\b(?=[0-9a-f]*[0-9])[0-9a-f]{6,}\b", "HEX"),
    (r"\b[0-9]+\.[0-9]+s\b", "0.0s"),
    (r"\d{4}-\d\d-\d\d[T ]", "DATE "),
    (r"\d\d:\d\d:\d\d", "TIME"),
    (r"[A-Z0-9]{4}-[A-Z0-9]{4}", "XXXX-XXXX"),
    (r"\d+ bytes", "N bytes"),
    (r"uid = \d+", "uid = 0"),
    (r"(?m)[ =]+$", ""),
    (r"(?m)^=+ ", "== "),
]


def masked(text: str, root: Path) -> list[str]:
    """Return the lines of a text without what differs from run to run, and without empty lines."""
    text = text.replace(str(root), f"/srv/{root.name}")
    for known, name in ((socket.gethostname(), "vm"), (getpass.getuser(), "root")):
        text = re.sub(rf"\b{re.escape(known)}\b", name, text)
    for pattern, mask in MASKS:
        text = re.sub(pattern, mask, text)
    return [line for line in text.splitlines() if line]


def shows(output: str, printed: str, root: Path) -> str:
    """Return what of a shown output was not printed, in its order; empty if all was.

    It is the end of what was printed, but for the lines that `...` stands for.
    """
    lines = masked(printed, root)
    parts = [[]] if not output.strip() else _parts(masked(output, root))
    last = parts.pop()
    for part in parts:
        at = next((at for at in range(len(lines)) if lines[at : at + len(part)] == part), None)
        if at is None:
            return "\n".join(part)
        lines = lines[at + len(part) :]
    return "" if not last or lines[-len(last) :] == last else "\n".join(last)


def _parts(wanted: list[str]) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for line in wanted:
        if line.strip() == LEFT_OUT:
            parts.append([])
        else:
            parts[-1].append(line)
    return parts
