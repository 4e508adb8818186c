"""`workflow-exec require`: whether a signed decision covers a file, asked where the file is about to be used."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from pytest_workflow_exec.digests import canonical_json
from pytest_workflow_exec.evidence import UsedBeforeError, digest_of_still, open_bundle, read_list, seems_bundle, use_up
from pytest_workflow_exec.verify import (
    Demand,
    InsufficientError,
    Signatures,
    Sufficient,
    demand_approval,
    lies_beside,
)

from ._find import log_of
from ._import import unpacked_log
from ._text import escape
from ._wanted import WantedError, wanted_approvers, wanted_policy

_REFUSED = 1


def require(arguments: argparse.Namespace) -> int:
    """Say whether a decision covers the files, and return 0 only if it does and, where asked, was not used before.

    Raises:
        WorkflowExecError: Something can't be read, or lies where whoever wrote the log could have put it.
    """
    try:
        with _log(arguments) as log:
            demand = _demanded(arguments)
            found = demand_approval(log, demand, Signatures(arguments.signers, arguments.revoked))
        # Last of all, and before anybody is told: whoever is stopped here may ask again, and gets nothing twice.
        _use(arguments.used, found, demand)
    except (InsufficientError, UsedBeforeError) as error:
        return _refused(str(error), as_json=arguments.json)
    sys.stdout.write(_as_json(found, demand, used=arguments.used is not None) if arguments.json else _told(found))
    return 0


@contextlib.contextmanager
def _log(arguments: argparse.Namespace) -> Iterator[Path]:
    given = Path(arguments.run)
    if not given.is_file() or not seems_bundle(given):
        log = log_of(arguments.run)
        _demand_own(arguments, log)
        yield log
        return
    _demand_own(arguments, given)
    with open_bundle(given) as file, tempfile.TemporaryDirectory(prefix="workflow-exec-") as folder:
        yield unpacked_log(file, read_list(file), Path(folder))


def _demand_own(arguments: argparse.Namespace, log: Path) -> None:
    given = {name: getattr(arguments, name) for name in ("signers", "revoked", "used", "policy")}
    for name, path in given.items():
        if isinstance(path, Path) and lies_beside(path, log):
            raise WantedError(f"--{name} {path} lies beside the log: whoever can write the one can write the other")


def _demanded(arguments: argparse.Namespace) -> Demand:
    approvers = wanted_approvers(arguments.policy)
    return Demand(
        step=arguments.step,
        artifacts={str(path): digest_of_still(path) for path in arguments.artifact},
        output=arguments.output,
        workflow=arguments.workflow,
        policy=wanted_policy(arguments.policy),
        approvers=approvers,
        required=_required(arguments.required, approvers),
        min_assurance=arguments.min_assurance,
    )


def _required(given: list[tuple[str, int]], approvers: Mapping[str, tuple[str, ...]] | None) -> int | Mapping[str, int]:
    counts = dict(given)
    if len(counts) != len(given) or ("" in counts and len(counts) > 1):
        raise WantedError("--required says how many of all, or of which group how many, each once")
    if not counts or "" in counts:
        return counts.get("", 1)
    if approvers is None:
        raise WantedError("--required GROUP=N needs --policy FILE, which says who is in the group")
    unknown = ", ".join(sorted(counts.keys() - approvers.keys()))
    if unknown:
        raise WantedError(f"--policy has no group of approvers {unknown} (it has: {', '.join(approvers) or 'none'})")
    return counts


def _use(used: Path | None, found: Sufficient, demand: Demand) -> None:
    if used is None:
        return
    request = found.request
    facts = {"run": request.run, "step": request.step, "sha256": sorted(set(demand.artifacts.values()))}
    use_up(used, request.nonce, note=canonical_json(facts))


def _refused(reason: str, *, as_json: bool) -> int:
    if as_json:
        sys.stdout.write(json.dumps({"result": "refused", "reason": reason}, indent=2) + "\n")
    else:
        sys.stderr.write(f"workflow-exec: refused: {escape(reason)}\n")
    return _REFUSED


def _told(found: Sufficient) -> str:
    request, who = found.request, ", ".join(f"{each.principal} (assurance {each.assurance})" for each in found.signed)
    lines = [
        f"covered: {artifact} is {output}, as gate {request.step} of workflow {request.workflow} showed it"
        for artifact, output in found.outputs.items()
    ]
    lines.append(f"approved by {who}, until {request.expires}, in run {request.run}")
    return "".join(f"{escape(line)}\n" for line in lines)


def _as_json(found: Sufficient, demand: Demand, *, used: bool) -> str:
    request = found.request
    data = {
        "result": "covered",
        "run": request.run,
        "workflow": request.workflow,
        "step": request.step,
        "request": found.digest,
        "nonce": request.nonce,
        "expires": request.expires,
        "artifacts": [
            {"file": artifact, "sha256": digest, "output": found.outputs[artifact]}
            for artifact, digest in demand.artifacts.items()
        ],
        "approved_by": [each._asdict() for each in found.signed],
        "used": used,
    }
    return json.dumps(data, indent=2) + "\n"
