"""One request to the program, from its start to its certain end, with everything that was heard on the way."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import ModuleType
from typing import Any

from ._backend import Accept, AiNews, AiRequest, AiUsage
from ._failure import Failure, kind_of, plain
from ._loop import Caller
from ._proposals import Proposals
from ._room import Room
from ._schema import FittedSchema
from ._schema_wrap import STRUCTURED_OUTPUT
from ._sdk import check_program, options_of
from ._tellings import Tell, progress_words, retry_words

MAX_SAID = 8 << 20
"""How many characters a model may say in one request."""
_INTERRUPT_S = 2.0
_DRAIN_S = 5.0
_SEEN_WHOLE_S = 20.0
_KEPT_LINES = 20
_NO_OBJECTION: Mapping[str, object] = {}


class Conversation:
    """One request. `run` ends only when the program has ended."""

    def __init__(
        self,
        sdk: ModuleType,
        request: AiRequest,
        accept: Accept,
        *,
        tell: Tell,
        caller: Caller,
        fitted: FittedSchema,
        room: Room,
        idle_s: float,
    ) -> None:
        self.proposals = Proposals(wrapped=fitted.wrapped)
        self.failure: Failure | None = None
        self.result: Any = None
        self.started: Mapping[str, Any] | None = None
        self.model = ""
        self.program_version = ""
        self.cost_usd = 0.0
        self.stderr: deque[str] = deque(maxlen=_KEPT_LINES)
        self._sdk, self._request, self._accept, self._tell, self._caller = sdk, request, accept, tell, caller
        self._room, self._idle_s = room, idle_s
        self._word: str | None = None
        self._calls: dict[int, str] = {}
        self._whole: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._judging = 0
        self._said = 0
        self._prose = ""
        self._ended = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._heard_at = self._began_at = self._loop.time()
        self._tokens, self._last = 0, ""
        options = options_of(
            sdk, request, room=room, schema=fitted.schema, hook=self._before_call, stderr=self.stderr.append
        )
        self._client = sdk.ClaudeSDKClient(options)

    async def run(self) -> None:
        """Ask, listen to the end, and leave no process. What went wrong is then in `failure`."""
        watch = asyncio.ensure_future(self._watch())
        try:
            await self._ask()
        except Failure as failure:
            self._fail(failure)
        except Exception as error:  # noqa: BLE001  # the SDK raises its own, plain ones, and those of its libraries
            self._fail(self._failure_of(error))
        finally:
            self._ended.set()
            watch.cancel()
            if self.result is None:
                self._kill()
                await self._drain()
            with suppress(Exception):
                await self._client.disconnect()
        if self._prose and not self.proposals.attempts and self.result is not None:
            self.proposals.add_prose(self._prose)

    async def _drain(self) -> None:
        """Read what a killed program had still said: the SDK would leave the pipe open."""

        async def read() -> None:
            async for _ in self._client.receive_messages():
                pass

        with suppress(Exception):
            await asyncio.wait_for(read(), _DRAIN_S)

    @property
    def word(self) -> str | None:
        """The program's word for the last error of the API."""
        return self._word

    @property
    def progress(self) -> str:
        """How far it has come, in a few words."""
        last = f"; {self._last}" if self._last else ""
        return f"{progress_words(self._loop.time() - self._began_at, self._tokens, self.cost_usd)}{last}"

    def _fail(self, failure: Failure) -> None:
        self.failure = self.failure or failure

    async def _ask(self) -> None:
        self._say(f"starting {self._request.model}")
        await self._client.connect()
        facts = await self._client.get_server_info() or {}
        self.program_version = str(facts.get("claude_code_version") or "")
        check_program(self.program_version)
        self._heard_at = self._loop.time()
        await self._client.query(self._request.prompt)
        async for message in self._client.receive_messages():
            self._heard_at = self._loop.time()
            self._hear(message)
            if self.result is not None:
                return
        raise Failure("the program ended without a result", "transient")

    def _hear(self, message: object) -> None:
        sdk = self._sdk
        if isinstance(message, sdk.StreamEvent):
            self._hear_stream(message.event)
        elif isinstance(message, sdk.ResultMessage):
            self.result = message
            self.cost_usd = _number(message.total_cost_usd)
        elif isinstance(message, sdk.SystemMessage):
            self._hear_system(message.subtype, message.data)
        elif isinstance(message, sdk.AssistantMessage):
            self._hear_answer(message)
        elif isinstance(message, sdk.UserMessage) and not isinstance(message.content, str):
            self._hear_refusals(message.content)

    def _hear_system(self, subtype: str, data: Mapping[str, Any]) -> None:
        if subtype == "init":
            self.started = data
            if (tools := data.get("tools")) != [STRUCTURED_OUTPUT] or data.get("mcp_servers") != []:
                servers = data.get("mcp_servers")
                raise Failure(
                    f"the program offers more than the answer: tools {tools!r}, servers {servers!r}; it was ended"
                )
        elif subtype == "api_retry":
            status = data.get("error_status")
            self._word = data.get("error")
            if status is not None and kind_of(status=status, word=self._word) == "permission":
                # Else it would try a key that does not open again and again.
                raise Failure(f"the API refuses the login (HTTP {status}, {plain(str(self._word))})", "permission")
            self._say(retry_words(data))

    def _hear_stream(self, event: Mapping[str, Any]) -> None:
        match event:
            case {"type": "message_start"}:
                self._calls.clear()
            case {"type": "content_block_start", "index": index, "content_block": {"type": "tool_use", "id": call}}:
                self._calls[index] = call
                self.proposals.begin(call)
            case {"type": "content_block_delta", "index": index, "delta": {"partial_json": text}} if (
                index in self._calls
            ):
                self._count(text)
                self.proposals.add(self._calls[index], text)
            case {"type": "content_block_delta", "delta": {"text": text}}:
                self._count(text)
            case {"type": "message_delta", "usage": {"output_tokens": int(tokens)}}:
                self._tokens += tokens
            case {"type": "content_block_stop", "index": index} if index in self._calls:
                self.proposals.end(self._calls[index])
                self._whole[self._calls[index]].set()
            case _:
                pass

    def _count(self, text: str) -> None:
        self._said += len(text)
        if self._said > MAX_SAID:
            raise Failure(f"it says more than {MAX_SAID} characters, which is too long", advice="Ask for less at once.")
        self._tell.written(self._said)

    def _hear_answer(self, message: Any) -> None:  # noqa: ANN401  # a class of the SDK's
        self._word = message.error or self._word
        for block in message.content:
            if isinstance(block, self._sdk.ToolUseBlock):
                self.model = message.model
                if block.name != STRUCTURED_OUTPUT:
                    name = plain(block.name)
                    told = f"the model asked for the tool {name}, which it does not have"
                    self._tell.say(AiNews(text=told, refused_call=(name, plain(ascii(block.input)))))
            elif isinstance(block, self._sdk.TextBlock) and message.error is None:
                self._prose = block.text

    def _hear_refusals(self, blocks: Sequence[object]) -> None:
        for block in blocks:
            if isinstance(block, self._sdk.ToolResultBlock) and block.is_error:
                self.proposals.refuse(block.tool_use_id, f"the program refused it: {plain(str(block.content))}")

    async def _before_call(self, call: Mapping[str, Any], call_id: str | None, _: object) -> Mapping[str, object]:
        """Let a call through only if it is an answer that Python accepts; whatever else happens, it is denied."""
        self._judging += 1
        try:
            errors = await self._judge(str(call.get("tool_use_id") or call_id), call)
        finally:
            self._judging -= 1
            self._heard_at = self._loop.time()
        if not errors:
            return _NO_OBJECTION
        reason = "Not accepted. " + "\n".join(errors)
        decision = {"hookEventName": "PreToolUse", "permissionDecision": "deny", "permissionDecisionReason": reason}
        return {"hookSpecificOutput": decision}

    async def _judge(self, call_id: str, call: Mapping[str, Any]) -> Sequence[str]:
        if call.get("tool_name") != STRUCTURED_OUTPUT:
            return ("there are no tools here",)
        try:
            await asyncio.wait_for(self._whole[call_id].wait(), _SEEN_WHOLE_S)
        except asyncio.TimeoutError:
            return ("the text of the answer was not seen",)
        shown = call.get("tool_input")
        errors = await self._caller.call(lambda: self.proposals.judge(call_id, shown, self._accept))
        if errors:
            count = len(self.proposals.attempts)
            self._say(f"answer {count} of {self._request.attempts} is not accepted: {plain(errors[0])}")
        return errors

    def _say(self, text: str) -> None:
        self._last = text
        self._tell.say(AiNews(text=text))

    async def _watch(self) -> None:
        end = self._loop.time() + self._request.timeout
        while True:
            now = self._loop.time()
            quiet_until = now + self._idle_s if self._judging else self._heard_at + self._idle_s
            if now >= min(end, quiet_until):
                break
            await asyncio.sleep(min(end, quiet_until) - now)
        overdue = self._loop.time() >= end
        why = (
            f"there was none after {self._request.timeout:g} s"
            if overdue
            else f"nothing was heard for {self._idle_s:g} s"
        )
        self._fail(Failure(why, "transient"))
        # An interrupted program says what it cost.
        with suppress(Exception):
            await asyncio.wait_for(self._client.interrupt(), _INTERRUPT_S)
            await asyncio.wait_for(self._ended.wait(), _INTERRUPT_S)
        self._kill()

    def _kill(self) -> None:
        """End the program and what it started. Only while it may run: later, its number may be another's."""
        pid = self._room.pid()
        with suppress(OSError):
            if pid is not None and os.getsid(pid) == pid:
                os.killpg(pid, signal.SIGKILL)

    def _failure_of(self, error: Exception) -> Failure:
        said = plain(" ".join(self.stderr)) or plain(str(error))
        if isinstance(error, self._sdk.CLIJSONDecodeError):
            return Failure("what the program said is no JSON, or too long", advice="Ask for less at once.")
        if isinstance(error, self._sdk.ProcessError):
            killed = (error.exit_code or 0) < 0
            return Failure(
                f"the program ended with status {error.exit_code}: {said}", "transient" if killed else "business"
            )
        return Failure(f"the program could not be talked to ({type(error).__name__}): {said}", "transient")


def usage_of(result: Any, cost_usd: float) -> AiUsage:  # noqa: ANN401  # a class of the SDK's
    """Return what a request took, as far as the program told it."""
    told = result.usage if result is not None and isinstance(result.usage, Mapping) else {}
    read = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    return AiUsage(
        input_tokens=int(sum(_number(told.get(name)) for name in read)),
        output_tokens=int(_number(told.get("output_tokens"))),
        cost_usd=cost_usd,
    )


def _number(told: object) -> float:
    return (
        float(told)
        if isinstance(told, int | float) and not isinstance(told, bool) and 0 <= told < float("inf")
        else 0.0
    )
