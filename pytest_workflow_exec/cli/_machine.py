"""The machine at hand, as far as it decides how commands can be confined, and what would let it confine them better."""

from __future__ import annotations

import os
import platform
import re
import sys
from pathlib import Path

from pytest_workflow_exec.lean_dataclasses import dataclass

_LEAST_KERNEL = (6, 2)
_CONTAINER_FILES = {"/.dockerenv": "Docker", "/run/.containerenv": "Podman"}
_USERNS = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
_MODULES = Path("/sys/kernel/security/lsm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What is known of it."""

    system: str
    """As `sys.platform` has it."""
    kernel: str = ""
    container: str = ""
    """What runs the container that we are in; empty if nothing shows that we are in one."""
    modules: tuple[str, ...] | None = None
    """The kernel's security modules that are switched on; None if that can't be seen."""
    restricts_namespaces: bool = False
    """Whether AppArmor keeps ordinary users from making user namespaces, as on Ubuntu since 23.10."""

    @property
    def version(self) -> tuple[int, ...]:
        """The kernel's version; empty if its name says none."""
        return tuple(map(int, re.findall(r"\d+", self.kernel)[:2]))


def this_machine() -> Machine:
    """Return what is known of the machine at hand."""
    modules = _text_of(_MODULES)
    return Machine(
        system=sys.platform,
        kernel=platform.release(),
        container=_container(),
        modules=None if modules is None else tuple(modules.split(",")),
        restricts_namespaces=_text_of(_USERNS) == "1",
    )


def way_to_confine(machine: Machine) -> str:
    """Return what would let a machine confine commands that does not."""
    otherwise = 'or say sandbox = "available" in the policy, to run commands without confinement where there is none'
    if machine.system == "darwin":
        return f"macOS has no confinement that we use: run workflows in a Linux virtual machine, {otherwise}"
    if machine.system != "linux":
        return f"run workflows on Linux, {otherwise}"
    if machine.version and machine.version < _LEAST_KERNEL:
        least = ".".join(map(str, _LEAST_KERNEL))
        return f"the kernel is {machine.kernel}: use Linux {least} or newer, {otherwise}"
    if machine.modules is not None and "landlock" not in machine.modules:
        wanted = ",".join(("landlock", *machine.modules))
        return f"switch Landlock on: boot with lsm={wanted} (on Debian and Ubuntu in GRUB_CMDLINE_LINUX, then update-grub), {otherwise}"
    if machine.container:
        return (
            f"{machine.container} runs this container: allow landlock_create_ruleset, landlock_add_rule, "
            "landlock_restrict_self and seccomp in its seccomp profile (--security-opt seccomp=PROFILE.json), "
            f"{otherwise}"
        )
    return f"see docs/sandbox.md for what the level needs, {otherwise}"


def way_to_namespaces(machine: Machine) -> str:
    """Return what would let a machine give commands namespaces of their own that confines them without."""
    otherwise = 'or say sandbox = "required:landlock" in the policy'
    if machine.restricts_namespaces:
        return (
            "AppArmor keeps ordinary users from making user namespaces: give the Python that runs pytest a profile with "
            f"userns, or set kernel.apparmor_restrict_unprivileged_userns=0, {otherwise}"
        )
    if machine.container:
        return (
            f"{machine.container} runs this container: allow clone, mount, mount_setattr and unshare in its seccomp "
            f"profile, and /proc without masks (--security-opt systempaths=unconfined), {otherwise}"
        )
    return f"see docs/sandbox.md for what the level needs, {otherwise}"


def namespaces_words(machine: Machine) -> str:
    """Return what the machine says of user namespaces; empty if nothing stands against them."""
    if not machine.restricts_namespaces:
        return ""
    return (
        "AppArmor keeps ordinary users from making user namespaces (kernel.apparmor_restrict_unprivileged_userns = 1, "
        "as on Ubuntu); Landlock needs none"
    )


def _container() -> str:
    named = os.environ.get("container", "")  # noqa: SIM112 - as systemd and Podman spell it
    return next((name for file, name in _CONTAINER_FILES.items() if os.path.lexists(file)), named)


def _text_of(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
