"""An SDK or a program that lacks what holds a model back is not used."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pytest_workflow_exec.ai import AiRequest
from pytest_workflow_exec.ai._failure import Failure
from pytest_workflow_exec.ai._room import opened_room
from pytest_workflow_exec.ai._sdk import check_program, options_of

REQUEST = AiRequest(
    step="s", model="m", system="", prompt="p", schema={"type": "object"}, attempts=2, timeout=9.0, budget_usd=0.5
)
OPTIONS = (
    "tools",
    "skills",
    "setting_sources",
    "strict_mcp_config",
    "mcp_servers",
    "verbatim_prompts",
    "permission_mode",
    "cli_path",
    "cwd",
    "env",
    "extra_args",
    "include_partial_messages",
    "max_buffer_size",
    "max_turns",
    "max_budget_usd",
    "model",
    "output_format",
    "stderr",
    "system_prompt",
    "hooks",
)
MATCHER = ("hooks", "on_failure", "timeout")


def sdk(*, options: tuple[str, ...] = OPTIONS, matcher: tuple[str, ...] = MATCHER) -> ModuleType:
    """Make an SDK that knows these fields."""
    module: Any = ModuleType("sdk")
    for name, fields in (("ClaudeAgentOptions", options), ("HookMatcher", matcher)):
        setattr(module, name, dataclasses.make_dataclass(name, [(field, object) for field in fields]))
    made: ModuleType = module
    return made


async def hook(*_: object) -> Mapping[str, object]:
    """Say nothing."""
    return {}


def optioned(module: ModuleType) -> Any:
    """Return the options of a request."""
    with opened_room(cli=Path("/bin/true"), system="", bounds={}) as room:
        return options_of(module, REQUEST, room=room, schema={}, hook=hook, stderr=lambda line: None)


def test_everything_is_said() -> None:
    """Each option that keeps something out has its value, and the hook closes where it fails."""
    options = optioned(sdk())

    assert (options.tools, options.skills, options.setting_sources, options.mcp_servers) == ([], [], [], {})
    assert (options.strict_mcp_config, options.verbatim_prompts, options.permission_mode) == (True, True, "dontAsk")
    assert (options.max_turns, options.max_budget_usd, options.env) == (3, 0.5, {})
    [matcher] = options.hooks["PreToolUse"]
    assert (matcher.hooks, matcher.on_failure) == ([hook], "block")


@pytest.mark.parametrize("missing", OPTIONS)
def test_sdk_without_an_option_is_refused(missing: str) -> None:
    """Whatever it is: nothing is left out silently."""
    with pytest.raises(Failure, match=f"does not know {missing} of ClaudeAgentOptions"):
        optioned(sdk(options=tuple(name for name in OPTIONS if name != missing)))


@pytest.mark.parametrize("missing", MATCHER)
def test_sdk_with_hooks_that_fail_open_is_refused(missing: str) -> None:
    """A hook that can't be told to close is none."""
    with pytest.raises(Failure, match=f"does not know {missing} of HookMatcher"):
        optioned(sdk(matcher=tuple(name for name in MATCHER if name != missing)))


@pytest.mark.parametrize("version", [None, "", "2.1.247", "2.0.999", "1.9.9", "new", "2.x.300", "2"])
def test_program_that_may_expand_prompts_is_refused(version: str | None) -> None:
    """An old one, and one that does not say how old it is."""
    with pytest.raises(Failure, match=r"before 2\.1\.248 a prompt could name files"):
        check_program(version)


@pytest.mark.parametrize("version", ["2.1.248", "2.1.332 (Claude Code)", "2.2.0", "3.0.0"])
def test_program_that_takes_prompts_as_they_are_is_used(version: str) -> None:
    """From the first version that does."""
    check_program(version)
