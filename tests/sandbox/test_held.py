"""Paths that every command may read are held open, and are what their names mean all the same."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from pytest_workflow_exec.sandbox._held import HeldPaths
from pytest_workflow_exec.sandbox._landlock import READ, Ruleset, landlock_abi
from pytest_workflow_exec.sandbox._level import offer_of
from pytest_workflow_exec.sandbox._spawn import _kernel

pytestmark = pytest.mark.skipif(offer_of("landlock").level == "none", reason="no Landlock here")


def readable(held: HeldPaths, *paths: Path) -> list[bool]:
    """Return which of some files can be read by whoever may read what is held, and nothing else."""
    ruleset = Ruleset(abi=landlock_abi())
    try:
        held.allow(ruleset, READ)
        return [_reads(ruleset, path) for path in paths]
    finally:
        ruleset.close()


def _reads(ruleset: Ruleset, path: Path) -> bool:
    pid = os.fork()
    if pid == 0:
        try:
            _kernel.prctl(_kernel.SET_NO_NEW_PRIVILEGES, 1)
            _kernel.restrict_files(ruleset.descriptor)
            os.open(path, os.O_RDONLY)
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A file that commands may read, and one that they may not."""
    (tmp_path / "held").mkdir()
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "held/config").write_text("config")
    return tmp_path / "held/config", tmp_path / "secret"


def test_what_is_held_can_be_read_and_nothing_beside_it(files: tuple[Path, Path]) -> None:
    """Each time, also once it is held."""
    held = HeldPaths([str(files[0]), "/missing"])

    assert [readable(held, *files) for _ in range(3)] == [[True, False]] * 3


def test_file_that_took_its_place_is_what_can_be_read(files: tuple[Path, Path]) -> None:
    """The one that had the name before can't be read any more."""
    config, secret = files
    held = HeldPaths([str(config)])
    assert readable(held, config) == [True]

    config.rename(secret.parent / "moved")
    config.write_text("new")

    assert readable(held, config, secret.parent / "moved") == [True, False]


def test_file_that_comes_later_can_be_read(files: tuple[Path, Path]) -> None:
    """A missing one is looked for again when its folder changes."""
    config, _ = files
    config.unlink()
    held = HeldPaths([str(config)])
    assert readable(held, config) == [False]

    config.write_text("new")

    assert readable(held, config) == [True]


def test_file_that_comes_much_later_can_be_read(files: tuple[Path, Path]) -> None:
    """One that is known to be missing, as its folder has not changed for long, is looked for when that changes."""
    config, secret = files
    config.unlink()
    time.sleep(0.3)
    held = HeldPaths([str(config), str(config.parent / "never/there")])
    assert [readable(held, config, secret) for _ in range(2)] == [[False, False]] * 2

    config.write_text("new")
    (config.parent / "never").mkdir()
    (config.parent / "never/there").write_text("new")

    assert readable(held, config, config.parent / "never/there", secret) == [True, True, False]


def test_link_is_followed_each_time(files: tuple[Path, Path]) -> None:
    """Where it leads may change without a change of its folder."""
    config, secret = files
    folder = secret.parent / "led"
    folder.mkdir()
    (folder / "target").write_text("one")
    config.unlink()
    config.symlink_to(folder / "target")
    held = HeldPaths([str(config)])
    assert readable(held, config) == [True]

    (folder / "target").rename(folder / "old")
    (folder / "target").write_text("two")

    assert readable(held, config, folder / "old") == [True, False]


def _open() -> set[int]:
    return {int(path.name) for path in Path("/proc/self/fd").iterdir()}


def test_number_that_is_another_files_by_now_grants_nothing(files: tuple[Path, Path]) -> None:
    """Code that closes descriptors which are not its own must not make a secret readable."""
    config, secret = files
    held = HeldPaths([str(config)])
    before = _open()
    assert readable(held, config, secret) == [True, False]
    [number] = (name for name in _open() - before if Path(f"/proc/self/fd/{name}").exists())

    other = os.open(secret, os.O_PATH)
    os.dup2(other, number)
    try:
        assert readable(held, config, secret) == [True, False]
    finally:
        os.close(other)
        os.close(number)
    assert readable(held, config, secret) == [True, False]
