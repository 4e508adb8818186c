"""Where a foundation stages and publishes releases, played by one HTTP server: `python stand_in_dist.py [PORT]`.

`PUT` and `MOVE` are those of WebDAV, which Subversion speaks, too: `/dev/` is for candidates, `/release/` for everybody. What
was moved there is on the mirrors, `/mirrors/`, at the second look.
"""

from __future__ import annotations

import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


class StandIn(BaseHTTPRequestHandler):
    """What the server answers."""

    files: dict[str, bytes]
    looks: dict[str, int]

    def do_GET(self) -> None:
        """A file."""
        path = self.path
        if path.startswith("/mirrors/"):
            self.looks[path] = self.looks.get(path, 0) + 1
            path = path.replace("/mirrors/", "/release/") if self.looks[path] > 1 else ""
        if path in self.files:
            self._say(HTTPStatus.OK, self.files[path])
        else:
            self._say(HTTPStatus.NOT_FOUND)

    def do_PUT(self) -> None:
        """A file of a candidate; what is there stays as it is."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path in self.files or not self.path.startswith("/dev/"):
            self._say(HTTPStatus.FORBIDDEN)
        else:
            self.files[self.path] = body
            self._say(HTTPStatus.CREATED)

    def do_MOVE(self) -> None:
        """All of a candidate, to where releases are."""
        target = urlsplit(self.headers["Destination"]).path
        moved = {path: body for path, body in self.files.items() if path.startswith(self.path)}
        for path, body in moved.items():
            del self.files[path]
            self.files[target + path.removeprefix(self.path)] = body
        self._say(HTTPStatus.CREATED if moved else HTTPStatus.NOT_FOUND)

    def _say(self, status: HTTPStatus, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def serve(port: int) -> ThreadingHTTPServer:
    """Return a server that can begin to answer."""
    return ThreadingHTTPServer(("127.0.0.1", port), type("Handler", (StandIn,), {"files": {}, "looks": {}}))


if __name__ == "__main__":
    with serve(int(sys.argv[1]) if len(sys.argv) > 1 else 8780) as server:
        print(f"127.0.0.1:{server.server_port}", flush=True)
        server.serve_forever()
