"""Luigi with its local scheduler: `python luigi_steps.py COUNT BODY`, a file for each task that is done."""

import subprocess
import sys

import luigi

COUNT, BODY = int(sys.argv[1]), sys.argv[2]


class Step(luigi.Task):
    """One task, which needs the one before."""

    number = luigi.IntParameter()

    def requires(self) -> list["Step"]:
        """Return the task before."""
        return [Step(number=self.number - 1)] if self.number else []

    def output(self) -> luigi.LocalTarget:
        """Return the file that says that it is done."""
        return luigi.LocalTarget(f"done/{self.number}")

    def run(self) -> None:
        """Do what the comparison is about."""
        if BODY == "command":
            subprocess.run(["/bin/true"], check=True)
        with self.output().open("w"):
            pass


sys.setrecursionlimit(COUNT * 10 + 1000)
done = luigi.build([Step(number=COUNT - 1)], local_scheduler=True, log_level="ERROR")
print(f"{COUNT if done else 'not all'} steps done")
