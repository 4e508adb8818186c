"""The folder of one request: all that the program is given, and all that it may leave, gone afterwards."""

from __future__ import annotations

import json
import os
import shlex
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.lean_dataclasses import dataclass

from . import _start_program

LOGINS = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN")
"""The variables that log in, any of them."""
BASE_URL = "ANTHROPIC_BASE_URL"
_REAL = "https://api.anthropic.com"
KEPT = (
    *LOGINS,
    BASE_URL,
    *(name for each in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY") for name in (each, each.lower())),
    "NODE_EXTRA_CA_CERTS",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TZ",
    # What the SDK says to the program.
    "CLAUDE_AGENT_SDK_VERSION",
    "CLAUDE_CODE_ENTRYPOINT",
    "CLAUDE_CODE_SDK_READS_SESSION_STATE",
)
"""What of the engine's environment the program sees. It is passed by name, so that no value is ever written down."""
_FIXED = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    # Without a stream nobody would see what the model said before the program made it fit its schema.
    "CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK": "1",
    "DISABLE_AUTOUPDATER": "1",
    "DISABLE_ERROR_REPORTING": "1",
    "DISABLE_TELEMETRY": "1",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Where one request finds its files.

    Attributes:
        program: What is started in place of the program.
        directory: An empty folder to run in.
        system: The file with the system prompt.
        pid_file: Says which process the program is, once it runs.
        environment: What the program's environment says, beside what is passed by name.
    """

    program: Path
    directory: Path
    system: Path
    pid_file: Path
    environment: Mapping[str, str]

    def pid(self) -> int | None:
        """Return the program's process, None as long as there is none."""
        try:
            return int(self.pid_file.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None


def asked_addresses() -> dict[str, Json]:
    """Return where the model is asked, and through which proxy; a password in an address is nobody's business."""
    address = os.environ.get(BASE_URL) or _REAL
    names = ("HTTP_PROXY", "http_proxy") if address.startswith("http:") else ("HTTPS_PROXY", "https_proxy")
    found: dict[str, Json] = {"base_url": _without_login(address)}
    proxy = next((said for name in names if (said := os.environ.get(name))), None)
    if proxy is not None:
        # Without a scheme, an address of a proxy begins with its host.
        found["proxy"] = _without_login(proxy if "//" in proxy else f"http://{proxy}")
    return found


def _without_login(address: str) -> str:
    try:
        url = urlsplit(address)
    except ValueError:
        return "unreadable"
    return f"{url.scheme}://{url.netloc.rpartition('@')[2]}"


@contextmanager
def opened_room(*, cli: Path, system: str, bounds: Mapping[str, str]) -> Iterator[Room]:
    """Make the folder of one request, and remove it at the end.

    Args:
        cli: The real program.
        system: The system prompt. It goes by a file, as everybody on the machine can read arguments.
        bounds: Variables that set the program's limits.

    Raises:
        OSError: It can't be made.
    """
    with tempfile.TemporaryDirectory(prefix="workflow-exec-ai-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        home, directory, tmp = (folder / each for each in ("home", "empty", "tmp"))
        for each in (home, directory, tmp):
            each.mkdir()
        own = {"HOME": str(home), "CLAUDE_CONFIG_DIR": str(home / ".claude"), "TMPDIR": str(tmp)}
        room = Room(
            program=folder / "claude",
            directory=directory,
            system=folder / "system.txt",
            pid_file=folder / "pid",
            environment={**_FIXED, **own, **bounds},
        )
        room.system.write_text(system, encoding="utf-8", errors="replace")
        specification = folder / "program.json"
        specification.write_text(json.dumps(_specification(cli, room)), encoding="utf-8")
        room.program.write_text(_script(specification), encoding="utf-8")
        room.program.chmod(0o700)
        yield room


def _specification(cli: Path, room: Room) -> Mapping[str, str | int | bool | Sequence[str] | Mapping[str, str]]:
    return {
        "program": str(cli),
        "pid_file": str(room.pid_file),
        "engine": os.getpid(),
        "watched": sys.platform != "linux",
        "kept": KEPT,
        "set": room.environment,
    }


def _script(specification: Path) -> str:
    command = shlex.join((sys.executable, "-I", "-S", str(_start_program.__file__), str(specification)))
    return f'#!/bin/sh\nexec {command} "$@"\n'
