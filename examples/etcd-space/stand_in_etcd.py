"""An etcd cluster that has run out of space, and a deployment service, played by one server: `python stand_in_etcd.py [PORT]`.

It speaks the JSON of etcd's gRPC gateway, in which whole numbers of 64 bits are texts. Each member is below `/NAME`.
"""

from __future__ import annotations

import base64
import json
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FULL, SMALL = 2147495936, 25600
MEMBERS = ("etcd1", "etcd2", "etcd3")


class Cluster:
    """What the members have in common, and how large the file of each is."""

    def __init__(self) -> None:
        self.alarm = True
        self.revision = 1482
        self.compacted = 0
        self.sizes = dict.fromkeys(MEMBERS, FULL)
        self.frozen = False
        self.deploying = False

    def answer(self, member: str, call: str, body: dict[str, str]) -> dict[str, object] | None:
        """Return what a member answers to a call of etcd's API; None if it refuses."""
        header = {"revision": str(self.revision)}
        if call == "maintenance/status":
            used = SMALL if self.compacted else FULL
            return {"header": header, "dbSize": str(self.sizes[member]), "dbSizeInUse": str(used)}
        if call == "maintenance/alarm":
            # etcd lets an alarm be taken off at any time; it comes back if there is still no space.
            if body["action"] == "DEACTIVATE":
                self.alarm = any(size == FULL for size in self.sizes.values())
            return {"header": header} | ({"alarms": [{"memberID": "1", "alarm": "NOSPACE"}]} if self.alarm else {})
        if call == "kv/compaction":
            self.compacted = int(body["revision"])
            return {"header": header}
        if call == "maintenance/defragment":
            self.sizes[member] = SMALL if self.compacted else FULL
            return {"header": header}
        if call == "kv/put" and not self.alarm:
            self.revision += 1
            return {"header": {"revision": str(self.revision)}}
        return None


class StandIn(BaseHTTPRequestHandler):
    """What members and the deployment service answer."""

    cluster: Cluster

    def do_GET(self) -> None:
        """`/NAME/health` of a member, `/deployments` of the deployment service."""
        if self.path.endswith("/health"):
            self._say({"health": "true"})
        else:
            self._say({"frozen": self.cluster.frozen, "running": ["shop"] if self.cluster.deploying else []})

    def do_PUT(self) -> None:
        """`/deployments/frozen` and `/deployments/free`; `/deployments/running` and `/deployments/idle` for who plays."""
        about = self.path.rpartition("/")[2]
        if about in ("frozen", "free"):
            self.cluster.frozen = about == "frozen"
        else:
            self.cluster.deploying = about == "running"
        self._say({"frozen": self.cluster.frozen})

    def do_POST(self) -> None:
        """`/NAME/v3/...`: the calls of etcd."""
        _, member, _, call = self.path.split("/", 3)
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        if call == "maintenance/snapshot":
            blob = base64.b64encode(f"{self.cluster.revision}".encode()).decode()
            self._say({"result": {"blob": blob, "remaining_bytes": "0"}})
        elif (answer := self.cluster.answer(member, call, body)) is not None:
            self._say(answer)
        else:
            self.send_error(HTTPStatus.INSUFFICIENT_STORAGE, "etcdserver: mvcc: database space exceeded")

    def _say(self, answer: object) -> None:
        body = json.dumps(answer).encode()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def serve(port: int) -> ThreadingHTTPServer:
    """Return a server that can begin to answer."""
    return ThreadingHTTPServer(("127.0.0.1", port), type("Handler", (StandIn,), {"cluster": Cluster()}))


if __name__ == "__main__":
    with serve(int(sys.argv[1]) if len(sys.argv) > 1 else 8780) as server:
        print(f"127.0.0.1:{server.server_port}", flush=True)
        server.serve_forever()
