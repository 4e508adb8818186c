"""`python -m pytest_workflow_exec.cli`: the tool without its script."""

from __future__ import annotations

import sys

from ._main import main

sys.exit(main())
