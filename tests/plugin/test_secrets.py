"""Secrets of a run: nothing that pytest shows or writes holds them, in whatever way they are written."""

from __future__ import annotations

import inspect

from tests.plugin.conftest import Project
from tests.redaction import _encodings

_SECRET = 's3cr"t/Value+x?y&z \u00e4!'  # noqa: S105  # made up
_POLICY_SECRET = "policy-secret-4711"  # noqa: S105  # made up

_WORKFLOW = """
import sys, warnings

from encodings_of import ALL
from pytest_workflow_exec import Workflow, step

WORKFLOW = Workflow(name="leaky")


@step()
def returned(workflow) -> dict[str, str]:
    value = workflow.secret("SECRET")
    return {name: spell(value) for name, spell in ALL.items()}


@step()
def printed(workflow, sandbox, record_property):
    value = workflow.secret("SECRET")
    for name, spell in ALL.items():
        record_property(name, spell(value))
    print(*(spell(value) for spell in ALL.values()), sep="\\n")
    print(*(spell(value) for spell in ALL.values()), sep="\\n", file=sys.stderr)
    warnings.warn("\\n".join(spell(value) for spell in ALL.values()))
    result = sandbox.run(["python", "leak.py"])
    assert "[secret SECRET]" in result.stdout and "[secret POLICY_SECRET]" in result.stdout


@step(always=True)
def raised(workflow):
    value = workflow.secret("SECRET")
    texts = [spell(value) for spell in ALL.values()]
    assert texts == [value]


@step(always=True)
def raised_long(workflow):
    value = workflow.secret("SECRET")
    # The message is cut for the evidence, and the cut is within the secret.
    raise RuntimeError("y" * 1970 + value + "\\n".join(spell(value) for spell in ALL.values()))
"""


def test_a_run_shows_no_secret(project: Project) -> None:
    """A step returns, prints and raises with a secret in every encoding, a command prints it: it is nowhere afterwards."""
    project.environment.update(SECRET=_SECRET, POLICY_SECRET=_POLICY_SECRET)
    project.write(
        "workflow-exec.toml",
        '[policy]\nsandbox = "none"\npath = ["venv", "/usr/bin"]\n[[policy.command]]\nrule = "python leak.py"\n'
        'secrets = ["SECRET", "POLICY_SECRET"]\n',
    )
    project.write("encodings_of.py", inspect.getsource(_encodings))
    project.write(
        "leak.py",
        "import os, sys\nsys.path.insert(0, os.getcwd())\nfrom encodings_of import ALL\n"
        "sys.stdout.reconfigure(encoding='utf-8'); sys.stderr.reconfigure(encoding='utf-8')\n"
        "for name in ('SECRET', 'POLICY_SECRET'):\n  for spell in ALL.values():\n"
        "    text = spell(os.environ[name])\n    sys.stdout.write(text[:4]); sys.stdout.flush()\n"
        "    sys.stdout.write(text[4:] + '\\n'); sys.stdout.flush()\n    print(text, file=sys.stderr)\n",
    )
    project.write("conftest.py", "import sys; sys.path.insert(0, __file__.removesuffix('/conftest.py'))\n")
    project.write("wf/workflow_leaky.py", _WORKFLOW)

    ended = project.pytest("wf", "-rA", "--showlocals", "--junitxml=junit.xml")

    assert "4 failed" not in ended.text
    assert project.outcomes() == {
        "returned": "passed", "printed": "passed", "raised": "failed", "raised_long": "failed"
    }, ended.text  # fmt: skip
    folder = project.root / ".workflow-exec"
    written = {
        str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts
    }
    written |= {"terminal": ended.text.encode(), "junit": (project.root / "junit.xml").read_bytes()}
    for secret in (_SECRET, _POLICY_SECRET):
        for name, spell in _encodings.ALL.items():
            for place, content in written.items():
                assert spell(secret).encode() not in content, (place, name)
                assert secret[:8].encode() not in content, (place, name)
    assert "[secret SECRET]" in ended.text
    assert any(b"[secret POLICY_SECRET]" in content for content in written.values())


def test_a_missing_secret_fails_its_step(project: Project) -> None:
    """A variable that is not set, or empty, fails the step that asks for it, and the message names both."""
    project.environment.update(EMPTY="")
    project.write(
        "wf/workflow_w.py",
        "from pathlib import Path\nfrom pytest_workflow_exec import Workflow, step\nWORKFLOW = Workflow(name='w')\n"
        "@step()\ndef one(workflow):\n    workflow.secret('EMPTY')\n    Path('ran-one').touch()\n",
    )

    ended = project.pytest("wf")

    assert ended.status == 1
    assert "step 'one' needs the secret EMPTY, which the environment does not set" in ended.text
    assert not (project.root / "ran-one").exists()
