"""Loading a called module: from the bytes that the plan's digest was taken of, with its asserts explained."""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

import pytest

from pytest_workflow_exec.digests import digest_of_bytes
from pytest_workflow_exec.errors import WorkflowExecError
from pytest_workflow_exec.model import Call, ModelType

_PREFIX = "_workflow_exec_call_"
_NAME_CHARACTERS = 16


def load_function(call: Call) -> Callable[..., object]:
    """Return the function that a `call:` step names.

    Raises:
        WorkflowExecError: The module does not define it when it runs.
    """
    module = _module_of(call.path, call.source)
    function = getattr(module, call.function, None)
    if not callable(function):
        message = f"{call.path} does not define the function {call.function!r}"
        raise WorkflowExecError(message)
    loaded: Callable[..., object] = function
    return loaded


def load_model(model: ModelType) -> object:
    """Return the type that an `ai:` step asks for.

    Raises:
        WorkflowExecError: The module does not define it when it runs.
    """
    module = _module_of(model.path, model.source)
    if not hasattr(module, model.name):
        message = f"{model.path.name} does not define {model.name!r} when it runs"
        raise WorkflowExecError(message)
    loaded: object = getattr(module, model.name)
    return loaded


def _module_of(path: Path, source: bytes) -> ModuleType:
    # The name holds the digest: the same bytes are loaded once, and other bytes never meet them.
    identity = digest_of_bytes(str(path).encode() + b"\0" + source)
    name = f"{_PREFIX}{identity[:_NAME_CHARACTERS]}"
    if name in sys.modules:
        return sys.modules[name]
    # Only a file can be loaded with explained asserts, and the file beside the workflow may have
    # changed since the plan was made, or have a stale cache. So its digested bytes get one of their own.
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as folder:
        copy = Path(folder) / f"{name}.py"
        copy.write_bytes(source)
        return _import_copy(name, copy, original=path)


def _import_copy(name: str, copy: Path, *, original: Path) -> ModuleType:
    pytest.register_assert_rewrite(name)
    specs = (finder.find_spec(name, [str(copy.parent)]) for finder in sys.meta_path if hasattr(finder, "find_spec"))
    spec = next((spec for spec in specs if spec is not None and spec.origin == str(copy)), None)
    if spec is None or spec.loader is None:
        message = f"{original} can't be loaded: no importer takes it"
        raise WorkflowExecError(message)
    module = importlib.util.module_from_spec(spec)
    module.__file__ = str(original)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    _relabel(module, str(copy), str(original))
    return module


def _relabel(module: ModuleType, copy: str, original: str) -> None:
    # Tracebacks and assertion messages must lead to the author's file, not to a copy that is gone.
    for value in [*vars(module).values(), *_methods(module)]:
        function = getattr(value, "__wrapped__", value)
        if isinstance(function, FunctionType) and function.__code__.co_filename == copy:
            function.__code__ = _with_filename(function.__code__, original)


def _methods(module: ModuleType) -> list[object]:
    classes = [
        value for value in vars(module).values() if isinstance(value, type) and value.__module__ == module.__name__
    ]
    return [member for each in classes for member in vars(each).values()]


def _with_filename(code: CodeType, filename: str) -> CodeType:
    constants = tuple(
        _with_filename(constant, filename) if isinstance(constant, CodeType) else constant
        for constant in code.co_consts
    )
    return code.replace(co_filename=filename, co_consts=constants)
