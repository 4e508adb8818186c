"""The obvious plain way: `python plain_commands.py COUNT`, commands by `subprocess.run`, nothing kept."""

import subprocess
import sys

COUNT = int(sys.argv[1])
for _ in range(COUNT):
    subprocess.run(["/bin/true"], capture_output=True, check=True)
print(f"{COUNT} steps done")
