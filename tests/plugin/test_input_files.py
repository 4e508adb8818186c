"""`--workflow-inputs`: values from files, in real sessions."""

from __future__ import annotations

from .conftest import Project

TOKEN = "long enough to be one"  # noqa: S105 - stands for one
POLICY = '[policy]\nsandbox = "none"\ncommands = ["echo *"]\n'
FLOW = """\
workflow: flow
inputs: {word: {}, count: {type: integer, default: 1}, token: {type: secret, default: {env: TOKEN}}}
steps:
  - {id: say, run: [echo, "${inputs.word}-${inputs.count}"], expect: {stdout: "hello-2"}}
"""


def test_values_come_from_a_file_and_typed_ones_go_before(project: Project) -> None:
    """The last file that has a value counts, and an option before any file, wherever it stands; a resume keeps them."""
    project.write("workflow-exec.toml", POLICY)
    project.write("wf/flow.workflow.yaml", FLOW.replace("hello-2", "other"))
    project.environment["TOKEN"] = TOKEN
    project.write("all.yaml", "word: never\ncount: 7\n")
    project.write("a:b.env", "word=hello\n")

    failed = project.pytest(
        "wf", "--workflow-input=count=2", "--workflow-inputs=flow:all.yaml", "--workflow-inputs=./a:b.env"
    )
    project.write("wf/flow.workflow.yaml", FLOW)
    resumed = project.pytest("wf", "--workflow-resume")

    assert failed.status == 1
    assert resumed.status == 0, resumed.text
    assert "hello-2" in failed.text


def test_bad_files_are_refused_before_the_first_step(project: Project) -> None:
    """A missing file, an unknown name and a secret in a file are preflight errors, and nothing ran."""
    project.write("workflow-exec.toml", POLICY)
    project.write("wf/flow.workflow.yaml", FLOW)
    project.environment["TOKEN"] = TOKEN
    project.write("wrong.json", '{"wrod": "x"}')
    project.write("secret.env", "word=x\ntoken=a secret in a file\n")

    for file, message in (
        ("none.yaml", "is not a file"),
        ("wrong.json", "has no input 'wrod' (did you mean 'word'?), which --workflow-input or --workflow-inputs gives"),
        ("secret.env", "is a secret, and a command line is no place for one, nor is a file of inputs"),
    ):
        refused = project.pytest("wf", f"--workflow-inputs={file}")

        assert refused.status == 4
        assert message in " ".join(refused.text.split())
        assert "Traceback" not in refused.text
        assert project.untouched


def test_file_must_say_for_which_workflow_it_is(project: Project) -> None:
    """With several workflows, a file names the one that it is for."""
    project.write("workflow-exec.toml", POLICY)
    project.write("wf/flow.workflow.yaml", FLOW)
    project.write("wf/second.workflow.yaml", "workflow: second\nsteps:\n  - {id: say, run: [echo, x]}\n")
    project.environment["TOKEN"] = TOKEN
    project.write("v.yaml", "word: hello\ncount: 2\n")

    unsaid = project.pytest("wf", "--workflow-inputs=v.yaml")
    untouched = project.untouched
    said = project.pytest("wf", "--workflow-inputs=flow:v.yaml")

    assert (unsaid.status, untouched) == (4, True)
    assert "does not say which of the workflows it is for: WORKFLOW:FILE" in unsaid.text
    assert said.status == 0, said.text
