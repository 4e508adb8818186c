"""A project in a temporary folder that is configured as the present one, in which attempts are made."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import NamedTuple

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import WorkflowExecError
from pytest_workflow_exec.evidence import (
    LOG_NAME,
    PinPlace,
    pin_places,
    remove_pin,
    run_ids,
    runs_directory,
    write_pin,
)
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.sandbox import level_for
from pytest_workflow_exec.settings import OWN_FILE, Pin, Settings, load_settings, table_of_source

from ._terminal import Terminal

WORKFLOW = "workflow-exec-attack"
FILE = f"{WORKFLOW}.workflow.yaml"
APPROVED = "what was approved\n"
SIGNER = "signer@workflow-exec-attack.invalid"
"""Who may sign in the scratch project, beside those of the present one, with a key that was made for it."""

_PATIENCE_S = 120.0
"""How long to wait for something that happens at once; only a hang takes as long."""
_MAX_LINES = 20
_LEFT_OUT = ("PYTEST_", "SSH_AUTH_SOCK", "SSH_ASKPASS", "COLUMNS", "LINES")
_ACTS = '''\
"""What the scratch workflow does: makes a file, and releases it."""

import builtins
import re
from pathlib import Path

from pydantic import BaseModel


class Built(BaseModel):
    archive: Path


def build() -> Built:
    Path("out").mkdir(exist_ok=True)
    Path("out/app.txt").write_text("what was approved\\n")
    return Built(archive=Path("out/app.txt"))


def answer_itself():
    builtins.input = lambda prompt="": re.search("[A-Z0-9]{4}-[A-Z0-9]{4}", prompt).group()


def swap():
    for path in (Path("out/app.txt"), *Path(".workflow-exec").glob("runs/*/outputs/*/app.txt")):
        path.parent.chmod(0o700)
        path.unlink()
        path.write_text("something else\\n")


def release(archive):
    Path("released.txt").write_text(Path(archive).read_text())
'''
_FLOW = """\
workflow: {workflow}
steps:
  - {{id: build, call: "acts:build", idempotent: true}}
{before}  - id: approve
    gate: {{question: Release it?, show: [{show}]{gate}}}
{behind}  - {{id: release, call: {{function: "acts:release", with: {{archive: "${{steps.build.archive}}"}}}}}}
"""


class ScratchError(WorkflowExecError):
    """Nothing can be tried here."""


class Session(NamedTuple):
    """How a program exited, and what it printed."""

    status: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """The configuration that is attacked."""

    settings: Settings
    pin: str
    """What gates say of it."""
    pinned: bool
    signers: str
    """The list of keys; `none` if there is none."""
    level: str
    """What commands are confined by."""
    no_signatures: str
    """Why no gate can ask for signatures here; empty if one can."""
    refuses_reachable_keys: bool
    breaks_glass: bool
    """Whether the policy lets a person go past the signatures of gates, in any workflow."""
    runs_python: bool
    """Whether the policy finds this interpreter, which an attacking command needs."""


@dataclass
class Scratch:
    """The scratch project, renewed for each attempt."""

    root: Path
    config: str
    lists: Mapping[str, bytes]
    """The lists of keys by their paths in the project."""
    keys: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def project(self) -> Path:
        """The project's folder: always the same, as a pin is of one folder."""
        return self.root / "project"

    def renew(
        self,
        *,
        before: str = "",
        show: str = "build",
        gate: str = "",
        behind: str = "",
        files: Mapping[str, str] | None = None,
    ) -> None:
        """Make the project anew, with one workflow in it.

        Args:
            before: Further steps before the gate, in YAML.
            show: What the gate shows, in YAML.
            gate: Further keys of the gate.
            behind: Further steps between the gate and the release.
            files: Further files.
        """
        for folder in (self.project, self.root / "home", self.root / "state"):
            if folder.exists():
                shutil.rmtree(folder)
            folder.mkdir(mode=0o700)
        flow = _FLOW.format(workflow=WORKFLOW, before=before, show=show, gate=gate, behind=behind)
        written = {OWN_FILE: self.config, "pytest.ini": "[pytest]\n", "acts.py": _ACTS, FILE: flow, **(files or {})}
        for name, text in written.items():
            (self.project / name).write_text(text, encoding="utf-8")
        for name, content in self.lists.items():
            (self.project / name).parent.mkdir(parents=True, exist_ok=True)
            (self.project / name).write_bytes(content)

    def pytest(self, *arguments: str) -> Session:
        """Run the workflow without a terminal."""
        return self.run(*self._pytest(*arguments))

    def tool(self, *arguments: str) -> Session:
        """Run the command line tool without a terminal."""
        return self.run(*self._tool(*arguments))

    def pytest_terminal(self, *arguments: str) -> Terminal:
        """Run the workflow on a terminal that the caller owns."""
        return self._terminal(*self._pytest("-s", *arguments))

    def tool_terminal(self, *arguments: str) -> Terminal:
        """Run the command line tool on a terminal that the caller owns."""
        return self._terminal(*self._tool(*arguments))

    def piped_terminal(self, command: str) -> Terminal:
        """Run the workflow on a terminal that the caller owns, but with what a shell command prints as its input."""
        return self._terminal("/bin/sh", "-c", f'{command} | "$@"', "sh", *self._pytest("-s"))

    def sign(self, who: str, content: bytes) -> str:
        """Return the signature of a content with a key of the scratch project."""
        file = self.root / "to-sign"
        file.write_bytes(content)
        signature = file.with_name("to-sign.sig")
        signature.unlink(missing_ok=True)
        done = self.run(
            "ssh-keygen", "-Y", "sign", "-q", "-n", "pytest-workflow-exec", "-f", str(self.keys / who), str(file)
        )
        if done.status != 0:
            raise ScratchError(f"ssh-keygen does not sign: {done.text.strip()}")
        return signature.read_text(encoding="ascii")

    def public(self, who: str) -> str:
        """Return a public key as lists hold it."""
        return " ".join((self.keys / f"{who}.pub").read_text(encoding="utf-8").split()[:2])

    def demand_running(self) -> None:
        """Return if the scratch workflow runs here at all: else nothing could be told from what does not.

        Raises:
            ScratchError: It does not; says what pytest said.
        """
        self.renew()
        session = self.pytest("--workflow-until", "build")
        if session.status != 0:
            said = "\n".join(f"  {line}" for line in session.text.splitlines()[-_MAX_LINES:])
            raise ScratchError(f"a workflow does not run under this configuration, so nothing can be tried:\n{said}")

    @property
    def released(self) -> str | None:
        """What was released; None if nothing was."""
        with contextlib.suppress(FileNotFoundError):
            return (self.project / "released.txt").read_text(encoding="utf-8")
        return None

    @property
    def log(self) -> Path:
        """The log of the newest run."""
        for run in run_ids(self.project):
            return runs_directory(self.project) / run / LOG_NAME
        raise ScratchError("the scratch workflow left no run")

    def _pytest(self, *arguments: str) -> tuple[str, ...]:
        return (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments, FILE)

    def _tool(self, *arguments: str) -> tuple[str, ...]:
        return (sys.executable, "-m", "pytest_workflow_exec.cli", *arguments)

    def run(self, *argv: str) -> Session:
        """Run a program in the project, without a terminal."""
        try:
            done = subprocess.run(  # noqa: S603  # this interpreter or ssh-keygen, with arguments of this module
                argv,
                cwd=self.project,
                env=self._surroundings,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=_PATIENCE_S,
                check=False,
            )
        except OSError as error:
            raise ScratchError(f"{argv[0]} can't be started: {error.strerror}") from error
        except subprocess.TimeoutExpired as error:
            raise ScratchError(f"{argv[0]} does not end") from error
        return Session(done.returncode, done.stdout.decode("utf-8", "replace"))

    def _terminal(self, *argv: str) -> Terminal:
        return Terminal(
            argv, cwd=self.project, environment={**self._surroundings, "TERM": "xterm"}, patience_s=_PATIENCE_S
        )

    @property
    def _surroundings(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_LEFT_OUT)}
        # Neither the user's keys nor their ledger of runs is any of this.
        mine = {"HOME": str(self.root / "home"), "XDG_STATE_HOME": str(self.root / "state")}
        return {**kept, **mine, **self.environment}


def present(settings: Settings, *, pin: Pin | None) -> Present:
    """Return what there is to know of a configuration before it is attacked."""
    policy = settings.policy
    signers = policy.trusted.signers
    there = {
        "list of signers": signers is not None,
        "pin": pin is not None,
        "ssh-keygen": bool(shutil.which("ssh-keygen")),
    }
    lacks = " and no ".join(what for what, is_there in there.items() if not is_there)
    return Present(
        settings=settings,
        pin="unpinned" if pin is None else str(pin),
        pinned=pin is not None,
        signers="none" if signers is None else f"{signers.path} sha256 {signers.sha256}",
        level=level_for(policy, tests=True)[0],
        no_signatures=f"there is no {lacks} here, so no gate can want signatures" if lacks else "",
        refuses_reachable_keys=policy.refuse_reachable_keys,
        breaks_glass=policy.break_glass,
        runs_python="venv" in policy.path,
    )


@contextlib.contextmanager
def scratch_for(now: Present) -> Iterator[Scratch]:
    """Give a scratch project that is configured as the present one, and leave nothing of it behind.

    Raises:
        ScratchError: None can be made here.
        PinError: Its pin can't be written or removed.
    """
    with tempfile.TemporaryDirectory(prefix="workflow-exec-attack-") as folder:
        root = Path(folder).resolve()
        keys = root / "keys"
        keys.mkdir(mode=0o700)
        made = Scratch(root=root, config=_toml(_configuration(now.settings)), lists={}, keys=keys)
        (root / "project").mkdir()
        if not now.no_signatures:
            _make_keys(made)
        made.lists = _lists(now, made)
        made.renew()
        with _pinned(made) if now.pinned else contextlib.nullcontext():
            yield made


def _configuration(settings: Settings) -> Mapping[str, Json]:
    table = dict(table_of_source(settings))
    # Nobody is to be told that a gate of the scratch project waits.
    table.pop("notify", None)
    policy = dict(_table(table.get("policy")))
    own = dict(_table(policy.get("workflows")))
    own[WORKFLOW] = {"command": [{"rule": "python push.py"}, {"rule": "python spoil.py"}]}
    # A policy that lets somebody break the glass has to name whom it tells.
    told: list[Json] = (
        [{"command": [sys.executable, "-c", "pass"], "on": ["break_glass"]}] if _breaks_glass(settings) else []
    )
    return {**table, "policy": {**policy, "workflows": own}, **({"notify": told} if told else {})}


def _breaks_glass(settings: Settings) -> bool:
    return settings.policy.break_glass or bool(settings.policy.break_glass_in)


def _table(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}


def _toml(table: Mapping[str, Json]) -> str:
    return "".join(f"{_quoted(key)} = {_spelled(value)}\n" for key, value in table.items())


def _spelled(value: Json) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_quoted(key)} = {_spelled(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_spelled, value)) + "]"
    return _quoted(value) if isinstance(value, str) else json.dumps(value)


def _quoted(text: str) -> str:
    # TOML's basic strings are those of JSON, but for halves of characters and DEL.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _make_keys(scratch: Scratch) -> None:
    for who in ("signer", "mallory"):
        done = scratch.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", who, "-f", str(scratch.keys / who))
        if done.status != 0:
            raise ScratchError(f"ssh-keygen makes no key: {done.text.strip()}")


def _lists(now: Present, scratch: Scratch) -> Mapping[str, bytes]:
    trusted = now.settings.policy.trusted
    found: dict[str, bytes] = {}
    if trusted.revoked is not None:
        found[trusted.revoked.path] = trusted.revoked.content
    if trusted.signers is not None:
        mine = b"" if now.no_signatures else f"{SIGNER} {scratch.public('signer')}\n".encode()
        found[trusted.signers.path] = trusted.signers.content.rstrip(b"\n") + b"\n" + mine
    return found


@contextlib.contextmanager
def _pinned(scratch: Scratch) -> Iterator[None]:
    place = pin_places().user
    if place is None:
        raise ScratchError("the user has no home, so the scratch project can't be pinned")
    write_pin(scratch.project, place, load_settings(scratch.project).policy.trusted)
    try:
        yield
    finally:
        _unpin(scratch.project, place)


def _unpin(root: Path, place: PinPlace) -> None:
    remove_pin(root, place)
    # Its folder was made for it; one that holds something else stays.
    with contextlib.suppress(OSError):
        place.path_of(root).parent.rmdir()
