"""What the first record says of the machine is what Python says of it, and no program is started to hear it."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from pytest_workflow_exec.run._facts import versions


def test_the_platform_is_as_python_names_it() -> None:
    """The text is that of `platform.platform`, which knows a processor's name besides only on few machines."""
    said = versions()["platform"]

    assert isinstance(said, str)
    system, release, machine = platform.system(), platform.release(), platform.machine()
    assert said.startswith(f"{system}-{release}-{machine}" if sys.platform == "linux" else "")
    if platform.processor() in ("", machine):
        assert said == platform.platform()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere Python asks the system itself")
def test_no_program_is_started_to_name_the_platform() -> None:
    """A child process for a word of the first record would be most of what it costs."""
    code = (
        "import sys\nstarted = []\n"
        "sys.addaudithook(lambda event, _: started.append(event) if event == 'subprocess.Popen' else None)\n"
        "from pytest_workflow_exec.run._facts import versions\nversions()\nprint(*started)"
    )

    # In a process of its own: Python asks for a processor's name once in each.
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == []
