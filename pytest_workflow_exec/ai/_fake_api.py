"""A Messages API on the loopback interface that answers what a test scripted, so that the real SDK and CLI run offline."""

from __future__ import annotations

import json
import socket
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast

from pytest_workflow_exec.digests import Json

from ._fake_answers import Answer, Cut, Error, Scripted, Silence, Text, ToolCalls, Value, as_answer, blocks_of
from ._schema_wrap import STRUCTURED_OUTPUT, WRAPPED, is_wrapped

_MESSAGES = "/v1/messages"
_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}
_USAGE: Mapping[str, Json] = {
    "input_tokens": 11,
    "output_tokens": 7,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 0,
}
_OUT_OF_ANSWERS = Error(400, "fake_claude was asked more often than it has answers; script one more")


class FakeClaude:
    """A scripted model behind a real HTTP server on 127.0.0.1.

    Answers are given in order, one for each request. Where they run out, requests fail and say so.

    Attributes:
        url: Where it listens; the value for `ANTHROPIC_BASE_URL`.
        requests: The body of every request for a message, in order.
    """

    def __init__(self) -> None:
        self.requests: list[Mapping[str, Json]] = []
        self._script: deque[Scripted] = deque()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, name="fake-claude", daemon=True).start()

    def answers(self, *scripted: Scripted) -> None:
        """Add answers to the script.

        Args:
            scripted: A mapping or a list is a value of the wanted shape, a text is prose; what the methods of this class
                return is what they say; a function is called with the request's body and returns any of these.
        """
        with self._lock:
            self._script.extend(scripted)

    @staticmethod
    def value(value: Json) -> Value:
        """Answer with any JSON value of the wanted shape, also a text or a number."""
        return Value(value)

    @staticmethod
    def raw(arguments: Mapping[str, Json]) -> ToolCalls:
        """Call the tool for structured answers with exactly this, whatever shape was wanted."""
        return ToolCalls(((STRUCTURED_OUTPUT, arguments),))

    @staticmethod
    def calls(*calls: tuple[str, Mapping[str, Json]]) -> ToolCalls:
        """Call tools, all in one turn, each by its name and its arguments."""
        return ToolCalls(calls)

    @staticmethod
    def text(*pieces: str) -> Text:
        """Answer in prose, sent in pieces."""
        return Text(pieces)

    @staticmethod
    def refuse(reason: str = "I can't help with that.") -> Text:
        """Refuse, as a model does."""
        return Text((reason,), stop_reason="refusal")

    @staticmethod
    def error(status: int, message: str = "", *, retry_after_s: int | None = None) -> Error:
        """Fail with an HTTP status, as the API does: 401, 403, 429, 500, 529, ..."""
        return Error(status, message or f"scripted error {status}", retry_after_s)

    @staticmethod
    def silence(seconds: float | None = None) -> Silence:
        """Say nothing for so many seconds, or as long as the fake is open, and then end the connection."""
        return Silence(seconds)

    @staticmethod
    def cut(text: str | None = None) -> Cut:
        """End the connection in the middle of an answer, or without one."""
        return Cut(text)

    @property
    def prompts(self) -> Sequence[str]:
        """The text that each request asks with: what stands last in its first message."""
        return [_prompt_of(body) for body in self.requests]

    @property
    def left(self) -> int:
        """How many answers nobody asked for yet."""
        return len(self._script)

    def close(self) -> None:
        """Stop listening: from now on, connections are refused."""
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()

    def _next(self, body: Mapping[str, Json]) -> tuple[Answer, int]:
        with self._lock:
            self.requests.append(body)
            number = len(self.requests)
            scripted = self._script.popleft() if self._script else _OUT_OF_ANSWERS
        answer = as_answer(scripted, body)
        return (_called(answer.value, body) if isinstance(answer, Value) else answer), number

    def _wait(self, seconds: float | None) -> None:
        self._closed.wait(seconds)


def _called(value: Json, body: Mapping[str, Json]) -> ToolCalls:
    tools = cast("Sequence[Mapping[str, Json]]", body.get("tools") or ())
    wanted = next((tool.get("input_schema") for tool in tools if tool.get("name") == STRUCTURED_OUTPUT), None)
    whole = isinstance(value, Mapping) and not is_wrapped(wanted)
    return ToolCalls(((STRUCTURED_OUTPUT, cast("Mapping[str, Json]", value) if whole else {WRAPPED: value}),))


def _prompt_of(body: Mapping[str, Json]) -> str:
    messages = cast("Sequence[Mapping[str, Json]]", body.get("messages") or ())
    content = messages[0].get("content") if messages else ""
    if isinstance(content, str):
        return content
    texts = [block.get("text") for block in cast("Sequence[Mapping[str, Json]]", content)]
    return next((text for text in reversed(texts) if isinstance(text, str)), "")


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that went away is what many a script is about."""


def _handler(fake: FakeClaude) -> type[BaseHTTPRequestHandler]:
    class Handler(_Handler):
        model = fake

    return Handler


class _Handler(BaseHTTPRequestHandler):
    """The part of the API's protocol that the CLI speaks."""

    protocol_version = "HTTP/1.1"
    model: FakeClaude

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name of the library
        """Say nothing."""

    def do_GET(self) -> None:
        """Have nothing to get."""
        self._fail(Error(404, self.path))

    def do_POST(self) -> None:
        """Answer a request for a message."""
        length = int(self.headers.get("content-length") or 0)
        body = json.loads(self.rfile.read(length) or b"{}")
        path = self.path.partition("?")[0]
        if path == f"{_MESSAGES}/count_tokens":
            self._send_json(HTTPStatus.OK, {"input_tokens": 10})
        elif path == _MESSAGES:
            self._answer(*self.model._next(body), body)  # noqa: SLF001  # two halves of one thing
        else:
            self._fail(Error(404, path))

    def _answer(self, answer: Answer, number: int, body: Mapping[str, Json]) -> None:
        match answer:
            case Error():
                self._fail(answer)
            case Silence(seconds):
                self.model._wait(seconds)  # noqa: SLF001
                self._hang_up()
            case Cut(None):
                self._hang_up()
            case Cut(str(text)):
                self._stream(Text((text,)), number, body, whole=False)
            case Text() | ToolCalls() if not body.get("stream"):
                self._send_json(HTTPStatus.OK, _message(answer, number, body))
            case Text() | ToolCalls():
                self._stream(answer, number, body)
            case Value():
                raise AssertionError("a value is a call by now")

    def _stream(self, answer: Text | ToolCalls, number: int, body: Mapping[str, Json], *, whole: bool = True) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True
        message = _message(answer, number, body)
        begun: dict[str, Json] = {
            **message,
            "content": [],
            "stop_reason": None,
            "usage": {**_USAGE, "output_tokens": 1},
        }
        self._event("message_start", {"message": begun})
        pieces = answer.pieces if isinstance(answer, Text) else ()
        for index, block in enumerate(blocks_of(answer, number)):
            self._block(index, block, pieces)
            if not whole:
                return
            self._event("content_block_stop", {"index": index})
        ended: dict[str, Json] = {"stop_reason": message["stop_reason"], "stop_sequence": None}
        self._event("message_delta", {"delta": ended, "usage": _USAGE})
        self._event("message_stop", {})

    def _block(self, index: int, block: Mapping[str, Json], pieces: Sequence[str]) -> None:
        empty: dict[str, Json] = {"text": ""} if pieces else {"input": {}}
        self._event("content_block_start", {"index": index, "content_block": {**block, **empty}})
        for piece in pieces:
            self._event("content_block_delta", {"index": index, "delta": {"type": "text_delta", "text": piece}})
        if not pieces:
            said = json.dumps(block["input"])
            self._event(
                "content_block_delta", {"index": index, "delta": {"type": "input_json_delta", "partial_json": said}}
            )

    def _event(self, name: str, data: Mapping[str, Json]) -> None:
        self.wfile.write(f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n".encode())
        self.wfile.flush()

    def _fail(self, error: Error) -> None:
        headers = {} if error.retry_after_s is None else {"retry-after": str(error.retry_after_s)}
        told: dict[str, Json] = {"type": _KINDS.get(error.status, "api_error"), "message": error.message}
        self._send_json(error.status, {"type": "error", "error": told}, headers)

    def _send_json(self, status: int, value: Json, headers: Mapping[str, str] | None = None) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        for name, said in (headers or {}).items():
            self.send_header(name, said)
        self.end_headers()
        self.wfile.write(content)

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


def _message(answer: Text | ToolCalls, number: int, body: Mapping[str, Json]) -> dict[str, Json]:
    return {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": body.get("model"),
        "content": blocks_of(answer, number),
        "stop_reason": answer.stop_reason if isinstance(answer, Text) else "tool_use",
        "stop_sequence": None,
        "usage": _USAGE,
    }
