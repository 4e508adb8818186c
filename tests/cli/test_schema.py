"""`workflow-exec schema`."""

from __future__ import annotations

from pathlib import Path

from tests._published import CONFIGURATION, FRAGMENTS, WORKFLOWS

from ._tool import workflow_exec


def test_schemas_are_printed_anywhere(tmp_path: Path) -> None:
    """Each schema goes to standard output, without a project, byte for byte as it is checked in."""
    for arguments, file in (
        (["schema"], WORKFLOWS),
        (["schema", "--policy"], CONFIGURATION),
        (["schema", "--fragment"], FRAGMENTS),
    ):
        done = workflow_exec(*arguments, cwd=tmp_path)

        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == file.read_text(encoding="utf-8")
    assert list(tmp_path.iterdir()) == []
