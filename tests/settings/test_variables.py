"""Variables of the environment say settings, never looser than the file, and nothing that they may not say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pytest_workflow_exec.errors import SettingsError
from pytest_workflow_exec.settings import VARIABLES, Settings, load_settings, stated_settings, with_variables
from pytest_workflow_exec.settings._variables import FOR_CHILDREN, FOR_TESTS, FOR_THE_TOOL
from tests._published import ROOT

LOOSE = 'durability = "process"\nfilesystem = "any"\nretention = "30d"\nai_budget = 2\n'


def held(root: Path, text: str = "", **environment: str) -> Settings:
    """Return the settings of a project whose file says `text`, where these variables are set."""
    (root / "workflow-exec.toml").write_text(text)
    return with_variables(load_settings(root), {f"WORKFLOW_EXEC_{name}": value for name, value in environment.items()})


def test_variables_go_before_the_file(tmp_path: Path) -> None:
    """What is stricter than the file holds, and it is known what said it."""
    settings = held(
        tmp_path,
        LOOSE,
        DURABILITY="power",
        FILESYSTEM="local",
        RETENTION="90d",
        SEGMENT_MIB="1",
        AI="off",
        AI_BUDGET="1.5",
    )

    assert (settings.durability, settings.filesystem, settings.retention_s) == ("power", "local", 90 * 86_400)
    assert (settings.segment_bytes, settings.ai, settings.ai_budget_usd) == (1 << 20, "off", 1.5)
    stated = {each.key: (each.value, each.variable) for each in stated_settings(settings)}
    assert stated["durability"] == ("power", "WORKFLOW_EXEC_DURABILITY")
    assert stated["ai_budget"] == (1.5, "WORKFLOW_EXEC_AI_BUDGET")
    assert stated["policy.carry"] == ("any", None)


def test_what_the_file_says_may_be_said_again(tmp_path: Path) -> None:
    """A variable that says the same loosens nothing."""
    settings = held(tmp_path, LOOSE, DURABILITY="process", FILESYSTEM="any", RETENTION="30d", AI_BUDGET="2")

    assert (settings.durability, settings.filesystem, settings.ai_budget_usd) == ("process", "any", 2)


def test_the_database_of_a_fleet_is_no_setting(tmp_path: Path) -> None:
    """Whoever has it set in their shell runs workflows as without it."""
    settings = held(tmp_path, FLEET="sqlite:///fleet.sqlite")

    assert not [each for each in stated_settings(settings) if each.variable]


def test_variables_of_options_are_told_apart(tmp_path: Path) -> None:
    """A variable that stands for an option is listed by the option's name."""
    settings = held(tmp_path, INPUTS="release.yaml", SUMMARY="out.md")

    rows = {each.key: (each.value, each.variable) for each in stated_settings(settings) if each.variable}
    assert rows == {
        "--workflow-inputs": ("release.yaml", "WORKFLOW_EXEC_INPUTS"),
        "--workflow-summary": ("out.md", "WORKFLOW_EXEC_SUMMARY"),
    }


def test_variables_of_others_and_of_our_own_processes_say_nothing(tmp_path: Path) -> None:
    """What commands, notifications and the package's tests are told is no setting, and no mistake."""
    environment = dict.fromkeys([*FOR_CHILDREN, *FOR_TESTS, *FOR_THE_TOOL, "WORKFLOW", "PATH", "WORKFLOW_EXEC"], "x")

    assert with_variables(load_settings(tmp_path), environment) == load_settings(tmp_path)


@pytest.mark.parametrize(
    ("text", "name", "value", "message"),
    [
        ("", "DURABILITY", "process", 'must be power: durability is "power" in the project, which no variable loosens'),
        ("", "DURABILITY", "none", "must be power or process, not 'none'"),
        ("", "FILESYSTEM", "any", 'must be local: filesystem is "local" in the project'),
        (LOOSE, "RETENTION", "29d", "must be 30d at least: no variable shortens retention, not '29d'"),
        ("", "RETENTION", "long", 'must be a duration such as "90d"'),
        ("", "RETENTION", "36501d", "36500d at most"),
        ("", "SEGMENT_MIB", "0", "must be a number of MiB from"),
        ("", "SEGMENT_MIB", "nan", "must be a number of MiB from"),
        ("", "AI", "live", "must be off: only --workflow-ai asks a model"),
        ("", "AI", "replay", "must be off: only --workflow-ai asks a model"),
        (LOOSE, "AI_BUDGET", "2.01", "must be 2 at most: no variable raises ai_budget"),
        ("", "AI_BUDGET", "0", "an amount of US dollars"),
        ("", "AI_BUDGET", "-1", "an amount of US dollars"),
        ("", "SUMMARY", "", "the variable WORKFLOW_EXEC_SUMMARY is empty: unset it, or give it a value"),
        ("", "AI_BUDGET", " ", "is empty"),
        ("", "SUMARY", "a", "there is no variable WORKFLOW_EXEC_SUMARY; did you mean WORKFLOW_EXEC_SUMMARY"),
        ("", "DURABILTY", "power", "did you mean WORKFLOW_EXEC_DURABILITY"),
        ("", "ZZZ", "1", "there is no variable WORKFLOW_EXEC_ZZZ (there are WORKFLOW_EXEC_AI, "),
        ("", "", "1", "there is no variable WORKFLOW_EXEC_ "),
        ("", "\udcff", "1", "there is no variable WORKFLOW_EXEC_\\udcff "),
    ],
)
def test_what_no_variable_may_say_is_refused(tmp_path: Path, text: str, name: str, value: str, message: str) -> None:
    """Looser, unknown and empty ones, with what they must be."""
    with pytest.raises(SettingsError, match=re.escape(message)):
        held(tmp_path, text, **{name: value})


@pytest.mark.parametrize(
    "name",
    ["POLICY", "POLICY_COMMANDS", "SANDBOX", "POLICY_SANDBOX", "SIGNERS", "PIN", "NO_PIN", "APPROVE", "CARRY", "COMMANDS",
     "PATH", "NOTIFY", "REVOKED", "APPROVERS", "PYTHON_PROCESSES"],
)  # fmt: skip
def test_nothing_of_the_environment_says_what_holds_a_run(tmp_path: Path, name: str) -> None:
    """Policy, signers, pin, sandbox and decisions are refused in words that say so, whatever the value is."""
    with pytest.raises(SettingsError, match=f"WORKFLOW_EXEC_{name} says nothing: policy, signers, pin, sandbox"):
        held(tmp_path, "", **{name: "none"})


def test_all_mistakes_are_said_at_once(tmp_path: Path) -> None:
    """Two variables, two problems."""
    with pytest.raises(SettingsError) as caught:
        held(tmp_path, "", DURABILITY="x", SANDBOX="none")

    assert len(caught.value.problems) == 2


def test_every_name_that_is_set_or_read_is_known() -> None:
    """A variable that the product sets, or that its tests read, is no mistake of a user's, so each is listed."""
    product = [path.read_text(encoding="utf-8") for path in (ROOT / "pytest_workflow_exec").rglob("*.py")]
    tests = [path.read_text(encoding="utf-8") for path in [*(ROOT / "tests").rglob("*.py"), ROOT / "noxfile.py"]]
    found = {name for text in product for name in re.findall(r"\bWORKFLOW_EXEC_[A-Z_]*[A-Z]\b", text)}
    found |= {name for text in tests for name in re.findall(r'environ(?:\.get\(|\[)"(WORKFLOW_EXEC_\w+)"', text)}
    found |= {name for text in tests for name in re.findall(r'"(WORKFLOW_EXEC_\w+)" (?:not )?in os\.environ', text)}

    assert len(found) > len(FOR_TESTS)
    of_summaries = {name for name in found if name.startswith(("WORKFLOW_EXEC_VERIFIED", "WORKFLOW_EXEC_ASSURANCE"))}
    assert found - of_summaries <= VARIABLES.keys() | FOR_CHILDREN | FOR_TESTS | FOR_THE_TOOL


def test_every_variable_is_documented() -> None:
    """docs/configuration.md has a row for each, with what it says the same as."""
    rows = re.findall(
        r"^\| `(WORKFLOW_EXEC_\w+)` \| `([^`]+)` \| [^|]*\| [^|]*\|",
        (ROOT / "docs" / "configuration.md").read_text(),
        re.MULTILINE,
    )

    assert dict(rows) == dict(VARIABLES)
