"""The policy: compiling it, and judging commands by it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from pytest_workflow_exec import bounded_matching
from pytest_workflow_exec.errors import CommandRefusedError, PolicyError
from pytest_workflow_exec.sandbox import Policy, compile_policy
from pytest_workflow_exec.sandbox._level import Offer
from pytest_workflow_exec.settings import GatedSettings, PolicySettings, RuleSettings, load_settings


def policy(*rules: str, own: tuple[str, ...] = ()) -> Policy:
    """Return the policy with these rules, and `own` for the workflow `release` alone."""
    settings = PolicySettings(
        rules=tuple(RuleSettings(rule=rule) for rule in rules),
        workflow_rules={"release": tuple(RuleSettings(rule=rule) for rule in own)},
        sandbox="none",
    )
    return compile_policy(settings, workflow="release", environment={})


def problems(settings: PolicySettings) -> list[str]:
    """Return what is wrong with a policy."""
    with pytest.raises(PolicyError) as caught:
        compile_policy(settings, workflow="release", environment={})
    return [problem.message for problem in caught.value.problems]


def test_every_problem_is_reported_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy's problems are found together, each with its rule."""
    offer = Offer(level="none", reason="there are no namespaces")
    monkeypatch.setattr("pytest_workflow_exec.sandbox._level.offer_of", lambda _: offer)
    settings = PolicySettings(
        rules=(
            RuleSettings(rule="sh *"),
            RuleSettings(rule="git  status", env=("LD_PRELOAD",)),
            RuleSettings(rule="make", network=("x",)),
        ),
        path=("bin",),
        sandbox="required:namespaces",
    )

    found = "\n".join(problems(settings))

    for words in (
        "there are no namespaces",
        "path entry 'bin'",
        "rule 'sh *'",
        "one space",
        "'LD_PRELOAD'",
        "network 'x'",
    ):
        assert words in found


def test_empty_policy_allows_nothing() -> None:
    """Without rules every command is refused."""
    with pytest.raises(CommandRefusedError, match="no rule allows any command") as caught:
        policy().judge(["true"], inputs={})

    assert "[policy] in workflow-exec.toml" in caught.value.reason


def test_rule_written_twice_is_refused() -> None:
    """Of two rules with one text the second would never count, with whatever rights it has."""
    rules = (RuleSettings(rule="git status"), RuleSettings(rule="git status", write=("x",)))

    [message] = problems(PolicySettings(rules=rules, sandbox="none"))

    assert "written twice" in message


@pytest.mark.parametrize(
    "entry", ["bin", "./bin", "", "~/bin", "/usr/bin/", "/usr/../bin", "//usr/bin", "/a:/b", "/a\n"]
)
def test_path_entry_that_could_be_anywhere_is_refused(entry: str) -> None:
    """A directory of the path is absolute and canonical, or the word venv."""
    [message] = problems(PolicySettings(path=("/usr/bin", entry), sandbox="none"))

    assert repr(entry) in message


def test_path_holds_the_directories_that_exist(tmp_path: Path) -> None:
    """The word venv is the running interpreter's directory; a missing directory is left out, a doubled one too."""
    settings = PolicySettings(path=("venv", str(tmp_path / "no"), str(tmp_path), str(tmp_path)), sandbox="none")

    compiled = compile_policy(settings, workflow="release", environment={})

    assert compiled.path == (Path(sys.executable).parent, tmp_path)


def test_path_without_any_directory_is_refused(tmp_path: Path) -> None:
    """An empty search path would mean the current directory to many programs."""
    [message] = problems(PolicySettings(path=(str(tmp_path / "no"),), sandbox="none"))

    assert "no directory that exists" in message


def test_program_off_the_path_is_refused(tmp_path: Path) -> None:
    """An absolute program must lie directly in a directory of the path."""
    (tmp_path / "tool").touch(mode=0o755)
    (tmp_path / "sub").mkdir()
    settings = PolicySettings(
        rules=(RuleSettings(rule=f"{tmp_path}/tool x"), RuleSettings(rule="/usr/bin/git status")),
        path=("/usr/bin", str(tmp_path / "sub")),
        sandbox="none",
    )

    [message] = problems(settings)

    assert f"{tmp_path}/tool" in message
    assert "sha256" in message


def test_home_is_granted_only_where_there_is_one(tmp_path: Path) -> None:
    """A rule that grants the home folder needs one that the environment names."""
    settings = PolicySettings(rules=(RuleSettings(rule="git status", home=True),), sandbox="none")

    [message] = problems(settings)
    compiled = compile_policy(settings, workflow="release", environment={"HOME": str(tmp_path)})

    assert "HOME" in message
    assert compiled.rules[0].home


def test_rules_of_another_workflow_allow_nothing() -> None:
    """A workflow's own table counts for that workflow alone."""
    settings = PolicySettings(workflow_rules={"other": (RuleSettings(rule="git push"),)}, sandbox="none")

    compiled = compile_policy(settings, workflow="release", environment={})

    with pytest.raises(CommandRefusedError):
        compiled.judge(["git", "push"], inputs={})


def test_bad_rules_of_another_workflow_are_not_its_problem() -> None:
    """Only the rules that count for a workflow are compiled for it."""
    settings = PolicySettings(workflow_rules={"other": (RuleSettings(rule="sh *"),)}, sandbox="none")

    assert compile_policy(settings, workflow="release", environment={}).rules == ()


def test_workflows_own_rule_comes_first() -> None:
    """Of equal rules the workflow's own one decides, because it was written for it."""
    settings = PolicySettings(
        rules=(RuleSettings(rule="git push"),),
        workflow_rules={"release": (RuleSettings(rule="git push", secrets=("TOKEN_X",)),)},
        sandbox="none",
    )

    rule = compile_policy(settings, workflow="release", environment={}).judge(["git", "push"], inputs={})

    assert rule.secrets == ("TOKEN_X",)


@pytest.mark.parametrize("order", [1, -1])
def test_narrowest_rule_decides(order: int) -> None:
    """Of several rules that allow a command the one that leaves least open gives its rights, in whatever order."""
    texts = ["git tag **", "git tag *", "git tag v{version}", "git tag v1.0"][::order]

    rule = policy(*texts).judge(["git", "tag", "v1.0"], inputs={"version": "1.0"})

    assert rule.text == "git tag v1.0"


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["git", "status", "-s"], "'git status --porcelain': argument 2 is '-s', the rule says '--porcelain'"),
        (["git", "status"], "argument 2 is missing, the rule says '--porcelain'"),
        (["git", "status", "--porcelain", "x"], "argument 3 is 'x', the rule ends before it"),
        (["gti", "status", "--porcelain"], "nearest rule 'git status --porcelain': the program is 'gti'"),
        (["twine", "upload", "x.whl"], "nearest rule 'twine upload dist/*.whl': argument 2 is 'x.whl'"),
        (["git", "tag", "2"], "the rule says '{version}' (input 'version' is '1.2.3')"),
        (
            ["git", "fetch", "x"],
            "the rule says '{remote}' (this workflow has no input 'remote' that is one text, as no list and no secret is)",
        ),
        (
            ["echo", "a\nb"],
            "argument 1 is 'a\\nb', the rule says '*' (any one argument that is not empty, no option, and",
        ),
        (["cat", "a\nb"], "the rule says '**' (which stands for no control or invisible characters)"),
        (["head", "a\u202eb"], "the rule says '{:.*}' (which stands for no control or invisible characters)"),
    ],
)
def test_refusal_names_the_nearest_rule(argv: list[str], words: str) -> None:
    """A refusal says which rule came nearest, and where the command differs from it."""
    rules = (
        "make all",
        "git status --porcelain",
        "twine upload dist/*.whl",
        "git tag {version}",
        "git fetch {remote}",
        "echo *",
        "cat **",
        "head {:.*}",
    )

    with pytest.raises(CommandRefusedError) as caught:
        policy(*rules).judge(argv, inputs={"version": "1.2.3"})

    assert words in caught.value.reason
    assert "[tool.workflow-exec.policy]" in caught.value.reason
    assert "[policy] in workflow-exec.toml" in caught.value.reason


def test_refusal_of_a_flood_stays_short() -> None:
    """A refusal of endless arguments can still be read."""
    argv = ["git", "x" * 100_000, *["y"] * 5000]

    with pytest.raises(CommandRefusedError) as caught:
        policy("git status").judge(argv, inputs={})

    assert len(str(caught.value)) < 20_000


def test_unknown_argument_may_still_match() -> None:
    """Before the run an argument that is not known yet matches any token."""
    compiled = policy("twine upload dist/*.whl", "git tag {version}")

    assert compiled.may_match(["twine", "upload", None], inputs={}) == compiled.rules[0]
    assert compiled.may_match(["git", "tag", "1.0"], inputs={"version": "1.0"}) == compiled.rules[1]


def test_rule_that_depends_on_an_unknown_is_open() -> None:
    """Where several rules can match, which one it is shows only at run time."""
    assert policy("git tag a", "git tag b").may_match(["git", "tag", None], inputs={}) is None


@pytest.mark.parametrize(
    "argv",
    [["git", "push", None], ["twine", None], [None, None, None, None], ["git", "tag", None, "x"], ["git", None, "x"]],
)
def test_command_that_no_rule_can_allow_is_refused_early(argv: list[str | None]) -> None:
    """A command that no value of its unknown arguments could make allowed is refused before the run."""
    compiled = policy("twine upload dist/*.whl", "git tag {version}")

    with pytest.raises(CommandRefusedError, match="nearest rule") as caught:
        compiled.may_match(argv, inputs={"version": "1.0"})

    assert ("'${...}'" in str(caught.value)) is (None in argv)
    assert str(caught.value).isascii()


def test_unknown_argument_does_not_invent_an_input() -> None:
    """A rule with an input that the workflow does not have matches nothing, known or not."""
    with pytest.raises(CommandRefusedError, match="no input 'version'"):
        policy("git tag {version}").may_match(["git", "tag", None], inputs={})


def test_text_is_no_command_before_the_run_either() -> None:
    """A text instead of a list is refused by the early check with the same words."""
    with pytest.raises(CommandRefusedError, match="a list of arguments"):
        policy("git").may_match("git", inputs={})


def test_digest_is_that_of_the_settings() -> None:
    """A policy is known by the digest of what the project states."""
    settings = PolicySettings(sandbox="none", digest="d" * 64)

    compiled = compile_policy(settings, workflow="release", environment=os.environ)

    assert (compiled.digest, compiled.level) == ("d" * 64, "none")


def test_tests_of_verify_steps_keep_to_the_policy_s_limits(tmp_path: Path) -> None:
    """They are under no rule that could say its own."""
    (tmp_path / "workflow-exec.toml").write_text('[policy]\nsandbox = "none"\nlimits = {processes = 7}\n')

    compiled = compile_policy(load_settings(tmp_path).policy, workflow="release", environment={})

    assert compiled.tests.limits == compiled.limits
    assert compiled.tests.limits.processes == 7


def test_a_rule_that_comes_to_no_end_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command is not allowed by another rule while nobody can say whether a gated one is about it."""
    monkeypatch.setattr(bounded_matching, "_MAX_CPU_S", 0.05)
    gated = RuleSettings(rule="publish {:(a+)+}", gated=GatedSettings(assurance=1))
    settings = PolicySettings(rules=(gated, RuleSettings(rule="publish **")), sandbox="none")
    compiled = compile_policy(settings, workflow="release", environment={})
    argv = ["publish", "a" * 60 + "b"]

    with pytest.raises(CommandRefusedError, match="came to no end"):
        compiled.judge(argv, inputs={})
    with pytest.raises(CommandRefusedError, match="came to no end"):
        compiled.gating(argv, inputs={})
