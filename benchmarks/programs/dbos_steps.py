"""DBOS with SQLite: `python dbos_steps.py COUNT BODY`, one workflow of COUNT steps, a committed row for each."""

import subprocess
import sys

from dbos import DBOS

COUNT, BODY = int(sys.argv[1]), sys.argv[2]
DBOS(config={"name": "many", "system_database_url": "sqlite:///many.sqlite", "log_level": "ERROR"})


@DBOS.step()
def step(number: int) -> int:
    """Do what the comparison is about."""
    if BODY == "command":
        subprocess.run(["/bin/true"], check=True)
    return number


@DBOS.workflow()
def many() -> int:
    """Run the steps in order."""
    return sum(step(number) >= 0 for number in range(COUNT))


DBOS.launch()
print(f"{many()} steps done")
DBOS.destroy()
