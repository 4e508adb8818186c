"""A program that tries to break out of its confinement, and prints what it managed."""

from __future__ import annotations

# Each attempt is one that the level promises to stop.
CANARY = """
import os, signal, socket, sys
outside, inside, engine, port, name, project = *sys.argv[1:3], int(sys.argv[3]), int(sys.argv[4]), *sys.argv[5:7]
def read(path):
    with open(path, "rb") as file:
        # Some kernels let it be opened and then show nothing of it.
        if not file.read(1):
            raise PermissionError(path)
def connect(family, address):
    made = socket.socket(family)
    made.settimeout(2)
    made.connect(address)
def refused_if(is_so):
    if is_so:
        raise PermissionError
def of_engine(attempt):
    # In a namespace the same number may be its own.
    refused_if(engine == os.getpid())
    attempt()
attempts = {
    "create a file": lambda: open(outside + "/new", "x"),
    "empty a file": lambda: os.close(os.open(outside + "/kept", os.O_RDONLY | os.O_TRUNC)),
    "change a file": lambda: open(outside + "/kept", "a"),
    "rename a file": lambda: os.rename(outside + "/kept", outside + "/moved"),
    "take a file": lambda: os.rename(outside + "/kept", inside + "/moved"),
    "delete a file": lambda: os.unlink(outside + "/kept"),
    "read a file": lambda: open(outside + "/kept"),
    "signal the engine": lambda: of_engine(lambda: os.kill(engine, 0)),
    "read the engine's variables": lambda: of_engine(lambda: read(f"/proc/{engine}/environ")),
    "read the engine's memory": lambda: of_engine(lambda: open(f"/proc/{engine}/mem", "rb")),
    "connect to a port": lambda: connect(socket.AF_INET, ("127.0.0.1", port)),
    "connect to a socket": lambda: connect(socket.AF_UNIX, "\\0" + name),
    "start a program": lambda: os.posix_spawn("/bin/true", ["true"], {}),
}
"""

IN_NAMESPACES = """
def networks():
    with open("/proc/self/net/dev") as file:
        return [line.split(":")[0].strip() for line in file if ":" in line]
attempts |= {
    "see the evidence": lambda: os.stat(project + "/closed/kept"),
    "change a file's mode": lambda: os.chmod(outside + "/kept", 0o600),
    "change a file's times": lambda: os.utime(outside + "/kept"),
    "change what is protected": lambda: open(project + "/open/conftest.py", "a"),
    "take the place of what is protected": lambda: os.rename(project + "/open/conftest.py", project + "/open/x"),
    "make what is protected": lambda: os.mkdir(project + "/open/.git/hooks"),
    "see other processes": lambda: refused_if([n for n in os.listdir("/proc") if n.isdigit()] in (["1", "2"], ["2", "1"])
    ),
    "see the network": lambda: refused_if(networks() == ["lo"]),
}
open(project + "/open/mine", "w").close()
"""

VERDICT = """
managed = []
for what, attempt in attempts.items():
    try:
        attempt()
    except OSError:
        continue
    managed.append(what)
open(inside + "/mine", "w").close()
print(", ".join(managed) or "held")
"""
