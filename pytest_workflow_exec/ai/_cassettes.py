"""Backends that keep the answers of another one, and that give kept answers again."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from pytest_workflow_exec.errors import AiError

from ._backend import Accept, AiAnswer, AiBackend, AiNews, AiRequest
from ._cassette import Cassette, CassetteError, Question, Redact, Turn, cassette_path
from ._failure import Failure, ai_error, plain

_MAX_BYTES = 64 << 20
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


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
            _write(path, cassette)
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

    def ask(self, request: AiRequest, accept: Accept, tell: Callable[[AiNews], None]) -> AiAnswer:
        """Return the recorded answer, if `accept` still finds nothing wrong with it.

        Asked the same again, it gives the answers in the order in which they were recorded, and then the last one.

        Raises:
            AiError: There is none for this very request, or it is no longer accepted.
        """
        path = cassette_path(self._folder, request.step)
        question = Question.of(request, self._redact)
        try:
            answer = self._turn(self._cassette(path, request), question, request.step).answer()
        except CassetteError as error:
            raise self._error(f"{path}: {error}", request) from error
        if errors := accept(answer.value):
            raise self._error(f"{path}: what was recorded is not accepted any more: {plain(errors[0])}", request)
        self._asked[request.step, question] += 1
        tell(AiNews(text=f"replayed from {path.name}"))
        return answer

    def _cassette(self, path: Path, request: AiRequest) -> Cassette:
        try:
            return Cassette.read(_read(path), step=request.step)
        except FileNotFoundError as error:
            raise CassetteError("nothing was recorded for this step") from error
        except OSError as error:
            raise CassetteError(f"it can't be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise CassetteError("it is no text") from error

    def _turn(self, cassette: Cassette, question: Question, step: str) -> Turn:
        if turns := cassette.turns_for(question):
            return turns[min(self._asked[step, question], len(turns) - 1)]
        if not cassette.turns:
            raise CassetteError("nothing was recorded for this step")
        place = sum(count for (asked, _), count in self._asked.items() if asked == step)
        nearest = cassette.turns[min(place, len(cassette.turns) - 1)].question
        raise CassetteError(f"something else was recorded: the {question.differs_in(nearest)} changed since")

    def _error(self, reason: str, request: AiRequest) -> AiError:
        return ai_error(Failure(reason, advice=f"Record it again with: {self._record_with}"), step=request.step)


def _read(path: Path) -> str:
    # Without waiting: a pipe in its place would keep its reader until someone writes.
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC), "rb")
    with file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        content = file.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise OSError(errno.EFBIG, f"it is larger than {_MAX_BYTES} bytes")
    return content.decode()


def _write(path: Path, cassette: Cassette) -> None:
    # In ASCII, so that no text of a model hides something from whoever reviews the file.
    content = json.dumps(cassette.model_dump(), indent=2, ensure_ascii=True, allow_nan=False) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with suppress(FileNotFoundError):
        temporary.unlink()
    try:
        with os.fdopen(os.open(temporary, _NEW_FILE, 0o644), "w", encoding="ascii") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
