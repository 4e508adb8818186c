"""Rules in table form: which argument lists they allow, and what keeps one from loading."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_workflow_exec.errors import CommandRefusedError, PolicyError
from pytest_workflow_exec.sandbox import Policy, compile_policy
from pytest_workflow_exec.settings import PolicySettings, RuleSettings, load_settings

_CASES = json.loads(Path(__file__).with_name("argv_cases.json").read_text(encoding="utf-8"))


def compiled(**table: Any) -> Policy:
    """Return the policy with this one rule."""
    subcommand = table.pop("subcommand", ())
    for name in ("options", "allow", "refuse"):
        table[name] = tuple(table.get(name, ()))
    if isinstance(table.get("arguments"), list):
        table["arguments"] = tuple(table["arguments"])
    words = (subcommand,) if isinstance(subcommand, str) else tuple(subcommand)
    rule = RuleSettings(subcommand=words, **table)
    return compile_policy(PolicySettings(rules=(rule,), sandbox="none"), workflow="w", environment={})


def allows(policy: Policy, argv: Any) -> bool:
    """Return whether a policy allows an argument list."""
    try:
        policy.judge(argv, inputs={})
    except CommandRefusedError:
        return False
    return True


def problem(**table: Any) -> str:
    """Return what keeps a rule from loading."""
    with pytest.raises(PolicyError) as caught:
        compiled(**table)
    return "\n".join(found.message for found in caught.value.problems)


@pytest.mark.parametrize("case", _CASES, ids=[case["id"] for case in _CASES])
def test_known_attacks_are_refused_and_ordinary_commands_are_not(case: dict[str, Any]) -> None:
    """An attack's argument list is refused by its strict rule, or its rule does not load; what is harmless runs."""
    argv = [word.replace("A*131072", "A" * 131072) for word in case["argv"]]
    if case["allowed"]:
        assert allows(compiled(**case["rule"]), argv)
        return
    try:
        policy = compiled(**case["rule"])
    except PolicyError:
        return
    assert not allows(policy, argv)


_GIT = {"program": "git", "subcommand": ["log", "remote show"], "options": ["--oneline", "-n=", "--format=%H"]}


@pytest.mark.parametrize(
    ("table", "argv", "allowed"),
    [
        (_GIT, "git log", True),
        (_GIT, "git remote show", True),
        (_GIT, "git log --oneline -n 3", True),
        (_GIT, "git log --format=%H", True),
        (_GIT, "git log --format %H", True),
        (_GIT, "git", False),
        (_GIT, "git remote", False),
        (_GIT, "git remote log", False),
        (_GIT, "git push", False),
        (_GIT, "git --oneline log", False),
        (_GIT, "git log --one", False),
        (_GIT, "git log --oneline=", False),
        (_GIT, "git log --oneline=x", False),
        (_GIT, "git log -n", False),
        (_GIT, "git log -n3", False),
        (_GIT, "git log -n=3", False),
        (_GIT, "git log -n --oneline", False),
        (_GIT, "git log --format=%B", False),
        (_GIT, "git log main", False),
        (_GIT, "git log --", False),
        (_GIT, "/usr/bin/git log", False),
        ({"program": "ls", "options": ["-a", "-l"]}, "ls -a -l", True),
        ({"program": "ls", "options": ["-a", "-l"]}, "ls -al", False),
        ({"program": "ls", "arguments": "any", "options": ["-a"]}, "ls x -a", False),
        ({"program": "ls", "arguments": "any"}, "ls -- -a", True),
        ({"program": "ls", "arguments": "any"}, "ls -- -", False),
        ({"program": "twine", "arguments": "any"}, "twine -- -a", False),
        ({"program": "twine", "arguments": "any", "options": ["--"]}, "twine -- -a", True),
        ({"program": "ls", "arguments": ["src", "docs"]}, "ls docs src", True),
        ({"program": "ls", "arguments": ["src", "docs"]}, "ls doc", False),
        ({"program": "ls", "arguments": "v[0-9]+"}, "ls v1 v22", True),
        ({"program": "ls", "arguments": "v[0-9]+"}, "ls v1x", False),
        ({"program": "ls", "arguments": "v[0-9]+"}, "ls v\u0661", False),
        ({"program": "x", "options": ["--color", "--color="], "arguments": ["f"]}, "x --color f", True),
        ({"program": "x", "options": ["--color", "--color="], "arguments": ["f"]}, "x --color always", False),
        ({"program": "x", "options": ["--color", "--color="], "arguments": ["f"]}, "x --color=always f", True),
        ({"program": "x", "options": ["--out=ws"]}, "x --out dist/a", True),
        ({"program": "x", "options": ["--out=ws"]}, "x --out=../a", False),
        ({"program": "python3", "options": ["-m=json.tool", "--indent="], "arguments": "workspace"},
         "python3 -m json.tool --indent 2 a.json", True),
        ({"program": "python3", "options": ["-m=json.tool", "--indent="], "arguments": "workspace"},
         "python3 a.py", False),
        ({"program": "python3", "options": ["-m=json.tool", "-v="], "arguments": "workspace"},
         "python3 -v a.py -m json.tool", False),
        ({"program": "python3", "options": ["-m=json.tool"]}, "python3", False),
    ],
)  # fmt: skip
def test_what_can_be_read_in_two_ways_is_refused(table: dict[str, Any], argv: str, allowed: bool) -> None:
    """Exact names, values where the table says so, options before arguments; no bundles and no short forms."""
    assert allows(compiled(**dict(table)), argv.split(" ")) is allowed


@pytest.mark.parametrize(
    "word",
    ["/etc/passwd", "../x", "a/../b", "~/x", "@x", "+x", "-x", "-", "", "h:x", "of=/etc/x", ".git/config", "a/.GIT",
     ".workflow-exec/runs", ".git./config", "a\nb", "a\u202eb"],
)  # fmt: skip
def test_a_workspace_argument_is_a_plain_path(word: str) -> None:
    """What leads out of the project, or is more than a path to some program, is no path in the project."""
    policy = compiled(program="cp", arguments="workspace")

    assert not allows(policy, ["cp", word])
    assert allows(policy, ["cp", "src/a b.txt", "."])


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"program": "ls", "options": ["all"]}, "option 'all' must be an exact name"),
        ({"program": "ls", "options": ["--*"]}, "must be an exact name"),
        ({"program": "ls", "options": ["-a", "-a"]}, "written twice"),
        ({"program": "ls", "options": ["-n", "-n="]}, "with and without a value"),
        ({"program": "ls", "options": ["--f=", "--f=x"]}, "keep one of the two"),
        ({"program": "ls", "options": ["-f=-x"]}, "begins with '-'"),
        ({"program": "ls", "arguments": ["-x"]}, "must not be empty, an option"),
        ({"program": "ls", "arguments": "("}, "does not compile"),
        ({"program": "git", "subcommand": "-c x"}, "must be exact words"),
        ({"program": "git", "subcommand": "a  b"}, "must be exact words"),
        ({"program": "git", "arguments": "any"}, "named by a sub-command"),
        ({"program": "bin/x"}, "without slashes"),
        ({"program": "l*"}, "must be exact"),
        ({"program": "/opt/x"}, "write the rule as a table with sha256"),
        ({"program": "sh"}, "runs what it reads"),
        ({"program": "sh", "options": ["-c="]}, "the value of '-c' may be what it runs"),
        ({"program": "sh", "arguments": "workspace"}, "an argument may be what it runs"),
        ({"program": "env", "arguments": "any"}, "an argument may be what it runs"),
        ({"program": "xargs", "options": ["-n="]}, "the value of '-n' may be what it runs"),
        ({"program": "npm", "subcommand": "run", "arguments": "any"}, "an argument may be what it runs"),
        ({"program": "python3", "options": ["-m="]}, "must say which module"),
        ({"program": "python3", "options": ["-m=pdb"], "arguments": "workspace"}, "an argument may be what it runs"),
        ({"program": "python3", "options": ["-B"], "arguments": "workspace"}, "an argument may be what it runs"),
        ({"program": "ls", "env": ("LD_PRELOAD",)}, "can't be passed on"),
        ({"program": "ls", "env": ("BASH_ENV",)}, "can't be passed on"),
        ({"program": "ls", "env": ("GIT_SSH_COMMAND",)}, "can't be passed on"),
        ({"program": "ls", "env": ("PYTHONSTARTUP",)}, "can't be passed on"),
        ({"program": "ls", "allow": [("ls", "-a")]}, "does not allow its own example 'ls -a'"),
        ({"program": "ls", "refuse": [("ls",)]}, "allows 'ls', which it is to refuse"),
        ({"rule": "git tag {version}", "allow": [("git", "tag", "1")]}, "examples can't be checked"),
        ({"rule": "git tag *", "refuse": [("git", "tag", "1")]}, "which it is to refuse"),
    ],
)  # fmt: skip
def test_a_table_that_can_not_be_held_does_not_load(table: dict[str, Any], words: str) -> None:
    """What is no exact name, leaves open what an interpreter runs, or fails its own examples is an error."""
    assert words in problem(**dict(table))


def test_every_problem_of_a_rule_has_its_place(tmp_path: Path) -> None:
    """All that is wrong with the rules is said at once, each with its file and line."""
    file = tmp_path / "workflow-exec.toml"
    file.write_text(
        '[policy]\nsandbox = "none"\ncommands = [\n  "sh *",\n]\n\n[[policy.command]]\nprogram = "env"\n'
        'arguments = "any"\n\n[[policy.workflows.w.command]]\nrule = "make"\ngated = {assurance = 2, approvers = ["b"]}\n\n'
        '[[policy.command]]\nrule = "ls"\ngated = {assurance = 1, approvers = ["a"]}\n',
        encoding="utf-8",
    )

    with pytest.raises(PolicyError) as caught:
        compile_policy(load_settings(tmp_path).policy, workflow="w", environment={})

    found = [(found.path, found.line, found.message) for found in caught.value.problems]
    assert [(path, line) for path, line, _ in found] == [(file, 11), (file, 3), (file, 7), (file, 15), (file, 15)]
    for (_, _, message), words in zip(
        found,
        [
            "gated by b: the policy has no such group of approvers (it has: none)",
            "'sh'",
            "'env'",
            "gated by a: ",
            "needs an assurance of 2",
        ],
        strict=True,
    ):
        assert words in message


def test_a_refusal_says_where_the_nearest_table_differs() -> None:
    """The message has the rule as one line, the argument, and what the rule says there."""
    with pytest.raises(CommandRefusedError) as caught:
        compiled(**_GIT).judge(["git", "log", "--all"], inputs={})

    assert "nearest rule 'git log|remote show [--oneline] [-n=] [--format=%H]'" in caught.value.reason
    assert "argument 2 is '--all', the rule says '--oneline or -n= or --format=%H'" in caught.value.reason


def test_a_command_that_is_not_all_known_is_judged_by_what_is() -> None:
    """An argument that is known only later may be anything that could stand there; nothing, if nothing could."""
    policy = compiled(program="twine", subcommand="upload", arguments="workspace")
    assert policy.may_match(["twine", "upload", None], inputs={}) is not None
    with pytest.raises(CommandRefusedError):
        policy.may_match(["twine", "register", None], inputs={})
    with pytest.raises(CommandRefusedError):
        compiled(program="ls").may_match(["ls", None], inputs={})


def _readings(argv: Sequence[str], options: Sequence[str]) -> Iterator[list[str]]:
    """Yield what is left as arguments in every way of taking options off the front."""
    if not argv or not argv[0].startswith("-"):
        yield list(argv)
        return
    for option in options:
        name, valued, value = option.partition("=")
        if not valued and argv[0] == name:
            yield from _readings(argv[1:], options)
        apart, attached = argv[1:2], argv[0].partition("=")[2]
        if valued and argv[0] == name and apart and apart[0] and apart[0][0] != "-" and value in ("", apart[0]):
            yield from _readings(argv[2:], options)
        if valued and name.startswith("--") and argv[0].startswith(f"{name}=") and attached and value in ("", attached):
            yield from _readings(argv[1:], options)


def _reference(argv: Sequence[str], options: Sequence[str], arguments: str | list[str]) -> bool:
    """Return whether some reading of an argument list is what a table says: slow and obvious."""
    for left in _readings(argv[1:], options):
        if arguments == "none":
            fits = not left
        elif arguments == "any":
            fits = all(word and not word.startswith("-") for word in left)
        else:
            fits = all(word in arguments for word in left)
        if fits:
            return True
    return False


_WORDS = st.sampled_from(["-a", "-b", "-ab", "--all", "--al", "--out", "--out=x", "--out=", "-o", "-ox", "-o=x", "x",
                          "y", "-", "--", "", "--all=x", "--fmt=j", "--fmt=k", "--fmt", "j"])  # fmt: skip
_OPTIONS = st.lists(
    st.sampled_from(["-a", "-b", "--all", "--out=", "-o=", "--fmt=j", "--out"]), unique=True, max_size=5
)


@settings(max_examples=400, deadline=None)
@given(
    words=st.lists(_WORDS, max_size=5),
    options=_OPTIONS,
    arguments=st.one_of(st.sampled_from(["none", "any"]), st.lists(st.sampled_from(["x", "y", "j"]), min_size=1)),
)
def test_nothing_is_allowed_that_a_slow_reference_refuses(
    words: list[str], options: list[str], arguments: str | list[str]
) -> None:
    """No argument list is accepted that an obvious matcher, which tries every reading, refuses."""
    policy = compiled(program="tool", options=options, arguments=arguments)
    argv = ["tool", *words]

    if allows(policy, argv):
        assert _reference(argv, options, arguments)


@pytest.mark.parametrize(("program", "word"), [("gcc", "@options"), ("/usr/bin/ld", "@x"), ("less", "+!id")])
def test_file_of_options_is_no_open_argument(program: str, word: str) -> None:
    """Among any arguments, what the tool takes for a file of options, or a command of its own, is refused by name."""
    policy = compiled(program=program, options=["-o="], arguments="any")

    assert allows(policy, [program, "-o", "out", "a.c"])
    for argv in ([program, word], [program, "a.c", word], [program, "-o", word, "a.c"]):
        with pytest.raises(CommandRefusedError, match="nor a file of options"):
            policy.judge(argv, inputs={})
