"""`examples/release-vote`: planned, built, staged, voted on by people with keys of their own, published and downloaded."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_workflow_exec.evidence import write_pin
from pytest_workflow_exec.settings import load_settings
from tests.plugin._pinned_tool import places_in
from tests.plugin.conftest import Project, Session, code_at, finish
from tests.plugin.test_pins import PLACES

from .conftest import ROOT, StandIn, commit, copied, played, stand_in

FOLDER = "workflows/release"
FILE = f"{FOLDER}/release.workflow.yaml"
PMC = ("ana", "ben", "cho", "dev")
ARCHIVE = "turnstile-1.2.0-src.tar.gz"

pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.skipif(
        any(shutil.which(program) is None for program in ("curl", "openssl")),
        reason="the example signs with openssl, and talks to servers with curl",
    ),
]


@dataclass(frozen=True)
class Release:
    """The example, the people who vote with their keys, and the server that releases are published on."""

    project: Project
    people: Path
    server: StandIn

    @property
    def options(self) -> list[str]:
        """The inputs of a release here."""
        return ["--workflow-input=version=1.2.0", f"--workflow-input=dist={self.server.address}"]

    def tool(self, *arguments: str | Path) -> Session:
        """Run the command line tool."""
        done = subprocess.run(
            [sys.executable, "-m", "tests.plugin._pinned_tool", str(self.people), *map(str, arguments)],
            cwd=self.project.root,
            env={**self.project._env(), "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return Session(status=done.returncode, text=done.stdout)

    def begin(self) -> Session:
        """Run it until the vote: the release manager signs the sources when asked to, and calls for the vote."""
        child = self.project.terminal(FOLDER, "-s", *self.options)
        child.expect("Type done, failed or note: ")
        sources = self.project.root / "dist" / ARCHIVE
        command = [
            "openssl",
            "dgst",
            "-sha512",
            "-sign",
            str(self.people / "rm.pem"),
            "-out",
            f"{sources}.sig",
            str(sources),
        ]
        subprocess.run(command, check=True)
        child.sendline("done")
        return played(child, thread="k3x9m2p7")

    def vote(self, *who: str) -> None:
        """Sign the question, each with their own key, and hand the signatures in."""
        challenge = self.people / "challenge"
        challenge.unlink(missing_ok=True)
        assert self.tool("challenge", "latest", "vote", "--out", challenge).status == 0
        for name in who:
            self.people.joinpath("challenge.sig").unlink(missing_ok=True)
            command = [
                "ssh-keygen",
                "-Y",
                "sign",
                "-q",
                "-n",
                "pytest-workflow-exec",
                "-f",
                str(self.people / name),
                str(challenge),
            ]
            subprocess.run(command, check=True, capture_output=True)
            handed = self.tool("approve", "latest", "vote", "--signature", self.people / "challenge.sig")
            assert handed.status == 0, handed.text

    def published(self) -> bool:
        """Whether the release is where everybody looks."""
        url = f"http://{self.server.address}/release/turnstile-1.2.0/{ARCHIVE}"
        return (
            subprocess.run(["curl", "-fsS", "-o", "/dev/null", url], capture_output=True, check=False).returncode == 0
        )


def prepared(folder: Path, people: Path, server: StandIn, *, wait: str) -> Release:
    """Return the example with keys for its people, pinned; the vote lasts as long as is said."""
    project = copied("release-vote", folder, changes={FILE: {"min_wait: 72h": f"min_wait: {wait}"}})
    people.mkdir()
    private = people / "rm.pem"
    subprocess.run(["openssl", "genrsa", "-out", private, "2048"], check=True, capture_output=True)
    subprocess.run(
        ["openssl", "rsa", "-in", private, "-pubout", "-out", folder / "KEYS.pem"], check=True, capture_output=True
    )
    lines = []
    for name in PMC:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", people / name], check=True)
        lines.append(f"{name}@example.org {(people / f'{name}.pub').read_text()}")
    project.write("workflow-signers", "".join(lines))
    project.write("conftest.py", PLACES.format(folder=str(people)))
    project.environment.update({"HOME": str(people), "SSH_AUTH_SOCK": ""})
    commit(folder)
    place = places_in(people).user
    assert place is not None
    write_pin(folder, place, load_settings(folder).policy.trusted)
    return Release(project, people, server)


@pytest.fixture
def server() -> Iterator[StandIn]:
    """Where releases are staged and published."""
    with stand_in(ROOT / "examples" / "release-vote") as started:
        yield started


def test_plan_is_told_and_nothing_is_run(tmp_path: Path, server: StandIn) -> None:
    """The plan has what is looked at before and behind the vote, by the same fragment."""
    release = prepared(tmp_path / "site", tmp_path / "people", server, wait="72h")

    session = release.project.pytest(FOLDER, "--workflow-plan", *release.options)

    assert session.status == 0, session.text
    lines = [line.split("] ")[1].split(" ")[0] for line in session.text.splitlines() if line.lstrip().startswith("[")]
    assert lines[-9:] == [
        "candidate/fetch",
        "candidate/same",
        "call",
        "vote",
        "publish",
        "moved",
        "published/fetch",
        "published/same",
        "announce",
    ]
    assert release.project.untouched


def test_three_votes_do_not_publish_before_three_days_are_over(tmp_path: Path, server: StandIn) -> None:
    """The candidate is staged and looked at; with all votes in, the question still stands, and nothing is published."""
    release = prepared(tmp_path / "site", tmp_path / "people", server, wait="72h")

    first = release.begin()

    assert first.status == 1, first.text
    assert "candidate/same ... PASSED" in first.text
    assert "vote ... SUSPENDED" in first.text
    release.vote("ana", "ben", "cho")
    again = played(release.project.terminal(FOLDER, "-s", "--workflow-resume", *release.options))
    assert again.status == 1, again.text
    assert "vote ... SUSPENDED" in again.text
    assert not release.published()


def test_what_three_voted_for_is_published(tmp_path: Path, server: StandIn) -> None:
    """Two votes are too few; with the third, what was voted on is published, once; and the run is verified."""
    release = prepared(tmp_path / "site", tmp_path / "people", server, wait="1s")
    release.begin()
    release.vote("ana", "ben")
    few = played(release.project.terminal(FOLDER, "-s", "--workflow-resume", *release.options))
    assert few.status == 1, few.text
    assert "still needs 1 of pmc" in few.text
    assert not release.published()

    release.vote("cho")
    child = release.project.terminal(FOLDER, "-s", "--workflow-resume", *release.options)
    child.sendline(code_at(child))
    child.expect("Type done, failed or note: ")
    child.sendline("failed")
    child.expect("Reason: ")
    child.sendline("no mail today")
    silent = finish(child)
    assert silent.status == 1, silent.text
    assert release.published()
    last = played(release.project.terminal(FOLDER, "-s", "--workflow-resume", *release.options))

    assert last.status == 0, last.text
    assert "vote ... CARRIED" in last.text
    assert "published/same ... CARRIED" in last.text
    assert "announce ... PASSED" in last.text
    listed = tmp_path / "signers"
    listed.write_text((release.project.root / "workflow-signers").read_text())
    verified = release.tool("verify", "latest", "--expect-head", last.heads[-1], "--signers", listed)
    assert verified.status == 0, verified.text
    assert "(signature, assurance 2, proven 2)" in verified.text
    sources = release.project.root / "dist" / ARCHIVE
    held = ("require", "latest", "vote", "--signers", listed, "--required", "3", "--artifact")
    assert release.tool(*held, sources).status == 0
    assert release.tool(*held, release.project.root / "NOTICE").status == 1
