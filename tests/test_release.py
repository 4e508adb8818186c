"""This project's own release, with the parts that need a network left to the person who runs it."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import cast

import pytest

from pytest_workflow_exec.definition import read_yaml_workflow, resolve_inputs
from pytest_workflow_exec.errors import CommandRefusedError
from pytest_workflow_exec.model import Command
from pytest_workflow_exec.run import WorkflowHandle, known_values
from pytest_workflow_exec.sandbox import compile_policy
from pytest_workflow_exec.settings import load_settings

ROOT = Path(__file__).parent.parent
FILE = ROOT / "workflows" / "release" / "release.workflow.yaml"


@pytest.fixture(scope="module")
def checks() -> ModuleType:
    """The module beside the workflow."""
    spec = importlib.util.spec_from_file_location("release_checks", FILE.with_name("checks.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def project(tmp_path: Path) -> WorkflowHandle:
    """A project with a version, a change log and two artefacts."""
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1.2.3"\n')
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## 1.2.3\n\n## 1.2.2\n")
    (tmp_path / "a.whl").write_bytes(b"wheel")
    (tmp_path / "a.tar.gz").write_bytes(b"sdist")
    return cast("WorkflowHandle", SimpleNamespace(root=tmp_path))


def test_policy_allows_the_workflow_and_no_more() -> None:
    """Every command of the release has a rule, for the release alone; another argument is refused."""
    workflow = read_yaml_workflow(FILE, root=ROOT)
    inputs = resolve_inputs(workflow, {"version": "1.2.3"})
    values = known_values(workflow, {"version": "1.2.3", "directory": "releases"}, inputs.groups)
    settings = load_settings(ROOT).policy
    environment = {"HOME": "/home/somebody"}
    policy = compile_policy(settings, workflow="release", environment=environment)

    commands = [step.body for step in workflow.steps if isinstance(step.body, Command)]
    assert len(commands) == 4
    for command in commands:
        policy.may_match([values.known(argument) for argument in command.argv], inputs={"version": "1.2.3"})
    for argv in (
        ["git", "push"],
        ["python", "-m", "build", "--outdir", "elsewhere"],
        ["twine", "upload", "dist/x.whl"],
    ):
        with pytest.raises(CommandRefusedError):
            policy.judge(argv, inputs={"version": "1.2.3"})
    elsewhere = compile_policy(settings, workflow="other", environment=environment)
    with pytest.raises(CommandRefusedError):
        elsewhere.judge(["python", "-m", "build", "--no-isolation", "--outdir", "dist"], inputs={})


def test_agreeing_versions_pass(checks: ModuleType, project: WorkflowHandle) -> None:
    """The same version in the project, at the head of the change log and in the input is fine."""
    assert checks.versions_agree(project, "1.2.3", "releases") == {"version": "1.2.3"}


@pytest.mark.parametrize("version", ["1.2.2", "1.2.4"])
def test_other_version_fails(checks: ModuleType, project: WorkflowHandle, version: str) -> None:
    """An older version, or one that nobody wrote down, is not released."""
    with pytest.raises(AssertionError):
        checks.versions_agree(project, version, "releases")


def test_published_artefacts_have_their_checksums(checks: ModuleType, project: WorkflowHandle) -> None:
    """What is published is a copy of what was built, beside checksums that fit."""
    checks.publish(project, "1.2.3", "releases", ["a.tar.gz", "a.whl"])

    release = project.root / "releases" / "1.2.3"
    for line in (release / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split()
        assert hashlib.sha256((release / name).read_bytes()).hexdigest() == digest
    assert sorted(path.name for path in release.iterdir()) == ["SHA256SUMS", "a.tar.gz", "a.whl"]


def test_published_version_is_never_overwritten(checks: ModuleType, project: WorkflowHandle) -> None:
    """A version that is published is refused before the gate, and again at the publication."""
    checks.publish(project, "1.2.3", "releases", ["a.whl"])
    before = (project.root / "releases/1.2.3/SHA256SUMS").read_bytes()

    with pytest.raises(AssertionError, match="published already"):
        checks.versions_agree(project, "1.2.3", "releases")
    with pytest.raises(AssertionError, match="published already"):
        checks.publish(project, "1.2.3", "releases", ["a.whl", "a.tar.gz"])

    assert (project.root / "releases/1.2.3/SHA256SUMS").read_bytes() == before
