"""Backends that keep the answers of another one, and that give kept answers again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from pytest_workflow_exec.errors import AiError

from ._backend import Accept, AiAnswer, AiBackend, AiNews, AiRequest
from ._cassette import Cassette, Question, Redact, Turn, cassette_path
from ._cassette_files import read_cassette, write_cassette
from ._failure import Failure, ai_error, plain
from ._kept import CassetteError
from ._recorded_talk import RecordingTalk, ReplayingTalk
from ._talk_cassette import Exchange, TalkCassette, talk_path
from ._talker import Talker, TalkSetup

_NOTHING = "nothing was recorded for this step"


class RecordingBackend:
    """Asks another backend and keeps its answers, a file for each step, written anew by each run.

    Args:
        inner: Who is asked.
        folder: Where the files are kept; made if it is not there.
        redact: Takes known secrets out of everything that is written.
    """

    def __init__(self, inner: AiBackend, *, folder: Path, redact: Redact) -> None:
        self._inner, self._folder, self._redact = inner, folder, redact
        self._cassettes: dict[str, Cassette] = {}
        self._talks: dict[str, TalkCassette] = {}

    def talk(self, talker: Talker, setup: TalkSetup) -> RecordingTalk:
        """Return what talks through another one and keeps each turn, a file for each step, written anew by each run."""
        path = talk_path(self._folder, setup.step)

        def keep(exchange: Exchange) -> None:
            before = self._talks.get(setup.step, TalkCassette(step=setup.step))
            cassette = TalkCassette(step=setup.step, turns=(*before.turns, exchange))
            try:
                write_cassette(path, cassette.model_dump())
            except OSError as error:
                raise AiError(f"the conversation can't be recorded in {path}: {error.strerror}") from error
            self._talks[setup.step] = cassette

        return RecordingTalk(talker, setup, redact=self._redact, keep=keep)

    def ask(self, request: AiRequest, accept: Accept, tell: Callable[[AiNews], None]) -> AiAnswer:
        """Return what the other backend answers, once it is kept.

        Raises:
            AiError: The other backend has no answer, or it can't be kept; then nothing is written.
        """
        answer = self._inner.ask(request, accept, tell)
        turn = Turn.of(Question.of(request, self._redact), answer, self._redact)
        if turn.attempts[-1].value != answer.value:
            raise self._error("the answer holds a secret, so that it can't be recorded", request, answer)
        before = self._cassettes.get(request.step, Cassette(step=request.step, turns=()))
        cassette = Cassette(step=request.step, turns=(*before.turns, turn))
        path = cassette_path(self._folder, request.step)
        try:
            write_cassette(path, cassette.model_dump())
        except OSError as error:
            raise self._error(f"it can't be recorded in {path}: {error.strerror}", request, answer) from error
        self._cassettes[request.step] = cassette
        return answer

    @staticmethod
    def _error(reason: str, request: AiRequest, answer: AiAnswer) -> AiError:
        failure = Failure(reason, advice="The answer is not used.")
        return ai_error(failure, step=request.step, attempts=answer.attempts, cost_usd=answer.usage.cost_usd)


class ReplayingBackend:
    """Answers with what was recorded for the same model, prompts and type, and asks nobody.

    Args:
        folder: Where the files are kept.
        redact: The same as at the recording: secrets are not compared.
        record_with: The command that records again, for the error that says so.
    """

    def __init__(self, *, folder: Path, redact: Redact, record_with: str) -> None:
        self._folder, self._redact, self._record_with = folder, redact, record_with
        self._asked: Counter[tuple[str, Question]] = Counter()
        self._spoken: Counter[str] = Counter()

    def talk(self, setup: TalkSetup) -> ReplayingTalk:
        """Return what replies as it was recorded, turn by turn, if it is told the same.

        Raises:
            AiError: Nothing was recorded for the step, or it can't be understood.
        """
        path = talk_path(self._folder, setup.step)
        try:
            cassette = TalkCassette.read(_text(path), step=setup.step)
        except CassetteError as error:
            raise self._refusal(f"{path}: {error}", setup.step) from error

        def peek() -> Exchange | None:
            place = self._spoken[setup.step]
            return cassette.turns[place] if place < len(cassette.turns) else None

        def take() -> Exchange | None:
            exchange = peek()
            self._spoken[setup.step] += 1
            return exchange

        def refuse(why: str) -> AiError:
            return self._refusal(f"{path}: {why}", setup.step)

        return ReplayingTalk(setup, redact=self._redact, take=take, peek=peek, refuse=refuse)

    def ask(self, request: AiRequest, accept: Accept, tell: Callable[[AiNews], None]) -> AiAnswer:
        """Return the recorded answer, if `accept` still finds nothing wrong with it.

        Asked the same again, it gives the answers in the order in which they were recorded, and then the last one.

        Raises:
            AiError: There is none for this very request, or it is no longer accepted.
        """
        path = cassette_path(self._folder, request.step)
        question = Question.of(request, self._redact)
        try:
            answer = self._turn(Cassette.read(_text(path), step=request.step), question, request.step).answer()
        except CassetteError as error:
            raise self._error(f"{path}: {error}", request) from error
        if errors := accept(answer.value):
            raise self._error(f"{path}: what was recorded is not accepted any more: {plain(errors[0])}", request)
        self._asked[request.step, question] += 1
        tell(AiNews(text=f"replayed from {path.name}"))
        return answer

    def _turn(self, cassette: Cassette, question: Question, step: str) -> Turn:
        if turns := cassette.turns_for(question):
            return turns[min(self._asked[step, question], len(turns) - 1)]
        if not cassette.turns:
            raise CassetteError(_NOTHING)
        place = sum(count for (asked, _), count in self._asked.items() if asked == step)
        nearest = cassette.turns[min(place, len(cassette.turns) - 1)].question
        raise CassetteError(f"something else was recorded: the {question.differs_in(nearest)} changed since")

    def _error(self, reason: str, request: AiRequest) -> AiError:
        return self._refusal(reason, request.step)

    def _refusal(self, reason: str, step: str) -> AiError:
        return ai_error(Failure(reason, advice=f"Record it with: {self._record_with}"), step=step)


def unrecorded(folder: Path, step: str, *, talks: bool) -> str | None:
    """Return why a step can't be replayed, as far as that is known before it asks; None if something was recorded.

    Args:
        folder: Where the files are kept.
        talks: Whether it holds a conversation before it asks.
    """
    path = talk_path(folder, step) if talks else cassette_path(folder, step)
    try:
        text = _text(path)
        turns = TalkCassette.read(text, step=step).turns if talks else Cassette.read(text, step=step).turns
    except CassetteError as error:
        return f"{path}: {error}"
    return None if turns else f"{path}: {_NOTHING}"


def _text(path: Path) -> str:
    try:
        return read_cassette(path)
    except FileNotFoundError as error:
        raise CassetteError(_NOTHING) from error
    except OSError as error:
        raise CassetteError(f"it can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CassetteError("it is no text") from error
