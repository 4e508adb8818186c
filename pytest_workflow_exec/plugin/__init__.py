"""The plugin's entry: what every pytest session of the environment loads, whether it has workflows or not.

So it imports nothing but pytest, and does nothing before a workflow is named on the command line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import pytest_workflow_exec

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping
    from pathlib import Path

    from pytest_workflow_exec.ai.testing import FakeClaude
    from pytest_workflow_exec.run import Sandbox, WorkflowHandle

    from ._talks import Claude


class Announced:
    """Hooks for others. They hear of a run and can't change it; one that fails is reported.

    What one returns is ignored, but for the class of an error.

    They are called after the record was written, in the process that runs the workflow: with several workers, in the
    worker. Each gets values of its own, with secrets already taken out.
    """

    @pytest.hookspec
    def pytest_workflow_exec_evidence(self, record: Mapping[str, object]) -> None:
        """Hear of a record of the log.

        Args:
            record: The record with all its keys, `v` to `hash`.
        """

    @pytest.hookspec
    def pytest_workflow_exec_step_started(
        self, workflow: str, run: str, step: str, record: Mapping[str, object]
    ) -> None:
        """Hear that a step may begin; its announcement is already on the disk."""

    @pytest.hookspec
    def pytest_workflow_exec_step_finished(
        self, workflow: str, run: str, step: str, outcome: str, record: Mapping[str, object]
    ) -> None:
        """Hear how a step ended: `passed`, `failed`, `blocked`, `denied`, `carried`, ..."""

    @pytest.hookspec
    def pytest_workflow_exec_gate_decided(
        self, workflow: str, run: str, step: str | None, decision: str, record: Mapping[str, object]
    ) -> None:
        """Hear how a gate was decided: `approved`, `rejected`, `denied` or `expired`.

        Args:
            step: The gate; None for the engine's own question before a run goes on.
        """

    @pytest.hookspec(firstresult=True)
    def pytest_workflow_exec_classify_error(  # noqa: PLR0917  # pluggy gives them by name
        self,
        workflow: str,
        run: str,
        step: str,
        attempt: int,
        error_type: str,
        message: str,
        exit: int | None,  # noqa: A002  # the key's name in evidence
        error_class: str,
    ) -> str | None:
        """Say what kind of error ended an attempt: `transient`, `permission`, `business`, ...; None if you don't know it.

        It is asked before the error's class is written down, and only where that is one of the three. Whoever knows the
        error first is believed; a word that is no class is reported and counts for nothing.

        Args:
            error_type: The error's type, by its qualified name.
            exit: The exit status of the command that failed; None if none did.
            error_class: What the engine's own rules make of it.
        """


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Let others hear of runs."""
    pluginmanager.add_hookspecs(Announced)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the plugin's options."""
    group = parser.getgroup("workflow-exec", "workflows: steps in order, gates, evidence")
    group.addoption(
        "--workflow-input",
        action="append",
        default=[],
        metavar="[WORKFLOW:]NAME=VALUE",
        help="give a workflow's input a value; may be repeated",
    )
    group.addoption(
        "--workflow-inputs",
        action="append",
        default=[],
        metavar="[WORKFLOW:]FILE",
        help="give inputs the values in a YAML, JSON, TOML or .env file; --workflow-input goes before it",
    )
    group.addoption(
        "--workflow-until",
        action="append",
        default=[],
        metavar="[WORKFLOW:]STEP",
        help="stop after that step: later ones are not run, and the run is partial",
    )
    group.addoption(
        "--workflow-resume", action="store_true", help="go on with the newest run of each workflow that has not passed"
    )
    group.addoption("--workflow-run", metavar="RUN", help="the run to go on with, by its id or the beginning of it")
    group.addoption(
        "--workflow-redo",
        action="append",
        default=[],
        metavar="[WORKFLOW:]STEP",
        help="when going on, run this step and its dependents again; asks for a reason",
    )
    group.addoption(
        "--workflow-finally",
        metavar="REASON",
        help="when going on, start no step but those of finally, and end: what was begun is cleaned up, and nothing more is done",
    )
    group.addoption(
        "--workflow-break-glass",
        action="append",
        default=[],
        metavar="[WORKFLOW:]GATE",
        help="ask at this gate whether somebody goes past its signatures, where the policy grants it; answers nothing itself",
    )
    group.addoption(
        "--workflow-new", action="store_true", help="start a new run beside an older one that has not passed"
    )
    group.addoption(
        "--workflow-sign-start",
        metavar="KEY",
        help="sign the start of a new run with this SSH key: who started it is then proven, and may not approve it",
    )
    group.addoption(
        "--workflow-plan", action="store_true", help="show what would be run, in which order, and run nothing"
    )
    group.addoption(
        "--workflow-ai",
        metavar="live|record|replay|off",
        help="who answers steps that ask a model: live unless the variable CI is set, there nobody",
    )
    group.addoption(
        "--workflow-ai-answers",
        metavar="FILE",
        help="answer them with what a JSON file holds, for tests; gates show it, and no gated command runs then",
    )
    group.addoption(
        "--workflow-session-input",
        metavar="FILE",
        help="what a person would type in conversations, from a JSON file, for tests; it is treated like scripted answers",
    )
    group.addoption(
        "--workflow-ai-budget", metavar="USD", help="what the models of all runs of the session may cost together"
    )
    group.addoption(
        "--workflow-summary",
        metavar="FILE",
        help="write a summary in Markdown at the end; a GitHub job gets it by itself, too",
    )
    group.addoption(
        "--workflow-witness",
        metavar="FD",
        help="tell the process at the other end of this socket of each barrier; nothing goes on without its word",
    )
    group.addoption("--workflow-plan-json", action="store_true", help="the same, as JSON for machines")


def pytest_configure(config: pytest.Config) -> None:
    """Let pytest ask this plugin about Python workflow files."""
    config.addinivalue_line("python_files", "workflow_*.py")
    # So that their asserts are explained, too.
    config.addinivalue_line("python_files", "_workflow_*.py")
    if config.getoption("workflow_plan") or config.getoption("workflow_plan_json"):
        # A plan is only shown: workers would be started for nothing.
        config.option.dist = "no"
    pytest_workflow_exec.plugin_sessions += 1


def pytest_unconfigure(config: pytest.Config) -> None:
    """Note that one session less has the plugin."""
    pytest_workflow_exec.plugin_sessions -= 1


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> Generator[None, int | None, int | None]:
    """Keep the exit status from being 0 when a planned step is not satisfied."""
    try:
        status = yield
    except SystemExit as error:
        if error.code not in (0, None) or not _has_workflows(config):
            raise
        from ._ending import honest_status

        # Any hook may end the process with 0, also behind the last record, and pytest lets it.
        raise SystemExit(honest_status(config, 0)) from error
    if not _has_workflows(config):
        return status
    from ._ending import honest_status

    return honest_status(config, status)


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Find the workflows of a session with several workers before pytest-xdist starts them."""
    if not session.config.pluginmanager.has_plugin("dsession"):
        return
    from ._workers import conduct

    conduct(session)


@pytest.hookimpl(tryfirst=True)
def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out Python workflows that the command line does not name, and fragments."""
    if collection_path.name.startswith("_workflow_") and collection_path.suffix == ".py":
        # Named itself, it is not asked about; other workflows include it, and pytest would take it for tests.
        return True
    if not (collection_path.name.startswith("workflow_") and collection_path.suffix == ".py"):
        return None
    from ._garbage import importing

    with importing():
        from ._named import is_named

    return None if is_named(collection_path, config) else True


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a YAML workflow that the command line names."""
    if not file_path.name.endswith((".workflow.yaml", ".workflow.yml")):
        return None
    from ._garbage import importing

    with importing():
        from ._collect_yaml import collect_yaml

    return collect_yaml(file_path, parent)


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    """Collect a Python workflow."""
    if not module_path.name.startswith(("workflow_", "_workflow_")):
        return None
    from ._garbage import importing

    with importing():
        from ._collect_python import collect_python

    return collect_python(module_path, parent)


@pytest.fixture
def workflow(request: pytest.FixtureRequest) -> WorkflowHandle:
    """The running workflow: inputs, outputs of earlier steps, root, run id. Only for its steps."""
    from ._fixtures import workflow_handle

    return workflow_handle(request)


@pytest.fixture
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    """Commands through the project's policy: `sandbox.run([...])`. Only for steps of a workflow."""
    from ._fixtures import step_sandbox

    return step_sandbox(request)


@pytest.fixture
def claude(request: pytest.FixtureRequest) -> Claude:
    """Conversations with a model: `claude.session("...", output=Model)`. Only for steps of a workflow."""
    from ._fixtures import step_claude

    return step_claude(request)


@pytest.fixture
def fake_claude(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeClaude]:
    """A model that says what the test scripts, for tests of AI steps: real SDK and CLI, no network, no costs."""
    from ._fake_claude import faked_claude

    with faked_claude(monkeypatch) as fake:
        yield fake


def _has_workflows(config: pytest.Config) -> bool:
    return config.pluginmanager.has_plugin("workflow_exec_session")
