"""A storm: workers and the server are killed at random while runs are played, answered and gone on with."""

from __future__ import annotations

import json
import random
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_workflow_exec.fleet import FleetError

from ._postgres import Server
from ._site import Site, Worker, another_host, site_on

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
_AT_ONCE = 12
_OVER = frozenset({"passed", "refused"})


@dataclass
class Storm:
    """What is played in it, and what came of it."""

    site: Site
    hosts: list[Site]
    server: Server
    seed: int
    say: Callable[[str], None]
    killed: Counter[str] = field(default_factory=Counter)
    answered: dict[str, tuple[int, str]] = field(default_factory=dict)
    """The question that was answered last for each submission: the leg that waited with it, and its digest."""
    asked_again: int = 0

    def play(
        self, count: int, *, kill_every_s: float, patience_s: float, concurrency: int, kills: int | None = None
    ) -> Mapping[str, str]:
        """Submit runs, answer their gates, kill at random, and return how each ended once all have.

        Args:
            patience_s: How long nothing at all may change before it is given up.
            kills: How often something is killed at most; None for as long as it goes on.
        """
        dice = random.Random(self.seed)  # noqa: S311  # to be repeated, not to be guessed
        submissions = self.site.submit("--count", str(count))
        workers = {number: self._worker(host, concurrency) for number, host in enumerate(self.hosts)}
        seen: Mapping[str, Mapping[str, Any]] = {}
        until, kill_at = time.monotonic() + patience_s, time.monotonic() + kill_every_s
        while True:
            runs = self._runs() or seen
            if runs and all(str(runs[each]["state"]) in _OVER for each in submissions):
                break
            if runs != seen:
                seen, until = runs, time.monotonic() + patience_s
            assert time.monotonic() < until, self.told(runs)
            self._answer(runs)
            for number, worker in workers.items():
                if worker.process.poll() is not None:
                    workers[number] = self._worker(self.hosts[number], concurrency)
            passed = sum(run["state"] == "passed" for run in runs.values())
            may = kills is None or self.killed.total() < kills
            if may and time.monotonic() >= kill_at and passed < count * 0.9:
                self._kill(dice, workers)
                kill_at = time.monotonic() + kill_every_s * (0.5 + dice.random())
            time.sleep(0.5)
        for worker in workers.values():
            worker.process.terminate()
        for worker in workers.values():
            worker.process.wait()
        return {each: str(runs[each]["state"]) for each in submissions}

    def told(self, runs: Mapping[str, Mapping[str, Any]]) -> str:
        """Return all that helps to find out why runs don't end."""
        lines = [f"seed {self.seed}, killed {dict(self.killed)}, answered {self.answered}"]
        for name, run in runs.items():
            if run["state"] in _OVER:
                continue
            lines.append(f"{name}: {json.dumps(run)}")
            for table in ("leg", "claim", "end"):
                rows = self.server.sql(f"SELECT * FROM workflow_exec.fleet_{table} WHERE submission = '{name}'")
                lines += [f"  {table}: {row}" for row in rows.splitlines()]
            queued = "workflow_uuid, status, executor_id, queue_name, recovery_attempts"
            rows = self.server.sql(
                f"SELECT {queued} FROM dbos.workflow_status WHERE workflow_uuid LIKE '{name}:%'", role="super"
            )
            lines += [f"  queue: {row}" for row in rows.splitlines()]
            if run["run"] is not None:
                rows = self.server.sql(f"SELECT number, at FROM workflow_exec.fleet_answer WHERE run = '{run['run']}'")
                lines += [f"  answer: {row}" for row in rows.splitlines()]
                lines += [f"  log: {json.dumps(record)[:400]}" for record in self.site.records(name)[-12:]]
        for worker in self.site.workers[-2 * len(self.hosts) :]:
            lines.append(f"--- {worker.output.name}, {worker.process.poll()}:\n{worker.text[-3000:]}")
        return "\n".join(lines)

    def _worker(self, host: Site, concurrency: int) -> Worker:
        return host.worker("--concurrency", str(concurrency), "--dead-after", "5s", "--take-over", "known")

    def _runs(self) -> Mapping[str, Mapping[str, Any]]:
        try:
            runs = self.site.status()
        except FleetError:
            return {}
        self.say(str(dict(Counter(str(run["state"]) for run in runs.values()))))
        return runs

    def _answer(self, runs: Mapping[str, Mapping[str, Any]]) -> None:
        waiting = [
            name
            for name, run in runs.items()
            if run["state"] == "suspended" and self.answered.get(name, (0, ""))[0] != run["leg"]
        ]
        # A few at a time: those that were killed meanwhile are started again in between.
        legs = [(name, int(runs[name]["leg"])) for name in waiting[:_AT_ONCE]]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda each: self._approve(*each), legs))

    def _approve(self, submission: str, leg: int) -> None:
        """Answer the question that is open, unless that very question was answered before."""
        try:
            asked = [each for each in self.site.records(submission) if each["type"] == "gate.requested"]
            question, before = str(asked[-1]["data"]["digest"]), self.answered.get(submission)
            if before is None or before[1] != question:
                if self.site.approve(submission).status != 0:
                    return
                self.asked_again += before is not None
            self.answered[submission] = (leg, question)
        except (AssertionError, FleetError, subprocess.SubprocessError):
            # The server is away.
            return

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
    site = site_on(server, folder / "one", {"site.workflow.yaml": FLOW})
    site.write("wf/effects.py", EFFECTS.format(folder=str(site.home)))
    site.commit()
    others = [another_host(site, folder / f"host-{number}") for number in range(1, hosts)]
    return Storm(site, [site, *others], server, seed, say)


def check(storm: Storm, states: Mapping[str, str]) -> Counter[str]:
    """Return how the runs ended, after everything that must hold of them was looked at."""
    site, server = storm.site, storm.server
    notes = Counter((site.home / "notes").read_text().split("\n")[:-1])
    uses = server.sql("SELECT run FROM workflow_exec.fleet_decision_use").split()
    assert len(uses) == len(set(uses))
    runs = site.status()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = list(pool.map(lambda each: _run_that_verifies(site, *each), states.items()))
    for (submission, state), run in zip(states.items(), found, strict=True):
        for step in ("first", "second", "fifth"):
            # Declared nothing: never twice, unless a person said so.
            assert notes[f"{run} {step}"] <= 1, (submission, step, notes[f"{run} {step}"])
        if state == "passed":
            assert uses.count(run) == 1
            assert all(notes[f"{run} {step}"] >= 1 for step in ("first", "second", "fourth", "fifth"))
        else:
            assert "was started and has no end" in str(runs[submission]["said"]), runs[submission]
    assert set(states.values()) <= {"passed", "refused"}
    return Counter(states.values())


def _run_that_verifies(site: Site, submission: str, state: str) -> str:
    """Return the run of a submission, whose log holds by its signers and its head."""
    records = site.records(submission)
    head = records[-1]["hash"]
    done = site.tool(
        "verify", f"fleet:{submission}", "--signers", site.root / "workflow-signers", "--expect-head", head
    )
    # What a person has to decide about has no end yet: intact, but bounded or not passed.
    assert done.status in ((0,) if state == "passed" else (3, 4)), done.text
    return str(records[0]["run"])
