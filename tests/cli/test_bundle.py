"""`workflow-exec export --bundle` and `workflow-exec import`: what is carried, and what is never taken in."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import re
import tarfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pytest_workflow_exec.evidence import (
    BundledFile,
    BundleList,
    EvidenceLog,
    described,
    open_bundle,
    read_list,
    write_bundle,
)
from pytest_workflow_exec.redaction import Redactor
from tests.evidence._logs import begun, ended, finished, note, rechained, records_in, started, written

from ._tool import workflow_exec

LIST = "workflow-exec-bundle.json"
WHEEL = b"the wheel\n"
FILES = {"wheel": "dist/app.whl", "hook": "conftest.py", "hidden": ".git/hooks/pre-commit"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A project with a run that left three files."""
    root = tmp_path / "home"
    root.mkdir()
    (root / "workflow-exec.toml").write_text('[policy]\nsandbox = "none"\n')
    left = {}
    for key, name in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(WHEEL)
        left[key] = {"path": name, "sha256": hashlib.sha256(WHEEL).hexdigest(), "size_bytes": len(WHEEL)}
    log = written(
        root, [started(["build"]), begun("build"), ended("build", files=left), note(text="x" * 9000), finished()]
    )
    kept = log.parent / "outputs" / "0123456789abcdef"
    kept.mkdir()
    (kept / "app.whl").write_bytes(WHEEL)
    (kept / "app.whl").chmod(0o500)
    (log.parent / "gates").mkdir()
    (log.parent / "gates" / "approve-0123.approve").write_text("to sign\n")
    (log.parent / "work" / "scratch").write_text("not carried\n")
    return root


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """Another project, of the same name, without runs."""
    root = tmp_path / "there"
    root.mkdir()
    (root / "workflow-exec.toml").write_text('[policy]\nsandbox = "none"\n')
    return root


def run_in(root: Path) -> Path:
    """Return the folder of the only run of a project."""
    [folder] = (root / ".workflow-exec" / "runs").iterdir()
    return folder


def exported(root: Path, name: str = "bundle.tar") -> Path:
    """Return the bundle of the only run of a project."""
    target = root.parent / name
    done = workflow_exec("export", "latest", "--bundle", target, cwd=root)
    assert done.returncode == 0, done.stderr
    return target


def everything(root: Path) -> dict[str, bytes]:
    """Return what is in a folder."""
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in root.rglob("*")}


def refused(root: Path, bundle: Path, why: str, *options: str) -> None:
    """Demand that a bundle is refused for a reason, and that nothing was written."""
    before = everything(root)
    done = workflow_exec("import", bundle, *options, cwd=root)
    assert (done.returncode, done.stdout) == (2, ""), done.stdout
    assert why in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    assert everything(root) == before


def remade(bundle: Path, change: Callable[[BundleList], BundleList], **contents: bytes) -> Path:
    """Return a bundle whose list was changed, and which is otherwise as it is made, with other contents by path."""
    folder = bundle.with_name("remade")
    with tarfile.open(bundle) as tar:
        tar.extractall(folder, filter="data")
    for path, content in contents.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).unlink(missing_ok=True)
        (folder / path).write_bytes(content)
    with open_bundle(bundle) as file:
        listed = change(read_list(file))
    files = tuple(described(folder / file.path, file.path) for file in listed.files)
    target = bundle.with_name("remade.tar")
    target.unlink(missing_ok=True)
    write_bundle(target, dataclasses.replace(listed, files=files), {file.path: folder / file.path for file in files})
    return target


def test_what_is_exported_is_taken_in_whole(home: Path, there: Path) -> None:
    """The run is there as it was, with what was kept of it and nothing else; the same run gives the same bytes."""
    bundle, again = exported(home), exported(home, "again.tar")
    assert bundle.read_bytes() == again.read_bytes()
    assert bundle.stat().st_mode & 0o777 == 0o600
    before = everything(home)

    done = workflow_exec("import", bundle, cwd=there)

    assert done.returncode == 0, done.stderr
    here, run = run_in(home), run_in(there)
    same = {path.relative_to(here) for path in here.rglob("*") if path.is_file()} - {Path("work/scratch")}
    assert {path.relative_to(run) for path in run.rglob("*") if path.is_file()} == same
    assert all((run / path).read_bytes() == (here / path).read_bytes() for path in same)
    assert (run / "outputs/0123456789abcdef/app.whl").stat().st_mode & 0o777 == 0o500
    assert sorted(each.name for each in run.iterdir() if each.is_dir()) == ["blobs", "gates", "outputs", "work"]
    assert not list((there / ".workflow-exec" / "incoming").iterdir())
    assert "by its own word alone: compare it with what the export printed" in done.stdout
    assert workflow_exec("verify", run.name, "--chain-only", cwd=there).returncode == 3
    assert workflow_exec("runs", cwd=there).returncode == 0
    assert everything(home) == before


def test_only_files_that_nothing_acts_on_are_put_back(home: Path, there: Path) -> None:
    """`--outputs` puts back a step's file where nothing is; never what pytest or git would run, and over nothing."""
    bundle = exported(home)

    done = workflow_exec("import", bundle, "--outputs", cwd=there)

    assert done.returncode == 0, done.stderr
    assert (there / "dist" / "app.whl").read_bytes() == WHEEL
    assert not (there / "conftest.py").exists()
    assert not (there / ".git").exists()
    assert done.stdout.count("is not put back: something would act on a file of that name") == 2
    (there / "dist" / "app.whl").write_bytes(b"mine\n")
    kept = workflow_exec("import", bundle, "--outputs", cwd=there)
    assert "output dist/app.whl is another one here, and is kept" in kept.stdout
    assert (there / "dist" / "app.whl").read_bytes() == b"mine\n"


def test_a_link_in_the_project_is_not_followed(home: Path, there: Path, tmp_path: Path) -> None:
    """Where a folder of the project is a link, nothing is put behind it."""
    (tmp_path / "outside").mkdir()
    (there / "dist").symlink_to(tmp_path / "outside")

    done = workflow_exec("import", exported(home), "--outputs", cwd=there)

    assert done.returncode == 2
    assert "the run is here, but not all that its steps left" in done.stderr
    assert not list((tmp_path / "outside").iterdir())


def test_what_changed_since_is_not_carried(home: Path, there: Path) -> None:
    """A file that is no longer what its step left stays behind, and that is said."""
    (home / "dist" / "app.whl").write_bytes(b"changed\n")
    (home / "conftest.py").unlink()
    target = home.parent / "bundle.tar"

    done = workflow_exec("export", "latest", "--bundle", target, cwd=home)

    assert done.returncode == 0
    assert "not carried: dist/app.whl: it changed since its step left it" in done.stderr
    assert "not carried: conftest.py: " in done.stderr
    with tarfile.open(target) as tar:
        assert [name for name in tar.getnames() if name.startswith("project/")] == ["project/.git/hooks/pre-commit"]


@pytest.mark.parametrize(
    ("member", "kind"),
    [
        ("evidence.jsonl", tarfile.SYMTYPE),
        ("evidence.jsonl", tarfile.LNKTYPE),
        ("evidence.jsonl", tarfile.CHRTYPE),
        ("evidence.jsonl", tarfile.FIFOTYPE),
        ("evidence.jsonl", tarfile.DIRTYPE),
        ("../evidence.jsonl", tarfile.REGTYPE),
        ("/etc/evidence.jsonl", tarfile.REGTYPE),
        ("evidence.jsonl", tarfile.CONTTYPE),
    ],
)
def test_what_is_no_plain_file_in_its_place_is_refused(home: Path, there: Path, member: str, kind: bytes) -> None:
    """A link, a device, a pipe, a folder, or a name that leads out, where the list has the log: nothing is written."""
    bundle, hostile = exported(home), home.parent / "hostile.tar"
    with tarfile.open(bundle) as good, tarfile.open(hostile, "w", format=tarfile.USTAR_FORMAT) as bad:
        for info in good:
            content = good.extractfile(info)
            assert content is not None
            if info.name == "evidence.jsonl":
                info.name, info.type, info.linkname = member, kind, "/etc/passwd"
            bad.addfile(info, content)

    refused(there, hostile, "what stands in it where its list has 'evidence.jsonl' is something else")


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda content: b"", "it is no bundle"),
        (lambda content: b"\0" * 10240, "it is no bundle"),
        (lambda content: content[:700], "it ends too early"),
        (lambda content: content[:-1024], "the end is missing"),
        (lambda content: content + b"\0", "something follows its end"),
        (lambda content: content + content, "something follows its end"),
        (lambda content: content.replace(b"to sign", b"to sing"), "is not what its list says: it was changed or cut"),
        (lambda content: content.replace(b"0000600\0", b"0000644\0", 1), "it is no bundle"),
        (lambda content: content.replace(b'"v":1', b'"v":2', 1), "another version"),
        (
            lambda content: content.replace(b'"run":"0', b'"run":"/', 1),
            "its list can't be read",
        ),
        (lambda content: re.sub(rb'"size_bytes":[0-9]', b'"size_bytes":-', content, count=1), "its list can't be read"),
        (
            lambda content: re.sub(rb'"sha256":"[0-9a-f]{64}"', b'"sha256":' + b"[" * 66, content, count=1),
            "its list can't",
        ),
        (lambda content: content[:124] + b"77777777777\0" + content[136:], "it is no bundle"),
    ],
)
def test_any_other_byte_is_refused(home: Path, there: Path, spoil: Callable[[bytes], bytes], why: str) -> None:
    """Empty, cut, longer, edited, with other rights, of another version or with lengths that lie: nothing is written."""
    bundle = exported(home)
    content = bundle.read_bytes()
    changed = spoil(content)
    assert changed != content
    bundle.write_bytes(changed)

    refused(there, bundle, why)


@pytest.mark.parametrize(
    "path",
    ["../evil", "/etc/evil", "outputs/../../evil", "outputs//evil", "outputs/.", "gates/../evil", "gates/.x", "run.lock",
     "blobs/aa/short", "evidence.jsonl.bak", "project/", "project/a\nb", "ledger.jsonl"],
)  # fmt: skip
def test_a_list_that_names_another_place_is_refused(home: Path, there: Path, path: str) -> None:
    """However right its bytes and digests are, a file has its place in a run or is refused."""
    bundle = exported(home)
    with open_bundle(bundle) as file:
        listed = read_list(file)
    files = sorted((*listed.files, BundledFile(path=path, sha256="0" * 64, size_bytes=0)), key=lambda each: each.path)
    content = dataclasses.replace(listed, files=tuple(files)).content()
    bundle.write_bytes(with_list(bundle, content))

    refused(there, bundle, "is no place for a file of a run")


def with_list(bundle: Path, content: bytes) -> bytes:
    """Return a bundle with another list."""
    with tarfile.open(bundle) as tar:
        first = tar.next()
        assert first is not None
        rest = bundle.read_bytes()[512 + -(-first.size // 512) * 512 :]
    first.size, first.mode = len(content), 0o600
    return first.tobuf(tarfile.USTAR_FORMAT) + content + bytes(-len(content) % 512) + rest


def test_a_list_with_a_file_twice_or_no_log_is_refused(home: Path, there: Path) -> None:
    """Two files of one name could be read in two ways."""
    bundle = exported(home)
    with open_bundle(bundle) as file:
        listed = read_list(file)
    for files in ((listed.files[0], *listed.files), tuple(reversed(listed.files)), listed.files[:1]):
        bundle.write_bytes(with_list(bundle, dataclasses.replace(listed, files=files).content()))
        refused(there, bundle, "its list has a file twice or out of order, or no log")


def test_a_log_that_is_not_what_the_engine_wrote_is_refused(home: Path, there: Path) -> None:
    """Right digests in the list do not make a broken chain whole, nor another run's log this one's."""
    bundle, log = exported(home), run_in(home) / "evidence.jsonl"
    edited = remade(
        bundle, lambda listed: listed, **{"evidence.jsonl": log.read_bytes().replace(b"passed", b"pazzed", 1)}
    )
    refused(there, edited, "its log is broken: ")
    records = records_in(log)
    cut = remade(bundle, lambda listed: listed, **{"evidence.jsonl": rechained(records[:-1])})
    refused(there, cut, "its log is of another run, or ends elsewhere, than its list says")
    blob = next(path for path in (run_in(home) / "blobs").rglob("*") if path.is_file())
    name = str(blob.relative_to(run_in(home)))
    refused(there, remade(bundle, lambda listed: listed, **{name: b"x" * 9016}), "its log is broken: ")
    other = str(there.name)
    renamed = remade(bundle, lambda listed: dataclasses.replace(listed, workflow=other))
    refused(there, renamed, "its log is of another run")


def test_a_file_that_no_step_left_is_refused(home: Path, there: Path) -> None:
    """What is put into the project has to be what the log says that a step left."""
    bundle = exported(home)

    def more(listed: BundleList) -> BundleList:
        file = BundledFile(path="project/dist/evil", sha256="0" * 64, size_bytes=0)
        return dataclasses.replace(listed, files=tuple(sorted((*listed.files, file), key=lambda each: each.path)))

    evil = remade(bundle, more, **{"project/dist/evil": b"evil"})
    refused(there, evil, "it holds 'project/dist/evil', which no step of its log left", "--outputs")
    changed = remade(bundle, lambda listed: listed, **{"project/dist/app.whl": b"evil"})
    refused(there, changed, "it holds 'project/dist/app.whl', which no step of its log left", "--outputs")


def test_a_run_that_is_here_is_never_replaced(home: Path, there: Path) -> None:
    """Whatever a bundle of the same run holds, what is here stays."""
    bundle = exported(home)
    assert workflow_exec("import", bundle, cwd=there).returncode == 0
    (run_in(there) / "evidence.jsonl").write_bytes(b"")

    refused(there, bundle, "is here already, and a run that is here is never replaced")
    refused(there, bundle, "is here already, and is another one", "--outputs")


def test_a_head_that_was_expected_has_to_be_the_last(home: Path, there: Path) -> None:
    """With `--expect-head` a log of other history is refused, however whole it is."""
    bundle, log = exported(home), run_in(home) / "evidence.jsonl"
    heads = [record["hash"] for record in records_in(log)]

    refused(there, bundle, "its log ends with head ", "--expect-head", heads[-2])
    done = workflow_exec("import", bundle, "--expect-head", heads[-1], cwd=there)

    assert done.returncode == 0, done.stderr
    assert "as you expected" in done.stdout


def test_of_two_imports_at_once_one_wins(home: Path, there: Path) -> None:
    """However many take it in at the same moment, the run is there once, whole."""
    bundle = exported(home)

    with ThreadPoolExecutor(4) as pool:
        codes = list(pool.map(lambda _: workflow_exec("import", bundle, cwd=there).returncode, range(6)))

    assert sorted(codes) == [0, *[2] * 5]
    assert (run_in(there) / "evidence.jsonl").read_bytes() == (run_in(home) / "evidence.jsonl").read_bytes()


def test_what_can_t_be_opened_is_refused(there: Path, tmp_path: Path) -> None:
    """A pipe is not waited for; a folder, a link and nothing at all are no bundles."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")

    for name in ("pipe", "link", "there", "none"):
        refused(there, tmp_path / name, "")


def test_what_can_t_be_carried_is_not_exported(home: Path, there: Path) -> None:
    """A broken log, one that is being written, a link among the outputs, a target that is there: no bundle is made."""
    target, run = home.parent / "bundle.tar", run_in(home)

    def told(why: str) -> None:
        done = workflow_exec("export", "latest", "--bundle", target, cwd=home)
        assert (done.returncode, done.stdout) == (2, "")
        assert why in done.stderr, done.stderr
        assert not target.exists()

    log = EvidenceLog.reopen(run, run.name, redactor=Redactor({}))
    told("is being written")
    log.close()
    (run / "outputs" / "link").symlink_to("/etc/passwd")
    told("can't be read")
    (run / "outputs" / "link").unlink()
    (run / "outputs" / "a\nb").write_text("odd")
    told("its name is none that every system can have")
    (run / "outputs" / "a\nb").unlink()
    both = workflow_exec("export", "latest", "--bundle", target, "-o", "x", cwd=home)
    neither = workflow_exec("export", "latest", cwd=home)
    assert (both.returncode, neither.returncode) == (2, 2)
    (run / "evidence.jsonl").write_bytes((run / "evidence.jsonl").read_bytes().replace(b"passed", b"pazzed", 1))
    told("a log that is broken")
    target.write_text("mine")
    kept = workflow_exec("export", "latest", "--bundle", target, cwd=home)
    assert kept.returncode == 2
    assert target.read_text() == "mine"


def test_a_copy_of_a_run_is_carried_without_its_project(home: Path, tmp_path: Path) -> None:
    """Of a folder that lies in no project the files of the project are not known to be its own: they stay behind."""
    copy = tmp_path / "copy"
    run_in(home).rename(copy)
    target = tmp_path / "bundle.tar"

    done = workflow_exec("export", copy, "--bundle", target, cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert done.stderr.count("this is a copy of the run, and no project lies around it") == 3
    with open_bundle(target) as file:
        assert isinstance(file, io.BufferedReader)
        assert LIST not in {each.path for each in read_list(file).files}
