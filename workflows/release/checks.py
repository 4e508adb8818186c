"""The release's own checks, and its publication."""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from pytest_workflow_exec.run import WorkflowHandle


def versions_agree(workflow: WorkflowHandle, version: str, directory: str) -> dict[str, str]:
    """Return the version, if the project and the change log name the same one and it is not published yet."""
    project = tomllib.loads((workflow.root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    changes = (workflow.root / "CHANGELOG.md").read_text(encoding="utf-8")
    released = re.findall(r"^## (\d+\.\d+\.\d+)", changes, flags=re.MULTILINE)

    assert project["version"] == version
    assert released, "the change log has no released version"
    assert released[0] == version, "the newest entry of the change log is another version"
    assert not (workflow.root / directory / version).exists(), f"{version} is published already"
    return {"version": version}


def publish(workflow: WorkflowHandle, version: str, directory: str, artefacts: list[str]) -> dict[str, Any]:
    """Copy the artefacts into the release's own folder, beside their checksums; a release is never overwritten."""
    release = workflow.root / directory / version
    assert not release.exists(), f"{release} exists: {version} is published already"
    half = release.with_name(f".{version}.half")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(parents=True)
    sums = [f"{_copied(workflow.root / artefact, half)}  {Path(artefact).name}\n" for artefact in artefacts]
    (half / "SHA256SUMS").write_text("".join(sums), encoding="ascii")
    # One rename makes it public: nobody finds half a release, and an aborted one leaves none.
    half.rename(release)
    return {
        "directory": str(release.relative_to(workflow.root)),
        "files": [path.name for path in sorted(release.iterdir())],
    }


def _copied(artefact: Path, folder: Path) -> str:
    copy = folder / artefact.name
    shutil.copyfile(artefact, copy)
    return hashlib.sha256(copy.read_bytes()).hexdigest()
