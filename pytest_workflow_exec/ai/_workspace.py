"""What a model may look at in a conversation: files of the project, found, searched and read by Python alone.

The program's own tools are not used: they would read what its rules forget. These here change nothing, stay below the
project's root whatever a link says, and do not know the files in which secrets are usual.
"""

from __future__ import annotations

import fnmatch
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.lean_dataclasses import dataclass

MAX_BYTES: Final = 64 << 10
"""How much of one file, or of one answer, a model is given at once."""
_MAX_FILE_BYTES: Final = 4 << 20
_MAX_NAMES: Final = 500
_MAX_HITS: Final = 200
_MAX_FILES: Final = 20_000
_MAX_LINE: Final = 400
_MAX_ARGUMENT: Final = 1000
# Of each part of a path, without regard to case.
_DENIED: Final = (
    ".git", ".workflow-exec", ".env*", "*.env", ".envrc", ".netrc", "_netrc", ".npmrc", ".pypirc", ".pgpass", ".my.cnf",
    ".ssh", ".aws", ".azure", ".gcloud", ".gnupg", ".kube", ".docker", ".claude", ".htpasswd", ".vault*", ".git-credentials",
    "id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", "*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx",
    "*.ppk", "*.asc", "*.gpg", "credential*", "secret*", "*.secret", "*.secrets", "*.tfstate", "*.tfstate.*", "*.tfvars",
)  # fmt: skip

TOOLS: Final[Mapping[str, tuple[str, tuple[str, ...], tuple[str, ...]]]] = {
    "read": (
        "Read a text file of the project. Lines are numbered; give `start` to begin at a later line.",
        ("path",),
        ("start",),
    ),
    "grep": (
        (
            "Find the lines that hold a text, word for word, in files of the project: below `path`, and only in files whose "
            "name matches `name`, such as *.py."
        ),
        ("text",),
        ("path", "name"),
    ),
    "glob": ("List the files of the project whose path matches a pattern such as src/*.py or *.md.", ("pattern",), ()),
}
"""Each tool with what it does, and its arguments: those that it needs, and those that it may have."""


class LookError(ValueError):
    """Why nothing is shown; a model reads it."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """The files of a project that a model may see."""

    root: Path
    tools: tuple[str, ...]

    def problem(self, tool: str, arguments: Mapping[str, object]) -> str | None:
        """Return why a call is not allowed; None if it is."""
        if tool not in self.tools:
            return "there is no such tool here"
        _, needed, possible = TOOLS[tool]
        if set(arguments) - {*needed, *possible} or set(needed) - set(arguments):
            return f"{tool} takes {', '.join(needed)}" + (f", and may take {', '.join(possible)}" if possible else "")
        for name, value in arguments.items():
            if name == "start":
                if type(value) is not int or value < 1:
                    return "start is the number of a line"
            elif not isinstance(value, str) or not value or "\0" in value or len(value) > _MAX_ARGUMENT:
                return f"{name} is a text of at most {_MAX_ARGUMENT} characters"
        try:
            if "path" in arguments:
                self._inside(str(arguments["path"]))
        except LookError as error:
            return str(error)
        return None

    def look(self, tool: str, arguments: Mapping[str, object]) -> str:
        """Return what a tool shows.

        Raises:
            LookError: It shows nothing.
        """
        if (problem := self.problem(tool, arguments)) is not None:
            raise LookError(problem)
        try:
            if tool == "read":
                start = arguments.get("start", 1)
                return self._read(str(arguments["path"]), start if isinstance(start, int) else 1)
            if tool == "grep":
                name = str(arguments.get("name", "*"))
                return _listed(self._grep(str(arguments["text"]), str(arguments.get("path", ".")), name), _MAX_HITS)
            return _listed(self._glob(str(arguments["pattern"])), _MAX_NAMES)
        except (OSError, RuntimeError) as error:
            raise LookError(f"it can't be read: {getattr(error, 'strerror', None) or error}") from error

    def _inside(self, text: str) -> Path:
        named = self.root / text
        try:
            # Twice: what a link is called, and what it leads to.
            path, asked = named.resolve(), Path(os.path.normpath(named))
            places = (path.relative_to(self.root), asked.relative_to(self.root))
        except (ValueError, OSError, RuntimeError) as error:
            raise LookError("it is outside of the project") from error
        if any(_is_denied(part) for place in places for part in place.parts):
            raise LookError("it is not shown to models: secrets, evidence and the repository's own files never are")
        return path

    def _read(self, text: str, start: int) -> str:
        lines = _text_of(self._inside(text)).splitlines()
        shown: list[str] = []
        size_bytes = 0
        for number, line in enumerate(lines[start - 1 :], start=start):
            spelled = f"{number}\t{line}"
            size_bytes += len(spelled.encode("utf-8", "replace")) + 1
            if size_bytes > MAX_BYTES:
                shown.append(f"... {len(lines) - number + 1} more lines; go on with start={number}")
                break
            shown.append(spelled)
        return "\n".join(shown) or f"(it has {len(lines)} lines)"

    def _grep(self, text: str, below: str, name: str) -> Iterator[str]:
        for path in self._files(self._inside(below)):
            if not fnmatch.fnmatch(path.name, name):
                continue
            try:
                lines = _text_of(path).splitlines()
            except (LookError, OSError):
                continue
            place = path.relative_to(self.root).as_posix()
            yield from (f"{place}:{n}: {line[:_MAX_LINE]}" for n, line in enumerate(lines, start=1) if text in line)

    def _glob(self, pattern: str) -> Iterator[str]:
        for path in self._files(self.root):
            place = path.relative_to(self.root).as_posix()
            if fnmatch.fnmatch(place, pattern) or fnmatch.fnmatch(path.name, pattern):
                yield place

    def _files(self, below: Path) -> Iterator[Path]:
        if below.is_file():
            yield below
            return
        count = 0
        for folder, folders, names in os.walk(below):
            folders[:] = sorted(each for each in folders if not _is_denied(each))
            for name in sorted(names):
                path = Path(folder, name)
                # A link may lead to what has another name.
                if _is_denied(name) or path.is_symlink():
                    continue
                count += 1
                if count > _MAX_FILES:
                    return
                yield path


def described(tool: str) -> tuple[str, dict[str, Json]]:
    """Return what a tool does, and the schema of its arguments."""
    words, needed, possible = TOOLS[tool]
    properties: dict[str, Json] = {
        name: {"type": "integer" if name == "start" else "string"} for name in (*needed, *possible)
    }
    schema: dict[str, Json] = {
        "type": "object",
        "properties": properties,
        "required": list(needed),
        "additionalProperties": False,
    }
    return words, schema


def _is_denied(part: str) -> bool:
    lower = part.casefold()
    return any(fnmatch.fnmatchcase(lower, pattern) for pattern in _DENIED)


def _text_of(path: Path) -> str:
    # Without waiting and without following: a pipe or a link put in its place since would do harm.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC | os.O_NOFOLLOW
    with os.fdopen(os.open(path, flags), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise LookError("it is no file")
        content = file.read(_MAX_FILE_BYTES + 1)
    if len(content) > _MAX_FILE_BYTES:
        raise LookError(f"it is larger than {_MAX_FILE_BYTES} bytes")
    if b"\0" in content:
        raise LookError("it is no text")
    return content.decode("utf-8", "replace")


def _listed(found: Iterator[str], most: int) -> str:
    lines: list[str] = []
    size_bytes = 0
    for line in found:
        size_bytes += len(line.encode("utf-8", "replace")) + 1
        if len(lines) == most or size_bytes > MAX_BYTES:
            lines.append("... and more; ask for less")
            break
        lines.append(line)
    return "\n".join(lines) or "(nothing)"


def names_of(tools: Sequence[str]) -> list[str]:
    """Return what the program calls the tools."""
    return [f"{PREFIX}{tool}" for tool in tools]


SERVER: Final = "workspace"
PREFIX: Final = f"mcp__{SERVER}__"
