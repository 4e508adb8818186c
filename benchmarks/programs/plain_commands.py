"""The obvious plain way: `python plain_commands.py COUNT`, commands by `subprocess.run`, nothing captured or kept."""

import subprocess
import sys

COUNT = int(sys.argv[1])
for _ in range(COUNT):
    subprocess.run(["/bin/true"], check=True)
print(f"{COUNT} steps done")
