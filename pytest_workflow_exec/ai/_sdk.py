"""The claude-agent-sdk, imported late, and refused where it lacks what holds the model back."""

from __future__ import annotations

import dataclasses
import importlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import ModuleType
from typing import TypeAlias

from pytest_workflow_exec.digests import Json

from ._backend import AiRequest
from ._failure import Failure
from ._program import DISTRIBUTION, SDK, ai_problems, sdk_version
from ._room import Room

Hook: TypeAlias = Callable[[Mapping[str, object], "str | None", object], Awaitable[Mapping[str, object]]]

_MAX_MESSAGE_BYTES = 64 << 20
"""What one message of the program may take. The SDK's own bound is too small for long answers; ours is below this one."""
PERMISSION_MODE = "dontAsk"
_MIN_PROGRAM = (2, 1, 248)
"""The first version that leaves `@path` and `/command` in a prompt alone."""
_HOOK_TIMEOUT_S = 24 * 3600
_MAX_ROUNDS = 40
"""How often a model may look at something before it has to say something, in one turn."""
_ISOLATION: Mapping[str, object] = {
    "tools": [],
    "skills": [],
    "setting_sources": [],
    "strict_mcp_config": True,
    "mcp_servers": {},
    "verbatim_prompts": True,
    "permission_mode": PERMISSION_MODE,
}
"""Each of these keeps something out. An SDK that does not know one of them is not used."""


def load_sdk() -> ModuleType:
    """Return the SDK.

    Raises:
        Failure: It is not there or can't be imported, or nothing logs in.
    """
    problems = ai_problems()
    if problems:
        raise Failure("; ".join(problems), "permission", "Nothing was asked.")
    try:
        sdk = importlib.import_module(SDK)
    except Exception as error:
        raise Failure(
            f"{DISTRIBUTION} {sdk_version()} can't be imported: {error}", "permission", "Install it anew."
        ) from error
    log = logging.getLogger(SDK)
    if log.level == logging.NOTSET:
        # It calls the end of a program that we ended a fatal error. What there is to say, our own error says.
        log.setLevel(logging.CRITICAL)
    return sdk


def options_of(
    sdk: ModuleType,
    request: AiRequest,
    *,
    room: Room,
    schema: Mapping[str, Json],
    hook: Hook,
    stderr: Callable[[str], None],
) -> object:
    """Return the options of a request.

    Raises:
        Failure: The SDK does not know one that matters.
    """
    wanted: dict[str, object] = {
        **_ISOLATION,
        "cli_path": str(room.program),
        "cwd": str(room.directory),
        "env": {},
        "extra_args": {"no-session-persistence": None, "permission-prompts": "none"},
        "include_partial_messages": True,
        "max_buffer_size": _MAX_MESSAGE_BYTES,
        "max_turns": request.attempts + 1,
        "model": request.model,
        "output_format": {"type": "json_schema", "schema": schema},
        "stderr": stderr,
        "system_prompt": {"type": "file", "path": str(room.system)},
    }
    if request.budget_usd is not None:
        wanted["max_budget_usd"] = request.budget_usd
    _demand(sdk.ClaudeAgentOptions, {*wanted, "hooks"})
    _demand(sdk.HookMatcher, {"hooks", "on_failure", "timeout"})
    # A hook that fails would otherwise let the call through.
    matcher = sdk.HookMatcher(hooks=[hook], on_failure="block", timeout=_HOOK_TIMEOUT_S)
    options: object = sdk.ClaudeAgentOptions(**wanted, hooks={"PreToolUse": [matcher]})
    return options


def talk_options(
    sdk: ModuleType,
    *,
    model: str,
    budget_usd: float | None,
    room: Room,
    tools: Sequence[str],
    servers: Mapping[str, object],
    hook: Hook,
    stderr: Callable[[str], None],
) -> object:
    """Return the options of a conversation: no tool of the program's own, and none of ours that the hook did not judge.

    Raises:
        Failure: The SDK does not know one that matters.
    """
    wanted: dict[str, object] = {
        **_ISOLATION,
        "allowed_tools": list(tools),
        "mcp_servers": servers,
        "cli_path": str(room.program),
        "cwd": str(room.directory),
        "env": {},
        "extra_args": {"no-session-persistence": None, "permission-prompts": "none", "restricted": None},
        "include_partial_messages": True,
        "max_buffer_size": _MAX_MESSAGE_BYTES,
        "max_turns": _MAX_ROUNDS,
        "model": model,
        "stderr": stderr,
        "system_prompt": {"type": "file", "path": str(room.system)},
    }
    if budget_usd is not None:
        wanted["max_budget_usd"] = budget_usd
    _demand(sdk.ClaudeAgentOptions, {*wanted, "hooks"})
    _demand(sdk.HookMatcher, {"hooks", "on_failure", "timeout"})
    matcher = sdk.HookMatcher(hooks=[hook], on_failure="block", timeout=_HOOK_TIMEOUT_S)
    options: object = sdk.ClaudeAgentOptions(**wanted, hooks={"PreToolUse": [matcher]})
    return options


def shown_options(request: AiRequest) -> dict[str, Json]:
    """Return what of the options decides what an answer is worth, for the evidence."""
    return {
        **{name: value for name, value in _ISOLATION.items() if isinstance(value, bool | str | list)},
        "max_turns": request.attempts + 1,
        "max_budget_usd": request.budget_usd,
        "timeout": request.timeout,
    }


def check_program(version: str | None) -> None:
    """Refuse a program that is too old to take prompts as they stand.

    Raises:
        Failure: It is, or does not say how old it is.
    """
    parts = (version or "").split(" ", 1)[0].split(".")
    if not all(part.isdecimal() for part in parts) or tuple(map(int, parts)) < _MIN_PROGRAM:
        wanted = ".".join(map(str, _MIN_PROGRAM))
        raise Failure(
            f"the program of {DISTRIBUTION} is version {version or 'unknown'}, and before {wanted} a prompt could name files "
            f"that it would send",
            advice="Update the extra `ai`.",
        )


def _demand(made: type, names: set[str]) -> None:
    missing = sorted(names - {field.name for field in dataclasses.fields(made)})
    if missing:
        raise Failure(
            f"{DISTRIBUTION} {sdk_version()} does not know {', '.join(missing)} of {made.__name__}, without which a model is "
            f"not held back",
            advice="Install a version that this project names in its extra `ai`.",
        )
