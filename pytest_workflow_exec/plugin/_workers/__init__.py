"""Several workers: whole workflows are spread over them, never steps.

The controller reads the plans, checks all that can be checked, and hands each workflow to one worker; the worker that
gets it runs all its steps and writes its log.
"""

from __future__ import annotations

from ._controller import conduct
from ._share import WorkerShare

__all__ = ["WorkerShare", "conduct"]
