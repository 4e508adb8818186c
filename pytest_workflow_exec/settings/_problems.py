"""What is wrong with a configuration, in the words of the one who wrote it: what is expected, and how it looks."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypedDict, get_args

from pytest_workflow_exec.errors import Problem
from pytest_workflow_exec.lean_dataclasses import dataclass

from ._approvers import NOT_UNIQUE
from ._toml import line_of
from ._values import AiMode, Carry, Durability, Filesystem, NotifyOn, PythonProcesses, RuleNeed, SandboxMode, VerifyNeed

_TABLE, _ENTRY = "{table}policy", "git status"
_EXPECTED = {
    "policy": f"a table: [{_TABLE}]",
    "workflows": f"tables by workflow: [{_TABLE}.workflows.release]",
    "commands": f'a list of rules, such as ["{_ENTRY}"]',
    "command": f'tables: [[{_TABLE}.command]] with rule = "{_ENTRY}"',
    "rule": f'a text, such as "{_ENTRY}"',
    "program": 'a text, such as "git"',
    "subcommand": 'a text or a list of texts, such as ["status", "log"]',
    "options": 'a list of options, such as ["--oneline", "--max-count="]',
    "arguments": '"none", "any", "workspace", a list of texts or a regular expression',
    "allow": 'a list of commands, such as ["git status"]',
    "refuse": 'a list of commands, such as ["git push"]',
    "sha256": "64 hexadecimal digits, as sha256sum prints them",
    "gated": "a table: {{assurance = 1}}",
    "limits": 'a table: {{memory = "4GiB"}}',
    "processes": 'a number from 1 to 4194304, or "none"',
    "files": "a number from 16 to 1024",
    "file_size": 'a size such as "512MiB" or "4GiB", or "none"',
    "memory": 'a size such as "512MiB" or "4GiB", or "none"',
    "cpu": 'a duration such as "90s" or "2h", or "none"',
    "assurance": "1 (terminal), 2 (signature) or 3 (presence)",
    "exec": 'a list of programs, such as ["python"]',
    "env": 'a list of names of variables, such as ["LANG"]',
    "secrets": 'a list of names of variables, such as ["TWINE_PASSWORD"]',
    "network": 'a list of places, such as ["*:443"]',
    "file": 'an absolute path, or one that begins with ~/, such as "~/.config/pypi-token"',
    "keyring": 'the service of a keyring, such as "pypi"',
    "user": 'the user of that service, such as "__token__"',
    "read": 'a list of paths, such as ["dist"]',
    "write": 'a list of paths, such as ["dist"]',
    "path": 'a list of folders, such as ["venv", "/usr/bin"]',
    "cwd": 'a list of folders of the project, such as ["frontend"]',
    "home": "true or false",
    "sockets": 'a list of paths, such as ["/run/docker.sock"]',
    "durability": " or ".join(f'"{word}"' for word in get_args(Durability)),
    "filesystem": " or ".join(f'"{word}"' for word in get_args(Filesystem)),
    "python_processes": " or ".join(f'"{word}"' for word in get_args(PythonProcesses)),
    "git_identity": 'a table: {{name = "Release Bot", email = "bot@example.org"}}',
    "name": 'a name as git takes it, such as "Release Bot"',
    "email": 'an address as git takes it, such as "bot@example.org"',
    "verify": f'a table: [{_TABLE}.verify] with exec = ["git"]',
    "carry": " or ".join(f'"{word}"' for word in get_args(Carry)),
    "retention": 'a duration of 36500d at most, such as "90d"',
    "segment_mib": "a number of MiB from 0.0009765625 (1 KiB) to 1024, such as 64",
    "ai": " or ".join(f'"{word}"' for word in get_args(AiMode)),
    "ai_budget": "an amount of US dollars from 0.000001 to 999999, such as 2.50",
    "approvers": f'a table of groups: [{_TABLE}.approvers] with managers = ["alice@example.org"]',
    "signers": 'the path of a file in the project, such as "workflow-signers"',
    "revoked": 'the path of a file in the project, such as "workflow-revoked"',
    "refuse_reachable_keys": "true or false",
    "starter_may_approve": "true or false",
    "break_glass": "true or false",
    "sandbox": "one of " + ", ".join(f'"{mode}"' for mode in get_args(SandboxMode)),
}
_OF_NOTIFY = {
    "notify": 'tables: [[{table}notify]] with command = ["notify-send", "a gate waits"] and on = ["suspended"]',
    "command": 'a program and its arguments, such as ["notify-send", "a gate waits"]',
    "on": "a list of " + ", ".join(f'"{word}"' for word in get_args(NotifyOn)),
}
_KINDS: Mapping[type, str] = {
    bool: "a truth value", int: "a number", float: "a number", str: "a text", list: "a list", dict: "a table",
}  # fmt: skip
_HOMES = {
    "top": "the top level",
    "policy": "the table policy",
    "workflow": "a table of policy.workflows",
    "rule": "a table of policy.command",
    "gated": "the table gated of a rule",
    "verify": "the table policy.verify",
    "git_identity": "the table policy.git_identity",
    "notify": "a table of notify",
    "limits": "the table limits of the policy or a rule",
    "secret": "a table of policy.secrets",
}
_SHOWN_CHARACTERS = 60


class Detail(TypedDict):
    """One error of pydantic's, as far as it is read here."""

    type: str
    loc: tuple[str | int, ...]
    input: object
    msg: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a configuration was read from."""

    path: Path
    place: tuple[str, ...]
    """The table in the file that holds it; empty if it is the file's all."""

    def problem(self, detail: Detail, known: Mapping[str, Iterable[str]]) -> Problem:
        """Return one of pydantic's errors as a problem that says what to do.

        Args:
            known: The keys that there are, by the kind of table: `top`, `policy`, `workflow`, `rule`, `gated` and `limits`.
        """
        place = detail["loc"]
        is_word = detail["type"] in ("form", "extra_forbidden")
        about = _message if is_word or place[:1] != ("notify",) else _about_notify
        message = about(detail, known, self.place)
        return Problem(path=self.path, line=self._line(place), message=message)

    def locate(self, place: Sequence[str | int]) -> tuple[Path, int | None]:
        """Return the file and the line of what stands at a place of the configuration; None if the line isn't sure."""
        return self.path, self._line(place)

    def _line(self, place: Sequence[str | int]) -> int | None:
        try:
            text = self.path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None
        return line_of(text, (*self.place, *place))


def _message(detail: Detail, known: Mapping[str, Iterable[str]], table: Sequence[str]) -> str:
    place, prefix = _blamed(detail["loc"]), "".join(f"{part}." for part in table)
    where = _spelled(place)
    key = next((part for part in reversed(place) if isinstance(part, str)), "")
    if detail["type"] == "form":
        return f"{_spelled(detail['loc'])}{detail['msg']}"
    if detail["type"] == "extra_forbidden":
        return f"{where}: {_about_unknown(key, place, known)}"
    if detail["type"] in ("missing", "string_too_short"):
        missing = f"is missing: it must be {_EXPECTED[key].format(table=prefix)}"
        return f"{where} {missing if detail['type'] == 'missing' else 'must not be empty'}"
    if place[:2] == ("policy", "approvers") and len(place) > 2:  # noqa: PLR2004  # within a group
        return _about_group(detail, place, where)
    if detail["type"] in ("greater_than_equal", "less_than_equal"):
        return f"{where} must be {_EXPECTED[key].format(table=prefix)}, not {detail['input']}"
    return f"{where} must be {_expected(place, key).format(table=prefix)}, not {_found(detail['input'])}"


def _about_notify(detail: Detail, _: Mapping[str, Iterable[str]], table: Sequence[str]) -> str:
    place = detail["loc"]
    key = next((part for part in reversed(place) if isinstance(part, str)), "")
    where, expected = _spelled(place), _OF_NOTIFY[key].format(table="".join(f"{part}." for part in table))
    if detail["type"] == "missing":
        return f"{where} is missing: it must be {expected}"
    if detail["type"] in ("too_short", "string_too_short"):
        return f"{where} must not be empty: it must be {expected}"
    return f"{where} must be {expected}, not {_found(detail['input'])}"


def _about_group(detail: Detail, place: Sequence[str | int], where: str) -> str:
    if place[-1] == "[key]":
        return f"{_spelled(place[:-1])}: a group's name is letters, digits, '-' and '_'"
    if detail["type"] == "too_short":
        return f"{where} must not be empty: a group of nobody can approve nothing"
    if detail["type"] == NOT_UNIQUE:
        return f"{where} names one principal twice"
    if detail["type"] == "string_pattern_mismatch":
        return f'{where} must be one principal, such as "alice@example.org", without spaces, quotes and patterns'
    example = "a list of principals" if isinstance(place[-1], str) else "a text"
    return f'{where} must be {example}, such as "alice@example.org", not {_found(detail["input"])}'


def _blamed(place: tuple[str | int, ...]) -> tuple[str | int, ...]:
    # A rule that is no table stands in a list that is none of tables.
    return place[:-1] if place[-2:-1] == ("command",) else place


def _expected(place: Sequence[str | int], key: str) -> str:
    if key == "approvers" and "gated" in place:
        return 'a list of groups, such as ["release-managers"]'
    if key == "needs":
        known = [f'"{word}"' for word in get_args(RuleNeed if "command" in place else VerifyNeed)]
        return " or ".join(known) if isinstance(place[-1], int) else f"a list of {', '.join(known)}"
    if key in _EXPECTED and isinstance(place[-1], int):
        example = _EXPECTED[key].partition("[")[2].partition("]")[0].partition(",")[0]
        return f"a text, such as {example}"
    if tuple(place) == ("policy", "secrets") or tuple(place[-3:-1]) == ("policy", "secrets"):
        return f'{"tables" if place[-1] == "secrets" else "a table"}: [{_TABLE}.secrets] with TOKEN = {{{{file = "~/token"}}}}'
    if len(place) > 1 and place[-2] == "workflows":
        return f'a table: [{_TABLE}.workflows.{key}] with commands = ["{_ENTRY}"]'
    return _EXPECTED[key]


def _found(value: object) -> str:
    kind = next((words for known, words in _KINDS.items() if isinstance(value, known)), "a date or time")
    return f"{kind} ({value!r})" if isinstance(value, str) and len(value) <= _SHOWN_CHARACTERS else kind


def _spelled(place: Sequence[str | int]) -> str:
    return "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")


def _about_unknown(key: str, place: Sequence[str | int], known: Mapping[str, Iterable[str]]) -> str:
    homes = [home for home, keys in known.items() if key in keys]
    if homes:
        return f"there is no such key here; {key!r} belongs in {_HOMES[homes[0]]}"
    near = difflib.get_close_matches(key, sorted(known[_kind_of(place[:-1])]), n=1)
    return f"there is no such key; did you mean {near[0]!r}?" if near else "there is no such key"


def _kind_of(table: Sequence[str | int]) -> str:
    if table and isinstance(table[-1], int):
        return "notify" if table[0] == "notify" else "rule"
    if len(table) > 1 and table[-1] in ("gated", "limits", "verify", "git_identity"):
        return str(table[-1])
    if len(table) > 1 and table[-2] == "workflows":
        return "workflow"
    if len(table) > 1 and table[-2] == "secrets":
        return "secret"
    return "policy" if table else "top"
