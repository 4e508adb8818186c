"""A PostgreSQL server of a test's own, reached through a socket in its folder."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PATIENCE_S = 60
_PLACES = "/usr/lib/postgresql"


def programs() -> Path | None:
    """Return the folder of the server's programs; None if there is none on this machine."""
    found = sorted(Path(_PLACES).glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]), reverse=True)
    named = shutil.which("initdb")
    return found[0].parent if found else None if named is None else Path(named).resolve().parent


def server_user() -> tuple[int, int] | None:
    """Return the user that the server runs as, as it never does as root; None if there is none."""
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            found = pwd.getpwnam(name)
            return found.pw_uid, found.pw_gid
    return None


@dataclass
class Server:
    """A server, which can be killed and started again."""

    folder: Path
    bin: Path
    user: tuple[int, int]

    def url(self, role: str, database: str = "fleet") -> str:
        """Return the address for one role."""
        return f"postgresql://{role}@/{database}?host={self.folder}"

    def start(self) -> None:
        """Start it, and return once it answers."""
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-l", str(self.folder / "log"), "-w", "start")

    def stop(self) -> None:
        """Stop it."""
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "-w", "stop")

    def kill(self) -> None:
        """Kill it with no warning, as a machine that loses its power."""
        pid = int((self.folder / "data/postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, signal.SIGKILL)
        until = time.monotonic() + PATIENCE_S
        # Its children see that it is gone, and end; until then the next one does not start.
        while self._lives(pid):
            assert time.monotonic() < until
            time.sleep(0.05)
        (self.folder / "data/postmaster.pid").unlink(missing_ok=True)

    def processes(self) -> list[int]:
        """Return the processes of the server, the first of them its parent."""
        first = int((self.folder / "data/postmaster.pid").read_text().splitlines()[0])
        found = [first]
        for path in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                if int(path.read_text().rpartition(")")[2].split()[1]) == first:
                    found.append(int(path.parts[2]))
        return found

    def sql(self, statement: str, *, role: str = "owner", database: str = "fleet") -> str:
        """Return what a statement prints.

        Raises:
            subprocess.CalledProcessError: The server refused it.
        """
        command = [
            str(self.bin / "psql"),
            "-qAt",
            "-v",
            "ON_ERROR_STOP=1",
            "-h",
            str(self.folder),
            "-U",
            role,
            "-c",
            statement,
            database,
        ]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def _lives(self, pid: int) -> bool:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 0)
            return True
        return False

    def _run(self, program: str, *arguments: str) -> None:
        uid, gid = self.user
        as_user = {"user": uid, "group": gid, "extra_groups": []} if os.geteuid() == 0 else {}
        until = time.monotonic() + PATIENCE_S
        while True:
            done = subprocess.run(  # type: ignore[call-overload]  # the user is that of root alone
                [str(self.bin / program), *arguments],
                cwd=self.folder,
                env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=False,
                **as_user,
            )
            if done.returncode == 0:
                return
            assert time.monotonic() < until, f"{program} failed: {(self.folder / 'log').read_text()[-2000:]}"
            time.sleep(0.2)


@contextlib.contextmanager
def server() -> Iterator[Server]:
    """Give a new server with a database `fleet`, whose owner is the role `owner`."""
    place, user = programs(), server_user()
    assert place is not None
    assert user is not None
    folder = Path(tempfile.mkdtemp(prefix="fleet-", dir="/tmp"))
    os.chown(folder, *user)
    found = Server(folder, place, user)
    try:
        found._run("initdb", "-D", str(folder / "data"), "-U", "super", "-A", "trust", "-E", "UTF8", "--no-sync")
        with (folder / "data/postgresql.conf").open("a") as file:
            file.write(f"listen_addresses = ''\nunix_socket_directories = '{folder}'\nmax_connections = 200\n")
        found.start()
        found.sql("CREATE ROLE owner LOGIN CREATEROLE", role="super", database="postgres")
        found.sql("CREATE DATABASE fleet OWNER owner", role="super", database="postgres")
        yield found
    finally:
        with contextlib.suppress(AssertionError):
            found.stop()
        shutil.rmtree(folder, ignore_errors=True)
