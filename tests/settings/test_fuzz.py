"""Configurations spoiled at random: what is read ends in settings and a policy, or in problems that say where."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any

import tomli
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_workflow_exec.errors import PolicyError, Problem, SettingsError
from pytest_workflow_exec.sandbox import compile_policy
from pytest_workflow_exec.settings import Settings, load_settings, with_variables
from pytest_workflow_exec.settings._file import read_settings

EXAMPLES = int(os.environ.get("WORKFLOW_EXEC_FUZZ", "60"))
SPEED = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
WHOLE = """\
durability = "process"
filesystem = "any"
retention = "30d"
segment_mib = 2.5
ai = "off"
ai_budget = 2

[[notify]]
command = ["tell", "--all"]
on = ["gate.requested", "finished"]

[policy]
sandbox = "none"
commands = ["git status --porcelain", "touch {version}", "cp * {:[a-z]+}", "ls **"]
path = ["venv", "/usr/bin"]
env = ["LANG"]
write = ["dist"]
network = ["*:443"]
limits = {memory = "4GiB", cpu = "1h30m", processes = 4, files = 64, file_size = "none"}
carry = "any"
refuse_reachable_keys = true
starter_may_approve = false
git_identity = {name = "Bot", email = "bot@example.org"}
python_processes = "record"

[policy.approvers]
pmc = ["a@example.org", "b@example.org"]

[policy.secrets]
A = {file = "~/a"}
B = {keyring = "pypi", user = "me"}

[policy.verify]
exec = ["git"]
needs = ["pty"]

[[policy.command]]
rule = "make release"
exec = "any"
read = ["/opt"]
write = ["build"]
cwd = ["frontend"]
home = true
limits = {cpu = "none"}
secrets = ["A"]
gated = {assurance = 2, approvers = ["pmc"]}

[[policy.command]]
program = "git"
subcommand = ["log", "show"]
options = ["--oneline", "-n=", "--output=ws"]
arguments = "workspace"
allow = ["git log --oneline"]
refuse = [["git", "log", "--exec"]]
sha256 = "0000000000000000000000000000000000000000000000000000000000000000"

[policy.workflows.release]
commands = ["git push"]
command = [{rule = "git tag v{version}", write = [".git"]}]
"""
KEYS = st.sampled_from(
    sorted({word for word in WHOLE.replace("[", " ").replace("]", " ").replace(".", " ").split() if word.islower()})
)
TEXTS = st.sampled_from(
    ["", " ", "a", "none", "any", "git  x", "git {", "git {:(}", "git {:" + "a*" * 40 + "}", "** git", "git ** x", "\0",
     "\x1b", "\u202e", "é", "/", "..", "a" * 5000, "[", "${inputs.x}", "*", "-x", "--a=", "1h", "-1", "4GiB", "a@b", "~/x",
     "../x", "rm -rf /", "sudo *", "python **", "*:0", "host:99999", "0" * 64]
)  # fmt: skip
PLAIN = TEXTS | st.integers() | st.floats(allow_nan=True) | st.booleans() | st.dates()
NODES: st.SearchStrategy[Any] = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | TEXTS, inner, max_size=3), max_leaves=6
)


def ways_in(node: object, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the ways to every value."""
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [way, *(place for key, child in children for place in ways_in(child, (*way, key)))]


def at(data: Any, way: tuple[Any, ...]) -> Any:
    """Return the value there."""
    for key in way:
        data = data[key]
    return data


@st.composite
def spoiled(draw: st.DrawFn) -> dict[str, Any]:
    """Return the configuration with up to three of its values put in each other's place, taken out or made up."""
    data: dict[str, Any] = copy.deepcopy(tomli.loads(WHOLE))
    for _ in range(draw(st.integers(1, 3))):
        ways = [way for way in ways_in(data) if way]
        if not ways:
            break
        way = draw(st.sampled_from(ways))
        holder, what = at(data, way[:-1]), draw(st.sampled_from(["drop", "make", "swap", "key"]))
        if what == "drop":
            del holder[way[-1]]
        elif what == "swap":
            holder[way[-1]] = copy.deepcopy(at(data, draw(st.sampled_from(ways))))
        elif what == "key" and isinstance(holder, dict):
            holder[draw(KEYS | TEXTS)] = holder.pop(way[-1])
        else:
            holder[way[-1]] = draw(NODES)
    return data


def said_of(problems: list[Problem]) -> None:
    """Check that each problem says something, in one line for each of its own."""
    assert problems
    assert all(problem.message.strip() for problem in problems)


def use(loaded: Settings) -> None:
    """Make policies of settings, as sessions do."""
    for workflow in ("", "release"):
        try:
            compile_policy(loaded.policy, workflow=workflow, environment={"HOME": "/nowhere"})
        except PolicyError as error:
            said_of(list(error.problems))


def test_what_is_spoiled_is_good(tmp_path: Path) -> None:
    """Spoiling says something only if the configuration is good to begin with."""
    (tmp_path / "workflow-exec.toml").write_text(WHOLE)

    assert load_settings(tmp_path).ai_budget_usd == 2


@SPEED
@given(data=spoiled())
def test_any_spoiled_table_is_a_configuration_or_refused(tmp_path: Path, data: dict[str, Any]) -> None:
    """Whatever stands in place of what, no exception of another kind comes of it."""
    try:
        loaded = read_settings(tmp_path, tmp_path / "workflow-exec.toml", data, ())
    except SettingsError as error:
        said_of(list(error.problems))
    else:
        use(loaded)


@SPEED
@given(
    start=st.integers(0, 3000),
    length=st.integers(0, 40),
    instead=st.binary(max_size=6)
    | st.sampled_from([b"\t", b"\r", b"\xff", b"[[", b"]]", b"{", b'"""', b"= 1\n", b"[policy]\n", b"." * 5, b"\0"]),
)
def test_any_spoiled_bytes_are_a_configuration_or_refused(
    tmp_path: Path, start: int, length: int, instead: bytes
) -> None:
    """The same for the bytes of the file, wherever they are cut, doubled or replaced."""
    content = WHOLE.encode()
    start %= len(content)
    (tmp_path / "workflow-exec.toml").write_bytes(content[:start] + instead + content[start + length :])
    try:
        loaded = load_settings(tmp_path)
    except SettingsError as error:
        said_of(list(error.problems))
    else:
        use(loaded)


NAMES = st.sampled_from(
    ["AI", "AI_BUDGET", "DURABILITY", "FILESYSTEM", "RETENTION", "SEGMENT_MIB", "INPUTS", "SUMMARY", "POLICY", ""]
)


@SPEED
@given(variables=st.dictionaries(NAMES | st.text(max_size=8), st.text(max_size=20) | TEXTS, max_size=4))
def test_any_variables_are_settings_or_refused(tmp_path: Path, variables: dict[str, str]) -> None:
    """Whatever is set, it holds or is refused by name, and never loosens what the file says."""
    (tmp_path / "workflow-exec.toml").write_text('retention = "30d"\nai_budget = 2\n')
    try:
        held = with_variables(
            load_settings(tmp_path), {f"WORKFLOW_EXEC_{name}": text for name, text in variables.items()}
        )
    except SettingsError as error:
        said_of(list(error.problems))
        return
    assert (held.durability, held.filesystem, held.policy) == ("power", "local", load_settings(tmp_path).policy)
    assert (held.retention_s or 0) >= 30 * 86_400
    assert (held.ai_budget_usd or 0) <= 2
