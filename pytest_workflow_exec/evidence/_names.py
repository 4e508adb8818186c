"""The names of files and folders that evidence lives in."""

from __future__ import annotations

from pathlib import Path

STATE_DIRECTORY = ".workflow-exec"
RUNS = "runs"
LOG_NAME = "evidence.jsonl"
BLOBS = "blobs"
SAVED = "saved"
RUN_SUBDIRECTORIES = ("outputs", "work")


def is_in_project(run_directory: Path) -> bool:
    """Return whether a run's folder is where a project keeps it, and no copy of it elsewhere."""
    return run_directory.parts[-3:-1] == (STATE_DIRECTORY, RUNS)
