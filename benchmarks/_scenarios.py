"""What is measured: scenarios, each with those who take part and how each round of theirs is made ready."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import _writers
from ._environments import ROOT, US
from ._gate import key_to_step
from ._measure import Program, Spent, measured
from ._peers import PEERS, PROGRAMS, PYTEST, pytest_program

PROCESS = f"{US}, durability process"
YAML = f"{US}, YAML"
LEAST = f"{PYTEST}, two chained lines a test"
_HEAVY = ("DBOS", "Dagster", "Prefect")
_BOUNDED = 3


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """One who takes part: a name, and what measures one round in an empty folder."""

    name: str
    run: Callable[[Path], Spent]


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Runs that are compared with each other, in turns within each round."""

    name: str
    title: str
    contestants: Sequence[Contestant]
    turns: int = 1
    """How many rounds are made of one that was asked for: what is short is measured more often."""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much there is to do."""

    steps: int = 1_000
    growth: Sequence[int] = (100, 1_000, 10_000)
    many: int = 10_000
    commands: int = 200
    few_commands: int = 20
    records: int = 1_000_000


QUICK = Sizes(steps=100, growth=(10, 100, 1_000), many=1_000, commands=20, few_commands=2, records=10_000)


def plain_commands(count: int) -> str:
    """Return the name of a program that starts so many commands by `subprocess.run`."""
    return f"subprocess.run, {count:,}"


def commands_in_a_step(count: int) -> str:
    """Return the name of a workflow of one step that starts so many commands."""
    return f"{US}, one step with {count:,}"


def scenarios(sizes: Sizes, programs: Mapping[str, Path], shared: Path) -> Sequence[Scenario]:
    """Return all scenarios for the environments that there are.

    Args:
        programs: The folder of programs of each environment, by its name.
        shared: A folder for what rounds have in common: a run to resume, a log to verify.
    """
    us, plain = programs[US], programs[PYTEST]
    peers = [peer for peer in PEERS if peer.name in programs]

    def of_pytest(name: str, where: Path, write: Callable[[Path], str], *options: str, says: str) -> Contestant:
        return Contestant(
            name=name,
            run=lambda root: measured(pytest_program(where, root, [write(root), *options], says)),
        )

    def tests(count: int, *options: str, says: str = "{} passed", name: str = PYTEST) -> Contestant:
        write = functools.partial(_writers.plain_tests, count=count)
        return of_pytest(name, plain, write, *options, says=says.format(count))

    def chained(count: int, name: str = LEAST) -> Contestant:
        write = functools.partial(_writers.chained_tests, count=count)
        return of_pytest(name, plain, write, says=f"{count} passed")

    def steps(count: int, name: str = US) -> Contestant:
        return of_pytest(name, us, functools.partial(_writers.python_steps, count=count), says=f"{count} passed")

    def process(root: Path) -> str:
        return _writers.python_steps(root, sizes.steps, durability="process")

    def yaml(count: int, *options: str, says: str = "{} passed", name: str = YAML) -> Contestant:
        write = functools.partial(_writers.yaml_steps, count=count)
        return of_pytest(name, us, write, *options, says=says.format(count))

    def others(count: int, body: _writers.Body, names: Sequence[str]) -> list[Contestant]:
        return [
            Contestant(
                name=peer.name,
                run=lambda root, peer=peer: measured(peer.program(programs[peer.name], root, count, body)),  # type: ignore[misc]  # its only use
            )
            for peer in peers
            if peer.name in names
        ]

    everybody = [peer.name for peer in PEERS if peer.name != PYTEST]
    listed = ["--collect-only"]
    return (
        Scenario(
            name="steps",
            title=f"{sizes.steps:,} steps that do nothing",
            contestants=[
                tests(sizes.steps),
                chained(sizes.steps),
                steps(sizes.steps),
                of_pytest(PROCESS, us, process, says=f"{sizes.steps} passed"),
                yaml(sizes.steps),
                *others(sizes.steps, "nothing", everybody),
            ],
        ),
        Scenario(
            name="growth",
            title="Growth with the number of steps",
            contestants=[
                each
                for count in sizes.growth
                for each in (
                    tests(count, name=f"{PYTEST}, {count:,}"),
                    chained(count, name=f"{LEAST}, {count:,}"),
                    steps(count, name=f"{US}, {count:,}"),
                )
            ],
        ),
        Scenario(
            name="collect",
            title=f"Collecting {sizes.many:,} YAML steps",
            contestants=[
                tests(sizes.many, *listed, says="{} tests collected"),
                yaml(sizes.many, *listed, says="{} tests collected", name=US),
            ],
        ),
        Scenario(
            name="commands",
            title=f"{sizes.commands:,} commands, `/bin/true`",
            contestants=[
                *(
                    each
                    for count in (sizes.few_commands, sizes.commands)
                    for each in (
                        Contestant(name=plain_commands(count), run=functools.partial(_plain_commands, us, count)),
                        of_pytest(
                            commands_in_a_step(count),
                            us,
                            functools.partial(_writers.commands_in_a_step, count=count),
                            says="1 passed",
                        ),
                    )
                ),
                of_pytest(
                    US,
                    us,
                    functools.partial(_writers.command_steps, count=sizes.commands),
                    says=f"{sizes.commands} passed",
                ),
                *others(sizes.commands, "command", _HEAVY),
            ],
        ),
        Scenario(
            name="idle",
            title="A project without workflows",
            contestants=[
                Contestant(name=f"{US}, not loaded", run=functools.partial(_idle, us, ("-p", "no:workflow_exec"))),
                Contestant(name=US, run=functools.partial(_idle, us, ())),
            ],
            turns=10,
        ),
        Scenario(name="start", title="A workflow of one step", contestants=[tests(1), steps(1), yaml(1)], turns=5),
        Scenario(
            name="verify",
            title=f"Verifying a log of {sizes.records:,} records",
            contestants=[
                Contestant(name=way, run=functools.partial(_verify, us, way, sizes.records, shared))
                for way in ("json.loads and SHA-256", "chain only", "full")
            ],
        ),
        Scenario(
            name="resume",
            title=f"Resuming over {sizes.many:,} finished steps",
            contestants=[
                tests(sizes.many),
                Contestant(name=US, run=functools.partial(_resume, us, sizes.many, shared, _writers.python_steps)),
                Contestant(name=YAML, run=functools.partial(_resume, us, sizes.many, shared, _writers.yaml_steps)),
            ],
        ),
        Scenario(
            name="gate",
            title="From the key at a gate to the next step",
            contestants=[Contestant(name=US, run=functools.partial(key_to_step, us))],
            turns=3,
        ),
    )


def _idle(us: Path, options: Sequence[str], root: Path) -> Spent:
    return measured(pytest_program(us, root, [*options, _writers.plain_tests(root, 1)], "1 passed"))


def _plain_commands(us: Path, count: int, root: Path) -> Spent:
    argv = [str(us / "python"), str(PROGRAMS / "plain_commands.py"), str(count)]
    return measured(Program(argv=argv, cwd=root, says=f"{count} steps done", variables={}))


def _verify(us: Path, way: str, records: int, shared: Path, root: Path) -> Spent:
    folder = shared / "verify"
    if not folder.exists():
        folder.mkdir()
        write = [str(us / "python"), "-m", "benchmarks.programs.write_log", str(folder), str(records)]
        made = Program(argv=write, cwd=folder, says="written", variables={"PYTHONPATH": str(ROOT)})
        measured(made)
    run, head = (folder / "run").read_text(encoding="utf-8").split()
    if way == "json.loads and SHA-256":
        argv, exits = [str(us / "python"), str(PROGRAMS / "plain_read.py"), run], 0
    elif way == "chain only":
        argv, exits = [str(us / "workflow-exec"), "verify", "--chain-only", run], _BOUNDED
    else:
        argv, exits = [str(us / "workflow-exec"), "verify", "--expect-head", head, run], 0
    return measured(Program(argv=argv, cwd=root, says="", variables={}, exits=exits))


def _resume(us: Path, count: int, shared: Path, write: Callable[[Path, int], str], root: Path) -> Spent:
    """Resume a copy of a run that stopped one step before its end."""
    template = shared / write.__name__
    if not template.exists():
        template.mkdir()
        target = write(template, count + 1)
        last = f"step{'_' if target.endswith('.py') else '-'}{count - 1}"
        measured(pytest_program(us, template, [target, "--workflow-until", last], f"{count} passed"))
    shutil.copytree(template, root, dirs_exist_ok=True, symlinks=True)
    [target] = [path for path in ("wf/workflow_many.py", "wf/many.workflow.yaml") if (root / path).exists()]
    return measured(pytest_program(us, root, [target, "--workflow-resume"], f"1 passed, {count} carried"))
