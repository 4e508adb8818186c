"""What the code of a step is given: the workflow's values, and commands through the policy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.durations import parse_duration
from pytest_workflow_exec.errors import CommandFailedError
from pytest_workflow_exec.model import (
    DEFAULT_AI_ATTEMPTS,
    DEFAULT_AI_TIMEOUT_S,
    DEFAULT_CONTEXT_TOKENS,
    DEFAULT_MODEL,
    AiContext,
    RunId,
    Step,
    StepId,
    Template,
)
from pytest_workflow_exec.run._batch import Batch
from pytest_workflow_exec.run._run import Run
from pytest_workflow_exec.run._values import Values
from pytest_workflow_exec.sandbox import CommandResult, Surroundings

if TYPE_CHECKING:
    from pytest_workflow_exec.context import Context

T = TypeVar("T")

_CONTEXT_KEYS = ("task_type", "keywords", "max_tokens")


class WorkflowHandle:
    """The workflow as its own steps see it: the fixture `workflow`."""

    def __init__(
        self,
        run: Run,
        *,
        step: Step,
        outputs: Callable[[], Mapping[StepId, object]],
        ask: Callable[..., object],
        batch: Callable[[Batch], None],
    ) -> None:
        self._run, self._step = run, step
        self._outputs, self._ask, self._batch = outputs, ask, batch

    @property
    def name(self) -> str:
        """The workflow's name."""
        return self._run.workflow.name

    @property
    def run_id(self) -> RunId:
        """The id of this run."""
        return self._run.id

    @property
    def root(self) -> Path:
        """The project that holds the workflow."""
        return self._run.workflow.root

    @property
    def run_directory(self) -> Path:
        """The directory of this run that the workflow may write to: `${run.dir}`."""
        return Path(self._run.values.run_directory)

    @property
    def inputs(self) -> Mapping[str, Json]:
        """The inputs by name, without secrets: those only reach commands. In a fragment, they are the fragment's."""
        values = self._run.values
        if self._step.enclosure is not None:
            return GivenInputs(self._step.enclosure.inputs, values)
        return {name: value for name, value in values.inputs.items() if name not in values.secrets}

    @property
    def outputs(self) -> Mapping[StepId, object]:
        """What earlier steps returned, by step: after a JSON round trip, as a resumed run would see it."""
        return self._outputs()

    def context(
        self,
        *,
        task_type: str | None = None,
        keywords: Sequence[str] = (),
        max_tokens: int = DEFAULT_CONTEXT_TOKENS,
        required: Sequence[str] = (),
    ) -> Context:
        """Return the `CLAUDE.md` files that matter for this step's work, and what the run knows by now.

        Loaded are the files from the project's root down to the workflow, those whose front matter names the task type or
        a keyword, and what loaded files name; then inputs, outputs of earlier steps, the repository's state and the run's
        configuration, without secrets. Digests of what was loaded are in the step's evidence.

        Args:
            task_type: The kind of work, as files name it in `task_types`.
            keywords: What the work is about.
            max_tokens: How much it may be in all, by the estimate of `tokens_of`.
            required: Files that must be loaded whole, from the project's root.

        Raises:
            ContextError: What is required can't be loaded whole.
            ValueError: `max_tokens` is less than 1.
        """
        from pytest_workflow_exec.context import Query
        from pytest_workflow_exec.run._context import context_of

        __tracebackhide__ = True
        query = Query(task_type=task_type, keywords=tuple(keywords), max_tokens=max_tokens, required=tuple(required))
        return context_of(self._run, query, self._step)

    def ai(
        self,
        prompt: str,
        *,
        output: type[T],
        data: Mapping[str, Json] | None = None,
        context: Mapping[str, object] | None = None,
        model: str = DEFAULT_MODEL,
        attempts: int = DEFAULT_AI_ATTEMPTS,
        timeout: str | float = DEFAULT_AI_TIMEOUT_S,
        budget: float | None = None,
    ) -> T:
        """Ask a model for a value, and return it as Python accepted it.

        The workflow has to say `mode="ai_json"`. The model has no tools; the request, every proposal and what was wrong
        with it, tokens and cost are evidence. Of a `CommandPlan`, the policy has to allow every command.

        Args:
            prompt: The author's own words. Put nothing into them that you did not write: values belong into `data`.
            output: A pydantic model, or another type that pydantic knows.
            data: Values by name, which the model is given as data and never as instructions.
            context: `task_type`, `keywords` and `max_tokens`, as for `context`; None for no context.
            model: The model's full name.
            attempts: How many proposals may be tried.
            timeout: For all attempts together: a duration such as `"5m"`, or seconds.
            budget: What it may cost at most, in US dollars; None for what is left of the run's budget.

        Raises:
            AiError: There is no accepted answer.
            PlanRefusedError: It is a plan, and the policy does not allow it as a whole.
            ValueError: A bound is none.
        """
        __tracebackhide__ = True
        timeout_s = parse_duration(timeout) if isinstance(timeout, str) else float(timeout)
        if attempts < 1 or timeout_s <= 0 or (budget is not None and budget <= 0):
            message = "attempts, timeout and budget must be more than nothing"
            raise ValueError(message)
        answer = self._ask(
            prompt,
            output,
            model=model,
            attempts=attempts,
            timeout_s=timeout_s,
            budget_usd=budget,
            context=None if context is None else _context_of(context),
            data=dict(data or {}),
        )
        return cast("T", answer)

    def progress(self, total: int, label: str = "") -> Batch:
        """Show how far this step has come with many things of one kind: `with workflow.progress(8, "hosts") as bar:`.

        `bar.advance()` counts one. It is shown and not recorded: a terminal shows a bar, elsewhere lines tell now and
        then.

        Args:
            total: How many there are.
            label: What they are called; it is shown as it is.

        Raises:
            ValueError: `total` is negative.
        """
        if total < 0:
            message = f"a batch has no negative total: {total}"
            raise ValueError(message)
        return Batch(total, self._run.redactor.text(label), tell=self._batch)

    def secret(self, name: str) -> str:
        """Return a secret: the value of that variable of the environment, else what `policy.secrets` says of that name.

        From then on its value is masked in the evidence, in reports and in what commands print, as the secrets are that
        the policy names. A value of less than 8 bytes can't be told from ordinary text and is not masked.

        Raises:
            SecretMissingError: The variable is not set, or empty, and the policy says no other place.
            SecretSourceError: It can't be had from there.
        """
        # pytest shows the author's line and our message, not the frames in between.
        __tracebackhide__ = True
        return self._run.secret(name)


class GivenInputs(Mapping[str, Json]):
    """The inputs of a fragment, each looked up when it is asked for: what it stands for may be the output of a step."""

    def __init__(self, inputs: Mapping[str, Template], values: Values) -> None:
        self._inputs, self._values = inputs, values

    def __getitem__(self, name: str) -> Json:
        return self._values.argument_value(self._inputs[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._inputs)

    def __len__(self) -> int:
        return len(self._inputs)

    def __repr__(self) -> str:
        return repr(dict(self))


def _context_of(said: Mapping[str, object]) -> AiContext:
    task_type, keywords, max_tokens = (said.get(key) for key in _CONTEXT_KEYS)
    if (
        set(said) - set(_CONTEXT_KEYS)
        or not (task_type is None or isinstance(task_type, str))
        or not (keywords is None or isinstance(keywords, (list, tuple)))
        or not (max_tokens is None or type(max_tokens) is int)
    ):
        message = (
            f"context takes task_type (a text), keywords (a list of texts) and max_tokens (a number), not {said!r}"
        )
        raise ValueError(message)
    return AiContext(task_type=task_type, keywords=tuple(map(str, keywords or ())), max_tokens=max_tokens)


class Sandbox:
    """Commands for the code of one step, each judged by the policy: the fixture `sandbox`."""

    def __init__(self, run: Run, step: StepId) -> None:
        self._run_of_step, self._step = run, step

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: str | float | None = None,
        check: bool = True,
        cwd: str | Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: str | None = None,
    ) -> CommandResult:
        """Run one command and return what became of it.

        Args:
            argv: The program and its arguments; never a shell line.
            timeout: A duration such as `"5m"`, or seconds; None for no limit of its own.
            check: Whether an exit status other than 0 is an error.
            cwd: A folder of the project to run in, from its root; None for the root.
            env: Variables that it receives; none that chooses what code runs.
            stdin: A text that it reads from standard input; None for nothing.

        Raises:
            CommandRefusedError: The policy does not allow it; nothing was started.
            CommandNotFoundError: Its program does not exist.
            CommandTimeoutError: It took longer than `timeout`; its whole process tree was killed.
            CommandFailedError: It failed, and `check` is true.
            ValueError: `timeout` is no duration.
        """
        # pytest shows the author's line and our message, not the frames in between.
        __tracebackhide__ = True
        timeout_s = parse_duration(timeout) if isinstance(timeout, str) else timeout
        result = self._run_of_step.run_command(
            self._step,
            argv,
            timeout_s=timeout_s,
            surroundings=Surroundings(cwd=None if cwd is None else str(cwd), env=env or {}, stdin=stdin),
        )
        if check and result.exit != 0:
            raise CommandFailedError(
                argv=result.argv,
                exit_status=result.exit,
                signal=result.signal,
                stderr=result.stderr,
                stdout=result.stdout,
                truncated=result.truncated,
                flooded=result.flooded,
                limit=result.limit,
            )
        return result
