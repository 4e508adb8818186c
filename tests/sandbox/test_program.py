"""Finding and identifying programs."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

import pytest

from pytest_workflow_exec.errors import CommandNotFoundError, CommandRefusedError
from pytest_workflow_exec.sandbox import Policy, resolve_program
from pytest_workflow_exec.sandbox._program import identify


def policy(*path: Path) -> Policy:
    """Return a policy that finds programs in these directories."""
    return Policy(rules=(), path=path, digest="", level="none")


def program(path: Path, content: str = "#!/bin/sh\n") -> Path:
    """Return an executable file."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    path.chmod(0o755)
    return path


def test_first_executable_on_the_path_is_found(tmp_path: Path) -> None:
    """A name is the first regular executable file on the path, not a directory and not a plain file."""
    (tmp_path / "a" / "tool").mkdir(parents=True)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "tool").write_text("")
    first = program(tmp_path / "c" / "tool")
    program(tmp_path / "d" / "tool")

    found = resolve_program("tool", policy(*(tmp_path / name for name in "abcd")))

    assert found == first


def test_program_elsewhere_is_not_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the environment's PATH nor the current directory is searched."""
    program(tmp_path / "here" / "tool")
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "here"))
    monkeypatch.chdir(tmp_path / "here")

    with pytest.raises(CommandNotFoundError, match="empty"):
        resolve_program("tool", policy(tmp_path / "empty"))


def test_absolute_program_on_the_path_is_found(tmp_path: Path) -> None:
    """An absolute path is taken if its directory is on the path."""
    tool = program(tmp_path / "bin" / "tool")

    assert resolve_program(str(tool), policy(tmp_path / "bin")) == tool


@pytest.mark.parametrize(
    "name",
    ["./tool", "bin/tool", "{root}/tool", "{root}/bin/../bin/tool", "{root}/bin/./tool", "/{root}/bin/tool", "", ".."],
)
def test_any_other_spelling_is_refused(tmp_path: Path, name: str) -> None:
    """A relative, roundabout or foreign path is refused even if a program is there."""
    program(tmp_path / "bin" / "tool")
    program(tmp_path / "tool")

    with pytest.raises(CommandRefusedError):
        resolve_program(name.format(root=tmp_path), policy(tmp_path / "bin"))


def test_impossible_name_is_not_found(tmp_path: Path) -> None:
    """A name that no file can have is simply not there."""
    with pytest.raises(CommandNotFoundError):
        resolve_program(f"{tmp_path}/a\0b", policy(tmp_path))


def test_environments_interpreter_keeps_its_own_path() -> None:
    """The interpreter is found where it runs from, unfollowed, so that its environment is found too."""
    name = Path(sys.executable).name

    found = resolve_program(name, policy(Path(sys.executable).parent))

    assert found == Path(sys.executable)


def test_identity_is_the_real_file_and_its_content(tmp_path: Path) -> None:
    """A program is identified by the file behind its links and that file's digest."""
    tool = program(tmp_path / "bin" / "tool", "#!/bin/sh\necho one\n")
    (tmp_path / "link").symlink_to(tool)

    identity = identify(tmp_path / "link")

    assert identity.real_path == Path(os.path.realpath(tool))
    assert identity.sha256 == hashlib.sha256(b"#!/bin/sh\necho one\n").hexdigest()


def test_changed_program_has_another_identity(tmp_path: Path) -> None:
    """A program that was replaced or edited is digested again."""
    tool = program(tmp_path / "tool", "one")
    before = identify(tool).sha256
    program(tmp_path / "tool", "two")

    assert identify(tool).sha256 == hashlib.sha256(b"two").hexdigest() != before


def test_program_that_is_gone_is_refused(tmp_path: Path) -> None:
    """A program that can't be read can't be identified, so it is not run."""
    with pytest.raises(CommandRefusedError, match="can't be read"):
        identify(tmp_path / "gone")


def test_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """A pipe in a program's place is passed over on the path and refused by name, without waiting for a writer."""
    (tmp_path / "bin").mkdir()
    os.mkfifo(tmp_path / "bin" / "tool", 0o755)

    with pytest.raises(CommandNotFoundError):
        resolve_program("tool", policy(tmp_path / "bin"))
    with pytest.raises(CommandRefusedError, match="no regular file"):
        identify(tmp_path / "bin" / "tool")


@pytest.mark.parametrize("path", ["/dev/null", "/dev/zero", "/"])
def test_device_is_refused(path: str) -> None:
    """A device or a directory is no program; an endless one is not read."""
    with pytest.raises(CommandRefusedError, match="no regular file"):
        identify(Path(path))


def test_missing_program_names_both_places_of_the_policy(tmp_path: Path) -> None:
    """Who looks for the path setting finds it, whichever file the project's policy is in."""
    with pytest.raises(
        CommandNotFoundError, match=r"\[tool\.workflow-exec\.policy\].*\[policy\] in workflow-exec\.toml"
    ):
        resolve_program("tool", policy(tmp_path))
