"""Who is compared: each tool with what it takes to install it, what it keeps of a run, and how it is started."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import _writers
from ._measure import Program
from ._writers import Body

PROGRAMS = Path(__file__).parent / "programs"
PYTEST = "pytest"


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A tool from PyPI that runs steps in order."""

    name: str
    requirements: Sequence[str]
    keeps: str
    """What of a run is left if the process is killed in the middle of it."""
    program: Callable[[Path, Path, int, Body], Program]
    """Makes the command from its folder of programs, an empty folder, a number of steps and what each does."""
    variables: Mapping[str, str] = field(default_factory=dict)


def pytest_program(programs: Path, root: Path, arguments: Sequence[str], says: str) -> Program:
    """Return a run of pytest without a cache, so that nobody's state of an earlier run counts."""
    argv = [str(programs / "python"), "-m", "pytest", "-p", "no:cacheprovider", "-q", *arguments]
    return Program(argv=argv, cwd=root, says=says, variables={})


def _pytest(programs: Path, root: Path, count: int, body: Body) -> Program:
    return pytest_program(programs, root, [_writers.plain_tests(root, count, body)], f"{count} passed")


def _pytest_bdd(programs: Path, root: Path, count: int, body: Body) -> Program:
    return pytest_program(programs, root, [_writers.bdd_scenario(root, count, body)], "1 passed")


def _robot(programs: Path, root: Path, count: int, body: Body) -> Program:
    argv = [str(programs / "robot"), "--pythonpath", ".", _writers.robot_task(root, count, body)]
    return Program(argv=argv, cwd=root, says="1 test, 1 passed", variables={})


def _behave(programs: Path, root: Path, count: int, body: Body) -> Program:
    argv = [str(programs / "behave"), _writers.behave_scenario(root, count, body)]
    return Program(argv=argv, cwd=root, says=f"{count} steps passed", variables={})


def _doit(programs: Path, root: Path, count: int, body: Body) -> Program:
    argv = [str(programs / "doit"), "-f", _writers.doit_tasks(root, count, body)]
    return Program(argv=argv, cwd=root, says=f".  step:{count - 1}", variables={})


def _pypyr(programs: Path, root: Path, count: int, body: Body) -> Program:
    argv = [str(programs / "pypyr"), _writers.pypyr_steps(root, count, body)]
    return Program(argv=argv, cwd=root, says="", variables={})


def _script(name: str, **variables: str) -> Callable[[Path, Path, int, Body], Program]:
    def program(programs: Path, root: Path, count: int, body: Body) -> Program:
        argv = [str(programs / "python"), str(PROGRAMS / name), str(count), body]
        here = {key: value.format(home=root / "home") for key, value in variables.items()}
        return Program(argv=argv, cwd=root, says=f"{count} steps done", variables=here)

    return program


PEERS: Sequence[Peer] = (
    Peer(name=PYTEST, requirements=["pytest"], keeps="nothing", program=_pytest),
    Peer(name="pytest-bdd", requirements=["pytest-bdd"], keeps="nothing; one test of all steps", program=_pytest_bdd),
    Peer(
        name="Robot Framework",
        requirements=["robotframework"],
        keeps="an output.xml without its end; one test of all keywords",
        program=_robot,
    ),
    Peer(name="behave", requirements=["behave"], keeps="nothing; one scenario of all steps", program=_behave),
    Peer(name="doit", requirements=["doit"], keeps="nothing: its database is written at the end", program=_doit),
    Peer(name="pypyr", requirements=["pypyr"], keeps="nothing", program=_pypyr),
    Peer(
        name="luigi",
        requirements=["luigi"],
        keeps="a file for each finished task, not synced",
        program=_script("luigi_steps.py"),
    ),
    Peer(
        name="LangGraph",
        requirements=["langgraph", "langgraph-checkpoint-sqlite"],
        keeps="a checkpoint of each finished node in SQLite",
        program=_script("langgraph_steps.py"),
    ),
    Peer(
        name="DBOS",
        requirements=["dbos"],
        keeps="a row for each finished step in SQLite",
        program=_script("dbos_steps.py"),
    ),
    Peer(
        name="Dagster",
        requirements=["dagster"],
        keeps="events of each op in SQLite",
        program=_script("dagster_steps.py", DAGSTER_HOME="{home}", DAGSTER_DISABLE_TELEMETRY="1"),
    ),
    Peer(
        name="Prefect",
        requirements=["prefect"],
        keeps="a row for each task run in the SQLite of a server of its own",
        program=_script(
            "prefect_steps.py",
            PREFECT_LOGGING_LEVEL="ERROR",
            PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS="120",
            DO_NOT_TRACK="1",
        ),
    ),
)
