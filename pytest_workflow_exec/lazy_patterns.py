"""Regular expressions that are compiled when they are first used: a run defines a hundred of them and uses some."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, AnyStr

__all__ = ["lazy_pattern"]

if TYPE_CHECKING:

    def lazy_pattern(pattern: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
        """Return what `re.compile` would."""
        ...

else:

    class lazy_pattern:  # noqa: N801  # called like `re.compile`
        """What stands for a compiled pattern, and from its first use on has that one's methods."""

        def __init__(self, pattern: str | bytes, flags: int = 0) -> None:
            self.pattern, self._flags = pattern, flags

        def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # asked only for what is not here yet
            if name.startswith("__"):
                raise AttributeError(name)
            compiled = re.compile(self.pattern, self._flags)
            own = vars(self)
            for method in ("fullmatch", "match", "search", "sub", "subn", "split", "findall", "finditer", "flags"):
                own[method] = getattr(compiled, method)
            return getattr(compiled, name)
