"""The configuration as frozen values: what the rest of the package is given of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from pytest_workflow_exec.digests import Json, digest_of, digest_of_bytes
from pytest_workflow_exec.durations import parse_duration
from pytest_workflow_exec.lazy_patterns import lazy_pattern
from pytest_workflow_exec.lean_dataclasses import dataclass

RuleNeed = Literal["shared-memory"]
VerifyNeed = Literal["pty", "loopback", "namespaces", "shared-memory"]
"""What tests of a `verify:` step may need beyond the rights of a command."""
SandboxMode = Literal["none", "available", "required:landlock", "required:namespaces"]
Durability = Literal["power", "process"]
"""What evidence survives: a power cut, or only the end of the process, however sudden."""
Filesystem = Literal["local", "any"]
"""What evidence may lie on: file systems of this machine, or also those that can lose appended records."""
PythonProcesses = Literal["refuse", "record"]
"""What becomes of a process that Python code of a step starts past the sandbox."""
Carry = Literal["any", "anchored", "never"]
"""Whether a resumed run may carry steps that an earlier session satisfied: only those that a seal covers, if anchored."""

AiMode = Literal["live", "replay", "off"]
"""Who answers steps that ask a model, where no option says it."""
NotifyOn = Literal["gate.requested", "break_glass", "suspended", "denied", "finished"]
"""When somebody is told: a gate asks, its glass is broken, or a session ended: suspended, denied, or in any way."""

MIN_SEGMENT_MIB, MAX_SEGMENT_MIB = 1 / 1024, 1024
MAX_RETENTION_S = parse_duration("36500d")
MIN_BUDGET_USD, MAX_BUDGET_USD = 0.000001, 999_999
MONEY = lazy_pattern(r"[0-9]{1,6}(\.[0-9]{1,6})?")
"""An amount of US dollars, as it is typed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a variable of the environment says."""

    variable: str
    value: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifySettings:
    """A command that tells people what a run waits for or how it ended."""

    command: tuple[str, ...]
    on: tuple[NotifyOn, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GatedSettings:
    """What a decision must be worth before a rule's commands may run."""

    assurance: int
    approvers: tuple[str, ...] = ()
    """The groups of the policy that may decide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GitIdentity:
    """Who commits and tags, as git writes it down."""

    name: str
    email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSettings:
    """What commands may use up, as far as the policy says it."""

    stated: tuple[tuple[str, int | None], ...] = ()
    """Each bound that is stated, by its name with its unit; None for no bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSettings:
    """One rule of the policy, as written; `sandbox/` gives it its meaning."""

    rule: str = ""
    """Its short form; empty if it is a table, which says its program instead."""
    program: str | None = None
    subcommand: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    arguments: str | tuple[str, ...] = "none"
    allow: tuple[tuple[str, ...], ...] = ()
    """Argument lists that it must allow, else the policy does not load."""
    refuse: tuple[tuple[str, ...], ...] = ()
    """Argument lists that it must not allow."""
    sha256: str | None = None
    """The digest that its program must have, in hex."""
    gated: GatedSettings | None = None
    exec: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    network: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    cwd: tuple[str, ...] = ()
    home: bool = False
    sockets: tuple[str, ...] = ()
    limits: LimitSettings = field(default_factory=LimitSettings)
    needs: tuple[VerifyNeed, ...] = ()
    """Of a rule, only such as `RuleNeed` names."""
    place: tuple[str | int, ...] = field(default=(), compare=False)
    """Where it stands in the configuration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignersFile:
    """A list of keys in the project, as it was when the configuration was read."""

    path: str
    """From the project's root."""
    content: bytes

    @property
    def sha256(self) -> str:
        """The SHA-256 of its content, in hex."""
        return digest_of_bytes(self.content)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trusted:
    """What nobody may loosen unseen: the policy, and the keys that count. A pin holds a copy of it."""

    policy: str = "{}"
    """The whole policy table as canonical JSON; with `notify` in it, if the project has such commands."""
    signers: SignersFile | None = None
    """Whose signatures count: an allowed signers file of OpenSSH."""
    revoked: SignersFile | None = None
    """The keys that count no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretSource:
    """Where a secret stands: in a file, or in the keyring."""

    file: str | None = None
    keyring: str | None = None
    """The keyring's service."""
    user: str | None = None
    """The user whose password of that service it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySettings:
    """What commands the project allows, as written."""

    rules: tuple[RuleSettings, ...] = ()
    path: tuple[str, ...] = ("venv", "/usr/bin", "/bin")
    sandbox: SandboxMode | None = None
    """None: not said, which is the platform's default."""
    workflow_rules: Mapping[str, tuple[RuleSettings, ...]] = field(default_factory=dict)
    """Further rules by workflow name; they allow nothing in any other workflow."""
    limits: LimitSettings = field(default_factory=LimitSettings)
    """For commands that no rule is for; those of rules are in each."""
    verify: RuleSettings = field(default_factory=lambda: RuleSettings(rule="verify"))
    """The rights of the tests that `verify:` steps run."""
    carry: Carry = "any"
    approvers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Groups of principals by name."""
    secrets: Mapping[str, SecretSource] = field(default_factory=dict)
    """Where secrets stand that are in no variable, by name."""
    refuse_reachable_keys: bool = False
    """Whether a signature counts as no more than a typed code if its key is within the reach of the run's user."""
    python_processes: PythonProcesses = "refuse"
    git_identity: GitIdentity | None = None
    """Whom git takes the runner of commands for; None: nobody, and it refuses to commit."""
    starter_may_approve: bool = False
    """Whether who started a run may sign an approval of it."""
    break_glass: bool = False
    """Whether a person at the terminal may go past gates that want signatures, in any workflow."""
    break_glass_in: frozenset[str] = frozenset()
    """The workflows that alone have this grant."""
    submitters: tuple[str, ...] = ()
    """The groups whose people may submit runs to a fleet; empty: every listed signer."""
    trusted: Trusted = field(default_factory=Trusted)
    digest: str = digest_of({})
    """SHA-256 over what is trusted of it, in hex: the whole policy table, and the commands of `notify`."""
    locate: Callable[[Sequence[str | int]], tuple[Path, int | None]] | None = field(default=None, compare=False)
    """Tells in which file and on which line something of the configuration stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One project's configuration."""

    root: Path
    """The project: every path of a command, a glob or the policy starts here."""
    source: Path | None
    """The file that it was read from; None if the project has none."""
    policy: PolicySettings = field(default_factory=PolicySettings)
    durability: Durability = "power"
    filesystem: Filesystem = "local"
    segment_bytes: int | None = None
    """How long a file of a log becomes before the log goes on in a next one; None: not said."""
    retention_s: float | None = None
    """How long runs are to be kept at least; None: not said."""
    notify: tuple[NotifySettings, ...] = ()
    ai: AiMode | None = None
    """Who answers steps that ask a model; None: not said."""
    ai_budget_usd: float | None = None
    """What the models of a run may cost at most; None: not said."""
    said: Mapping[str, Said] = field(default_factory=lambda: MappingProxyType({}))
    """What variables of the environment say, by the key of the file, or else the option, that says the same."""
