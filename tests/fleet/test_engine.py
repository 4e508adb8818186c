"""What the queueing engine may not do: run what somebody wrote into its database."""

from __future__ import annotations

import base64
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_workflow_exec.fleet._engine import refuse_pickles

pytest.importorskip("dbos")


class Evil:
    """What runs a command when it is read."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        """Return the command and who runs it."""
        return os.system, (self.command,)


@pytest.mark.parametrize("reader", ["deserialize_value", "deserialize_args", "deserialize_exception"])
def test_no_reader_of_the_engine_looks_up_what_a_pickle_names(reader: str, tmp_path: Path) -> None:
    """Each of them goes by the serializer that the row names: a release of the engine that reads otherwise is seen here."""
    from dbos import DBOSPortableJSONSerializer, _serialization

    payload = base64.b64encode(pickle.dumps({"args": (Evil(f"touch {tmp_path / 'pwned'}"),), "kwargs": {}})).decode()
    refuse_pickles()

    with pytest.raises(TypeError, match="pickles are not read here"):
        getattr(_serialization, reader)(payload, "py_pickle", DBOSPortableJSONSerializer())

    assert not list(tmp_path.iterdir())


def test_pickles_of_others_are_read_as_ever() -> None:
    """The refusal is the engine's alone: what else runs in the process is left alone."""
    refuse_pickles()

    assert pickle.loads(pickle.dumps(os.path.join)) is os.path.join  # noqa: S301  # made right here
