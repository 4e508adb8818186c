"""The policy as written: what it gives, and what it says of what it does not understand."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from pytest_workflow_exec.errors import SettingsError
from pytest_workflow_exec.settings import PolicySettings, RuleSettings, load_settings


def _policy(root: Path, text: str) -> PolicySettings:
    (root / "workflow-exec.toml").write_text(text)
    return load_settings(root).policy


def _problems(root: Path, text: str, *, name: str = "workflow-exec.toml") -> list[str]:
    (root / name).write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_settings(root)
    assert all(problem.path == root / name for problem in caught.value.problems)
    return [f"{problem.line or '-'}: {problem.message}" for problem in caught.value.problems]


def test_an_empty_policy_allows_nothing(tmp_path: Path) -> None:
    """Without rules there are none; path and sandbox have their defaults."""
    for text in ("", "[policy]\n", "[policy]\ncommands = []\n"):
        policy = _policy(tmp_path, text)
        assert (policy.rules, dict(policy.workflow_rules)) == ((), {})
        assert (policy.path, policy.sandbox) == (("venv", "/usr/bin", "/bin"), None)


def test_a_short_rule_has_no_rights_but_the_defaults(tmp_path: Path) -> None:
    """A rule in `commands` may start nothing, sees no secret, writes nowhere, and has no home."""
    policy = _policy(tmp_path, '[policy]\ncommands = ["git status", "git log"]\n')

    assert policy.rules == (RuleSettings(rule="git status"), RuleSettings(rule="git log"))
    assert RuleSettings(rule="x") == RuleSettings(
        rule="x", exec=(), env=(), secrets=(), network=(), read=(), write=(), home=False
    )


def test_rules_inherit_only_what_they_do_not_say(tmp_path: Path) -> None:
    """env, write and network of the policy are defaults: a rule that says them, even as empty, has its own."""
    policy = _policy(
        tmp_path,
        '[policy]\ncommands = ["short"]\nenv = ["LANG"]\nwrite = ["dist"]\nnetwork = ["*:443"]\n'
        '[[policy.command]]\nrule = "silent"\n'
        '[[policy.command]]\nrule = "own"\nenv = []\nwrite = ["out"]\nnetwork = []\n'
        'exec = ["python"]\nsecrets = ["TOKEN"]\nread = ["data"]\nhome = true\n',
    )

    inherited = RuleSettings(rule="short", env=("LANG",), write=("dist",), network=("*:443",))
    assert policy.rules == (
        inherited,
        dataclasses.replace(inherited, rule="silent"),
        RuleSettings(
            rule="own", write=("out",), exec=("python",), secrets=("TOKEN",), read=("data",), home=True
        ),
    )  # fmt: skip


def test_rules_of_a_workflow_are_its_own(tmp_path: Path) -> None:
    """[policy.workflows.NAME] adds rules for one workflow, with the policy's defaults, and none for the others."""
    policy = _policy(
        tmp_path,
        '[policy]\nenv = ["LANG"]\n[policy.workflows.release]\ncommands = ["twine upload *"]\n'
        '[[policy.workflows.release.command]]\nrule = "make"\nenv = []\n',
    )

    assert policy.rules == ()
    assert dict(policy.workflow_rules) == {
        "release": (RuleSettings(rule="twine upload *", env=("LANG",)), RuleSettings(rule="make"))
    }


def test_the_digest_is_that_of_the_whole_policy(tmp_path: Path) -> None:
    """Any change of what the policy says changes its digest; layout, comments and other tables don't."""
    digest = _policy(tmp_path, '[policy]\ncommands = ["a"]\npath = ["venv"]\n').digest
    assert _policy(tmp_path, '# note\n[policy]\npath   = ["venv"]\ncommands = [\n "a",\n]\n').digest == digest
    assert _policy(tmp_path, '[policy]\ncommands = ["a"]\n').digest != digest
    assert _policy(tmp_path, "").digest == PolicySettings().digest


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[polcy]\ncommands = ["a"]\n', ["1: polcy: there is no such key; did you mean 'policy'?"]),
        ('[policy]\ncomands = ["a"]\n', ["2: policy.comands: there is no such key; did you mean 'commands'?"]),
        ('[[policy.command]]\nrul = "a"\nrule = "b"\n',
         ["2: policy.command[1].rul: there is no such key; did you mean 'rule'?"]),
        ("[policy.workflows.x]\ncomand = []\n",
         ["2: policy.workflows.x.comand: there is no such key; did you mean 'command'?"]),
        ("[policy]\nzzz = 1\n", ["2: policy.zzz: there is no such key"]),
        ('commands = ["a"]\n', ["1: commands: there is no such key here; 'commands' belongs in the table policy"]),
        ("[policy]\nhome = true\n",
         ["2: policy.home: there is no such key here; 'home' belongs in a table of policy.command"]),
    ],
)  # fmt: skip
def test_an_unknown_key_is_refused_with_the_nearest_one(tmp_path: Path, text: str, expected: list[str]) -> None:
    """No key is ignored; the message says which key may have been meant, or where this one belongs."""
    assert _problems(tmp_path, text) == expected


def test_sockets_are_a_right_of_single_rules(tmp_path: Path) -> None:
    """They are a list of texts in a rule or for tests, and none is granted to all rules at once."""
    [rule] = _policy(tmp_path, '[[policy.command]]\nrule = "a"\nsockets = ["/run/x.sock"]\n').rules
    [wrong] = _problems(tmp_path, '[[policy.command]]\nrule = "a"\nsockets = "x"\n')
    [misplaced] = _problems(tmp_path, '[policy]\nsockets = ["/run/x.sock"]\n')

    assert rule.sockets == ("/run/x.sock",)
    assert _policy(tmp_path, '[policy.verify]\nsockets = ["/run/x.sock"]\n').verify.sockets == ("/run/x.sock",)
    expected = "must be a list of paths, such as [\"/run/docker.sock\"], not a text ('x')"
    assert wrong == f"3: policy.command[1].sockets {expected}"
    assert misplaced.startswith("2: policy.sockets: there is no such key here; 'sockets' belongs in ")


def test_tests_have_the_rights_that_the_policy_says(tmp_path: Path) -> None:
    """None, if it says nothing; a key or a need that there is not is refused."""
    none = RuleSettings(rule="verify")
    said = _policy(
        tmp_path, '[policy.verify]\nexec = "any"\nwrite = ["out"]\nneeds = ["pty", "loopback", "namespaces"]\n'
    ).verify

    assert PolicySettings().verify == _policy(tmp_path, "").verify == none
    assert said == dataclasses.replace(none, exec=("any",), write=("out",), needs=("pty", "loopback", "namespaces"))
    [unknown] = _problems(tmp_path, "[policy.verify]\nsecret = []\n")
    assert unknown.startswith("2: policy.verify.secret: there is no such key")
    assert "secrets" not in unknown
    [problem] = _problems(tmp_path, '[policy.verify]\nneeds = ["root"]\n')
    assert (
        problem
        == '2: policy.verify.needs[1] must be "pty" or "loopback" or "namespaces" or "shared-memory", not a text (\'root\')'
    )


def test_rule_needs_nothing_but_shared_memory(tmp_path: Path) -> None:
    """What else tests may need is no rule's; what is no list is said, too."""
    table = '[[policy.command]]\nrule = "true"\n'

    [rule] = _policy(tmp_path, f'{table}needs = ["shared-memory"]\n').rules

    assert rule.needs == ("shared-memory",)
    assert _problems(tmp_path, f'{table}needs = ["pty"]\n') == [
        "3: policy.command[1].needs[1] must be \"shared-memory\", not a text ('pty')"
    ]
    assert _problems(tmp_path, f"{table}needs = true\n") == [
        '3: policy.command[1].needs must be a list of "shared-memory", not a truth value'
    ]


_PRINCIPAL = (
    'policy.approvers.a[1] must be one principal, such as "alice@example.org", without spaces, quotes and patterns'
)


def test_groups_of_approvers_are_part_of_the_policy(tmp_path: Path) -> None:
    """Groups are lists of principals by name, and any change of one changes the policy's digest."""
    text = '[policy]\nrefuse_reachable_keys = true\n[policy.approvers]\nmanagers = ["alice@example.org", "bob"]\n'
    policy = _policy(tmp_path, text)

    assert dict(policy.approvers) == {"managers": ("alice@example.org", "bob")}
    assert policy.refuse_reachable_keys is True
    assert _policy(tmp_path, text.replace(', "bob"', "")).digest != policy.digest
    assert (PolicySettings().approvers, PolicySettings().refuse_reachable_keys) == ({}, False)


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ("a = []", "policy.approvers.a must not be empty: a group of nobody can approve nothing"),
        ('a = ["x", "X"]', "policy.approvers.a names one principal twice"),
        ('"a b" = ["x"]', "policy.approvers.a b: a group's name is letters, digits, '-' and '_'"),
        ("a = 1", 'policy.approvers.a must be a list of principals, such as "alice@example.org", not a number'),
        ("a = [1]", 'policy.approvers.a[1] must be a text, such as "alice@example.org", not a number'),
        *(
            (
                f"a = ['{bad}']",
                _PRINCIPAL,
            )
            for bad in (
                "",
                "*",
                "*@example.org",
                "!alice",
                "a?",
                "a,b",
                "a b",
                'a"',
                "-I",
                "#a",
                "\u202ea",
                "\u0430lice",
            )
        ),
    ],
)
def test_a_group_holds_principals_and_nothing_else(tmp_path: Path, group: str, expected: str) -> None:
    """An empty group, a principal that stands twice, a pattern, and what is no principal are refused with their place."""
    text = f"[policy.approvers]\n{group}\n"

    problems = _problems(tmp_path, text)
    assert problems in (
        [f"2: {expected}"],
        [f"1: {expected}"],
        [f"2: {expected.partition(' must')[0]} must not be empty"],
    )


_RULES = 'must be a list of rules, such as ["git status"], not '


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[policy]\n\ncommands = "echo *"\n', [f"3: policy.commands {_RULES}a text ('echo *')"]),
        ("[policy]\ncommands = true\n", [f"2: policy.commands {_RULES}a truth value"]),
        ("[policy]\ncommands = {a = 1}\n", [f"2: policy.commands {_RULES}a table"]),
        ("policy.commands = 3\n", [f"1: policy.commands {_RULES}a number"]),
        ('[policy]\ncommand = ["echo *"]\n',
         ['2: policy.command must be tables: [[policy.command]] with rule = "git status", not a text (\'echo *\')']),
        ('[policy.command]\nrule = "x"\n',
         ['1: policy.command must be tables: [[policy.command]] with rule = "git status", not a table']),
        ('[policy]\ncommands = [\n  "a",\n  3,\n  "",\n]\n',
         ['2: policy.commands[2] must be a text, such as "git status", not a number',
          "2: policy.commands[3] must not be empty"]),
        ('[[policy.command]]\nrule = "a"\n\n[[policy.command]]\nexec = ["x"]\n',
         ['4: policy.command[2].rule is missing: it must be a text, such as "git status"']),
        ('[[policy.command]]\nrule = "a"\nhome = "yes"\n',
         ["3: policy.command[1].home must be true or false, not a text ('yes')"]),
        ('[[policy.command]]\nrule = "a"\nprogram = "b"\n',
         ["2: policy.command[1].rule stands beside program: a rule is one text, or a table with program and without rule"]),
        ('[[policy.command]]\nprogram = "a"\narguments = ""\n',
         [('3: policy.command[1].arguments must be "none", "any", "workspace", a list of texts or a regular expression, '
           "not a text ('')")]),
        ('[[policy.command]]\nprogram = "a"\noptions = "-v"\nallow = [[]]\n',
         [('3: policy.command[1].options must be a list of options, such as ["--oneline", "--max-count="], '
           "not a text ('-v')"),
          '4: policy.command[1].allow[1] must be a text, such as "git status", not a list']),
        ('[[policy.command]]\nprogram = ""\n', ["2: policy.command[1].program must not be empty"]),
        ('[[policy.command]]\nprogram = "a"\noptions = [""]\n', ["3: policy.command[1].options[1] must not be empty"]),
        ('[[policy.command]]\nrule = "a"\ngated = true\n',
         ["3: policy.command[1].gated must be a table: {assurance = 1}, not a truth value"]),
        ('[[policy.command]]\nrule = "a"\ngated = {assurance = 0}\n',
         ["3: policy.command[1].gated.assurance must be 1 (terminal), 2 (signature) or 3 (presence), not 0"]),
        ('[[policy.command]]\nrule = "a"\ngated = {}\n',
         [("3: policy.command[1].gated.assurance is missing: it must be 1 (terminal), 2 (signature) or 3 (presence)")]),
        ('[[policy.command]]\nrule = "a"\ngated = {assurance = 1, approver = ["x"]}\n',
         ["3: policy.command[1].gated.approver: there is no such key; did you mean 'approvers'?"]),
        ('[[policy.command]]\nrule = ["a"]\n',
         ['2: policy.command[1].rule must be a text, such as "git status", not a list']),
        ('[policy]\nnetwork = "*:443"\n',
         ["2: policy.network must be a list of places, such as [\"*:443\"], not a text ('*:443')"]),
        ("[policy]\nenv = [1979-05-27]\n", ['2: policy.env[1] must be a text, such as "LANG", not a date or time']),
        ("[policy]\npath = 1.5\n",
         ['2: policy.path must be a list of folders, such as ["venv", "/usr/bin"], not a number']),
        ('[policy]\nsandbox = "off"\n',
         [('2: policy.sandbox must be one of "none", "available", "required:landlock", "required:namespaces", '
          "not a text ('off')")]),
        ("[policy]\nlimits = 4\n", ['2: policy.limits must be a table: {memory = "4GiB"}, not a number']),
        ('[policy]\nlimits = {memory = "4GB"}\n',
         ['2: policy.limits.memory must be a size such as "512MiB" or "4GiB", or "none", not a text (\'4GB\')']),
        ("[policy]\nlimits = {memory = 4}\n",
         ['2: policy.limits.memory must be a size such as "512MiB" or "4GiB", or "none", not a number']),
        ('[policy]\nlimits = {file_size = "0MiB"}\n',
         ['2: policy.limits.file_size must be a size such as "512MiB" or "4GiB", or "none", not a text (\'0MiB\')']),
        ("[policy]\nlimits = {processes = 0}\n",
         ['2: policy.limits.processes must be a number from 1 to 4194304, or "none", not 0']),
        ("[policy]\nlimits = {processes = true}\n",
         ['2: policy.limits.processes must be a number from 1 to 4194304, or "none", not a truth value']),
        ('[policy]\nlimits = {files = "none"}\n',
         ["2: policy.limits.files must be a number from 16 to 1024, not a text ('none')"]),
        ("[policy]\nlimits = {files = 2000}\n", ["2: policy.limits.files must be a number from 16 to 1024, not 2000"]),
        ('[[policy.command]]\nrule = "a"\nlimits = {cpu = "soon"}\n',
         ['3: policy.command[1].limits.cpu must be a duration such as "90s" or "2h", or "none", not a text (\'soon\')']),
        ('[[policy.command]]\nrule = "a"\nlimits = {memry = "1GiB"}\n',
         ["3: policy.command[1].limits.memry: there is no such key; did you mean 'memory'?"]),
        ('policy = "x"\n', ["1: policy must be a table: [policy], not a text ('x')"]),
        ("[policy]\nworkflows = []\n",
         ["2: policy.workflows must be tables by workflow: [policy.workflows.release], not a list"]),
        ('[policy.workflows]\nrelease = ["a"]\n',
         [('2: policy.workflows.release must be a table: [policy.workflows.release] with commands = ["git status"], '
          "not a list")]),
    ],
)  # fmt: skip
def test_a_value_of_the_wrong_kind_is_told_what_is_expected(tmp_path: Path, text: str, expected: list[str]) -> None:
    """The message says which key on which line, what belongs there, with an example, and what was found."""
    assert _problems(tmp_path, text) == expected


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    """Every problem of the file is listed."""
    problems = _problems(
        tmp_path, '[policy]\ncommands = 1\npath = "x"\ncarry = "sometimes"\n[[policy.command]]\nhome = 0\n'
    )

    assert sorted(problem.partition(":")[0] for problem in problems) == ["2", "3", "4", "5", "6"]


def test_in_pyproject_tables_are_named_as_they_stand_there(tmp_path: Path) -> None:
    """Lines are those of the whole file, examples have the whole name, and a text that looks like a table is none."""
    text = (
        "[tool.black]\nexclude = '''\n[tool.workflow-exec.policy]\ncommand = 1\n'''\ncommand = 2\n"
        "[tool.workflow-exec.policy]\n\ncommand = ['x']\n"
    )

    assert _problems(tmp_path, text, name="pyproject.toml") == [
        (
            '9: policy.command must be tables: [[tool.workflow-exec.policy.command]] with rule = "git status", '
            "not a text ('x')"
        )
    ]


def test_a_line_that_is_not_sure_is_left_out(tmp_path: Path) -> None:
    """Where the key can't be found easily, the message stands without a line."""
    assert _problems(tmp_path, "[[policy]]\n") == ["-: policy must be a table: [policy], not a list"]


def test_what_becomes_of_processes_of_python_code(tmp_path: Path) -> None:
    """They are refused if the policy does not say otherwise; a word that is neither is an error."""
    assert PolicySettings().python_processes == "refuse"
    assert _policy(tmp_path, '[policy]\npython_processes = "record"\n').python_processes == "record"
    with pytest.raises(SettingsError, match=r'policy\.python_processes must be "refuse" or "record"'):
        _policy(tmp_path, '[policy]\npython_processes = "allow"\n')


@pytest.mark.parametrize("digest", ["", "0" * 63, "0" * 65, "A" * 64, "0" * 64 + "\\n", "g" * 64])
def test_a_digest_is_64_small_hexadecimal_digits(tmp_path: Path, digest: str) -> None:
    """Anything else names no program."""
    text = '[[policy.command]]\nrule = "a"\nsha256 = "%s"\n'

    assert _policy(tmp_path, text % ("0a" * 32)).rules[0].sha256 == "0a" * 32
    [problem] = _problems(tmp_path, text % digest)

    assert problem.startswith("3: policy.command[1].sha256 must ")


def test_git_has_an_identity_that_git_can_write_down(tmp_path: Path) -> None:
    """A name and an address, without what would end them."""
    text = '[policy]\ngit_identity = {name = "%s", email = "%s"}\n'

    identity = _policy(tmp_path, text % ("Release Bot", "bot@example.org")).git_identity

    assert (identity and identity.name, identity and identity.email) == ("Release Bot", "bot@example.org")
    for name, email in [("", "a@b"), ("a<b", "a@b"), ("a", "a>b"), ("a\\nb", "a@b"), ("a ", "a@b"), ("a", "")]:
        [problem] = _problems(tmp_path, text % (name, email))
        assert "policy.git_identity." in problem
    with pytest.raises(SettingsError, match="nam"):
        _policy(tmp_path, '[policy]\ngit_identity = {nam = "a", email = "a@b"}\n')


def test_limits_are_those_of_the_rule_then_those_of_the_policy(tmp_path: Path) -> None:
    """What a rule does not say of what its commands use up is as the policy says it; the rest is left to the engine."""
    text = (
        '[policy]\nlimits = {memory = "2GiB", cpu = "90s", processes = "none"}\ncommands = ["a"]\n'
        '[[policy.command]]\nrule = "b"\nlimits = {memory = "512MiB", file_size = "none", files = 64, cpu = "1.4s"}\n'
    )

    policy = _policy(tmp_path, text)

    top = {"memory_bytes": 2 << 30, "cpu_s": 90, "processes": None}
    assert dict(policy.limits.stated) == top
    assert [dict(rule.limits.stated) for rule in policy.rules] == [
        top,
        {**top, "memory_bytes": 512 << 20, "file_size_bytes": None, "files": 64, "cpu_s": 1},
    ]
