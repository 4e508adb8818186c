"""The lists of keys that a policy names, read from the project: whose signatures count, and whose no more."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path, PurePath

from pytest_workflow_exec.errors import Problem, SettingsError
from pytest_workflow_exec.lean_dataclasses import replace

from ._values import Settings, SignersFile

_DEFAULTS = {"signers": "workflow-signers", "revoked": "workflow-revoked"}
"""The file of each key that the policy does not say; it counts if it is there."""
_MAX_BYTES = 1 << 20
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def with_signers(settings: Settings) -> Settings:
    """Return the settings with the content of the lists that the policy names.

    Raises:
        SettingsError: One can't be read, or is no file of the project.
    """
    trusted = settings.policy.trusted
    stated = json.loads(trusted.policy)
    lists: dict[str, SignersFile | None] = {}
    for key, default in _DEFAULTS.items():
        path = stated.get(key, default)
        if key not in stated and not os.path.lexists(settings.root / path):
            lists[key] = None
            continue
        try:
            lists[key] = SignersFile(path=path, content=_content(settings.root, path))
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            message = f"policy.{key}: {path!r} can't be used: {reason}"
            raise SettingsError([Problem(path=settings.source, message=message)]) from error
    found = replace(trusted, signers=lists["signers"], revoked=lists["revoked"])
    return replace(settings, policy=replace(settings.policy, trusted=found))


def _content(root: Path, path: str) -> bytes:
    # What lies elsewhere is not the project's, and a link may point elsewhere tomorrow.
    if os.path.normpath(path) != path or PurePath(path).parts[:1] in ((), ("/",), ("..",)) or not path.isprintable():
        raise ValueError("it must be a path below the project's root, without '.' and '..', printable")
    if os.path.realpath(root / path) != os.path.join(os.path.realpath(root), path):  # noqa: PTH118  # text compared
        raise ValueError("it is, or lies behind, a symbolic link")
    file = os.open(root / path, _FLAGS)
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise ValueError("it is no regular file")
        with os.fdopen(file, "rb", closefd=False) as opened:
            content = opened.read(_MAX_BYTES + 1)
    finally:
        os.close(file)
    if len(content) > _MAX_BYTES:
        raise ValueError(f"it has more than {_MAX_BYTES} bytes")
    return content
