"""Names of a package that are loaded with the module that holds them, when somebody first asks for one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module


def exporter(package: str, homes: Mapping[str, str]) -> Callable[[str], object]:
    """Return a package's `__getattr__`: a run loads the modules that it uses, and no others.

    Args:
        package: The package's name.
        homes: For each module, the names that it holds, separated by spaces; `name:alias` is shown under another one.
    """
    places = {
        (alias or name): (module, name)
        for module, names in homes.items()
        for name, _, alias in (each.partition(":") for each in names.split())
    }

    def find(name: str) -> object:
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, own_name = places[name]
        value: object = getattr(import_module(f"{package}.{module}"), own_name)
        # Found at once from now on.
        setattr(sys.modules[package], name, value)
        return value

    return find
