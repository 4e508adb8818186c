"""The commands that tell people something, as written: what is read of them, and that a pin holds them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_workflow_exec.errors import SettingsError
from pytest_workflow_exec.settings import NotifySettings, Settings, differences, load_settings

GOOD = '[[notify]]\ncommand = ["tell", "releases"]\non = ["suspended", "finished"]\n'


def _settings(root: Path, text: str) -> Settings:
    (root / "workflow-exec.toml").write_text(text)
    return load_settings(root)


def test_commands_are_read_in_order(tmp_path: Path) -> None:
    """Without any there are none, in either file."""
    other = '[[notify]]\ncommand = ["/usr/bin/other"]\non = ["gate.requested"]\n'
    both = _settings(tmp_path, GOOD + other)

    assert both.notify == (
        NotifySettings(command=("tell", "releases"), on=("suspended", "finished")),
        NotifySettings(command=("/usr/bin/other",), on=("gate.requested",)),
    )
    assert _settings(tmp_path, "").notify == ()
    (tmp_path / "workflow-exec.toml").unlink()
    (tmp_path / "pyproject.toml").write_text(GOOD.replace("[[notify]]", "[[tool.workflow-exec.notify]]"))
    assert len(load_settings(tmp_path).notify) == 1


def test_a_change_of_them_is_a_change_of_what_is_trusted(tmp_path: Path) -> None:
    """No rule allows them, so the policy's digest and a pin hold them; without any the digest is what it was."""
    policy = '[policy]\ncommands = ["echo"]\n'
    without, first = _settings(tmp_path, policy).policy, _settings(tmp_path, policy + GOOD).policy
    changed = _settings(tmp_path, policy + GOOD.replace("releases", "nobody")).policy

    assert _settings(tmp_path, "durability = 'power'\nnotify = []\n" + policy).policy.digest == without.digest
    assert len({without.digest, first.digest, changed.digest}) == 3
    assert any("nobody" in line for line in differences(first.trusted, changed.trusted))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("notify = 3\n", "1: notify must be tables: [[notify]] with command = "),
        ('[[notify]]\non = ["finished"]\n', "notify[1].command is missing: it must be a program and its arguments"),
        ('[[notify]]\ncommand = ["tell"]\n', "notify[1].on is missing: it must be a list of "),
        ('[[notify]]\ncommand = []\non = ["finished"]\n', "notify[1].command must not be empty"),
        ('[[notify]]\ncommand = [""]\non = ["finished"]\n', "notify[1].command[1] must not be empty"),
        (
            '[[notify]]\ncommand = "tell x"\non = ["finished"]\n',
            "notify[1].command must be a program and its arguments",
        ),
        ('[[notify]]\ncommand = ["tell", 3]\non = ["finished"]\n', "notify[1].command[2] must be a program and its"),
        ('[[notify]]\ncommand = ["tell"]\non = ["approved"]\n', "notify[1].on[1] must be a list of "),
        (
            '[[notify]]\ncommand = ["bin/tell"]\non = ["finished"]\n',
            "must be a name on the policy's path, or an absolute",
        ),
        ('[[notify]]\ncomand = ["tell"]\non = ["finished"]\n', "comand: there is no such key; did you mean 'command'?"),
        ("[policy]\nnotify = []\n", "policy.notify: there is no such key here; 'notify' belongs in the top level"),
    ],
)
def test_mistakes_are_told(tmp_path: Path, text: str, said: str) -> None:
    """What is missing, empty, of another kind or not known is said with its place and what it has to be."""
    with pytest.raises(SettingsError) as caught:
        _settings(tmp_path, text)

    assert any(said in f"{problem.line}: {problem.message}" for problem in caught.value.problems), caught.value
