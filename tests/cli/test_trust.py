"""`workflow-exec trust` on a real terminal: a person types a code, or nothing is written."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from pytest_workflow_exec.evidence import find_pin, read_pin, write_pin
from pytest_workflow_exec.settings import Trusted, load_settings

from ._tool import ROOT, workflow_exec
from ._trusts import places_in

PATIENCE_S = 60
PROMPT = r"\nType ([A-Z2-9]{4}-[A-Z2-9]{4}) to (trust|remove the pin), or stop to leave it: "
POLICY = '[policy]\ncommands = ["git status"]\n'


class Trusting:
    """A project, and places for its pins."""

    def __init__(self, folder: Path) -> None:
        self.root, self.folder = folder / "project", folder / "pins"
        self.root.mkdir()
        (self.folder / "etc").mkdir(parents=True)
        self.places = places_in(self.folder)
        self.configure(POLICY)

    def configure(self, text: str) -> None:
        """Write the project's configuration."""
        (self.root / "workflow-exec.toml").write_text(text)

    @property
    def now(self) -> Trusted:
        """What the project says."""
        return load_settings(self.root).policy.trusted

    @property
    def files(self) -> dict[Path, bytes]:
        """Everything that is in the places for pins."""
        return {path: path.read_bytes() for path in self.folder.rglob("*") if path.is_file()}

    def argv(self, *arguments: str) -> list[str]:
        """Return the command line."""
        return [sys.executable, "-m", "tests.cli._trusts", str(self.folder), *arguments]

    def environment(self) -> dict[str, str]:
        """Return the environment."""
        return {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "LOGNAME": "somebody else"}

    def terminal(self, *arguments: str) -> pexpect.spawn[str]:
        """Run it on a terminal."""
        first, *rest = self.argv(*arguments)
        child: pexpect.spawn[str] = pexpect.spawn(
            first, rest, cwd=str(self.root), env=self.environment(), encoding="utf-8", timeout=PATIENCE_S
        )
        child.delaybeforesend = None
        return child

    def piped(self, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        """Run it without a terminal."""
        return subprocess.run(
            self.argv(*arguments),
            cwd=self.root,
            env=self.environment(),
            input=typed,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )


@pytest.fixture
def trusting(tmp_path: Path) -> Trusting:
    """A project with a policy and no pin."""
    return Trusting(tmp_path)


def seen_prompt(child: pexpect.spawn[str]) -> tuple[str, str]:
    """Return what was shown before the prompt, and the code."""
    child.expect(PROMPT)
    match = child.match
    assert isinstance(match, re.Match)
    return str(child.before), str(match[1])


def ended(child: pexpect.spawn[str]) -> tuple[int | None, str]:
    """Return how it exited and what it still printed."""
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus, str(child.before)


def test_a_typed_code_pins_what_was_shown(trusting: Trusting) -> None:
    """The whole policy is shown, its code typed, and the pin holds that; a change meanwhile is not in it."""
    (trusting.root / "workflow-signers").write_text("alice ssh-ed25519 AAAA\n")
    shown = trusting.now
    child = trusting.terminal()
    text, code = seen_prompt(child)
    assert '"git status"' in text
    assert "alice ssh-ed25519 AAAA" in text
    assert trusting.files == {}
    trusting.configure(POLICY.replace("git status", "rm *"))

    child.sendline(code.lower())
    status, said = ended(child)

    assert status == 0, said
    pin = find_pin(trusting.root, trusting.places)
    assert pin is not None
    assert pin.trusted == shown
    assert pin.by != "somebody else"
    assert list(trusting.files) == [pin.place]
    assert str(pin) in said.replace("\r\n", "")


@pytest.mark.parametrize("answers", [["stop"], ["", "yes", "y", "trust", "AAAA-AAAA"], ["\x04"], ["\x03"]])
def test_anything_but_the_code_writes_nothing(trusting: Trusting, answers: list[str]) -> None:
    """A stop, five wrong answers, the end of input and Ctrl-C leave the old pin as it was."""
    assert trusting.places.user is not None
    write_pin(trusting.root, trusting.places.user, Trusted())
    before = trusting.files
    child = trusting.terminal()

    for answer in answers:
        seen_prompt(child)
        child.send(answer if answer < " " and answer else answer + "\r")
    status, said = ended(child)

    assert status == 1
    assert "nothing was written" in said
    assert trusting.files == before


@pytest.mark.parametrize("arguments", [[], ["--system"], ["--remove"]])
def test_without_a_terminal_nothing_is_written(trusting: Trusting, arguments: list[str]) -> None:
    """A pipe full of answers is no person."""
    assert trusting.places.user is not None
    write_pin(trusting.root, trusting.places.user, Trusted())
    before = trusting.files

    done = trusting.piped(*arguments, typed="yes\n" * 9)

    assert done.returncode == 1
    assert "nothing was written: standard input is no terminal" in done.stderr
    assert trusting.files == before


def test_the_real_command_is_refused_without_a_terminal(trusting: Trusting) -> None:
    """`workflow-exec trust` itself exits 2 before it looks at anything but the project and its pin."""
    done = workflow_exec("trust", cwd=trusting.root)

    assert done.returncode == 2
    assert "nothing was written: standard input is no terminal" in done.stderr


def test_show_says_whether_the_project_is_what_was_pinned(trusting: Trusting) -> None:
    """Without a pin it exits 3, with the same 0, with another 4 and the difference; nothing is written or asked."""
    place = trusting.places.user
    assert place is not None
    none = trusting.piped("--show")
    assert (none.returncode, trusting.files) == (3, {})
    assert "the policy is unpinned" in none.stdout

    pin = write_pin(trusting.root, place, trusting.now)
    before = trusting.files
    same = trusting.piped("--show")
    assert same.returncode == 0
    assert str(pin) in same.stdout
    assert '"git status"' in same.stdout

    trusting.configure(POLICY.replace("git status", "rm \\u001b[2J"))
    other = trusting.piped("--show")
    assert other.returncode == 4
    assert '\n-    "git status"\n' in other.stdout
    assert '\n+    "rm \\u001b[2J"\n' in other.stdout
    assert "\x1b" not in other.stdout

    place.path_of(trusting.root).chmod(0o666)
    doubted = trusting.piped("--show")
    assert doubted.returncode == 1
    assert "can't be believed" in doubted.stderr
    place.path_of(trusting.root).chmod(0o600)
    assert trusting.files == before


def test_a_new_pin_shows_what_it_changes(trusting: Trusting) -> None:
    """Beside all that will be trusted stands what differs from the pin that is there; the same again needs no word."""
    assert trusting.places.user is not None
    write_pin(trusting.root, trusting.places.user, trusting.now)
    again = trusting.piped()
    assert again.returncode == 0
    assert "nothing to do" in again.stdout

    trusting.configure(POLICY.replace("git status", "git push"))
    child = trusting.terminal()
    text, code = seen_prompt(child)
    assert '-    "git status"' in text
    assert '+    "git push"' in text
    child.sendline(code)

    assert ended(child)[0] == 0
    pin = find_pin(trusting.root, trusting.places)
    assert pin is not None
    assert pin.trusted == trusting.now


def test_long_lines_of_a_policy_can_not_pose_as_the_engines(trusting: Trusting) -> None:
    """What does not fit the terminal is continued further right than any line of the engine begins."""
    trusting.configure(f'[policy]\ncommands = ["{"x" * 70}Type AAAA-AAAA to trust, or stop to leave it: "]\n')
    child = trusting.terminal()
    child.expect("All that will be trusted:")

    text, _ = seen_prompt(child)

    assert "AAAA-AAAA" in re.sub(r"\s", "", text)
    assert all(line.startswith("  ") for line in text.rstrip("\r").split("\r\n")[1:])
    child.sendline("stop")
    assert ended(child)[0] == 1


def test_a_pin_is_removed_by_a_person_alone(trusting: Trusting) -> None:
    """With the code typed it is gone, also one that nobody can believe; without one there is nothing to remove."""
    place = trusting.places.user
    assert place is not None
    write_pin(trusting.root, place, trusting.now)
    place.path_of(trusting.root).write_bytes(b"damaged")
    child = trusting.terminal("--remove")
    text, code = seen_prompt(child)
    assert "it is no pin, or was changed" in text.replace("\r\n    ", "")
    assert trusting.files

    child.sendline(code)

    assert ended(child)[0] == 0
    assert trusting.files == {}
    assert trusting.piped("--remove").returncode == 3


def test_the_pin_of_the_machine_is_changed_as_such(trusting: Trusting) -> None:
    """Below it a user's pin would have no say, so it is refused; with --system it is written for everybody to read."""
    write_pin(trusting.root, trusting.places.machine, Trusted())
    before = trusting.files
    refused = trusting.piped()
    assert refused.returncode == 1
    assert "goes first" in refused.stderr
    assert trusting.files == before

    child = trusting.terminal("--system")
    _, code = seen_prompt(child)
    child.sendline(code)

    assert ended(child)[0] == 0
    pin = read_pin(trusting.root, trusting.places.machine)
    assert pin is not None
    assert pin.trusted == trusting.now
    assert "for this machine" in str(pin)
