"""Dagster in one process, its run kept in SQLite: `python dagster_steps.py COUNT BODY`, events of each op."""

import subprocess
import sys

from dagster import DagsterInstance, In, Nothing, Out, job, op

COUNT, BODY = int(sys.argv[1]), sys.argv[2]


@op(ins={"before": In(Nothing)}, out=Out(Nothing))
def step() -> None:
    """Do what the comparison is about."""
    if BODY == "command":
        subprocess.run(["/bin/true"], check=True)


@op(out=Out(Nothing))
def first() -> None:
    """Stand at the start of the chain."""


@job
def many() -> None:
    """Chain the ops."""
    last = first()
    for number in range(COUNT):
        last = step.alias(f"step_{number}")(before=last)


sys.setrecursionlimit(COUNT * 20 + 1000)
with DagsterInstance.get() as instance:
    result = many.execute_in_process(instance=instance)
print(f"{COUNT if result.success else 'not all'} steps done")
