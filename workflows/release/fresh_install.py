"""Install a wheel into a fresh virtual environment and check that pytest loads the plugin there.

Used by the release workflow: `python workflows/release/fresh_install.py WHEEL`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from pathlib import Path


def main(wheel: str) -> int:
    """Print `plugin loaded: NAME-VERSION`, or fail with what pip or pytest said."""
    with tempfile.TemporaryDirectory(prefix="fresh-install-") as folder:
        environment = Path(folder) / "venv"
        venv.create(environment, with_pip=True)
        python = str(environment / "bin" / "python")
        subprocess.run([python, "-m", "pip", "install", "--quiet", str(Path(wheel).resolve())], check=True)
        version = Path(wheel).name.split("-")[1]
        found = _plugins(python, folder)
    plugin = f"pytest-workflow-exec-{version}"
    if plugin not in found:
        print(f"pytest does not load {plugin}:\n{found}", file=sys.stderr)
        return 1
    print(f"plugin loaded: {plugin}")
    return 0


def _plugins(python: str, folder: str) -> str:
    # Else it would take the configuration of whatever project the temporary folder lies in, and write its cache there.
    (Path(folder) / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    # Without any test: pytest's header names the plugins that it loaded; 5 is "nothing collected".
    done = subprocess.run([python, "-m", "pytest"], cwd=folder, capture_output=True, text=True, check=False)
    plugins = [line for line in done.stdout.splitlines() if line.startswith("plugins: ")]
    return (
        plugins[0].replace("workflow-exec-", "pytest-workflow-exec-")
        if done.returncode == 5 and plugins
        else done.stdout
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
