"""A project that a fleet runs: a repository, a database, workers in processes and with homes of their own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pexpect

from pytest_workflow_exec.evidence import write_pin
from pytest_workflow_exec.fleet import log_pieces, name_of_run, open_database, runs_seen, submission_named
from pytest_workflow_exec.settings import load_settings
from tests.plugin._pinned_tool import places_in
from tests.plugin.conftest import Session
from tests.plugin.test_pins import PLACES

from ._postgres import Server

ROOT = Path(__file__).parents[2]
PATIENCE_S = 300
DEAD_AFTER_S = 3.0
GIT = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
POLICY = """[policy]
sandbox = "none"
commands = ["echo *", "cp source out.txt", "cp out.txt ran-publish", "touch *", "sleep *"]
submitters = ["releasers"]

[policy.approvers]
releasers = ["carol@example.org"]
managers = ["alice@example.org", "bob@example.org", "carol@example.org"]
"""
ROLES = {"alice": "submitter", "builder": "worker", "looker": "reader"}
"""The database's users and the role of each."""
PEOPLE = ("alice", "bob", "carol", "mallory")


@dataclass
class Worker:
    """A worker's process."""

    process: subprocess.Popen[str]
    output: Path

    @property
    def text(self) -> str:
        """What it said."""
        return self.output.read_text()

    def kill(self) -> None:
        """Kill it with no warning."""
        self.process.kill()
        self.process.wait()

    def end(self) -> int:
        """Let it end once its runs have ended, and return its exit status."""
        self.process.terminate()
        return self.process.wait(PATIENCE_S)


@dataclass
class Site:
    """One machine's checkout of a project, and the fleet that it belongs to."""

    root: Path
    home: Path
    """Where its pins and the keys of its people lie."""
    url: str
    environment: dict[str, str] = field(default_factory=dict)
    people_url: str = ""
    """The database as those reach it who submit and answer; empty for the same."""
    workers: list[Worker] = field(default_factory=list)

    def write(self, name: str, text: str) -> None:
        """Write a file of the project."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def commit(self) -> None:
        """Commit everything, and pin the project as it is."""
        self.write(".gitignore", "out.txt\nran-*\n__pycache__\n.pytest_cache\n")
        if not (self.root / ".git").exists():
            subprocess.run([*GIT, "init", "-q"], cwd=self.root, check=True)
        for arguments in (["add", "-A"], ["commit", "-qm", "all", "--allow-empty"]):
            subprocess.run([*GIT, *arguments], cwd=self.root, check=True)
        self.pin()

    def pin(self) -> None:
        """Pin the project."""
        place = places_in(self.home).user
        assert place is not None
        write_pin(self.root, place, load_settings(self.root).policy.trusted)

    def command(self, *arguments: str | Path) -> list[str]:
        """Return how the tool is started."""
        return [sys.executable, "-m", "tests.fleet._pinned_fleet", str(self.home), *map(str, arguments)]

    def env(self) -> dict[str, str]:
        """Return the environment of this machine's processes."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COLUMNS"))}
        return {
            **inherited,
            "PYTHONPATH": str(ROOT),
            "SSH_AUTH_SOCK": "",
            "XDG_STATE_HOME": str(self.home / "state"),
            "WORKFLOW_EXEC_FLEET": self.url,
            **self.environment,
        }

    def tool(self, *arguments: str | Path) -> Session:
        """Run the command line tool."""
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.root,
            env=self.env(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE_S,
            check=False,
            # As its own terminal would have it: Linux shares a busy machine out by sessions.
            start_new_session=True,
        )
        return Session(status=done.returncode, text=done.stdout)

    def fleet(self, *arguments: str | Path) -> Session:
        """Run one of the fleet's commands."""
        return self.tool("fleet", *arguments)

    def at_terminal(self, *arguments: str | Path) -> pexpect.spawn[str]:
        """Start one of the fleet's commands at a terminal of its own."""
        return pexpect.spawn(
            sys.executable,
            self.command("fleet", *arguments)[1:],
            cwd=str(self.root),
            env={**self.env(), "TERM": "xterm"},
            encoding="utf-8",
            timeout=PATIENCE_S,
            dimensions=(60, 200),
        )

    def person(self, *arguments: str | Path) -> Session:
        """Run one of the fleet's commands as a person who submits and answers."""
        url = self.people_url or self.url
        return self.fleet(arguments[0], "--database", url, *arguments[1:])

    def submit(self, *arguments: str | Path, workflow: str = "site") -> list[str]:
        """Submit, signed by carol, and return the ids."""
        done = self.person("submit", workflow, "--json", "--key", self.home / "carol", *arguments)
        assert done.status == 0, done.text
        return [str(each["id"]) for each in json.loads(done.text)]

    def worker(self, *arguments: str) -> Worker:
        """Start a worker."""
        output = self.home / f"worker-{len(self.workers)}-{time.monotonic_ns()}"
        with output.open("w") as file:
            process = subprocess.Popen(
                self.command("fleet", "worker", *arguments),
                cwd=self.root,
                env=self.env(),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        self.workers.append(Worker(process, output))
        return self.workers[-1]

    def work(self, *arguments: str) -> Session:
        """Let a worker work until nothing is left to do."""
        return self.fleet("worker", "--until-idle", *arguments)

    def status(self) -> Mapping[str, Mapping[str, Any]]:
        """Return where the runs stand, by submission."""
        # In this process: a process for each look would take most of a test's time.
        with contextlib.closing(open_database(self.url)) as database:
            seen = runs_seen(database, dead_after_s=DEAD_AFTER_S, limit=100_000, states=frozenset())
        return {
            each.standing.id: {
                "state": each.state,
                "run": each.run,
                "leg": each.standing.leg,
                "where": each.where,
                "said": "" if each.standing.end is None else each.standing.end.said,
            }
            for each in seen
        }

    def state(self, submission: str) -> str:
        """Return where one run stands."""
        return str(self.status()[submission]["state"])

    def wait_for(self, submission: str, *states: str) -> Mapping[str, Any]:
        """Return a run once it is in one of these states."""
        return self.wait_until(lambda runs: runs[submission]["state"] in states)[submission]

    def wait_until(self, holds: Callable[[Mapping[str, Mapping[str, Any]]], bool]) -> Mapping[str, Mapping[str, Any]]:
        """Return where the runs stand once something holds of them."""
        until = time.monotonic() + PATIENCE_S
        while True:
            runs = self.status()
            if holds(runs):
                return runs
            said = "\n".join(worker.text for worker in self.workers)
            assert time.monotonic() < until, f"{json.dumps(runs, indent=1)[:4000]}\n{said[-6000:]}"
            time.sleep(0.3)

    def records(self, submission: str) -> Sequence[Mapping[str, Any]]:
        """Return the records of a run, as the database has them."""
        with contextlib.closing(open_database(self.url)) as database:
            run = name_of_run(database, submission_named(database, submission))
            pieces = log_pieces(database, run, behind=-1)
        return [json.loads(line) for _, lines in pieces for line in lines.splitlines()]

    def sign(self, who: str, submission: str, step: str = "approve") -> Path:
        """Sign the challenge of a gate, and return the signature."""
        challenge = self.home / f"challenge-{submission}-{who}-{time.monotonic_ns()}"
        done = self.fleet("challenge", submission, step, "--out", challenge)
        assert done.status == 0, done.text
        command = [
            "ssh-keygen",
            "-Y",
            "sign",
            "-q",
            "-n",
            "pytest-workflow-exec",
            "-f",
            str(self.home / who),
            str(challenge),
        ]
        subprocess.run(command, check=True, capture_output=True)
        return challenge.with_name(f"{challenge.name}.sig")

    def approve(self, submission: str, who: str = "alice", step: str = "approve") -> Session:
        """Hand in a signed approval."""
        return self.person("approve", submission, step, "--signature", self.sign(who, submission, step))

    def end(self) -> None:
        """Kill every worker that is left."""
        for worker in self.workers:
            worker.kill()


def new_site(folder: Path, url: str, flows: Mapping[str, str], *, policy: str = POLICY) -> Site:
    """Return a project with workflows, its people's keys, and a pin."""
    home = folder / "home"
    home.mkdir(parents=True)
    made = Site(folder / "project", home, url)
    lines = []
    for who in PEOPLE:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", who, "-f", str(home / who)], check=True)
        lines.append(f"{who}@example.org {(home / f'{who}.pub').read_text()}")
    made.write("workflow-exec.toml", policy)
    made.write("workflow-signers", "".join(lines))
    made.write("conftest.py", PLACES.format(folder=str(home)))
    made.write("source", "the page\n")
    for name, text in flows.items():
        made.write(f"wf/{name}", text)
    made.commit()
    return made


def site_on(server: Server, folder: Path, flows: Mapping[str, str]) -> Site:
    """Return a project on a fleet without runs, whose tables the server's owner made, and one login for each role."""
    for role in ROLES:
        server.sql(f"DO $$ BEGIN CREATE ROLE {role} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    server.sql("DROP SCHEMA IF EXISTS workflow_exec CASCADE; DROP SCHEMA IF EXISTS dbos CASCADE")
    made = new_site(folder, server.url("owner"), flows)
    done = made.fleet("init")
    assert done.status == 0, done.text
    for name, role in ROLES.items():
        server.sql(f"GRANT workflow_exec_{role} TO {name}")
    made.url, made.people_url = server.url("builder"), server.url("alice")
    return made


def another_host(site: Site, folder: Path) -> Site:
    """Return another machine's checkout of the same commit, with the same pin, and nothing else in common but the fleet."""
    folder.mkdir(parents=True)
    root = folder / "project"
    subprocess.run(["git", "clone", "-q", str(site.root), str(root)], check=True)
    made = Site(
        root,
        site.home,
        site.url,
        people_url=site.people_url,
        environment={"XDG_STATE_HOME": str(folder / "state"), **site.environment},
    )
    made.workers = site.workers
    made.pin()
    return made
