"""The project's configuration: where the project is, and what its own files say.

pydantic reads, frozen dataclasses travel. Variables of the environment make some settings stricter; no option and no
variable changes the policy, the signers or the sandbox.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_workflow_exec.lazy_exports import exporter

if TYPE_CHECKING:
    from ._pin import Pin, differences, parse_pin, pin_content, spelled
    from ._project import OWN_FILE, SHARED_FILE, find_project, load_file, load_settings, table_of_source
    from ._published import settings_schema
    from ._stated import StatedSetting, stated_settings
    from ._values import (
        MONEY,
        AiMode,
        Carry,
        Durability,
        Filesystem,
        GatedSettings,
        GitIdentity,
        LimitSettings,
        NotifyOn,
        NotifySettings,
        PolicySettings,
        PythonProcesses,
        RuleSettings,
        Said,
        SandboxMode,
        SecretSource,
        Settings,
        SignersFile,
        Trusted,
        VerifyNeed,
    )
    from ._variables import INPUTS, SUMMARY, VARIABLES, said_by_variable, with_variables

__all__ = [
    "INPUTS",
    "MONEY",
    "OWN_FILE",
    "SHARED_FILE",
    "SUMMARY",
    "VARIABLES",
    "AiMode",
    "Carry",
    "Durability",
    "Filesystem",
    "GatedSettings",
    "GitIdentity",
    "LimitSettings",
    "NotifyOn",
    "NotifySettings",
    "Pin",
    "PolicySettings",
    "PythonProcesses",
    "RuleSettings",
    "Said",
    "SandboxMode",
    "SecretSource",
    "Settings",
    "SignersFile",
    "StatedSetting",
    "Trusted",
    "VerifyNeed",
    "differences",
    "find_project",
    "load_file",
    "load_settings",
    "parse_pin",
    "pin_content",
    "said_by_variable",
    "settings_schema",
    "spelled",
    "stated_settings",
    "table_of_source",
    "with_variables",
]

__getattr__ = exporter(
    __name__,
    {
        "_pin": "Pin differences parse_pin pin_content spelled",
        "_project": "OWN_FILE SHARED_FILE find_project load_file load_settings table_of_source",
        "_published": "settings_schema",
        "_stated": "StatedSetting stated_settings",
        "_values": "MONEY AiMode Carry Durability Filesystem GatedSettings GitIdentity LimitSettings NotifyOn "
        "NotifySettings PolicySettings PythonProcesses RuleSettings Said SandboxMode SecretSource "
        "Settings SignersFile Trusted VerifyNeed",
        "_variables": "INPUTS SUMMARY VARIABLES said_by_variable with_variables",
    },
)
