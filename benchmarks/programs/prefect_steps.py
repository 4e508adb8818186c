"""Prefect with its ephemeral server and SQLite: `python prefect_steps.py COUNT BODY`, a row for each task run."""

import subprocess
import sys

from prefect import flow, task

COUNT, BODY = int(sys.argv[1]), sys.argv[2]


@task
def step(number: int) -> int:
    """Do what the comparison is about."""
    if BODY == "command":
        subprocess.run(["/bin/true"], check=True)
    return number


@flow
def many() -> int:
    """Run the tasks in order."""
    return sum(step(number) >= 0 for number in range(COUNT))


print(f"{many()} steps done")
