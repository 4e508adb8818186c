"""What `doctor` finds out about the project: its workflows, policy, pin, signers and evidence."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from pytest_workflow_exec.approval.signature import SignersError, allowed_signers
from pytest_workflow_exec.definition import list_workflows
from pytest_workflow_exec.errors import PinError, PolicyError
from pytest_workflow_exec.evidence import STATE_DIRECTORY, PinPlaces, filesystem_of, find_pin, is_remote
from pytest_workflow_exec.sandbox import compile_policy, file_problem, place_of
from pytest_workflow_exec.settings import PolicySettings, Settings, differences, find_project

from ._doctor_machine import space_finding
from ._finding import Finding, attention, note

_SIGNED = 2


def project_findings(settings: Settings, places: PinPlaces) -> Iterator[Finding]:
    """Give what there is to say of a project.

    Args:
        places: Where pins lie.
    """
    yield _workflows(settings.root)
    yield _policy(settings.policy)
    yield _pin(settings, places)
    yield _signers(settings.policy)
    yield from _secrets(settings)
    yield from _evidence(settings)


def _workflows(root: Path) -> Finding:
    found = [each for each in list_workflows(root) if find_project(each.path.parent) == root]
    broken = [each.name for each in found if each.problem]
    if broken:
        says = f"{len(found)}, of which can't be used: {', '.join(broken)}"
        return attention("workflows", says, "`workflow-exec list` says what is wrong with each")
    if not found:
        return note("workflows", "there are none", "`workflow-exec init` writes a first one")
    return Finding(about="workflows", says=", ".join(each.name for each in found))


def _policy(policy: PolicySettings) -> Finding:
    number = len(policy.rules) + sum(map(len, policy.workflow_rules.values()))
    try:
        for workflow in ("", *policy.workflow_rules):
            compile_policy(policy, workflow=workflow, environment=os.environ)
    except PolicyError as error:
        return attention("policy", f"it can't be used:\n{error}", "put the rule right: README, 'The policy'")
    if not number:
        return note("policy", "there are no rules: no command may run", 'add some: commands = ["git status"]')
    return Finding(about="policy", says=f"{number} rule{'s' if number > 1 else ''}, digest {policy.digest}")


def _pin(settings: Settings, places: PinPlaces) -> Finding:
    try:
        pin = find_pin(settings.root, places)
    except PinError as error:
        return attention("pin", str(error), "`workflow-exec trust --remove`, then pin it again")
    if pin is None:
        return _unpinned(settings.policy)
    if differences(pin.trusted, settings.policy.trusted):
        says = f"{pin}: the project's policy or signers are not what it holds, and every run is refused"
        return attention("pin", says, "`workflow-exec trust --show` shows what differs; undo it, or pin it anew")
    return Finding(about="pin", says=str(pin))


def _unpinned(policy: PolicySettings) -> Finding:
    rules = [*policy.rules, *(rule for own in policy.workflow_rules.values() for rule in own)]
    signed = any(rule.gated is not None and rule.gated.assurance >= _SIGNED for rule in rules)
    if policy.approvers or policy.carry == "anchored" or signed:
        says = "none, but signatures count only where a pin holds the signers"
        return attention("pin", says, "`workflow-exec trust`, at a terminal")
    return note("pin", "none: whoever can edit the project can loosen its policy unseen", "`workflow-exec trust`")


def _signers(policy: PolicySettings) -> Finding:
    listed = policy.trusted.signers
    if listed is None:
        if policy.approvers:
            says = f"no list, but {len(policy.approvers)} groups of approvers"
            return attention("signers", says, "list their keys in workflow-signers, as OpenSSH lists allowed signers")
        return note("signers", "none: gates are answered at a terminal")
    try:
        found = allowed_signers(listed.content, file=listed.path).signers
    except SignersError as error:
        return attention("signers", str(error), f"put the line in {listed.path} right")
    return Finding(about="signers", says=f"{len(found)} keys in {listed.path}, sha256 {listed.sha256}")


def _secrets(settings: Settings) -> Iterator[Finding]:
    try:
        compiled = [
            compile_policy(settings.policy, workflow=name, environment=os.environ)
            for name in ("", *settings.policy.workflow_rules)
        ]
    except PolicyError:
        # Said already.
        return
    rules = [rule for policy in compiled for rule in (*policy.rules, policy.tests)]
    for name, source in settings.policy.secrets.items():
        about = f"secret {name}"
        if os.environ.get(name):
            yield Finding(about=about, says="the variable of that name is set, and goes before what the policy says")
        elif source.file is None:
            yield _of_keyring(about, place_of(source))
        elif (problem := file_problem(source.file, root=settings.root, rules=rules)) is not None:
            yield attention(about, f"{place_of(source)} {problem}", "put it right: docs/configuration.md, 'Secrets'")
        else:
            yield Finding(about=about, says=f"{place_of(source)}, which nobody else reads")


def _of_keyring(about: str, place: str) -> Finding:
    if find_spec("keyring") is None:
        return attention(about, f"in {place}, which can't be asked", "pip install 'pytest-workflow-exec[keyring]'")
    return Finding(about=about, says=f"in {place}; whether it is there is seen where a step needs it")


def _evidence(settings: Settings) -> Iterator[Finding]:
    state = settings.root / STATE_DIRECTORY
    place = state if state.exists() else settings.root
    kind = filesystem_of(place)
    if not os.access(place, os.W_OK | os.X_OK):
        yield attention(
            "evidence", f"{place} can't be written; no step runs without evidence", f"let yourself write {place}"
        )
    elif settings.filesystem == "local" and is_remote(kind):
        says = f"{place} lies on {kind}, which may belong to another machine and can lose records"
        yield attention("evidence", says, 'work in a folder of this machine, or accept it: filesystem = "any"')
    else:
        yield Finding(about="evidence", says=f"{state}, on {kind}")
    yield space_finding(place)
