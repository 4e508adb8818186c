"""Known secrets out of everything that is shown or stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_workflow_exec.lazy_exports import exporter

if TYPE_CHECKING:
    from ._redactor import MIN_SECRET_BYTES, REDACTED, Redactor, holds_mask

__all__ = ["MIN_SECRET_BYTES", "REDACTED", "Redactor", "holds_mask"]

__getattr__ = exporter(
    __name__,
    {
        "_redactor": "MIN_SECRET_BYTES REDACTED Redactor holds_mask",
    },
)
