"""What a run is started with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.evidence import SEGMENT_BYTES, Record
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import StepId, Workflow
from pytest_workflow_exec.run._signed_approver import GlassApprover, SignedApprover, ask_past, ask_signed

if TYPE_CHECKING:
    from pytest_workflow_exec.redaction import Redactor
    from pytest_workflow_exec.run._carry import Resumption
    from pytest_workflow_exec.run._manual import Attester
    from pytest_workflow_exec.run._questions import Approver
    from pytest_workflow_exec.run._rejected import AfterRejection
    from pytest_workflow_exec.run._witness import Confirm
    from pytest_workflow_exec.sandbox import CommandWatch, Policy, ProgramPins
    from pytest_workflow_exec.settings import Durability, NotifySettings


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """What a run is started with."""

    workflow: Workflow
    policy: Policy
    inputs: Mapping[str, Json]
    input_groups: Mapping[str, Mapping[str, str]]
    input_texts: Mapping[str, str]
    """The inputs as the policy's `{name}` compares them."""
    environment: Mapping[str, str]
    """The engine's own environment; a command gets of it only what a rule names."""
    redactor: Redactor
    command_line: Sequence[str]
    plugins: Mapping[str, str]
    approver: Approver
    attester: Attester
    """Asks a person whether work by hand was done."""
    signed_approver: SignedApprover = ask_signed
    """Asks a person whose code counts only beside a signature."""
    glass_approver: GlassApprover = ask_past
    """Asks a person whether they go past a gate that wants signatures."""
    break_glass: StepId | None = None
    """The gate at which they are asked; None to ask nowhere."""
    after_rejection: AfterRejection | None = None
    """Why a new run begins of a plan that was rejected; None if it was not."""
    sign_start: Path | None = None
    """The key that signs the start of a new run; None to leave it unsigned."""
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The values of secret inputs, by input; nothing but commands' variables and standard input may hold them."""
    until: StepId | None = None
    """The last step to run; None for all."""
    given: Mapping[str, str] = field(default_factory=dict)
    """The inputs that were given on the command line, as they were typed; a resumed run keeps them."""
    durability: Durability = "power"
    """What the evidence survives."""
    segment_bytes: int = SEGMENT_BYTES
    """How long a file of its log becomes."""
    resumption: Resumption | None = None
    """How an earlier run goes on; None for a new one."""
    programs: ProgramPins | None = None
    """What the policy's programs were when the run was checked; None if nobody looked."""
    group: str | None = None
    """The concurrency group that it belongs to."""
    variables: Mapping[str, Json] = field(default_factory=dict)
    """The settings that the environment says, by its variables."""
    notify: Sequence[NotifySettings] = ()
    """Commands that tell people what it waits for and how it ended."""
    listener: Callable[[Record], None] | None = None
    """Is told of each record after it was written, where an interrupt does no harm. It must raise nothing of its own."""
    witness: Confirm | None = None
    """Has to know of everything at each barrier, before anything follows from it; None if nobody supervises the run."""
    watch: CommandWatch | None = None
    """Is told of each command as long as it runs."""
