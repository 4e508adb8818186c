"""The environment of a command: built from nothing, then what its rule grants."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pytest_workflow_exec.errors import CommandRefusedError, SandboxSetupError, SecretSourceError
from pytest_workflow_exec.settings import GitIdentity

from ._rules import Rule

MARKER = "WORKFLOW_EXEC_COMMAND"
"""The variable that marks every process of one command, however it detached itself."""

_FIXED = {
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    # Else `python -m build` would import a build.py that happens to lie in the project.
    "PYTHONSAFEPATH": "1",
    "PYTHONNOUSERSITE": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
}


def make_folders(scratch: Path) -> tuple[Path, Path]:
    """Return the private home and temporary folder of commands, made if they are not there.

    Raises:
        SandboxSetupError: They can't be made, or something else stands in their place.
    """
    folders = (scratch / "home", scratch / "tmp")
    for folder in (scratch, *folders):
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            if folder.is_symlink():
                raise SandboxSetupError(f"the commands' folder {folder} is a link to somewhere else; remove it")
            folder.chmod(0o700)
        except OSError as error:
            raise SandboxSetupError(f"the commands' folder {folder} can't be made: {error.strerror}") from error
    return folders


def check_scratch(scratch: Path) -> None:
    """Return if commands can have folders in it.

    Raises:
        SandboxSetupError: It is no directory, or leads somewhere else.
    """
    try:
        found = scratch.lstat()
    except OSError as error:
        raise SandboxSetupError(f"the commands' folders can't be made in {scratch}: {error.strerror}") from error
    if not stat.S_ISDIR(found.st_mode):
        raise SandboxSetupError(f"the commands' folders can't be made: {scratch} is no directory")


def make_own_folders(own: Iterable[Path]) -> None:
    """Make the home and the temporary folder of one command, by names that nobody knew before.

    Raises:
        SandboxSetupError: They can't be made, or something stands in their place.
    """
    for folder in own:
        try:
            # No link can stand there: it is made, or refused because there is something.
            os.mkdir(folder, 0o700)  # noqa: PTH102  # path objects take ten times as long
        except OSError as error:
            raise SandboxSetupError(f"the commands' folder {folder} can't be made: {error.strerror}") from error


def remove_folders(own: Iterable[Path]) -> None:
    """Remove the folders of one command, as far as that can be done; nobody is given them again."""
    for folder in own:
        try:
            # Mostly it left nothing in them.
            os.rmdir(folder)  # noqa: PTH106
        except OSError:
            # Folders can be too deep to be removed.
            with contextlib.suppress(RecursionError):
                shutil.rmtree(folder, ignore_errors=True)


def base_environment(
    *, path: Sequence[Path], root: Path, home: Path, tmp: Path, marker: str, git_identity: GitIdentity | None = None
) -> dict[str, str]:
    """Return what every command receives.

    Args:
        git_identity: Whom git takes the runner of commands for; None for nobody.
    """
    return {**common_environment(path=path, root=root, git_identity=git_identity), **own_environment(home, tmp, marker)}


def common_environment(
    *, path: Sequence[Path], root: Path, git_identity: GitIdentity | None = None
) -> Mapping[str, str]:
    """Return what all commands of a project receive alike.

    Args:
        git_identity: Whom git takes the runner of commands for; None for nobody.
    """
    environment = {
        **_FIXED,
        **_git_configuration(root, git_identity),
        "PATH": ":".join(str(folder) for folder in path),
    }
    if sys.prefix != sys.base_prefix:
        environment["VIRTUAL_ENV"] = sys.prefix
    return environment


def own_environment(home: Path, tmp: Path, marker: str) -> Mapping[str, str]:
    """Return what one command receives alone."""
    return {"HOME": str(home), "TMPDIR": str(tmp), MARKER: marker}


def granted(rule: Rule, environment: Mapping[str, str]) -> dict[str, str]:
    """Return what a rule grants of the engine's environment.

    Raises:
        CommandRefusedError: A secret that the rule names, or the home folder that it grants, is not to be had there.
    """
    needed = (*rule.secrets, *(["HOME"] if rule.home else []))
    try:
        missing = [name for name in needed if not environment.get(name)]
    except SecretSourceError as error:
        raise CommandRefusedError(argv=[rule.program], reason=f"rule {rule.text!r} needs it, and {error}") from error
    if missing:
        listed = ", ".join(missing)
        reason = f"rule {rule.text!r} needs {listed}, which the environment does not set. Set it and run again."
        raise CommandRefusedError(argv=[rule.program], reason=reason)
    names = (*(name for name in rule.env if name in environment), *needed)
    return {name: environment[name] for name in names}


def _git_configuration(root: Path, identity: GitIdentity | None) -> dict[str, str]:
    # The repository's own hooks, file system monitor, editor, pager and asker are programs that no rule names.
    settings = {
        "safe.directory": str(root),
        "core.hooksPath": "/dev/null",
        "core.fsmonitor": "false",
        "core.editor": "false",
        "core.pager": "cat",
        "core.askPass": "",
        "core.attributesFile": "/dev/null",
    }
    if identity is not None:
        settings |= {"user.name": identity.name, "user.email": identity.email}
    variables = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (key, value) in enumerate(settings.items()):
        variables[f"GIT_CONFIG_KEY_{number}"] = key
        variables[f"GIT_CONFIG_VALUE_{number}"] = value
    return variables
