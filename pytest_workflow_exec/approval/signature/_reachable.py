"""Keys that whoever runs this could sign with: in the user's own folder, or in an agent that answers here."""

from __future__ import annotations

import contextlib
import os
import pwd
import socket
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from ._base64 import decoded
from ._keys import blob_in, key_words
from ._wire import MalformedError, Reader

_BEGIN, _END = "-----BEGIN OPENSSH PRIVATE KEY-----", "-----END OPENSSH PRIVATE KEY-----"
_MAGIC = b"openssh-key-v1\0"
_MAX_FILE = 1 << 16
_MOST_FILES = 1000
_MAX_ANSWER = 1 << 20
_PATIENCE_S = 5.0
_ASK, _ANSWER = 11, 12
"""Of an agent: which keys it holds, and the answer (RFC draft-miller-ssh-agent)."""


def reachable_keys(environment: Mapping[str, str]) -> frozenset[bytes]:
    """Return the encodings of the public keys whose private ones this user can read or have an agent use.

    A private key under a passphrase counts: the passphrase is typed where this user can listen.

    Args:
        environment: The process's own, which names the agent.
    """
    found = set[bytes]()
    for folder in _folders(environment):
        found |= set(_in_folder(folder))
    agent = environment.get("SSH_AUTH_SOCK")
    if agent:
        # An agent that does not answer signs nothing either.
        with contextlib.suppress(OSError, ValueError, MalformedError):
            found |= set(_in_agent(agent))
    return frozenset(found)


def _folders(environment: Mapping[str, str]) -> Iterator[Path]:
    homes = {environment.get("HOME", "")}
    with contextlib.suppress(KeyError):
        homes.add(pwd.getpwuid(os.getuid()).pw_dir)
    yield from (Path(home) / ".ssh" for home in sorted(homes) if home)


def _in_folder(folder: Path) -> Iterator[bytes]:
    try:
        paths = sorted(folder.iterdir())[:_MOST_FILES]
    except OSError:
        return
    for path in paths:
        if path.suffix == ".pub":
            continue
        text = _text(path)
        if text is None or "PRIVATE KEY-----" not in text:
            continue
        with contextlib.suppress(MalformedError):
            yield _public_part(text)
        # The older formats hide the public part under the passphrase; the file beside tells it.
        words = key_words((_text(path.with_name(f"{path.name}.pub")) or "").strip())
        if words is not None:
            with contextlib.suppress(MalformedError):
                yield blob_in(words)


def _text(path: Path) -> str | None:
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC), "rb") as file:  # noqa: PTH123
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return None
            return file.read(_MAX_FILE).decode("utf-8", "replace")
    except OSError:
        return None


def _public_part(text: str) -> bytes:
    lines = [line.strip() for line in text.strip().splitlines()]
    if not lines or lines[0] != _BEGIN or lines[-1] != _END:
        raise MalformedError("it is no private key of OpenSSH")
    reader = Reader(decoded("".join(lines[1:-1])))
    if reader.take(len(_MAGIC)) != _MAGIC:
        raise MalformedError("it is no private key of OpenSSH")
    for _ in ("cipher", "derivation", "its options"):
        reader.string()
    if reader.uint32() != 1:
        raise MalformedError("it holds several keys")
    return reader.string()


def _in_agent(place: str) -> Iterator[bytes]:
    with socket.socket(socket.AF_UNIX) as agent:
        agent.settimeout(_PATIENCE_S)
        agent.connect(place)
        agent.sendall((1).to_bytes(4, "big") + bytes([_ASK]))
        length = int.from_bytes(_received(agent, 4), "big")
        if not 0 < length <= _MAX_ANSWER:
            raise MalformedError("its answer is longer than any")
        reader = Reader(_received(agent, length))
    if reader.byte() != _ANSWER:
        raise MalformedError("it does not say what it holds")
    for _ in range(reader.uint32()):
        yield reader.string()
        reader.string()


def _received(agent: socket.socket, count: int) -> bytes:
    got = b""
    while len(got) < count:
        part = agent.recv(count - len(got))
        if not part:
            raise MalformedError("it ends too early")
        got += part
    return got
