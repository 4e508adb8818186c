"""A load balancer and three web servers that install releases, played by one HTTP server: `python stand_in_balancer.py [PORT]`."""

from __future__ import annotations

import json
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs


class Server:
    """One web server, and its line in the load balancer."""

    def __init__(self) -> None:
        self.state = "ready"
        self.sessions = 2
        self.version = self.before = "1.4.0"
        self.looks = 0
        self.broken = False

    @property
    def status(self) -> str:
        """How it says that it is: starting for a moment after each release."""
        if self.broken and self.version != "1.4.0":
            return "failing"
        return "starting" if self.looks < 1 else "ok"


class StandIn(BaseHTTPRequestHandler):
    """What the load balancer and the servers answer."""

    servers: dict[str, Server]

    def do_GET(self) -> None:
        """`/servers` and `/servers/NAME` of the load balancer, `/hosts/NAME/health` of a server."""
        if self.path == "/servers":
            self._say([{"name": name, "state": server.state} for name, server in self.servers.items()])
            return
        name, about = self._asked()
        if (server := self.servers.get(name)) is None:
            self.send_error(HTTPStatus.NOT_FOUND)
        elif about == "health":
            self._say({"version": server.version, "status": server.status})
            server.looks += 1
        else:
            self._say({"name": name, "state": server.state, "sessions": server.sessions})
            # Connections end while nobody new is let in.
            if server.state == "drain":
                server.sessions = max(0, server.sessions - 1)

    def do_PUT(self) -> None:
        """`state=drain` to `/servers/NAME`, `version=1.5.0` to `/hosts/NAME/release`."""
        name, about = self._asked()
        body = parse_qs(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())
        if (server := self.servers.get(name)) is None:
            self.send_error(HTTPStatus.NOT_FOUND)
        elif about == "release" and (server.state, server.sessions) != ("drain", 0):
            self.send_error(HTTPStatus.CONFLICT, f"{name} still serves people")
        elif about == "release":
            server.before, server.version, server.looks = server.version, body["version"][0], 0
            self._say({"version": server.version})
        else:
            server.state, server.sessions = body["state"][0], 2
            self._say({"name": name, "state": server.state})

    def do_POST(self) -> None:
        """`/hosts/NAME/rollback`; and `/hosts/NAME/break` or `mend`, for who plays."""
        name, about = self._asked()
        if (server := self.servers.get(name)) is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        if about == "rollback":
            server.version, server.looks = server.before, 0
        else:
            server.broken = about == "break"
        self._say({"version": server.version})

    def _asked(self) -> tuple[str, str]:
        _, _, name, *about = self.path.split("/")
        return name, "".join(about)

    def _say(self, answer: object) -> None:
        body = json.dumps(answer).encode()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def serve(port: int) -> ThreadingHTTPServer:
    """Return a server that can begin to answer, with three web servers that have 1.4.0."""
    handler = type("Handler", (StandIn,), {"servers": {f"web{number}": Server() for number in (1, 2, 3)}})
    return ThreadingHTTPServer(("127.0.0.1", port), handler)


if __name__ == "__main__":
    with serve(int(sys.argv[1]) if len(sys.argv) > 1 else 8780) as server:
        print(f"127.0.0.1:{server.server_port}", flush=True)
        server.serve_forever()
