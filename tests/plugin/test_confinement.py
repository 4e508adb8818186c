"""Confined commands in a whole run."""

from __future__ import annotations

import sys

import pytest

from pytest_workflow_exec.sandbox._level import offer_of, offered_level

from .conftest import Project

OFFER = offered_level()


@pytest.mark.skipif(OFFER.level != "landlock", reason=OFFER.reason or "confined")
def test_confinement_is_the_default(project: Project) -> None:
    """A policy that says nothing of the sandbox confines: a rule's folder is writable and the project is not."""
    project.write(
        "wf/flow.workflow.yaml",
        "workflow: flow\nsteps:\n  - {id: one, run: [touch, out/made]}\n  - {id: two, run: [touch, made]}\n",
    )
    project.write(
        "workflow-exec.toml",
        '[policy]\ncommands = ["touch made"]\n[[policy.command]]\nrule = "touch out/*"\nwrite = ["out"]\n',
    )

    session = project.pytest("wf")

    assert session.status == 1, session.text
    assert "sandbox landlock" in session.text
    assert (project.root / "out/made").exists()
    assert not (project.root / "made").exists()
    assert "Permission denied" in session.text


@pytest.mark.skipif(OFFER.level != "landlock", reason=OFFER.reason or "confined")
def test_folder_that_can_not_be_granted_is_known_before_the_first_step(project: Project) -> None:
    """A rule that would let a command write what is protected is refused at preflight: nothing runs or is made."""
    project.write(
        "wf/flow.workflow.yaml",
        "workflow: flow\nsteps:\n  - {id: one, run: [touch, out/made]}\n  - {id: two, run: [touch, new/made]}\n",
    )
    project.write(
        "workflow-exec.toml",
        '[policy]\n[[policy.command]]\nrule = "touch out/*"\nwrite = ["out"]\n'
        '[[policy.command]]\nrule = "touch new/*"\nwrite = ["new"]\n',
    )
    project.write("out/conftest.py", "")

    session = project.pytest("wf")

    assert session.status == 4, session.text
    assert "'out/conftest.py', which is protected" in session.text
    assert not (project.root / "new").exists()
    assert not (project.root / "out/made").exists()
    assert not (project.root / ".workflow-exec/runs").exists()


@pytest.mark.skipif(OFFER.level != "landlock", reason=OFFER.reason or "confined")
def test_step_that_verifies_is_carried_where_commands_are_confined(project: Project) -> None:
    """Tests that ran at the policy's level are carried when a run goes on at the same one."""
    project.write("checks/test_it.py", "def test_it():\n    pass\n")
    project.write(
        "wf/flow.workflow.yaml",
        "workflow: flow\nsteps:\n  - {id: one, verify: ../checks}\n  - {id: two, run: [touch, made]}\n",
    )
    # pytest-rerunfailures beside pytest-xdist opens a socket in every session.
    project.write("workflow-exec.toml", '[policy]\ncommands = ["touch made"]\n[policy.verify]\nneeds = ["loopback"]\n')
    assert project.pytest("wf").status == 1

    session = project.pytest("wf", "--workflow-resume")

    assert "one ... CARRIED" in session.text, session.text
    assert not (project.root / "made").exists()


@pytest.mark.skipif(offer_of("namespaces").level == "none", reason=offer_of("namespaces").reason or "offered")
def test_evidence_is_out_of_sight_at_level_namespaces(project: Project) -> None:
    """A command sees the outputs of its run and writes in its folder; of the rest of the evidence it sees nothing."""
    code = (
        "import os, sys\n[run] = os.listdir('.workflow-exec/runs')\n"
        "seen = [os.listdir('.workflow-exec'), sorted(os.listdir('.workflow-exec/runs/' + run)), os.getpid()]\n"
        "open(sys.argv[1] + '/made', 'w').write(repr(seen))\nopen('out/made', 'w')\nopen('out/conftest.py', 'a')"
    )
    project.write("see.py", f"#!{sys.executable} -IS\n{code}\n")
    (project.root / "see.py").chmod(0o755)
    project.write("out/conftest.py", "")
    project.write(
        "wf/flow.workflow.yaml", 'workflow: flow\nsteps:\n  - {id: one, run: [python, -IS, see.py, "${run.dir}"]}\n'
    )
    project.write(
        "workflow-exec.toml",
        '[policy]\nsandbox = "required:namespaces"\n[[policy.command]]\nrule = "python -IS see.py *"\nwrite = ["out"]\n',
    )

    session = project.pytest("wf")

    assert session.status == 1, session.text
    assert "sandbox namespaces" in session.text
    assert "Read-only file system: 'out/conftest.py'" in session.text
    assert (project.root / "out/made").exists()
    assert sorted(path.name for path in (project.root / "out").iterdir()) == ["conftest.py", "made"]
    [seen] = project.root.glob(".workflow-exec/runs/*/work/made")
    assert seen.read_text() == "[['runs'], ['outputs', 'scratch', 'work'], 2]"
