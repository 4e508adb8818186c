"""Where secrets come from: variables of the engine's environment, and files or a keyring that the policy names."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from pytest_workflow_exec.errors import SecretSourceError
from pytest_workflow_exec.model import VARIABLE_NAME, is_injection
from pytest_workflow_exec.redaction import MIN_SECRET_BYTES
from pytest_workflow_exec.settings import PolicySettings, RuleSettings, SecretSource

from ._rules import Rule
from ._shared_memory import SHARED_MEMORY

_MAX_BYTES = 1 << 16
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class SecretEnvironment(Mapping[str, str]):
    """The engine's environment, with the secrets that stand elsewhere; those are read when they are first asked for.

    A variable that is set goes before a file or a keyring, so that the same policy serves where there is none.
    """

    def __init__(
        self, environment: Mapping[str, str], sources: Mapping[str, SecretSource], *, root: Path, rules: Iterable[Rule]
    ) -> None:
        """Find secrets for the commands of some rules.

        Args:
            environment: The engine's own.
            sources: Where secrets stand, by name.
            root: The project.
            rules: What commands may run; none of them may be able to read a secret's file.
        """
        self._environment, self._sources, self._root, self._rules = environment, sources, root, tuple(rules)
        self._read: dict[str, str] = {}
        self._lock = threading.Lock()
        self.tell: Callable[[str, str], None] = lambda _name, _value: None
        """Is told the name and value of each secret that is read, before anybody else has it."""

    @property
    def read(self) -> Mapping[str, str]:
        """The secrets that were read from files and the keyring, by name."""
        return dict(self._read)

    def __getitem__(self, name: str) -> str:
        """Return a variable's value, or the secret of that name.

        Raises:
            KeyError: There is neither.
            SecretSourceError: The secret can't be read from where the policy says that it stands.
        """
        if name not in self._sources or self._environment.get(name):
            return self._environment[name]
        with self._lock:
            if name not in self._read:
                value = read_secret(name, self._sources[name], root=self._root, rules=self._rules)
                self.tell(name, value)
                self._read[name] = value
            return self._read[name]

    def __contains__(self, name: object) -> bool:
        return name in self._environment or name in self._sources

    def __iter__(self) -> Iterator[str]:
        yield from self._environment
        yield from (name for name in self._sources if name not in self._environment)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def read_secret(name: str, source: SecretSource, *, root: Path, rules: Iterable[Rule]) -> str:
    """Return a secret from where it stands.

    Raises:
        SecretSourceError: It can't be read, others can read it, too, or it can't be kept out of what is written.
    """
    value = _from_file(name, source.file, root, rules) if source.file is not None else _from_keyring(name, source)
    if len(value.encode()) < MIN_SECRET_BYTES:
        reason = f"has fewer than {MIN_SECRET_BYTES} bytes, too few to be kept out of what is written"
        raise SecretSourceError(name=name, reason=f"{reason}, as it stands in {place_of(source)}")
    if "\0" in value:
        raise SecretSourceError(
            name=name, reason=f"holds a NUL, which no variable can, as it stands in {place_of(source)}"
        )
    return value


def place_of(source: SecretSource) -> str:
    """Return where a secret stands, in words."""
    if source.file is not None:
        return f"the file {source.file}"
    return f"the keyring, as {source.user!a} of {source.keyring!a}"


def file_problem(file: str, *, root: Path, rules: Iterable[Rule]) -> str | None:
    """Return why a file can't hold a secret, with what to do; None if it can. Its content is not read."""
    try:
        path = Path(os.path.realpath(_expanded(file)))
        return _status_problem(path, path.stat()) or _reader_problem(path, root, rules)
    except (OSError, ValueError, RuntimeError) as error:
        return f"can't be looked at: {getattr(error, 'strerror', None) or error}"


def secret_problems(settings: PolicySettings, rules: Iterable[RuleSettings]) -> Iterator[str]:
    """Give what is wrong with where a policy says that secrets stand."""
    for name in settings.secrets:
        if VARIABLE_NAME.fullmatch(name) is None:
            yield f"secrets.{name} is no variable's name"
        elif is_injection(name):
            yield f"secrets.{name} can't be passed on: its value chooses what code runs, or the engine sets it"
    for rule in rules:
        for name in rule.env:
            if name in settings.secrets:
                what = rule.rule or rule.program
                yield f"rule {what!r}: {name} is a secret; a rule is given it by secrets, not by env"


def _expanded(file: str) -> Path:
    path = Path(file).expanduser()
    if not path.is_absolute():
        message = "must be an absolute path, or one that begins with ~/"
        raise ValueError(message)
    return path


def _from_file(name: str, file: str, root: Path, rules: Iterable[Rule]) -> str:
    try:
        path = Path(os.path.realpath(_expanded(file)))
        # What is looked at is what is read, whatever stands at the path then.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as opened:
            problem = _status_problem(path, os.fstat(descriptor)) or _reader_problem(path, root, rules)
            if problem is not None:
                raise SecretSourceError(name=name, reason=f"stands in the file {file}, which {problem}")
            content = opened.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise SecretSourceError(name=name, reason=f"stands in the file {file}, which is longer than 64 KiB")
        return content.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise SecretSourceError(name=name, reason=f"stands in the file {file}, which is no UTF-8 text") from error
    except (OSError, ValueError, RuntimeError) as error:
        said = getattr(error, "strerror", None) or error
        raise SecretSourceError(name=name, reason=f"stands in the file {file}, which can't be read: {said}") from error


def _status_problem(path: Path, found: os.stat_result) -> str | None:
    if not stat.S_ISREG(found.st_mode):
        return "is no regular file"
    if found.st_mode & _OTHERS:
        return f"others can use, too (mode {stat.S_IMODE(found.st_mode):04o}): chmod 600 {path}"
    if found.st_uid not in (os.geteuid(), 0):
        return f"belongs to somebody else (uid {found.st_uid}): make it your own"
    return None


def _reader_problem(path: Path, root: Path, rules: Iterable[Rule]) -> str | None:
    from ._confinement import always_readable

    if _holds(root, path):
        return "lies in the project, where every command reads: keep it outside"
    if any(_holds(folder, path) for folder in always_readable()):
        return "lies where every command reads, as it does of the system: keep it elsewhere"
    home = Path(os.environ.get("HOME", "/nonexistent"))
    for rule in rules:
        for entry in (*rule.read, *rule.write):
            if _holds(root / entry, path):
                return f"the rule {rule.text!r} lets commands read: keep it elsewhere"
        if "shared-memory" in rule.needs and _holds(SHARED_MEMORY, path):
            return f"the rule {rule.text!r} lets commands read, as it needs shared memory: keep it elsewhere"
        if rule.home and _holds(home, path):
            return f"the rule {rule.text!r} lets commands read, as it grants your home: keep it elsewhere"
    return None


def _holds(folder: Path | str, path: Path) -> bool:
    return path.is_relative_to(os.path.realpath(folder))


def _from_keyring(name: str, source: SecretSource) -> str:
    try:
        # Never at a module's head: it is an extra, and looks for its backends when it is imported.
        import keyring
        from keyring.errors import KeyringError
    except ImportError as error:
        reason = "stands in the keyring, which needs the extra: pip install 'pytest-workflow-exec[keyring]'"
        raise SecretSourceError(name=name, reason=reason) from error
    try:
        found = keyring.get_password(source.keyring or "", source.user or "")
    except (KeyringError, OSError, RuntimeError, ValueError) as error:
        said = f"{type(error).__name__}: {error}".split("\n", 1)[0][:400]
        raise SecretSourceError(
            name=name, reason=f"stands in {place_of(source)}, which can't be read: {said}"
        ) from error
    if not isinstance(found, str) or not found:
        reason = f"is to stand in {place_of(source)}, which holds none: keyring set {source.keyring} {source.user}"
        raise SecretSourceError(name=name, reason=reason)
    return found
