"""Which plan a workflow has with which inputs, as pytest itself says it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from pytest_workflow_exec.definition import ValueProblemError, read_value, read_yaml_workflow
from pytest_workflow_exec.errors import DefinitionError
from pytest_workflow_exec.lean_dataclasses import dataclass

from ._errors import FleetError

_PATIENCE_S = 600
_INPUTS = "WORKFLOW_EXEC_INPUTS"
"""What it says is not submitted, so no plan is made with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanDigest:
    """A workflow's name, and the digest of its plan."""

    workflow: str
    digest: str


def plans_of(root: Path, file: Path, runs: Sequence[Mapping[str, str]]) -> Sequence[PlanDigest]:
    """Return the plans of a workflow with several sets of inputs; nothing of it runs.

    Raises:
        FleetError: It has no plan with one of them.
        DefinitionError: Likewise.
    """
    known: dict[tuple[tuple[str, str], ...], PlanDigest] = {}
    quick = False
    for inputs in runs:
        key = tuple(sorted(inputs.items()))
        if key in known:
            continue
        if quick:
            known[key] = _read(root, file, inputs)
            continue
        known[key] = _asked(root, file, inputs)
        # A session of pytest for each of thousands would take an hour: a file of YAML is read as pytest reads it, and
        # the first one shows that this is so.
        quick = file.suffix in (".yaml", ".yml") and _reads_alike(root, file, inputs, known[key])
    return [known[tuple(sorted(inputs.items()))] for inputs in runs]


def _reads_alike(root: Path, file: Path, inputs: Mapping[str, str], asked: PlanDigest) -> bool:
    try:
        return _read(root, file, inputs) == asked
    except DefinitionError:
        # It includes Python, which only pytest imports.
        return False


def _read(root: Path, file: Path, inputs: Mapping[str, str]) -> PlanDigest:
    workflow = read_yaml_workflow(file, root=root, given=lambda _: inputs)
    specs = {spec.name: spec for spec in workflow.inputs if spec.type != "secret"}
    _demand_taken(file, inputs, taken=specs, why=())
    for name, text in inputs.items():
        try:
            read_value(specs[name], text)
        except ValueProblemError as error:
            raise FleetError(f"{file.name} can't be submitted: input {name!r} {error}") from error
    return PlanDigest(workflow=workflow.name, digest=workflow.digest)


def _asked(root: Path, file: Path, inputs: Mapping[str, str]) -> PlanDigest:
    given = [f"--workflow-input={name}={text}" for name, text in inputs.items()]
    done = subprocess.run(  # noqa: S603  # this interpreter
        [sys.executable, "-m", "pytest", str(file), "-p", "no:cacheprovider", "--workflow-plan-json", *given],
        cwd=root,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_") and name != _INPUTS},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="backslashreplace",
        timeout=_PATIENCE_S,
        check=False,
    )
    lines = done.stdout.splitlines()
    try:
        start, end = lines.index("{"), len(lines) - lines[::-1].index("}")
        [plan] = json.loads("\n".join(lines[start:end]))["plans"]
        found = PlanDigest(workflow=str(plan["workflow"]), digest=str(plan["digest"]))
        taken, why = set(plan["values"]), [str(problem) for problem in plan["problems"]]
    except (ValueError, KeyError, TypeError) as error:
        said = (done.stdout + done.stderr).strip()[-2000:]
        raise FleetError(f"{file.name} has no plan with these inputs:\n{said}") from error
    _demand_taken(file, inputs, taken=taken, why=why)
    return found


def _demand_taken(file: Path, inputs: Mapping[str, str], *, taken: Collection[str], why: Sequence[str]) -> None:
    """Return if a workflow takes all these inputs from whoever submits.

    A secret is none of them: what is submitted is signed, stored and shown.
    """
    wrong = sorted(set(inputs) - set(taken))
    if wrong:
        said = "".join(f"\n  {problem}" for problem in why)
        raise FleetError(
            f"{file.name} takes no such input from a submission, or not that value: {', '.join(wrong)}. "
            f"Secrets are the worker's own. Nothing was submitted{said}"
        )
