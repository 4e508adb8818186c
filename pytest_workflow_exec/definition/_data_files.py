"""Files that hold data and no workflow: TOML, JSON and YAML, each read strictly and within bounds."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from pytest_workflow_exec.errors import DefinitionError
from pytest_workflow_exec.strict_json import parse

from ._values import ValueProblemError
from ._yaml_text import MAX_SIZE_BYTES

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def checked_size(path: Path) -> Path:
    """Return a path behind which there is a file of bearable size.

    Raises:
        ValueProblemError: There is none.
        OSError: It can't be looked at.
    """
    if not path.is_file():
        raise ValueProblemError("is not a file")
    if path.stat().st_size > MAX_SIZE_BYTES:
        raise ValueProblemError(f"is larger than {MAX_SIZE_BYTES >> 20} MiB")
    return path


def _toml(_path: Path, content: bytes) -> object:
    return tomllib.loads(content.decode("utf-8"))


def _json(_path: Path, content: bytes) -> object:
    return parse(content.decode("utf-8-sig"))


def _yaml(path: Path, content: bytes) -> object:
    try:
        # A run that has no file of it loads no reader of YAML.
        from ._yaml_tree import read_tree

        tree = read_tree(path, content)
        tree.problems.raise_if_any()
    except DefinitionError as error:
        raise ValueProblemError(f"can't be read: {error}") from error
    return tree.value


DATA_READERS: Mapping[str, Callable[[Path, bytes], object]] = {
    ".toml": _toml,
    ".json": _json,
    ".yaml": _yaml,
    ".yml": _yaml,
}
"""By the end of the file's name: what its bytes say.

Raises:
    ValueError: They are no such file. `ValueProblemError` is one; its message continues the file's name.
    RecursionError: TOML is nested too deep.
"""
