"""A storm: workers and the server are killed at random while runs are played, answered and gone on with."""

from __future__ import annotations

import random
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from pytest_workflow_exec.fleet import FleetError

from ._postgres import Server
from ._site import Site, Worker, another_host, new_site

FLOW = """
workflow: site
steps:
  - {id: first, call: "effects:note"}
  - {id: second, call: "effects:note"}
  - id: approve
    gate: {question: Go on?, assurance: 2, approvers: [managers], wait: suspend}
  - {id: fourth, call: "effects:note", idempotent: true}
  - {id: fifth, call: "effects:note"}
"""
EFFECTS = """
import os
from pathlib import Path


def note(request, workflow):
    line = f"{{workflow.run_id}} {{request.node.name}}\\n"
    descriptor = os.open(Path({folder!r}) / "notes", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, line.encode())
    os.close(descriptor)
"""
_AT_ONCE = 4
ROLES = {"alice": "submitter", "builder": "worker", "looker": "reader"}


@dataclass
class Storm:
    """What is played in it, and what came of it."""

    site: Site
    hosts: list[Site]
    server: Server
    seed: int
    say: Callable[[str], None]
    killed: Counter[str] = field(default_factory=Counter)
    taken_over: Counter[str] = field(default_factory=Counter)
    decided: set[str] = field(default_factory=set)

    def play(self, count: int, *, kill_every_s: float, patience_s: float, concurrency: int) -> Mapping[str, str]:
        """Submit runs, answer their gates, kill at random, and return how each ended once all have."""
        dice = random.Random(self.seed)  # noqa: S311  # to be repeated, not to be guessed
        submissions = self.site.submit("--count", str(count))
        workers = {number: self._worker(host, concurrency) for number, host in enumerate(self.hosts)}
        until, kill_at = time.monotonic() + patience_s, time.monotonic() + kill_every_s
        while True:
            states = self._states()
            if states and all(states.get(each) in ("passed", "refused") for each in submissions):
                break
            assert time.monotonic() < until, Counter(states.values())
            waiting = [each for each, state in states.items() if state == "suspended" and each not in self.decided]
            # A few at a time: those that were killed meanwhile are started again in between.
            self._answer(waiting[:_AT_ONCE])
            for number, worker in workers.items():
                if worker.process.poll() is not None:
                    workers[number] = self._worker(self.hosts[number], concurrency)
            if time.monotonic() >= kill_at and Counter(states.values())["passed"] < count * 0.9:
                self._kill(dice, workers)
                kill_at = time.monotonic() + kill_every_s * (0.5 + dice.random())
            time.sleep(0.5)
        for worker in workers.values():
            worker.process.terminate()
        for worker in workers.values():
            worker.process.wait()
        return {each: states[each] for each in submissions}

    def _worker(self, host: Site, concurrency: int) -> Worker:
        return host.worker("--concurrency", str(concurrency), "--dead-after", "5s", "--take-over", "known")

    def _states(self) -> dict[str, str]:
        try:
            states = {name: str(run["state"]) for name, run in self.site.status().items()}
        except FleetError:
            return {}
        self.say(str(dict(Counter(states.values()))))
        return states

    def _answer(self, waiting: list[str]) -> None:
        with ThreadPoolExecutor(2) as pool:
            for submission, done in zip(waiting, pool.map(self._approved, waiting), strict=True):
                if done:
                    self.decided.add(submission)

    def _approved(self, submission: str) -> bool:
        try:
            return self.site.approve(submission).status == 0
        except (AssertionError, subprocess.SubprocessError):
            # The server is away.
            return False

    def _kill(self, dice: random.Random, workers: Mapping[int, Worker]) -> None:
        if dice.random() < 0.2:  # one in five
            self.server.kill()
            self.killed["server"] += 1
            time.sleep(dice.random() * 3)
            self.server.start()
            return
        workers[dice.choice(sorted(workers))].kill()
        self.killed["worker"] += 1


def storm_on(server: Server, folder: Path, *, hosts: int, seed: int, say: Callable[[str], None]) -> Storm:
    """Return a storm on a server, with hosts in folders of their own."""
    for role in ROLES:
        server.sql(f"CREATE ROLE {role} LOGIN")
    site = new_site(folder / "one", server.url("owner"), {"site.workflow.yaml": FLOW})
    site.write("wf/effects.py", EFFECTS.format(folder=str(site.home)))
    site.commit()
    done = site.fleet("init")
    assert done.status == 0, done.text
    for name, role in ROLES.items():
        server.sql(f"GRANT workflow_exec_{role} TO {name}")
    site.url, site.people_url = server.url("builder"), server.url("alice")
    others = [another_host(site, folder / f"host-{number}") for number in range(1, hosts)]
    return Storm(site, [site, *others], server, seed, say)


def check(storm: Storm, states: Mapping[str, str]) -> Counter[str]:
    """Return how the runs ended, after everything that must hold of them was looked at."""
    site, server = storm.site, storm.server
    notes = Counter((site.home / "notes").read_text().split("\n")[:-1])
    uses = server.sql("SELECT run FROM workflow_exec.fleet_decision_use").split()
    assert len(uses) == len(set(uses))
    for submission, state in states.items():
        records = site.records(submission)
        head = records[-1]["hash"]
        done = site.tool(
            "verify", f"fleet:{submission}", "--signers", site.root / "workflow-signers", "--expect-head", head
        )
        # What a person has to decide about has no end yet: intact, but bounded or not passed.
        assert done.status in ((0,) if state == "passed" else (3, 4)), done.text
        run = records[0]["run"]
        for step in ("first", "second", "fifth"):
            # Declared nothing: never twice, unless a person said so.
            assert notes[f"{run} {step}"] <= 1, (submission, step, notes[f"{run} {step}"])
        if state == "passed":
            assert uses.count(run) == 1
            assert all(notes[f"{run} {step}"] >= 1 for step in ("first", "second", "fourth", "fifth"))
        else:
            assert "was started and has no end" in str(site.status()[submission]["said"]), site.status()[submission]
    assert set(states.values()) <= {"passed", "refused"}
    return Counter(states.values())
