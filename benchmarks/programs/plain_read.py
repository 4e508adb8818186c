"""The obvious plain way of reading a log, which proves nothing yet: `python plain_read.py RUN`."""

import hashlib
import json
import sys
from pathlib import Path

records = 0
for path in sorted(Path(sys.argv[1]).glob("evidence*.jsonl")):
    with path.open("rb") as file:
        for line in file:
            json.loads(line)
            hashlib.sha256(line).hexdigest()
            records += 1
print(f"{records} records read")
