"""What a run was started with: the data of its first record."""

from __future__ import annotations

import os
import platform
import pwd
import socket
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Protocol

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.evidence import filesystem_of
from pytest_workflow_exec.model import Workflow
from pytest_workflow_exec.run._pin import pin_text, signers_text
from pytest_workflow_exec.run._repository import Repository
from pytest_workflow_exec.sandbox import Policy
from pytest_workflow_exec.settings import Durability


def starter() -> Mapping[str, Json]:
    """Return who started this process, as far as the system says."""
    # By the system's own word: LOGNAME and USER say whatever their setter likes.
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        user = f"uid {os.getuid()}"
    return {"user": user, "uid": os.getuid(), "host": socket.gethostname()}


def versions() -> Mapping[str, Json]:
    """Return the versions of what runs the steps."""
    packages = ("pytest-workflow-exec", "pytest", "pluggy", "pydantic", "pytest-timeout")
    return {
        "python": platform.python_version(),
        "platform": _platform(),
        **{name: version_of(metadata.distribution(name)) for name in packages},
    }


class Installed(Protocol):
    """What is asked of an installed package."""

    @property
    def version(self) -> str: ...

    def read_text(self, filename: str) -> str | None: ...


class InstalledPlugin(Installed, Protocol):
    """What is asked of the package of one of pytest's plugins."""

    @property
    def project_name(self) -> str: ...


def version_of(distribution: Installed) -> str:
    """Return a package's version, without reading the description that stands behind it."""
    # Of one that was installed in another way, the long way.
    return _said_of(distribution, "Version") or distribution.version


def named_version_of(distribution: InstalledPlugin) -> tuple[str, str]:
    """Return the name of a plugin's package, and its version, read in the same way."""
    return _said_of(distribution, "Name") or distribution.project_name, version_of(distribution)


def _said_of(distribution: Installed, key: str) -> str:
    head, _, _ = (distribution.read_text("METADATA") or "").partition("\n\n")
    said = [line.partition(":")[2].strip() for line in head.splitlines() if line.startswith(f"{key}:")]
    return said[0] if len(said) == 1 else ""


def run_facts(
    workflow: Workflow,
    *,
    inputs: Mapping[str, Json],
    policy: Policy,
    repository: Repository,
    command_line: Sequence[str],
    plugins: Mapping[str, str],
    given: Mapping[str, str],
    durability: Durability,
    ledger_copy: str,
    group: str | None,
) -> Mapping[str, Json]:
    """Return the data of `run.started`.

    Args:
        command_line: pytest's own arguments.
        plugins: Versions of the other pytest plugins at work, by name.
        given: The inputs that were given on the command line, as they were typed.
        durability: What the evidence survives.
        ledger_copy: Where the user's copy of the ledger is, or why there is none.
        group: The concurrency group that the run belongs to.
    """
    return {
        "workflow": workflow.name,
        "file": workflow.file.relative_to(workflow.root).as_posix(),
        "plan": workflow.plan,
        "plan_digest": workflow.digest,
        "inputs": dict(inputs),
        "given": dict(given),
        "policy": {
            "digest": policy.digest,
            "sandbox": policy.level,
            "pin": pin_text(policy),
            "signers": signers_text(policy),
            **({"break_glass": True} if policy.break_glass else {}),
        },
        "level": policy.level,
        "repository": repository.to_data(),
        "starter": starter(),
        "versions": versions(),
        "plugins": dict(plugins),
        "root": str(workflow.root),
        "command_line": list(command_line),
        "durability": durability,
        "ledger_copy": ledger_copy,
        "concurrency": group,
        "filesystem": filesystem_of(workflow.root),
    }


def _platform() -> str:
    """Return what `platform.platform` says; on Linux without the program that it starts to hear the processor's name."""
    libc = _libc() if sys.platform == "linux" else ""
    if not libc:
        return platform.platform()
    system = os.uname()
    return f"{system.sysname}-{system.release}-{system.machine}-with-{libc}"


def _libc() -> str:
    try:
        return (os.confstr("CS_GNU_LIBC_VERSION") or "").replace(" ", "")
    except (OSError, ValueError):
        return ""
