"""The pages that are made of what the product itself says: keys, settings, options, commands and docstrings.

`mkdocs build` calls `on_files`; `python docs/reference.py` writes the table of settings into configuration.md.
"""

from __future__ import annotations

import argparse
import inspect
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest_workflow_exec
from pytest_workflow_exec.cli._arguments import parser
from pytest_workflow_exec.definition import workflow_schema
from pytest_workflow_exec.plugin import pytest_addoption
from pytest_workflow_exec.run import Sandbox, WorkflowHandle
from pytest_workflow_exec.settings import settings_schema

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

CONFIGURATION = Path(__file__).parent / "configuration.md"
_BEGIN, _END = "<!-- settings: made by docs/reference.py -->\n", "<!-- end of settings -->\n"
_TABLES = {
    "File": "",
    "Policy": "policy.",
    "WorkflowPolicy": "policy.workflows.NAME.",
    "Rule": "policy.command[].",
    "Gated": "policy.command[].gated.",
    "Limits": "policy.limits.",
    "GitIdentity": "policy.git_identity.",
    "Notify": "notify[].",
    "Secret": "policy.secrets.NAME.",
}
"""What stands before the keys of each table."""
_ORDER = ("File", "Step", "Block", "Include", "Fragment", "Gate", "Manual", "Pause", "Ai", "Call", "Verify", "Expect", "Match", "JsonMatch", "Output",
    "Check", "Poll", "Retry", "Defaults", "Input", "Default", "DefaultEnv", "FormField")  # fmt: skip
_TITLES = {"File": "A workflow", "FormField": "A field of a form", "JsonMatch": "Match of JSON", "DefaultEnv": "Secret"}
_WORDS = {
    "string": "a text",
    "array": "a list",
    "object": "a mapping",
    "integer": "a number",
    "boolean": "true or false",
}
_SCALAR = {"string", "number", "boolean", "null"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made, when mkdocs builds the site."""
    from mkdocs.structure.files import File

    for name, page in PAGES.items():
        files.append(File.generated(config, f"reference/{name}.md", content=page()))
    return files


def settings_table() -> str:
    """Return the table of all settings."""
    schema: Any = settings_schema()
    tables = {"File": schema, **schema["$defs"]}
    rows = ["| setting | what it says | default |", "|---|---|---|"]
    further = {name: f"policy.{name.lower()}." for name in sorted(tables.keys() - _TABLES.keys())}
    for name, prefix in {**_TABLES, **further}.items():
        rows += [
            f"| `{prefix}{key}` | {_cell(said)} | {_default(said)} |"
            for key, said in tables[name]["properties"].items()
            if key != "policy"
        ]
    return "\n".join(rows) + "\n"


def with_settings(page: str) -> str:
    """Return a page with its table of settings as it is now."""
    before, _, rest = page.partition(_BEGIN)
    return f"{before}{_BEGIN}\n{settings_table()}\n{_END}{rest.partition(_END)[2]}"


def workflow_page() -> str:
    """Return the page of all keys of a workflow in YAML."""
    schema: Any = workflow_schema()
    tables: Any = {"File": schema, "Fragment": workflow_schema(fragment=True), **schema["$defs"]}
    names = [*_ORDER, *sorted(tables.keys() - set(_ORDER) - {"Entry"})]
    parts = ["# Keys of a workflow in YAML", "`workflow-exec schema` prints all of this as a JSON Schema."]
    for name in names:
        table = tables[name]
        parts += [f"## {_TITLES.get(name, name)}", table["description"]]
        rows = [
            f"| `{key}`{' (needed)' if key in table.get('required', ()) else ''} | {_cell(said)} | {_kind(said)} | {_default(said)} |"
            for key, said in table["properties"].items()
        ]
        parts += ["\n".join(["| key | what it says | is | default |", "|---|---|---|---|", *rows])]
    return "\n\n".join(parts) + "\n"


def options_page() -> str:
    """Return the page of all options that pytest has from the plugin."""
    rows = [f"| `{name}{metavar}` | {help_}. |" for name, metavar, help_ in _options()]
    text = "An option says what one run is given, or how it begins. None of them changes a setting or answers a gate."
    return (
        "\n\n".join(["# Options of pytest", text, "\n".join(["| option | what it does |", "|---|---|", *rows])]) + "\n"
    )


def commands_page() -> str:
    """Return the page of all commands of the command line tool."""
    parts = ["# The command line tool", "`workflow-exec` needs neither pytest nor the project's own code."]
    return "\n\n".join([*parts, *_commands(parser(), "workflow-exec", "##")]) + "\n"


def _commands(command: argparse.ArgumentParser, called: str, marks: str) -> Iterator[str]:
    nested = [action for action in command._actions if isinstance(action, argparse._SubParsersAction)]  # noqa: SLF001 - argparse has no other way
    for name, each in nested[0].choices.items() if nested else ():
        yield f"{marks} {called} {name}"
        yield each.description or ""
        rows = [f"| `{_cell_text(_invocation(action))}` | {_plain(action.help or '')} |" for action in _actions(each)]
        if rows:
            yield "\n".join(["| argument | what it says |", "|---|---|", *rows])
        yield from _commands(each, f"{called} {name}", f"{marks}#")


def python_page() -> str:
    """Return the page of all names that a workflow in Python imports."""
    parts = ["# The Python API", "All of it is imported from `pytest_workflow_exec`."]
    for name in pytest_workflow_exec.__all__:
        thing = getattr(pytest_workflow_exec, name)
        parts += [f"## {name}", *_described(name, thing)]
    for fixture, kind in _FIXTURES.items():
        parts += [f"## The fixture `{fixture}`", *_sections(inspect.getdoc(kind) or "")]
        for name, thing in vars(kind).items():
            if not name.startswith("_") and (inspect.isfunction(thing) or isinstance(thing, property)):
                parts += [f"### {fixture}.{name}", *_described(f"{fixture}.{name}", thing)]
    return "\n\n".join(parts) + "\n"


_FIXTURES = {"workflow": WorkflowHandle, "sandbox": Sandbox}
"""What the fixtures of a step are, by name."""
PAGES: Mapping[str, Callable[[], str]] = {
    "workflow": workflow_page,
    "options": options_page,
    "commands": commands_page,
    "python": python_page,
}
"""The pages by their name below reference/."""


class _Recorder:
    """Takes note of options, where pytest would take them."""

    def __init__(self) -> None:
        self.options: list[tuple[str, str, str]] = []

    def getgroup(self, *_arguments: object) -> _Recorder:
        """Return what takes options."""
        return self

    def addoption(self, name: str, *, help: str, metavar: str = "", **_more: object) -> None:  # noqa: A002 - pytest's word
        """Take note of one."""
        self.options.append((name, f" {metavar}" if metavar else "", help))


def _options() -> list[tuple[str, str, str]]:
    recorder: Any = _Recorder()
    pytest_addoption(recorder)
    found: list[tuple[str, str, str]] = recorder.options
    return found


def _actions(command: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in command._actions:  # noqa: SLF001 - argparse has no other way
        # What follows a nested command has a section of its own.
        if not isinstance(action, argparse._SubParsersAction) and action.dest != "help":  # noqa: SLF001
            yield action


def _cell_text(text: str) -> str:
    return text.replace("|", r"\|")


def _invocation(action: argparse.Action) -> str:
    metavar = action.metavar if isinstance(action.metavar, str) else "|".join(map(str, action.choices or ()))
    if not action.option_strings:
        return metavar or action.dest
    takes = "" if action.nargs == 0 else f" {metavar}"
    return f"{', '.join(action.option_strings)}{takes}"


def _kind(said: Mapping[str, Any]) -> str:
    if "$ref" in said:
        return f"`{said['$ref'].rsplit('/', 1)[-1]}`"
    if "anyOf" in said:
        return " or ".join(dict.fromkeys(_kind(one) for one in said["anyOf"]))
    choices = said.get("enum", [said["const"]] if "const" in said else [])
    if set(choices) == {"true", "false"}:
        return _WORDS["boolean"]
    return " or ".join(f"`{word}`" for word in choices) or _type(said.get("type", "anything"))


def _type(kinds: str | list[str]) -> str:
    if isinstance(kinds, str):
        return _WORDS.get(kinds, kinds)
    words = ["a text"] if set(kinds) & _SCALAR else []
    return " or ".join([*words, *(["a list"] if "array" in kinds else [])])


def _default(said: Mapping[str, Any]) -> str:
    default = said.get("default")
    if default is None:
        return ""
    return f"`{default if isinstance(default, str) else json.dumps(default)}`"


def _cell(said: Mapping[str, Any]) -> str:
    return str(said.get("description", "")).replace("|", "\\|")


def _plain(text: str) -> str:
    return text.replace("|", "\\|")


def _described(name: str, thing: Any) -> Iterator[str]:  # noqa: ANN401 - anything public
    shown = _signature(thing.fget).partition(" -> ")[2] if isinstance(thing, property) else _signature(thing)
    call = f"{name}: {shown}" if isinstance(thing, property) else f"{name}{shown}"
    yield f"```text\n{call.replace('(self, ', '(').replace('(self)', '()')}\n```"
    yield from _sections(inspect.getdoc(thing) or "")


def _signature(thing: Any) -> str:  # noqa: ANN401 - anything public
    if isinstance(thing, type) and issubclass(thing, Exception):
        return ""
    try:
        # Annotations are kept as texts, and shown in quotes.
        return re.sub(r"(: |-> )'([^']*)'", r"\1\2", str(inspect.signature(thing)))
    except ValueError:
        return ""


def _sections(text: str) -> Iterator[str]:
    """Give the paragraphs of a Google docstring, its sections as lists."""
    for paragraph in text.split("\n\n"):
        head, _, rest = paragraph.partition("\n")
        if head.endswith(":") and rest.startswith("    "):
            items = re.split(r"\n(?=    \S)", rest)
            entries = [re.sub(r"\s+", " ", item).strip() for item in items]
            yield f"**{head}**"
            yield "\n".join("- " + re.sub(r"^([\w.*]+):", r"`\1`:", entry) for entry in entries)
        else:
            yield paragraph


if __name__ == "__main__":
    CONFIGURATION.write_text(with_settings(CONFIGURATION.read_text(encoding="utf-8")), encoding="utf-8")
