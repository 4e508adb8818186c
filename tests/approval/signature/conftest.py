"""One real key of each kind, made once."""

from __future__ import annotations

import shutil

import pytest

from ._made import Keys, openssh


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """A key of each kind that counts, a weak one and a certificate."""
    if shutil.which("ssh-keygen") is None:
        pytest.skip("there is no ssh-keygen")
    folder = tmp_path_factory.mktemp("keys")
    sizes = {"rsa": "3072", "weak": "2048", "ecdsa-256": "256", "ecdsa-384": "384", "ecdsa-521": "521"}
    for name in (*sizes, "ed25519", "mallory"):
        kind = {"weak": "rsa", "mallory": "ed25519"}.get(name, name.partition("-")[0])
        size = ["-b", sizes[name]] if name in sizes else []
        done = openssh("-q", "-t", kind, *size, "-N", "", "-C", name, "-f", folder / name)
        assert done.returncode == 0, done.stderr
    shutil.copy(folder / "ed25519", folder / "certified")
    shutil.copy(folder / "ed25519.pub", folder / "certified.pub")
    done = openssh("-q", "-s", folder / "mallory", "-I", "id", "-n", "alice@example.org", folder / "certified.pub")
    assert done.returncode == 0, done.stderr
    return Keys(folder)
