"""Asking a model for a step: what is asked is written first, and what comes back counts only as Python accepted it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from ipaddress import ip_address
from urllib.parse import urlsplit

from pytest_workflow_exec import events
from pytest_workflow_exec.ai._answer_kind import MAX_ANSWER_BYTES, AnswerKind
from pytest_workflow_exec.ai._backend import Accept, AiAnswer, AiAttempt, AiBackend, AiNews, AiRequest, Source
from pytest_workflow_exec.ai._prompt import SYSTEM_PROMPT
from pytest_workflow_exec.ai._purse import Purse
from pytest_workflow_exec.digests import Json, canonical_json, digest_of
from pytest_workflow_exec.errors import AiError, ValueRefusedError, WorkflowExecError
from pytest_workflow_exec.evidence import refuse_unkeepable
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import StepId
from pytest_workflow_exec.run import Run

_MAX_CALLS = 50
"""How many calls of tools that are not there are kept of one request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a step asks a model."""

    prompt: str
    """All of it, as it is sent."""
    kind: AnswerKind
    model: str
    attempts: int
    timeout_s: float
    budget_usd: float | None = None
    judge: Accept | None = None
    """What else is wrong with a value that is what its type asks for; None if nothing can be."""

    def problems(self, value: Json) -> tuple[str, ...]:
        """Return what is wrong with a proposal, in words that go back to the model."""
        found = self.kind.problems(value)
        return found if found or self.judge is None else self.judge(value)


class Asker:
    """Asks for the steps of one run, within the run's budget."""

    def __init__(
        self,
        run: Run,
        backend: AiBackend,
        *,
        source: Source,
        purse: Purse,
        tell: Callable[[AiNews], None],
    ) -> None:
        """Prepare for asking.

        Args:
            source: Where the backend's answers come from; one that claims something else is not believed.
            purse: What the requests of the run may cost, over all its sessions and beside other runs.
            tell: Takes what is worth showing meanwhile.
        """
        self._run, self._backend, self._source = run, backend, source
        self._purse, self._tell = purse, tell
        self._asked: dict[tuple[StepId, int], int] = {}
        # A step's own threads may ask, too; the budget is looked at before each request.
        self._lock = threading.Lock()

    @property
    def run(self) -> Run:
        """The run that it asks for."""
        return self._run

    @property
    def backend(self) -> AiBackend:
        """Who answers."""
        return self._backend

    @property
    def source(self) -> Source:
        """Where its answers come from."""
        return self._source

    @property
    def tell(self) -> Callable[[AiNews], None]:
        """Takes what is worth showing meanwhile."""
        return self._tell

    @contextmanager
    def turn(self, step: StepId) -> Iterator[None]:
        """Let a step talk with a model as long as the context lasts; nobody else is asked meanwhile.

        Raises:
            StepOrderError: The step is not under way.
        """
        with self._lock, self._purse.held(self._run), self._run.asking(step):
            yield

    def ask(self, step: StepId, question: Question, *, scripted: bool = False) -> AiAnswer:
        """Return an answer that is what the question asks for.

        Args:
            scripted: Whether what is asked about was said by a script: then so is the answer.

        Raises:
            AiError: There is none.
            StepOrderError: The step is not under way.
            EvidenceError: The request or what came of it can't be written.
        """
        with self._lock, self._purse.held(self._run), self._run.asking(step):
            request = self._request(step, question)
            attempt = self._run.attempt_of(step)
            number = self._asked[step, attempt] = self._asked.get((step, attempt), 0) + 1
            asked = self._asked_facts(request, question, number)
            self._run.record_asking(events.ai_request(step, attempt=attempt, facts=asked))
            said: dict[str, Json] = {"number": number, "model": question.model, "request": digest_of(asked)}
            calls: list[Json] = []
            try:
                answer = self._answer(request, question, calls)
            except BaseException as error:
                # Written in any case: what it cost counts against the budget, and what was proposed is evidence.
                facts = {**said, **_failed_facts(error, self._source), **_called(calls)}
                self._run.record_asking(events.ai_response(step, attempt=attempt, facts=facts))
                raise
            facts = {**said, **self._answer_facts(answer, question.kind), **_called(calls)}
            if scripted:
                facts["source"] = "scripted"
            self._run.record_asking(events.ai_response(step, attempt=attempt, facts=facts))
            return answer

    def _request(self, step: StepId, question: Question) -> AiRequest:
        return AiRequest(
            step=step,
            model=question.model,
            system=SYSTEM_PROMPT,
            prompt=question.prompt,
            schema=question.kind.schema,
            attempts=question.attempts,
            timeout=question.timeout_s,
            budget_usd=self.left(question.budget_usd),
        )

    def left(self, own_usd: float | None) -> float | None:
        """Return what may still be spent, None for no bound.

        Args:
            own_usd: What the step may spend; None for no bound of its own.

        Raises:
            AiError: Nothing is left of the budget.
        """
        return self._purse.left(self._run, own_usd)

    def _answer(self, request: AiRequest, question: Question, calls: list[Json]) -> AiAnswer:
        def tell(news: AiNews) -> None:
            if news.refused_call is not None and len(calls) < _MAX_CALLS:
                tool, arguments = news.refused_call
                calls.append({"tool": tool, "arguments": arguments})
            self._tell(news)

        try:
            answer = self._backend.ask(request, question.problems, tell)
        except WorkflowExecError:
            raise
        except Exception as error:
            message = f"what asks the model failed in a way that it has no words for: {type(error).__name__}: {error}"
            raise AiError(message) from error
        # The final word is here, whatever the backend did with it.
        problems = question.problems(answer.value)
        if answer.source != self._source:
            problems = (f"it claims to be {answer.source}, and can only be {self._source}",)
        if problems:
            listed = "".join(f"\n  {problem}" for problem in problems)
            raise AiError(
                f"the answer is not what was asked for:{listed}",
                attempts=[_kept(each) for each in answer.attempts],
                cost_usd=answer.usage.cost_usd,
            )
        return answer

    @staticmethod
    def _asked_facts(request: AiRequest, question: Question, number: int) -> dict[str, Json]:
        return {
            "number": number,
            "model": request.model,
            "system": request.system,
            "prompt": request.prompt,
            "prompt_sha256": digest_of(request.prompt),
            "output": question.kind.name,
            "schema": request.schema,
            "schema_sha256": question.kind.schema_digest,
            "attempts": request.attempts,
            "timeout_s": request.timeout,
            "budget_usd": request.budget_usd,
        }

    def _answer_facts(self, answer: AiAnswer, kind: AnswerKind) -> dict[str, Json]:
        outputs = self._run.redactor.value(kind.outputs(answer.value))
        return {
            "outcome": "accepted",
            "source": answered_by(answer),
            "value": answer.value,
            "outputs_sha256": digest_of(outputs),
            "attempts": [_kept(each) for each in answer.attempts],
            "versions": dict(answer.versions),
            "options": dict(answer.options),
            "usage": {
                "input_tokens": answer.usage.input_tokens,
                "output_tokens": answer.usage.output_tokens,
                "cost_usd": answer.usage.cost_usd,
            },
        }


def answered_by(answer: AiAnswer) -> str:
    """Return where an answer came from; `local` if it was asked for on this machine, where no model of the API is."""
    return source_of(answer.source, answer.options)


def source_of(source: Source, options: Mapping[str, Json]) -> str:
    """Return where words came from; `local` if they were said on this machine, where no model of the API is.

    Args:
        options: The effective ones, among them the address that was asked, and the proxy between.
    """
    addresses = (options.get(name) for name in ("base_url", "proxy"))
    hosts = [_host(address) for address in addresses if isinstance(address, str)]
    # Variables name them: none must turn whoever listens here into a model.
    return "local" if source == "live" and any(map(_is_here, hosts)) else source


def _host(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def _is_here(host: str) -> bool:
    if not host:
        # What can't be read may be anybody.
        return True
    try:
        found = ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    mapped = getattr(found, "ipv4_mapped", None) or found
    return mapped.is_loopback or mapped.is_unspecified


def _called(calls: Sequence[Json]) -> dict[str, Json]:
    return {"refused_calls": list(calls)} if calls else {}


def _failed_facts(error: BaseException, source: Source) -> dict[str, Json]:
    known = isinstance(error, AiError)
    return {
        "outcome": "failed",
        "source": source,
        "error": str(error) if isinstance(error, WorkflowExecError) else type(error).__name__,
        "class": error.kind if isinstance(error, AiError) else "interrupted",
        "attempts": [_kept_data(each) for each in error.attempts] if isinstance(error, AiError) else [],
        "usage": {"cost_usd": error.cost_usd if isinstance(error, AiError) else 0.0, "known": known},
    }


def _kept(attempt: AiAttempt) -> Json:
    return {"value": _keepable(attempt.value), "errors": list(attempt.errors)}


def _kept_data(attempt: object) -> Json:
    if not isinstance(attempt, Mapping):
        return {"value": ascii(attempt)[:MAX_ANSWER_BYTES], "errors": []}
    errors = attempt.get("errors")
    listed = [str(each) for each in errors] if isinstance(errors, Sequence) and not isinstance(errors, str) else []
    return {"value": _keepable(attempt.get("value")), "errors": listed}


def _keepable(value: Json) -> Json:
    """Return a proposal as evidence can hold it: of one that it can't, what can be said of it."""
    try:
        size_bytes = len(canonical_json(value))
        refuse_unkeepable(value, "answer")
    except (ValueRefusedError, TypeError, ValueError, RecursionError) as error:
        return {"not_kept": str(error)}
    if size_bytes > MAX_ANSWER_BYTES:
        return {"not_kept": f"it has {size_bytes} bytes", "sha256": digest_of(value)}
    return value
