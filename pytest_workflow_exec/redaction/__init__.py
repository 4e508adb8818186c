"""Known secrets out of everything that is shown or stored."""

from __future__ import annotations

from ._redactor import MIN_SECRET_BYTES, REDACTED, Redactor, holds_mask

__all__ = ["MIN_SECRET_BYTES", "REDACTED", "Redactor", "holds_mask"]
