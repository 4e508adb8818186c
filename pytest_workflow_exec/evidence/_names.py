"""The names of files and folders that evidence lives in."""

from __future__ import annotations

STATE_DIRECTORY = ".workflow-exec"
RUNS = "runs"
LOG_NAME = "evidence.jsonl"
BLOBS = "blobs"
SAVED = "saved"
RUN_SUBDIRECTORIES = ("outputs", "work")
