"""Where the project is, and which of its files configures it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_workflow_exec.errors import SettingsError
from pytest_workflow_exec.settings import OWN_FILE, SHARED_FILE, PolicySettings, Settings, find_project, load_settings

SHARED = '[project]\nname = "x"\n[tool.workflow-exec.policy]\ncommands = ["git status"]\n'
OWN = '[policy]\ncommands = ["git log"]\n'


@pytest.fixture
def deep(tmp_path: Path) -> Path:
    """A folder three levels down in a tree without any configuration."""
    folder = tmp_path / "a" / "b" / "c"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize(("name", "text"), [(OWN_FILE, OWN), (OWN_FILE, ""), (SHARED_FILE, SHARED)])
def test_the_nearest_configured_folder_is_the_project(tmp_path: Path, deep: Path, name: str, text: str) -> None:
    """From anywhere below, the project is the nearest folder with a configuration, not one further up."""
    (tmp_path / OWN_FILE).write_text(OWN)
    (tmp_path / "a" / name).write_text(text)

    assert find_project(deep) == find_project(tmp_path / "a") == tmp_path / "a"
    assert find_project(tmp_path) == tmp_path


def test_a_configuration_further_up_wins_over_a_nearer_repository(tmp_path: Path, deep: Path) -> None:
    """`.git` only counts where no folder on the way up is configured."""
    (tmp_path / "a" / "b" / ".git").mkdir(parents=True)
    assert find_project(deep) == tmp_path / "a" / "b"

    (tmp_path / OWN_FILE).write_text(OWN)
    assert find_project(deep) == tmp_path


def test_a_git_file_marks_a_project_too(tmp_path: Path, deep: Path) -> None:
    """A worktree has a file of that name."""
    (tmp_path / "a" / ".git").write_text("gitdir: elsewhere\n")

    assert find_project(deep) == tmp_path / "a"


def test_other_tables_of_pyproject_make_no_project(tmp_path: Path, deep: Path) -> None:
    """A pyproject.toml without our table says nothing."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "a" / SHARED_FILE).write_text("[tool.black]\nline-length = 80\n")

    assert find_project(deep) == tmp_path


def test_no_environment_variable_moves_the_project(tmp_path: Path, deep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither git's variables nor the working directory count."""
    (tmp_path / OWN_FILE).write_text(OWN)
    monkeypatch.setenv("GIT_DIR", str(deep))
    monkeypatch.setenv("PYTEST_ADDOPTS", "--rootdir=/")
    monkeypatch.chdir(deep)

    assert find_project(deep) == tmp_path


def test_each_file_is_read_with_its_own_tables(tmp_path: Path) -> None:
    """workflow-exec.toml has at the top level what pyproject.toml has in [tool.workflow-exec]."""
    (tmp_path / SHARED_FILE).write_text(SHARED)
    shared = load_settings(tmp_path)
    assert (shared.root, shared.source) == (tmp_path, tmp_path / SHARED_FILE)
    assert [rule.rule for rule in shared.policy.rules] == ["git status"]

    (tmp_path / SHARED_FILE).write_text('[project]\nname = "x"\n')
    (tmp_path / OWN_FILE).write_text(OWN)
    own = load_settings(tmp_path)
    assert own.source == tmp_path / OWN_FILE
    assert [rule.rule for rule in own.policy.rules] == ["git log"]


def test_both_places_together_are_an_error(tmp_path: Path) -> None:
    """A project that is configured twice has no configuration."""
    (tmp_path / SHARED_FILE).write_text(SHARED)
    (tmp_path / OWN_FILE).write_text(OWN)

    with pytest.raises(SettingsError, match="configured twice: here and in"):
        load_settings(tmp_path)


def test_without_a_configuration_nothing_is_allowed(tmp_path: Path) -> None:
    """A project that says nothing has a policy without rules."""
    assert load_settings(tmp_path) == Settings(root=tmp_path, source=None, policy=PolicySettings())
    assert PolicySettings().rules == ()


@pytest.mark.parametrize("name", [OWN_FILE, SHARED_FILE])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[policy\n", "is not valid TOML: .*line 1"),
        (b"a = 1\na = 2\n", "is not valid TOML"),
        (b"\xff\xfe", "can't be read"),
        (b"a = " + b"[" * 20_000, "is nested too deeply|is not valid TOML"),
    ],
)
def test_a_file_that_can_not_be_read_is_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    """Bad TOML and bad bytes are errors that name the file; nothing falls back to another one."""
    (tmp_path / name).write_bytes(content)

    with pytest.raises(SettingsError, match=f"{name}: {message}"):
        load_settings(tmp_path)


def test_a_table_that_is_none_is_an_error(tmp_path: Path) -> None:
    """[tool] workflow-exec = … is refused when the project is searched and when it is read."""
    (tmp_path / SHARED_FILE).write_text("[tool]\nworkflow-exec = 3\n")

    for use in (find_project, load_settings):
        with pytest.raises(SettingsError, match=r"tool\.workflow-exec must be a table"):
            use(tmp_path)


def test_a_pipe_is_no_configuration(tmp_path: Path) -> None:
    """Something of that name that is no file keeps nobody waiting."""
    os.mkfifo(tmp_path / OWN_FILE)
    os.mkfifo(tmp_path / SHARED_FILE)

    assert find_project(tmp_path) != tmp_path
    assert load_settings(tmp_path).source is None


def test_durability_and_retention_are_read_from_either_file(tmp_path: Path) -> None:
    """Both stand at the top of the table; what is not said is the strictest: power cuts count, nothing is to be kept."""
    default = load_settings(tmp_path)
    assert (default.durability, default.retention_s) == ("power", None)

    (tmp_path / SHARED_FILE).write_text('[tool.workflow-exec]\ndurability = "process"\nretention = "90d"\n')
    assert load_settings(tmp_path).durability == "process"
    (tmp_path / SHARED_FILE).unlink()
    (tmp_path / OWN_FILE).write_text('durability = "process"\nretention = "90d"\n')
    settings = load_settings(tmp_path)

    assert (settings.durability, settings.retention_s) == ("process", 90 * 86_400)
    assert settings.policy == PolicySettings()


@pytest.mark.parametrize(("text", "size_bytes"), [("64", 64 << 20), ("0.5", 1 << 19), ("0.0009765625", 1 << 10)])
def test_the_size_of_a_logs_files_is_read(tmp_path: Path, text: str, size_bytes: int) -> None:
    """It is a number of MiB, whole or not; what is not said is left to the log."""
    assert load_settings(tmp_path).segment_bytes is None
    (tmp_path / OWN_FILE).write_text(f"segment_mib = {text}\n")

    assert load_settings(tmp_path).segment_bytes == size_bytes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('durability = "none"', '1: durability must be "power" or "process", not a text (\'none\')'),
        ('filesystem = "nfs"', '1: filesystem must be "local" or "any", not a text (\'nfs\')'),
        ("durability = true", '1: durability must be "power" or "process", not a truth value'),
        ("retention = 90", '1: retention must be a duration of 36500d at most, such as "90d", not a number'),
        ('retention = "0d"', "1: retention must be a duration of 36500d at most, such as \"90d\", not a text ('0d')"),
        ('retention = "36501d"', "of 36500d at most, such as \"90d\", not a text ('36501d')"),
        (
            "segment_mib = 0",
            "1: segment_mib must be a number of MiB from 0.0009765625 (1 KiB) to 1024, such as 64, not 0",
        ),
        ("segment_mib = 1025", "such as 64, not 1025"),
        ("segment_mib = nan", "such as 64, not nan"),
        ("segment_mib = inf", "such as 64, not inf"),
        ('segment_mib = "64"', "such as 64, not a text ('64')"),
        ("segment_mib = true", "such as 64, not a truth value"),
        ("retention_days = 90", "1: retention_days: there is no such key; did you mean 'retention'?"),
        ('policy.durability = "power"', "durability: there is no such key here; 'durability' belongs in the top level"),
    ],
)
def test_a_wrong_durability_retention_or_size_is_refused(tmp_path: Path, text: str, message: str) -> None:
    """The refusal says where it stands, what is expected, and what was found."""
    (tmp_path / OWN_FILE).write_text(text + "\n")

    with pytest.raises(SettingsError) as caught:
        load_settings(tmp_path)

    assert message in str(caught.value)
