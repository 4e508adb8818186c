"""A network between a worker and its server that loses what it carries, as long as a test says so."""

from __future__ import annotations

import contextlib
import select
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

_NAME = ".s.PGSQL.5432"
_TICK_S = 0.1


class Proxy:
    """Carries bytes both ways between clients of a socket in its folder and a server's socket."""

    def __init__(self, server: Path, folder: Path) -> None:
        self.folder, self._server = folder, server / _NAME
        self.swallows = threading.Event()
        self._over = threading.Event()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / _NAME))
        (folder / _NAME).chmod(0o777)
        self._listener.listen(64)
        self._listener.settimeout(_TICK_S)
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it."""
        self._over.set()
        self._thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while not self._over.is_set():
            with contextlib.suppress(TimeoutError):
                client, _ = self._listener.accept()
                threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        lost = self.swallows.is_set()
        with client, socket.socket(socket.AF_UNIX) as server, contextlib.suppress(OSError):
            if not lost:
                server.connect(str(self._server))
            ends = [client] if lost else [client, server]
            while not self._over.is_set():
                for end in select.select(ends, [], [], _TICK_S)[0]:
                    data = end.recv(1 << 16)
                    if not data:
                        return
                    # What was lost once is lost for good: the connection never fits together again.
                    lost = lost or self.swallows.is_set()
                    if not lost:
                        (server if end is client else client).sendall(data)


@contextlib.contextmanager
def proxy(server: Path) -> Iterator[Proxy]:
    """Give a proxy of a server whose socket is in a folder."""
    folder = Path(tempfile.mkdtemp(prefix="proxy-", dir="/tmp"))
    found = Proxy(server, folder)
    try:
        yield found
    finally:
        found.close()
        shutil.rmtree(folder, ignore_errors=True)
