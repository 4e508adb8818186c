"""Claude as somebody to talk with: one program for a conversation, turn by turn, and its certain end."""

from __future__ import annotations

import asyncio
import os
import queue
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import field
from types import ModuleType
from typing import Any

from pytest_workflow_exec.digests import Json, canonical_json, digest_of
from pytest_workflow_exec.lean_dataclasses import dataclass

from ._backend import AiNews, AiUsage
from ._conversation import MAX_SAID, usage_of
from ._failure import Failure, kind_of, plain
from ._loop import background_loop
from ._program import bundled_program, sdk_version
from ._room import Room, asked_addresses, opened_room
from ._sdk import check_program, load_sdk, talk_options
from ._talker import Ear, Reply, ReplyOutcome, TalkSetup, Wish
from ._tellings import progress_words, retry_words
from ._workspace import PREFIX, SERVER, LookError, described, names_of

_TICK_S = 0.2
_IDLE_S = 120.0
_INTERRUPT_S = 3.0
_END_S = 10.0
_KEPT_LINES = 20
_NO_TOOL = "there is no such tool here"


@dataclass(slots=True, eq=False)
class _Job:
    """One turn under way."""

    text: str
    timeout_s: float
    judge: Callable[[Wish], None]
    hear: Callable[[str], None]
    tell: Callable[[AiNews], None]
    inbox: queue.SimpleQueue[Callable[[], None]] = field(default_factory=queue.SimpleQueue)
    """What is to be done in the thread that speaks."""
    done: threading.Event = field(default_factory=threading.Event)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    texts: list[str] = field(default_factory=list)
    said: int = 0
    word: str | None = None
    interrupted: bool = False
    failure: Failure | None = None
    looks: list[Mapping[str, Json]] = field(default_factory=list)
    tokens: int = 0
    reply: Reply | None = None


class LiveTalk:
    """A conversation with a Claude model. The program starts with the first turn."""

    def __init__(self, setup: TalkSetup, *, idle_s: float = _IDLE_S) -> None:
        """Prepare; nothing is started."""
        self._setup, self._idle_s = setup, idle_s
        self._jobs: asyncio.Queue[_Job | None] = asyncio.Queue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended = threading.Event()
        self._over = False
        self._client: Any = None
        self._room: Room | None = None
        self._job: _Job | None = None
        self._allowed: Counter[str] = Counter()
        self._spent_usd = 0.0
        self._version = ""
        self._model = ""
        self._heard_at = 0.0
        self._waiting = 0
        self._stderr: deque[str] = deque(maxlen=_KEPT_LINES)

    @property
    def is_over(self) -> bool:
        """Whether nothing more can be said to it."""
        return self._over or self._ended.is_set()

    def say(self, text: str, ear: Ear, *, timeout_s: float) -> Reply:
        """Say something, and return what came of it; its callbacks are called in this thread."""
        job = _Job(text=text, timeout_s=timeout_s, judge=ear.judge, hear=ear.hear, tell=ear.tell)
        loop = self._started()
        loop.call_soon_threadsafe(self._post, job)
        interrupts = 0
        while not job.done.is_set() or not job.inbox.empty():
            try:
                self._serve(job, ear)
            except KeyboardInterrupt:
                interrupts += 1
                if interrupts > 1:
                    self.close()
                    raise
                job.interrupted = True
                loop.call_soon_threadsafe(job.stop.set)
                ear.interrupted()
            except BaseException:
                self.close()
                raise
        return job.reply or Reply(outcome="failed", error="the program has ended", kind="transient")

    def _serve(self, job: _Job, ear: Ear) -> None:
        started_s = time.monotonic()
        while not job.done.is_set() or not job.inbox.empty():
            try:
                act = job.inbox.get(timeout=_TICK_S)
            except queue.Empty:
                words = progress_words(time.monotonic() - started_s, job.tokens, self._spent_usd)
                ear.tell(AiNews(text=words, passing=True))
                continue
            act()

    def close(self) -> None:
        """End the program, whatever it does."""
        self._over = True
        if self._loop is None:
            return
        self._loop.call_soon_threadsafe(self._stop)
        if not self._ended.wait(_END_S):
            self._kill()

    def _stop(self) -> None:
        if self._job is not None:
            self._kill()
        self._jobs.put_nowait(None)

    def _started(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = background_loop()
            asyncio.run_coroutine_threadsafe(self._live(), self._loop)
        return self._loop

    def _post(self, job: _Job) -> None:
        if self.is_over:
            job.done.set()
            return
        self._jobs.put_nowait(job)

    async def _live(self) -> None:
        try:
            if (job := await self._jobs.get()) is not None:
                await self._turn(job)
        finally:
            self._over = True
            self._ended.set()
            while not self._jobs.empty():
                if (left := self._jobs.get_nowait()) is not None:
                    left.done.set()

    async def _turn(self, job: _Job) -> None:
        """Have one turn; the first one opens the room, in which all others are had."""
        program = bundled_program()
        try:
            sdk = load_sdk()
            assert program is not None  # noqa: S101  # `load_sdk` refuses where there is none
            with opened_room(cli=program, system=self._setup.system, bounds=self._bounds(job)) as room:
                self._room = room
                await self._talk(sdk, room, job)
        except Failure as failure:
            self._answer(job, failure)
        except OSError as error:
            self._answer(job, Failure(f"the program's folder can't be made: {error}", advice="Look at TMPDIR."))
        finally:
            self._over = True
            job.done.set()

    async def _talk(self, sdk: ModuleType, room: Room, first: _Job) -> None:
        options = talk_options(
            sdk,
            model=self._setup.model,
            budget_usd=self._setup.budget_usd,
            room=room,
            tools=names_of(self._setup.workspace.tools),
            servers=self._servers(sdk),
            hook=self._before_call,
            stderr=self._stderr.append,
        )
        self._client = sdk.ClaudeSDKClient(options)
        job: _Job | None = first
        try:
            while job is not None:
                result = await self._watched(sdk, job)
                # Before it is told: whoever hears a failure may speak again at once, to another program.
                self._over = self._over or result is None
                self._answer(job, job.failure, result)
                job = None if self._over else await self._jobs.get()
        finally:
            if self._over:
                self._kill()
            with suppress(Exception):
                await self._client.disconnect()

    async def _watched(self, sdk: ModuleType, job: _Job) -> Any:  # noqa: ANN401  # a class of the SDK's
        """Return the result of a turn; None if the program can't be used any more."""
        self._job, self._heard_at = job, asyncio.get_running_loop().time()
        watch = asyncio.ensure_future(self._watch(job))
        try:
            return await self._ask(sdk, job)
        except Failure as failure:
            job.failure = job.failure or failure
        except Exception as error:  # noqa: BLE001  # the SDK raises its own, plain ones, and those of its libraries
            said = plain(" ".join(self._stderr)) or plain(str(error))
            told = Failure(f"the program could not be talked to ({type(error).__name__}): {said}", "transient")
            job.failure = job.failure or told
        finally:
            self._job = None
            watch.cancel()
        return None

    async def _ask(self, sdk: ModuleType, job: _Job) -> Any:  # noqa: ANN401  # a class of the SDK's
        if not self._version:
            await self._client.connect()
            facts = await self._client.get_server_info() or {}
            self._version = str(facts.get("claude_code_version") or "")
            check_program(self._version)
        self._heard_at = asyncio.get_running_loop().time()
        await self._client.query(job.text)
        async for message in self._client.receive_messages():
            self._heard_at = asyncio.get_running_loop().time()
            if isinstance(message, sdk.ResultMessage):
                return message
            self._hear(sdk, message, job)
        raise Failure("the program ended in the middle of a turn", "transient")

    def _hear(self, sdk: ModuleType, message: object, job: _Job) -> None:
        if isinstance(message, sdk.StreamEvent):
            self._hear_stream(message.event, job)
        elif isinstance(message, sdk.SystemMessage):
            self._hear_system(message.subtype, message.data, job)
        elif isinstance(message, sdk.AssistantMessage):
            job.word = message.error or job.word
            if message.error is not None:
                return
            self._model = message.model
            job.texts += [block.text for block in message.content if isinstance(block, sdk.TextBlock)]
            for block in message.content:
                if isinstance(block, sdk.ToolUseBlock) and block.name not in names_of(self._setup.workspace.tools):
                    # The program knows no such tool, and asks no hook about it.
                    self._take_down(job, Wish(tool=plain(block.name), arguments=block.input, problem=_NO_TOOL))

    def _hear_system(self, subtype: str, data: Mapping[str, Any], job: _Job) -> None:
        if subtype == "init":
            tools, servers = data.get("tools"), data.get("mcp_servers")
            wanted = [SERVER] if self._setup.workspace.tools else []
            named = [each.get("name") for each in servers] if isinstance(servers, list) else None
            if (
                sorted(tools if isinstance(tools, list) else ["?"]) != sorted(names_of(self._setup.workspace.tools))
                or named != wanted
            ):
                raise Failure(
                    f"the program offers something else than was named: tools {tools!r}, servers {servers!r}; it was ended"
                )
        elif subtype == "api_retry":
            status, job.word = data.get("error_status"), data.get("error")
            if status is not None and kind_of(status=status, word=job.word) == "permission":
                raise Failure(f"the API refuses the login (HTTP {status}, {plain(str(job.word))})", "permission")
            self._tell(job, retry_words(data))

    def _hear_stream(self, event: Mapping[str, Any], job: _Job) -> None:
        match event:
            case {"type": "content_block_delta", "delta": {"type": "text_delta", "text": str(text)}}:
                job.said += len(text)
                if job.said > MAX_SAID:
                    raise Failure(f"it says more than {MAX_SAID} characters, which is too long")
                job.inbox.put(lambda: job.hear(text))
            case {"type": "message_delta", "usage": {"output_tokens": int(tokens)}}:
                job.tokens += tokens
            case _:
                pass

    @staticmethod
    def _take_down(job: _Job, wish: Wish) -> None:
        job.inbox.put(lambda: job.judge(wish))

    def _tell(self, job: _Job, text: str) -> None:
        job.inbox.put(lambda: job.tell(AiNews(text=text)))

    async def _watch(self, job: _Job) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + job.timeout_s
        while not job.stop.is_set():
            now = loop.time()
            quiet_until = (now if self._waiting else self._heard_at) + self._idle_s
            if now >= min(end, quiet_until):
                break
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(job.stop.wait(), min(end, quiet_until) - now)
        if not job.interrupted:
            over = loop.time() >= end
            why = f"it took longer than {job.timeout_s:g} s" if over else f"nothing was heard for {self._idle_s:g} s"
            job.failure = Failure(why, "transient")
        # An interrupted program says what it cost, and can go on.
        with suppress(Exception):
            await asyncio.wait_for(self._client.interrupt(), _INTERRUPT_S)
        await asyncio.sleep(_INTERRUPT_S)
        self._kill()

    async def _before_call(self, call: Mapping[str, Any], call_id: str | None, _: object) -> Mapping[str, object]:
        """Let a call through only if it was judged and taken down; whatever else happens, it is denied."""
        del call_id
        name, given = str(call.get("tool_name")), call.get("tool_input")
        arguments = given if isinstance(given, Mapping) else {}
        tool = name.removeprefix(PREFIX) if name.startswith(PREFIX) else ""
        problem = self._setup.workspace.problem(tool, arguments)
        job = self._job
        if job is None or job.interrupted:
            problem = problem or "nobody is listening"
        else:
            self._waiting += 1
            try:
                noted = await self._note(job, Wish(tool=plain(name), arguments=arguments, problem=problem))
            finally:
                self._waiting -= 1
                self._heard_at = asyncio.get_running_loop().time()
            problem = problem or noted
        if problem is None:
            self._allowed[_key(tool, arguments)] += 1
            return {}
        decision = {"hookEventName": "PreToolUse", "permissionDecision": "deny", "permissionDecisionReason": problem}
        return {"hookSpecificOutput": decision}

    async def _note(self, job: _Job, wish: Wish) -> str | None:
        loop = asyncio.get_running_loop()
        noted: asyncio.Future[str | None] = loop.create_future()

        def note() -> None:
            said: str | None = "it could not be taken down"
            try:
                job.judge(wish)
                said = None
            finally:
                loop.call_soon_threadsafe(_set, noted, said)

        job.inbox.put(note)
        return await noted

    def _servers(self, sdk: ModuleType) -> Mapping[str, object]:
        tools = [self._tool(sdk, name) for name in self._setup.workspace.tools]
        return {SERVER: sdk.create_sdk_mcp_server(SERVER, tools=tools)} if tools else {}

    def _tool(self, sdk: ModuleType, name: str) -> object:
        words, schema = described(name)

        async def look(arguments: Mapping[str, object]) -> Mapping[str, object]:
            key, job = _key(name, arguments), self._job
            # Whatever became of the hook: what was not judged is not done.
            if job is None or not self._allowed[key]:
                return _shown("this call was not judged, so nothing is shown", is_error=True)
            self._allowed[key] -= 1
            try:
                text = await asyncio.to_thread(self._setup.workspace.look, name, arguments)
            except LookError as error:
                return _shown(str(error), is_error=True)
            text = self._setup.redact(text)
            job.looks.append({"tool": name, "bytes": len(text.encode("utf-8", "replace")), "sha256": digest_of(text)})
            return _shown(text, is_error=False)

        made: object = sdk.tool(name, words, schema)(look)
        return made

    def _answer(self, job: _Job, failure: Failure | None, result: Any = None) -> None:  # noqa: ANN401  # a class of the SDK's
        cost_usd = 0.0
        if result is not None:
            total = result.total_cost_usd
            if isinstance(total, (int, float)):
                cost_usd, self._spent_usd = max(0.0, total - self._spent_usd), max(self._spent_usd, float(total))
            elif self._setup.budget_usd is not None:
                failure = failure or Failure("the program does not say what it cost, and there is a budget")
            failure = failure or (None if job.interrupted else self._objection(result, job))
        outcome: ReplyOutcome = "failed" if failure else "interrupted" if job.interrupted else "whole"
        usage = usage_of(result, cost_usd)
        job.reply = Reply(
            outcome=outcome,
            text="\n\n".join(job.texts),
            error=failure.reason if failure else "a person broke it off" if job.interrupted else "",
            kind=failure.kind if failure else "",
            looks=tuple(job.looks),
            usage=AiUsage(input_tokens=usage.input_tokens, output_tokens=usage.output_tokens, cost_usd=cost_usd),
            versions={"model": self._model, "sdk": sdk_version(), "cli": self._version},
            options=asked_addresses(),
        )
        job.done.set()

    def _objection(self, result: Any, job: _Job) -> Failure | None:  # noqa: ANN401  # a class of the SDK's
        if result.subtype == "error_max_budget_usd":
            return Failure("it took more than the budget that was left")
        if result.is_error or result.subtype != "success" or result.terminal_reason != "completed":
            status = result.api_error_status
            said = plain(str(result.result or "; ".join(result.errors or ()) or result.subtype))
            told = f"HTTP {status}: {said}" if status is not None else said
            return Failure(told, kind_of(status=status, word=job.word))
        if not any(text.strip() for text in job.texts):
            return Failure("it said nothing", "transient")
        wanted = self._setup.model
        if not (self._model == wanted or self._model.startswith(f"{wanted}-")):
            return Failure(f"{plain(self._model)} answered, and {wanted} was asked", advice="Name the model in full.")
        return None

    def _bounds(self, job: _Job) -> Mapping[str, str]:
        return {
            "API_TIMEOUT_MS": str(round(1000 * min(self._idle_s, job.timeout_s))),
            "CLAUDE_CODE_MAX_RETRIES": "2",
        }

    def _kill(self) -> None:
        pid = None if self._room is None else self._room.pid()
        with suppress(OSError):
            if pid is not None and os.getsid(pid) == pid:
                os.killpg(pid, signal.SIGKILL)


def _key(tool: str, arguments: Mapping[str, object]) -> str:
    try:
        return f"{tool} {canonical_json(dict(arguments))}"  # type: ignore[arg-type]  # JSON of the program's, or refused
    except (TypeError, ValueError):
        return f"{tool} ?"


def _shown(text: str, *, is_error: bool) -> Mapping[str, object]:
    return {"content": [{"type": "text", "text": text}], "is_error": is_error}


def _set(done: asyncio.Future[str | None], value: str | None) -> None:
    if not done.done():
        done.set_result(value)
