"""Secrets in files and in the keyring: who may use such a file, where it may lie, and when it is read."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_workflow_exec.errors import CommandRefusedError, PolicyError, SecretSourceError
from pytest_workflow_exec.sandbox import Policy, SecretEnvironment, compile_policy, file_problem
from pytest_workflow_exec.sandbox._environment import granted
from pytest_workflow_exec.settings import SecretSource, load_settings

VALUE = "correct horse battery"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder with a file of a token, beside a project."""
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "project").mkdir()
    monkeypatch.setenv("HOME", str(home))
    token = home / "token"
    token.write_text(f"{VALUE}\n")
    token.chmod(0o600)
    return home


def policy_of(root: Path, text: str) -> Policy:
    """Return the policy that a configuration makes."""
    (root / "workflow-exec.toml").write_text(f'[policy]\nsandbox = "none"\n{text}')
    return compile_policy(load_settings(root).policy, workflow="w", environment=os.environ)


def environment_of(home: Path, file: str, *, rules: str = "", **variables: str) -> SecretEnvironment:
    """Return the environment of a project whose policy says that TOKEN stands in a file."""
    root = home.parent / "project"
    policy = policy_of(root, f'{rules}\n[policy.secrets]\nTOKEN = {{file = "{file}"}}\n')
    return SecretEnvironment(variables, policy.secrets, root=root, rules=(*policy.rules, policy.tests))


def test_a_file_of_ones_own_holds_a_secret(home: Path) -> None:
    """Its content without the last line break is the value, and it is told before it is given."""
    environment = environment_of(home, "~/token")
    told: list[tuple[str, str]] = []
    environment.tell = lambda name, value: told.append((name, value))

    assert "TOKEN" in environment
    assert not environment.read
    assert environment["TOKEN"] == environment.get("TOKEN") == VALUE
    assert told == [("TOKEN", VALUE)]
    assert environment.read == {"TOKEN": VALUE}
    assert set(environment) == {"TOKEN"}
    assert len(environment) == 1


def test_a_variable_goes_before_a_file(home: Path) -> None:
    """One that is set; an empty one is as good as none."""
    set_to = {"TOKEN": "of the variable"}
    assert environment_of(home, "~/none", **set_to).get("TOKEN") == "of the variable"
    assert environment_of(home, "~/token", TOKEN="")["TOKEN"] == VALUE


def test_other_names_are_those_of_the_environment(home: Path) -> None:
    """Where nothing is said of a name, there is its variable or nothing."""
    environment = environment_of(home, "~/token", LANG="C")

    assert environment["LANG"] == "C"
    assert environment.get("OTHER") is None
    assert "OTHER" not in environment


def _mode(mode: int) -> Callable[[Path], None]:
    return lambda file: file.chmod(mode)


def _fifo(file: Path) -> None:
    file.unlink()
    os.mkfifo(file, 0o600)


def _folder(file: Path) -> None:
    file.unlink()
    file.mkdir(mode=0o700)


def _content(content: bytes) -> Callable[[Path], None]:
    def spoil(file: Path) -> None:
        file.write_bytes(content)

    return spoil


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_mode(0o640), "which others can use, too (mode 0640): chmod 600"),
        (_mode(0o604), "which others can use, too (mode 0604): chmod 600"),
        (_mode(0o620), "which others can use, too (mode 0620): chmod 600"),
        (_mode(0o610), "which others can use, too (mode 0610): chmod 600"),
        (_fifo, "is no regular file"),
        (_folder, "can't be read: Is a directory"),
        (Path.unlink, "can't be read: No such file"),
        (_content(b"\xff" * 20), "is no UTF-8 text"),
        (_content(b"a" * 70_000), "longer than 64 KiB"),
        (_content(b"short\n"), "has fewer than 8 bytes"),
        (_content(b""), "has fewer than 8 bytes"),
        (_content(b"with\0 a byte"), "holds a NUL"),
    ],
)
def test_a_file_that_can_not_hold_a_secret_is_refused(home: Path, spoil: Callable[[Path], None], said: str) -> None:
    """One that others may use, that is no file, or that holds no secret; the message never holds its content."""
    spoil(home / "token")
    environment = environment_of(home, "~/token")

    with pytest.raises(SecretSourceError) as caught:
        environment.get("TOKEN")

    assert said in str(caught.value)
    assert "the secret TOKEN " in str(caught.value)
    assert VALUE not in str(caught.value)
    assert not environment.read


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_of_somebody_else_is_refused(home: Path) -> None:
    """Its owner could make it say anything."""
    os.chown(home / "token", 12345, 12345)

    with pytest.raises(SecretSourceError, match="belongs to somebody else"):
        environment_of(home, "~/token")["TOKEN"]


@pytest.mark.parametrize(
    ("where", "rules", "said"),
    [
        ("project/token", "", "lies in the project, where every command reads"),
        ("project/.workflow-exec/token", "", "lies in the project"),
        ("opened/token", '[[policy.command]]\nrule = "make"\nread = ["{opened}"]\n', "the rule 'make' lets commands read"),
        ("home/x/token", '[[policy.command]]\nrule = "make"\nhome = true\n', "'make' lets commands read, as it grants your home"),
        ("home/x/token", "[policy.verify]\nhome = true\n", "'verify' lets commands read, as it grants your home"),
    ],
)  # fmt: skip
def test_a_file_where_commands_read_is_refused(home: Path, where: str, rules: str, said: str) -> None:
    """In the project, and in what a rule opens; a link to it is no way around."""
    file = home.parent / where
    file.parent.mkdir(parents=True, exist_ok=True)
    (home / "token").rename(file)
    (home.parent / "link").symlink_to(file)
    rules = rules.replace("{opened}", str(home.parent / "opened"))

    for path in (file, home.parent / "link"):
        with pytest.raises(SecretSourceError) as caught:
            environment_of(home, str(path), rules=rules)["TOKEN"]
        assert said in str(caught.value)


def test_a_file_of_the_system_is_refused(home: Path) -> None:
    """What lies with the interpreter and libraries is read by all commands."""
    if not os.access(sys.prefix, os.W_OK):
        pytest.skip("the interpreter's folder can't be written")
    with tempfile.NamedTemporaryFile(dir=sys.prefix) as file:
        assert "lies where every command reads" in (file_problem(file.name, root=home, rules=()) or "")


def test_a_file_is_looked_at_without_being_read(home: Path) -> None:
    """What is wrong with one is said as when it is read."""
    assert file_problem(str(home / "token"), root=home.parent / "project", rules=()) is None
    assert "absolute path" in (file_problem("token", root=home.parent / "project", rules=()) or "")
    assert "can't be looked at" in (file_problem("~/none", root=home.parent / "project", rules=()) or "")
    assert "can't be looked at" in (file_problem("~nobody-there/x", root=home, rules=()) or "")


def test_a_rule_is_refused_its_secret_in_words(home: Path) -> None:
    """A command whose secret can't be had does not start."""
    (home / "token").chmod(0o644)
    root = home.parent / "project"
    policy = policy_of(
        root,
        '[[policy.command]]\nrule = "make"\nsecrets = ["TOKEN"]\n[policy.secrets]\nTOKEN = {file = "~/token"}\n',
    )
    environment = SecretEnvironment({}, policy.secrets, root=root, rules=policy.rules)

    with pytest.raises(CommandRefusedError, match="rule 'make' needs it, and the secret TOKEN stands in the file"):
        granted(policy.rules[0], environment)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[policy.secrets]\n"A-B" = {file = "~/a"}\n', "secrets.A-B is no variable's name"),
        ('[policy.secrets]\nLD_PRELOAD = {file = "~/a"}\n', "secrets.LD_PRELOAD can't be passed on"),
        ('[policy.secrets]\nWORKFLOW_EXEC_COMMAND = {file = "~/a"}\n', "can't be passed on"),
        (
            '[[policy.command]]\nrule = "make"\nenv = ["TOKEN"]\n[policy.secrets]\nTOKEN = {file = "~/a"}\n',
            "rule 'make': TOKEN is a secret; a rule is given it by secrets, not by env",
        ),
        (
            '[policy.verify]\nenv = ["TOKEN"]\n[policy.secrets]\nTOKEN = {file = "~/a"}\n',
            "rule 'verify': TOKEN is a secret",
        ),
    ],
)
def test_a_policy_whose_secrets_can_not_be_given_is_refused(home: Path, text: str, said: str) -> None:
    """A name that is no variable's or chooses what code runs, and a secret that would be given as if it were none."""
    with pytest.raises(PolicyError) as caught:
        policy_of(home.parent / "project", text)

    assert said in str(caught.value)


def test_sources_are_values() -> None:
    """A source without a file is the keyring's."""
    assert SecretSource(keyring="pypi", user="me") != SecretSource(file="~/pypi")
