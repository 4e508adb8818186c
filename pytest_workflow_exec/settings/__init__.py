"""The project's configuration: where the project is, and what its own files say.

pydantic reads, frozen dataclasses travel. No option and no environment variable changes anything here.
"""

from ._pin import Pin, differences, parse_pin, pin_content, spelled
from ._project import OWN_FILE, SHARED_FILE, find_project, load_file, load_settings, table_of_source
from ._published import settings_schema
from ._stated import StatedSetting, stated_settings
from ._values import (
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
    SandboxMode,
    Settings,
    SignersFile,
    Trusted,
    VerifyNeed,
)

__all__ = [
    "OWN_FILE",
    "SHARED_FILE",
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
    "SandboxMode",
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
    "settings_schema",
    "spelled",
    "stated_settings",
    "table_of_source",
]
