"""Runs every case of the corpus of attacks at one level, and judges it by its oracle: `python -m ... LEVEL FOLDER`.

`LEVEL` is `landlock`, `namespaces`, or `bare`: `subprocess.run` as it is, which shows what the attacks do here.
Whatever can be read two ways is held against us: a case counts as held only if its oracle says so.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_workflow_exec.cli._text import escape
from pytest_workflow_exec.errors import PolicyError, WorkflowExecError
from pytest_workflow_exec.events import Event
from pytest_workflow_exec.redaction import Redactor
from pytest_workflow_exec.sandbox import CommandRunner, Policy, compile_policy
from pytest_workflow_exec.sandbox._limits import limits_of
from pytest_workflow_exec.sandbox._rules import Rule
from pytest_workflow_exec.sandbox._spawn import _kernel as kernel
from pytest_workflow_exec.sandbox._surroundings import Surroundings
from pytest_workflow_exec.sandbox._tokens import Token
from pytest_workflow_exec.settings import GitIdentity, LimitSettings, PolicySettings, RuleSettings

CASES: list[dict[str, Any]] = json.loads(Path(__file__).with_name("corpus.json").read_text())
_RUN = ".workflow-exec/runs/r"
_TOO_MUCH = {"OUT-02": "it would fill the memory", "RES-05": "it would fill the disk", "FD-02": "it needs a runner"}
"""What is not run without bounds."""
_KERNEL_ONLY = "exactly this command is allowed, by a rule that no policy can hold"


class Bench:
    """A fresh project with evidence, secrets and listeners, in which one case is played."""

    def __init__(self, case: Mapping[str, Any], folder: Path, level: str) -> None:
        """Prepare everything that the case names."""
        shutil.rmtree(folder, ignore_errors=True)
        self.case, self.level, self.folder = case, level, folder
        self.root = folder / "project"
        self.ws, self.out, self.home = self.root / "ws", folder / "out", self.root / _RUN / "scratch/home"
        self.log = self.root / _RUN / "evidence.jsonl"
        self.secret = folder / "user/.ssh/key"
        for path in (self.ws / "made", self.out, self.home, self.secret.parent):
            path.mkdir(parents=True)
        self.log.write_text("{}\n")
        self.secret.write_text("TOP-SECRET-VALUE")
        self.events: list[Event] = []
        self.record: Callable[[Event], None] = self.events.append
        self.mark = f"mark-{os.getpid()}-{case['id']}"

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Offer a port of each kind, and a terminal, while the case is played."""
        self.terminal, self.slave = os.openpty()
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            self.listeners = {"tcp": tcp, "udp": udp}
            for listener in (tcp, udp):
                listener.bind(("127.0.0.1", 0))
                listener.setblocking(False)
            tcp.listen()
            try:
                yield
            finally:
                os.close(self.terminal)
                os.close(self.slave)

    def filled(self, text: str) -> str:
        """Return a text of the case with what its placeholders stand for."""
        names = {
            "$WS/PWNED": f"{self.ws}/made/PWNED",
            "$WS/.pwexec": f"{self.ws}/.workflow-exec",
            "${WS}": str(self.ws),
            "$WS": str(self.ws),
            "$OUT": str(self.out),
            "$STATE/audit.jsonl": str(self.log),
            "$SECRETFILE": str(self.secret),
            "$HOME": str(self.home) if self.case["expect"] != "allowed" else "$HOME",
            "$PY": sys.executable,
            "$LDSO": next(map(str, Path("/lib64").glob("ld-linux*")), "/lib/ld-linux-aarch64.so.1"),
            "$RUNNER_PID": str(os.getpid()),
            "$TCP": str(self.listeners["tcp"].getsockname()[1]),
            "$UDP": str(self.listeners["udp"].getsockname()[1]),
            "$TTY": os.ttyname(self.slave),
            "$MARK": self.mark,
        }
        for name, value in names.items():
            text = text.replace(name, value)
        return text

    def set_up(self) -> None:
        """Make the files that the case begins with."""
        setup = self.case.get("setup", {})
        if setup.get("git"):
            git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
            (self.ws / "seed").write_text("seed\n")
            for words in (["init", "-q"], ["add", "seed"], ["commit", "-qm", "first"]):
                subprocess.run([*git, *words], cwd=self.ws, check=True)
        for name, content in setup.items():
            if name == "git":
                continue
            path = Path(self.filled(name))
            path.parent.mkdir(parents=True, exist_ok=True)
            given: dict[str, Any] = content if isinstance(content, dict) else {"text": content}
            if "symlink" in given:
                path.symlink_to(self.filled(given["symlink"]))
                continue
            lines = "".join(f"{number}\n" for number in range(given.get("lines", 0)))
            with path.open("a" if "append" in given else "w") as file:
                file.write(self.filled(given.get("append", given.get("text", lines))))
            path.chmod(given.get("mode", 0o644))

    @property
    def argv(self) -> list[str]:
        """The command."""
        argv = self.case["argv"]
        return [self.filled(word) for word in argv]

    @property
    def rights(self) -> dict[str, Any]:
        """What the case's policy gives its command, in our words."""
        asked = self.case["policy"]["allow"][0].get("exec", "none")
        exec_ = () if asked == "none" else ("any",) if asked == "any" else tuple(map(_name, asked))
        policy = self.case["policy"]
        write = ["ws/made"] if (self.ws / ".git").exists() else ["ws"]
        if self.case["id"] == "OK-07":
            write = ["ws/.git"]
        ports = [self.filled(port) for port in policy.get("net", {}).get("tcp", [])]
        return {
            "exec": exec_,
            "write": tuple(write),
            "cwd": ("ws",),
            "network": tuple(f"*:{port}" for port in ports),
            "secrets": tuple(policy.get("env", {}).get("set", {})),
        }

    def written_rule(self) -> RuleSettings:
        """Return the case's rule as a policy of ours says it."""
        asked = self.case["policy"]["allow"][0]
        program = self.filled(asked["exe"])
        if asked.get("opts") == ["*"]:
            return RuleSettings(rule=f"{program} **", **self.rights)
        kind = asked.get("pos", "none")
        arguments: Any = (
            {"any": "any", "none": "none", "ws": "workspace"}[kind] if isinstance(kind, str) else kind["in"]
        )
        return RuleSettings(
            program=Path(program).name
            if "/" in program and program.startswith("/usr/bin/") and self.argv and "/" not in self.argv[0]
            else program,
            subcommand=tuple(asked.get("sub", ())),
            options=tuple(asked.get("opts", ())),
            arguments=tuple(arguments) if isinstance(arguments, list) else arguments,
            limits=self._limits(),
            **self.rights,
        )

    def _limits(self) -> LimitSettings:
        asked = self.case["policy"].get("limits", {})
        names = {"fsize": "file_size_bytes", "nproc": "processes"}
        return LimitSettings(stated=tuple((ours, asked[theirs]) for theirs, ours in names.items() if theirs in asked))

    def policy(self, rule: RuleSettings, *, sandbox: str = "") -> Policy:
        """Return the policy with one rule."""
        settings = PolicySettings(
            rules=(rule,),
            path=("/usr/bin", "/bin", str(Path(sys.executable).parent)),
            sandbox=sandbox or f"required:{self.level}",  # type: ignore[arg-type]  # the levels are those of the policy
            git_identity=GitIdentity(name="a", email="a@example.org"),
        )
        return compile_policy(settings, workflow="corpus", environment=self.environment)

    def exact_policy(self) -> Policy:
        """Return a policy that allows this very command, past all that is refused when policies are read."""
        return self.exact_rules(self.policy(RuleSettings(rule="true")))

    def exact_rules(self, policy: Policy) -> Policy:
        """Return a policy with no rule but one for this very command."""
        rule = Rule(
            text=_KERNEL_ONLY,
            tokens=tuple(Token(text=word, kind="exact") for word in self.argv),
            limits=limits_of(self._limits()),
            **self.rights,
        )
        return replace(policy, rules=(rule,))

    @property
    def environment(self) -> dict[str, str]:
        """The engine's environment."""
        return {**os.environ, **self.case["policy"].get("env", {}).get("set", {})}

    @property
    def surroundings(self) -> Surroundings:
        """What the step gives its command besides its arguments."""
        cwd = self.filled(self.case.get("cwd", "$WS"))
        return Surroundings(
            # The folder of the case lies one deeper here.
            cwd=f"{cwd}/.." if ".." in cwd else os.path.relpath(cwd, self.root),
            env={name: self.filled(value) for name, value in self.case["env"].items()},
            stdin=self.case.get("stdin"),
        )

    def play(self, policy: Policy) -> dict[str, Any]:
        """Run the case's command, and return what became of it."""
        policy_secrets = {f"S{at}": text for at, text in enumerate(self.case["policy"].get("secrets", ()))}
        runner = CommandRunner(
            policy=policy,
            root=self.root,
            scratch=self.root / _RUN / "scratch",
            inputs={},
            environment=self.environment,
            redactor=Redactor(policy_secrets),
            record=self.record,
            closed=self.root / ".workflow-exec",
        )
        timeout = self.case["policy"].get("limits", {}).get("timeout", 20)
        try:
            done = runner.run(self.argv, step="s", attempt=1, timeout_s=timeout, surroundings=self.surroundings)
        except WorkflowExecError as error:
            return {**self._ended(), "said": f"{type(error).__name__}: {error}"}
        return {**self._ended(), "said": "", "stdout": done.stdout, "stderr": done.stderr}

    def _ended(self) -> dict[str, Any]:
        ends = [event.data for event in self.events if event.type == "command.finished"]
        ran = bool(ends) and not str(ends[0]["error"]).startswith("could not be started")
        facts = {key: ends[0][key] for key in ("exit", "signal", "stdout", "stderr", "timed_out")} if ran else {}
        return {"ran": ran, **facts, "audit": json.dumps([event.data for event in self.events], ensure_ascii=False)}

    def bare(self) -> dict[str, Any]:
        """Run the case's command as most code would."""
        timeout = self.case["policy"].get("limits", {}).get("timeout", 20)
        given = {name: self.filled(text) for name, text in self.case["env"].items()}
        names = {f"GIT_{role}_{what}": "a" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        environment = {**self.environment, "HOME": str(self.home), **names, **given}
        shown = {"ran": False, "audit": "", "said": "", "exit": None, "signal": None, "stdout": "", "stderr": ""}
        try:
            done = subprocess.run(
                self.argv, cwd=self.filled(self.case.get("cwd", "$WS")), env=environment, timeout=timeout,
                input=self.case.get("stdin", ""), capture_output=True, text=True, errors="replace",
                start_new_session=True, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return {**shown, "ran": True, "timed_out": True}
        except (OSError, ValueError, IndexError) as error:
            return {**shown, "said": str(error)}
        number = -done.returncode if done.returncode < 0 else None
        ended = {"exit": None if number else done.returncode, "signal": number, "timed_out": False, "ran": True}
        return {**shown, **ended, "stdout": done.stdout, "stderr": done.stderr}

    def survivors(self) -> list[int]:
        """Return the processes of the case that still run."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                stat = (folder / "stat").read_text().rpartition(")")[2].split()[0]
                if self.mark.encode() in (folder / "cmdline").read_bytes() and stat not in "ZX":
                    found.append(int(folder.name))
        return found

    def broken(self, seen: Mapping[str, Any]) -> list[str]:
        """Return which sentences of the case's oracle do not hold."""
        oracle = self.case.get("oracle", {})
        return [name for name, wanted in oracle.items() if not self._holds(name, wanted, seen)]

    def _holds(self, name: str, wanted: Any, seen: Mapping[str, Any]) -> bool:  # noqa: C901, PLR0911, PLR0912  # a table
        told = f"{seen.get('stdout', '')}{seen.get('stderr', '')}"
        match name:
            case "absent":
                return not any(os.path.lexists(self.filled(path)) for path in wanted)
            case "unchanged":
                return all(_text(Path(self.filled(path))) == "{}\n" for path in wanted)
            case "has":
                return all(self.filled(text) in told for text in wanted)
            case "lacks":
                return not any(text in told for text in wanted)
            case "re_lacks":
                return not any(re.search(text, told) for text in wanted)
            case "audit_lacks":
                return not any(text in seen["audit"] for text in wanted)
            case "audit_no_bidi":
                # It is stored as it is; a person sees it through this.
                return "\u202e" in seen["audit"] and "\u202e" not in escape(seen["audit"])
            case "rc":
                return bool((-seen["signal"] if seen.get("signal") else seen.get("exit")) == wanted)
            case "rc_not":
                return bool(seen.get("exit") != wanted)
            case "timeout":
                return bool(seen.get("timed_out"))
            case "survivors":
                return self.survivors() == []
            case "no_connect":
                return not self._was_reached(wanted)
            case "fds_max":
                numbers = re.findall(r"\d+", told)
                return len(numbers) > 0 and max(map(int, numbers)) <= wanted
            case "file_lacks":
                return wanted[1] not in Path(self.filled(wanted[0])).read_text()
            case "size_max":
                path = Path(self.filled(wanted[0]))
                return not path.exists() or path.stat().st_size <= wanted[1]
            case "out_max":
                return bool(len(told) <= wanted)
            case "out_min":
                return bool(len(told) >= wanted)
            case "wall_max":
                # How long it took says more of the machine than of us: that it was ended is asked by the other words.
                return True
        raise AssertionError(name)

    def _was_reached(self, kind: str) -> bool:
        try:
            if kind == "tcp":
                self.listeners["tcp"].accept()[0].close()
            else:
                self.listeners["udp"].recv(10)
        except BlockingIOError:
            return False
        return True


def _elsewhere(case: Mapping[str, Any], folder: Path, level: str) -> dict[str, Any]:
    """Return what became of a case whose fault stays with the process that has it."""
    if level == "bare":
        return {"how": "not run", "why": "it needs a runner"}
    words = [sys.executable, "-m", "tests.sandbox._corpus", level, str(folder), case["id"]]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def injected(case: Mapping[str, Any], folder: Path, level: str) -> dict[str, Any]:
    """Return what became of one case whose fault is made here, for good."""
    made = {**case, "argv": ["/usr/bin/touch", "$WS/PWNED"], "oracle": {"absent": ["$WS/PWNED"]}}
    bench = Bench(made, folder, level)
    with bench.listening():
        unconfined = bench.policy(RuleSettings(rule="true"), sandbox="none")
        if case["policy"]["inject"] == "audit-unwritable":
            policy = bench.exact_policy()
            bench.record = _full
        else:
            _refuse_call(_NO_LANDLOCK if case["policy"]["inject"] == "landlock-ENOSYS" else _NO_RESTRICTION)
            try:
                policy = bench.exact_policy()
            except PolicyError as error:
                if case["policy"]["inject"] == "landlock-ENOSYS":
                    return {"how": "refused at load", "broken": bench.broken({}), "said": str(error)}
                # Past the canary, as if the fault came later.
                policy = replace(bench.exact_rules(unconfined), level=level)  # type: ignore[arg-type]  # one of them
        try:
            seen = bench.play(policy)
        except OSError as error:
            return {"how": "refused", "broken": bench.broken({}), "said": str(error)}
        return {"how": "ran" if seen["ran"] else "refused", "broken": bench.broken(seen), "said": seen["said"]}


def _full(_: Event) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


_NO_LANDLOCK, _NO_RESTRICTION = (444, errno.ENOSYS), (446, errno.EPERM)


def _refuse_call(refused: tuple[int, int]) -> None:
    """Let this process and all that it starts fail at one call of the system."""
    number, code = refused
    steps = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x00050000 | code), (0x06, 0, 0, 0x7FFF0000)]
    kernel.prctl(_NO_NEW_PRIVILEGES, 1)
    kernel.restrict_calls(b"".join(struct.pack("=HBBI", *step) for step in steps))


_NO_NEW_PRIVILEGES = 38


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def _name(program: str) -> str:
    # Git starts itself by a name off the path, which is the same program.
    return "git" if program == "/usr/lib/git-core/git" else program


def judged(case: Mapping[str, Any], folder: Path, level: str) -> dict[str, Any]:
    """Return what became of one case at one level."""
    if case.get("inject"):
        return _elsewhere(case, folder, level)
    bench = Bench(case, folder, level)
    with bench.listening():
        bench.set_up()
        if level == "bare":
            return _bare(bench)
        return _confined(bench)


def _bare(bench: Bench) -> dict[str, Any]:
    if bench.case["id"] in _TOO_MUCH:
        return {"how": "not run", "why": _TOO_MUCH[bench.case["id"]]}
    seen = bench.bare()
    broken = bench.broken(seen)
    for pid in bench.survivors():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return {"how": "ran" if seen["ran"] else "did not start", "broken": broken, "said": seen["said"]}


def _confined(bench: Bench) -> dict[str, Any]:
    leak = os.open(bench.log, os.O_WRONLY | os.O_APPEND)
    os.set_inheritable(leak, True)
    try:
        loaded: Policy | None = bench.policy(bench.written_rule())
        reason = ""
    except PolicyError as error:
        loaded, reason = None, str(error)
    try:
        if bench.case["expect"] == "contained":
            return {"rule": "refused at load" if loaded is None else "loaded", **_seen(bench, bench.exact_policy())}
        if loaded is None:
            return {"how": "refused at load", "broken": [], "said": reason}
        return _seen(bench, loaded)
    finally:
        os.close(leak)


def _seen(bench: Bench, policy: Policy) -> dict[str, Any]:
    seen = bench.play(policy)
    broken = bench.broken(seen)
    for pid in bench.survivors():
        os.kill(pid, signal.SIGKILL)
    how = "ran" if seen["ran"] else "refused"
    unseen = [event.type for event in bench.events if event.type.startswith("command.")] == []
    return {
        "how": how,
        "broken": [*broken, *(["no record"] if unseen else [])],
        "said": seen["said"] or seen.get("stderr", "")[-200:],
    }


def is_installed(case: Mapping[str, Any]) -> bool:
    """Return whether the case's program is on this machine."""
    argv = case["argv"]
    return not argv or not argv[0].startswith("/usr/bin/") or case["expect"] == "denied" or Path(argv[0]).exists()


def main(level: str, folder: Path, only: str = "") -> None:
    """Print what became of every case, or of one whose fault is made in this process."""
    os.umask(0o022)
    cases = {case["id"]: case for case in CASES}
    if only:
        print(json.dumps(injected(cases[only], folder, level)))
        return
    print(json.dumps({name: _result(case, folder / "p", level) for name, case in cases.items()}))


def _result(case: Mapping[str, Any], folder: Path, level: str) -> dict[str, Any]:
    return judged(case, folder, level) if is_installed(case) else {"how": "not installed"}


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
