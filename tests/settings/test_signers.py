"""The lists of keys that a policy names: files of the project, read with the configuration."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_workflow_exec.errors import SettingsError
from pytest_workflow_exec.settings import SignersFile, Trusted, load_file, load_settings

LIST = b"alice@example.org ssh-ed25519 AAAA\n"


def _trusted(root: Path, text: str = "") -> Trusted:
    (root / "workflow-exec.toml").write_text(text)
    return load_settings(root).policy.trusted


def test_the_lists_are_what_the_policy_names_or_the_usual_files(tmp_path: Path) -> None:
    """Without a word there are none, unless the usual files are there; named ones are read from the project's root."""
    assert (_trusted(tmp_path).signers, _trusted(tmp_path).revoked) == (None, None)

    (tmp_path / "workflow-signers").write_bytes(LIST)
    (tmp_path / "workflow-revoked").write_bytes(b"\xff\0")
    assert _trusted(tmp_path).signers == SignersFile(path="workflow-signers", content=LIST)
    assert _trusted(tmp_path).revoked == SignersFile(path="workflow-revoked", content=b"\xff\0")

    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "signers").write_bytes(b"bob\n")
    named = _trusted(tmp_path, '[policy]\nsigners = "keys/signers"\n')
    assert named.signers == SignersFile(path="keys/signers", content=b"bob\n")
    assert named.policy == '{"signers":"keys/signers"}'


def test_a_project_without_configuration_has_its_usual_lists(tmp_path: Path) -> None:
    """What is there counts, whether or not a configuration is."""
    (tmp_path / "workflow-signers").write_bytes(LIST)

    assert load_settings(tmp_path).policy.trusted.signers == SignersFile(path="workflow-signers", content=LIST)


def test_a_configuration_alone_needs_no_lists(tmp_path: Path) -> None:
    """A copy of a configuration, as a verifier has it, is read without the files that it names."""
    (tmp_path / "copy.toml").write_text('[policy]\nsigners = "keys"\n')

    assert load_file(tmp_path / "copy.toml").policy.trusted == Trusted(policy='{"signers":"keys"}')


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("missing", "No such file or directory"),
        ("/etc/passwd", "it must be a path below the project's root"),
        ("../outside", "it must be a path below the project's root"),
        ("./list", "it must be a path below the project's root"),
        (".", "it must be a path below the project's root"),
        ("a\\u0000b", "it must be a path below the project's root"),
        ("link", "it is, or lies behind, a symbolic link"),
        ("linked/list", "it is, or lies behind, a symbolic link"),
        ("folder", "it is no regular file"),
        ("pipe", "it is no regular file"),
        ("large", "it has more than 1048576 bytes"),
    ],
)
@pytest.mark.parametrize("key", ["signers", "revoked"])
def test_a_list_that_is_no_file_of_the_project_is_refused(tmp_path: Path, key: str, path: str, reason: str) -> None:
    """Nothing outside the project, behind a link, or that would block or never end is read as a list."""
    root = tmp_path / "project"
    (root / "folder").mkdir(parents=True)
    (tmp_path / "outside").write_bytes(LIST)
    (root / "list").write_bytes(LIST)
    (root / "link").symlink_to("list")
    (root / "linked").symlink_to(".")
    (root / "large").write_bytes(bytes((1 << 20) + 1))
    os.mkfifo(root / "pipe")

    with pytest.raises(SettingsError) as caught:
        _trusted(root, f'[policy]\n{key} = "{path}"\n')

    [problem] = caught.value.problems
    assert problem.path == root / "workflow-exec.toml"
    assert problem.message.startswith(f"policy.{key}: ")
    assert reason in problem.message


def test_a_usual_list_that_is_a_dangling_link_is_refused(tmp_path: Path) -> None:
    """What stands under the name of the usual list is not passed over because it leads nowhere."""
    (tmp_path / "workflow-signers").symlink_to("nowhere")

    with pytest.raises(SettingsError, match="symbolic link"):
        _trusted(tmp_path)
