"""The examples' pages are true: what they show of files stands there, and their commands do what is shown."""

from __future__ import annotations

import shutil
from pathlib import Path
from textwrap import indent

import pytest

from tests._pages import blocks_of, run, shows

from .conftest import ROOT, copied, stand_in

PAGES = {
    "examples/rolling-update/README.md": "rolling-update",
    "docs/how-to/rolling-update.md": "rolling-update",
    "examples/etcd-space/README.md": "etcd-space",
    "docs/how-to/etcd-space.md": "etcd-space",
}
"""Each page, and the example that it is about."""
SHORTER = {"workflows/no-space/no-space.workflow.yaml": {"pause: {for: 5m}": "pause: {for: 1s}"}}
"""What tests do not wait for, in the files of examples that have it."""
WHERE = "127.0.0.1:8780"
"""Where the stand-in of each example is, if nothing is said."""


@pytest.mark.timeout(300)
@pytest.mark.skipif(shutil.which("curl") is None, reason="the examples talk to servers with curl")
@pytest.mark.parametrize(("page", "example"), PAGES.items())
def test_page_is_true(tmp_path: Path, page: str, example: str) -> None:
    """Files are shown as they are, and the commands, in their order, print what is shown."""
    with stand_in(ROOT / "examples" / example) as servers:
        shorter = {file: texts for file, texts in SHORTER.items() if (ROOT / "examples" / example / file).exists()}
        root = copied(example, tmp_path / "site", changes=shorter, moved=(WHERE, servers.address)).root
        for block in blocks_of(ROOT / page):
            if block.file is not None:
                shown = block.text.partition("\n")[2]
                # Steps are shown without the margin that they have in their list.
                shown = indent(shown, "  ") if shown.startswith("- ") else shown
                assert shown in (ROOT / "examples" / example / block.file).read_text(encoding="utf-8")
            else:
                assert block.language == "console", block.text
            for command, output in block.commands if block.language == "console" else ():
                printed = run(command.replace(WHERE, servers.address), root, {"HOME": str(tmp_path)})
                assert not shows(output, printed.replace(servers.address, WHERE), root), f"{command}\n{printed}"


def test_every_example_has_its_pages() -> None:
    """Each example has a page of its own and one in the documentation, and both are played."""
    examples = {folder.name for folder in (ROOT / "examples").iterdir() if folder.is_dir()}

    assert set(PAGES) == {f"examples/{name}/README.md" for name in examples} | {
        f"docs/how-to/{name}.md" for name in examples
    }
