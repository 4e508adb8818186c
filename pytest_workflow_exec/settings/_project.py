"""Where the project is, and which of its files configures it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import Problem, SettingsError

from ._signers import with_signers
from ._toml import TomlError, parse
from ._values import Settings

OWN_FILE = "workflow-exec.toml"
SHARED_FILE = "pyproject.toml"
_SHARED_PLACE = ("tool", "workflow-exec")


def find_project(start: Path) -> Path | None:
    """Return the project that holds `start`: the nearest folder at or above it that is configured, else versioned.

    Raises:
        SettingsError: A configuration file on the way can't be read.
    """
    folders = [start, *start.parents]
    for folder in folders:
        if _is_file(folder / OWN_FILE) or _table_of(folder / SHARED_FILE) is not None:
            return folder
    return next((folder for folder in folders if (folder / ".git").exists()), None)


def load_settings(root: Path) -> Settings:
    """Return the configuration of the project at `root`, with the lists of keys that it names.

    Raises:
        SettingsError: It can't be read, is written in two places, or holds a key that does not exist.
    """
    return with_signers(_configured(root))


def _configured(root: Path) -> Settings:
    own, shared = root / OWN_FILE, root / SHARED_FILE
    shared_table = _table_of(shared)
    if _is_file(own):
        if shared_table is not None:
            raise SettingsError(
                [
                    Problem(
                        path=own,
                        message=f"the project is configured twice: here and in [tool.workflow-exec] of "
                        f"{SHARED_FILE}. Keep one of them.",
                    )
                ]
            )
        return _settings(root, own, _read(own), ())
    if shared_table is not None:
        return _settings(root, shared, shared_table, _SHARED_PLACE)
    return Settings(root=root, source=None)


def load_file(path: Path) -> Settings:
    """Return the configuration in one file, wherever it lies; its folder counts as the project.

    Args:
        path: A `pyproject.toml`, or a file of any other name with the content of a `workflow-exec.toml`.

    Raises:
        SettingsError: It is missing, can't be read, holds no configuration, or a key that does not exist.
    """
    if path.name != SHARED_FILE:
        return _settings(path.parent, path, _read(path), ())
    table = _table_of(path)
    if table is None:
        raise SettingsError([Problem(path=path, message="there is no [tool.workflow-exec] in it, or no such file")])
    return _settings(path.parent, path, table, _SHARED_PLACE)


def table_of_source(settings: Settings) -> Mapping[str, Json]:
    """Return what the file says that a configuration was read from; nothing if there is none.

    Raises:
        SettingsError: It can't be read any more.
    """
    if settings.source is None:
        return {}
    return _table_of(settings.source) or {} if settings.source.name == SHARED_FILE else _read(settings.source)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError as error:
        raise SettingsError([Problem(path=path, message=f"can't be read: {error}")]) from error


def _read(path: Path) -> Mapping[str, Json]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError([Problem(path=path, message=f"can't be read: {error}")]) from error
    try:
        return parse(text)
    except TomlError as error:
        raise SettingsError([Problem(path=path, message=f"is not valid TOML: {error}")]) from error
    except RecursionError as error:
        raise SettingsError([Problem(path=path, message="is nested too deeply")]) from error


def _table_of(path: Path) -> Mapping[str, Json] | None:
    if not _is_file(path):
        return None
    tool = _read(path).get("tool", {})
    table = tool.get("workflow-exec") if isinstance(tool, Mapping) else None
    if table is None or isinstance(table, Mapping):
        return table
    raise SettingsError([Problem(path=path, message="tool.workflow-exec must be a table")])


def _settings(root: Path, source: Path, table: Mapping[str, Json], place: tuple[str, ...]) -> Settings:
    # pydantic is a tenth of a second that only a project with a configuration should pay.
    from ._file import read_settings

    return read_settings(root, source, table, place)
