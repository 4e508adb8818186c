"""One real key of each kind, made once."""

from __future__ import annotations

import shutil

import pytest

from ._made import Keys, made_keys


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """A key of each kind that counts, a weak one and a certificate."""
    if shutil.which("ssh-keygen") is None:
        pytest.skip("there is no ssh-keygen")
    return made_keys(tmp_path_factory.mktemp("keys"))
