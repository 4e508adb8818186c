"""`ai:`, `session:` and `execute:` steps: what a model is asked, the type of its answer, and where its commands may be run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

from pytest_workflow_exec.lazy_patterns import lazy_pattern
from pytest_workflow_exec.model import (
    DEFAULT_AI_ATTEMPTS,
    DEFAULT_AI_TIMEOUT_S,
    DEFAULT_MODEL,
    DEFAULT_SESSION_TIMEOUT_S,
    DEFAULT_SESSION_TURNS,
    SESSION_TOOLS,
    Ai,
    AiContext,
    AnswerType,
    Execute,
    FormType,
    Gate,
    PlanType,
    Reference,
    Session,
    Step,
    base_of,
)

from ._forms import read_form
from ._named_types import NamedTypeError, model_type
from ._names import quoted
from ._problems import Problems, Where
from ._schema_basics import DeclarationModel
from ._templates import Keys, parse_template
from ._texts import Files, Texts

if TYPE_CHECKING:
    from ._schema_ai import AiContextModel, AiModel, SessionModel


Mode: TypeAlias = Literal["python", "ai_json", "interactive"]
_PLAN = "CommandPlan"
_MODEL_NAME = lazy_pattern(r"[A-Za-z0-9][A-Za-z0-9._:@/-]{0,127}(\[[A-Za-z0-9]{1,8}\])?", re.ASCII)
_MONEY = lazy_pattern(r"[0-9]{1,6}(\.[0-9]{1,6})?")
_MAX_ATTEMPTS = 10
_MAX_TURNS = 200
_WAYS = (
    "write module:Model for a pydantic model of a module beside this file, CommandPlan, or fields as a form has them"
)

EXECUTE_KEYS: Keys = {"outcome": frozenset(), "commands": frozenset()}


def ai_keys(model: AiModel | SessionModel | None) -> Keys | None:
    """Return the values of a step that a model gives and that later steps may name; None if nothing says them before it runs."""
    if model is None:
        return None
    if model.output == _PLAN:
        return {"outcome": frozenset(), "commands": frozenset()}
    if isinstance(model.output, Mapping):
        return {"outcome": frozenset(), **dict.fromkeys(map(str, model.output), frozenset[str]())}
    return None


def read_ai(
    model: AiModel, timeout_s: float | None, where: Where, texts: Texts, files: Files, *, key: str = "ai"
) -> Ai | None:
    """Return what an `ai:` step asks, or None after adding why it can't be asked.

    Args:
        key: The key of the step under which the question stands.
    """
    place, problems = (*where, key), texts.problems
    if not model.prompt.strip():
        problems.at((*place, "prompt"), "asks nothing")
    if model.timeout is not None and timeout_s is not None:
        problems.at_key((*where, "timeout"), "the question has a timeout already; keep one of them")
    if model.model is not None and _MODEL_NAME.fullmatch(model.model) is None:
        problems.at((*place, "model"), f"{quoted(model.model)} is no name of a model")
    attempts = DEFAULT_AI_ATTEMPTS if model.attempts is None else model.attempts
    if not 1 <= attempts <= _MAX_ATTEMPTS:
        problems.at((*place, "attempts"), f"must be from 1 to {_MAX_ATTEMPTS} attempts, not {attempts}")
    prompt = texts.template(model.prompt, (*place, "prompt"))
    output = _read_type(model.output, (*place, "output"), texts, files)
    if output is None:
        return None
    return Ai(
        prompt=prompt,
        output=output,
        model=model.model or DEFAULT_MODEL,
        attempts=attempts,
        timeout_s=model.timeout or timeout_s or DEFAULT_AI_TIMEOUT_S,
        budget_usd=_budget(model.budget, (*place, "budget"), problems),
        context=_context(model.context, (*place, "context"), problems),
    )


def read_session(
    model: SessionModel, timeout_s: float | None, where: Where, texts: Texts, files: Files
) -> Session | None:
    """Return what a `session:` step is about, or None after adding why it can't be held."""
    place, problems = (*where, "session"), texts.problems
    # What it has in common with a question is read as one.
    asked = read_ai(_as_question(model), timeout_s, where, texts, files, key="session")
    for name in model.tools:
        if name not in SESSION_TOOLS:
            problems.at((*place, "tools"), f"there is no tool {quoted(name)} (there are {', '.join(SESSION_TOOLS)})")
    turns = DEFAULT_SESSION_TURNS if model.turns is None else model.turns
    if not 1 <= turns <= _MAX_TURNS:
        problems.at((*place, "turns"), f"must be from 1 to {_MAX_TURNS} turns, not {turns}")
    turn_budget_usd = _budget(model.turn_budget, (*place, "turn_budget"), problems)
    if asked is None:
        return None
    if isinstance(asked.output, PlanType):
        problems.at(
            (*place, "output"), f"a session concludes with data, not with {_PLAN}; an ai step proposes commands"
        )
        return None
    return Session(
        prompt=asked.prompt,
        output=asked.output,
        tools=tuple(dict.fromkeys(model.tools)),
        model=asked.model,
        attempts=asked.attempts,
        timeout_s=model.timeout or timeout_s or DEFAULT_SESSION_TIMEOUT_S,
        turn_timeout_s=model.turn_timeout or DEFAULT_AI_TIMEOUT_S,
        turns=turns,
        budget_usd=asked.budget_usd,
        turn_budget_usd=turn_budget_usd,
        context=asked.context,
    )


def _as_question(model: SessionModel) -> AiModel:
    from ._schema_ai import AiModel

    return AiModel.model_construct(
        prompt=model.prompt,
        output=model.output,
        context=model.context,
        model=model.model,
        attempts=model.attempts,
        timeout=model.timeout,
        budget=model.budget,
    )


def _budget(text: str | None, where: Where, problems: Problems) -> float | None:
    if text is None:
        return None
    amount = float(text) if _MONEY.fullmatch(text) else 0.0
    if not amount:
        problems.at(where, f"must be an amount of US dollars such as 0.50, not {quoted(text)}")
    return amount


def _context(model: AiContextModel | None, where: Where, problems: Problems) -> AiContext | None:
    if model is None:
        return None
    if model.max_tokens == 0:
        problems.at((*where, "max_tokens"), "must be at least 1")
    return AiContext(task_type=model.task_type, keywords=tuple(model.keywords), max_tokens=model.max_tokens)


def _read_type(output: object, where: Where, texts: Texts, files: Files) -> AnswerType | None:
    if isinstance(output, Mapping):
        if not output:
            texts.problems.at(where, f"names no field; {_WAYS}")
            return None
        # What no person fills in may still be called `approver`.
        fields = read_form(output, where, texts.problems, own=frozenset({"outcome"}))
        return FormType(fields=fields)
    if output == _PLAN:
        return PlanType()
    try:
        return model_type(output, files, ways=_WAYS)
    except (NamedTypeError, OSError) as error:
        texts.problems.at(where, f"can't ask for {quoted(str(output))}: {error}")
        return None


def read_execute(text: str, where: Where, texts: Texts) -> Execute | None:
    """Return which commands an `execute:` step runs, or None after adding why it can't."""
    place = (*where, "execute")
    template = texts.template(text, place)
    [only] = template.parts if len(template.parts) == 1 else [None]
    written = parse_template(text, steps=texts.scope.all_steps).references if isinstance(only, Reference) else ()
    if any(texts.scope.problem(each) is not None for each in written):
        # It was said.
        return None
    # A step and its key. Through what a fragment is given or declares, more can stand behind the name.
    if not isinstance(only, Reference) or only.scope != "steps" or len(only.path) != 2:  # noqa: PLR2004
        texts.problems.at(place, "takes the commands that an ai step proposed, and nothing else: ${steps.id.commands}")
        return None
    return Execute(plan=template)


def mode_of(model: DeclarationModel | None, steps: Iterable[Step], problems: Problems) -> Mode:
    """Return the highest mode that a workflow's steps may use, after adding each step that is above what it says.

    A workflow that does not say it may use what its steps use.
    """
    steps = tuple(steps)
    asking = [step for step in steps if isinstance(step.body, Ai)]
    talking = [step for step in steps if isinstance(step.body, Session)]
    if model is None or "mode" not in model.model_fields_set:
        return "interactive" if talking else "ai_json" if asking else "python"
    for step in talking if model.mode != "interactive" else ():
        message = (
            f"step {quoted(base_of(step.id))} talks with a model, and the workflow says mode: {model.mode}. "
            "Say mode: interactive"
        )
        problems.at_location(step.location, message)
    for step in asking if model.mode == "python" else ():
        message = f"step {quoted(base_of(step.id))} asks a model, and the workflow says mode: python. Say mode: ai_json"
        problems.at_location(step.location, message)
    return model.mode


def check_executes(steps: Iterable[Step], problems: Problems) -> None:
    """Add a problem for each step that would execute what no gate has shown."""
    steps = tuple(steps)
    before: dict[str, Step] = {}
    gate: Step | None = None
    for step in _without_plan(steps):
        message = f"gate {quoted(base_of(step.id))} lets no plan run, so that none can be approved for it in_advance"
        problems.at_location(step.location, message)
    for step in steps:
        if isinstance(step.body, Execute):
            problem = _unshown(step.body, before, gate)
            if problem is not None:
                problems.at_location(step.location, f"step {quoted(base_of(step.id))} {problem}")
        elif isinstance(step.body, Gate):
            gate = step
        before[step.id] = step


def _without_plan(steps: Sequence[Step]) -> Iterator[Step]:
    """Give the gates that take approvals in advance, and have no plan behind them up to the next gate."""
    waiting: Step | None = None
    for step in steps:
        if isinstance(step.body, Gate):
            if waiting is not None:
                yield waiting
            signed = step.body.signed
            waiting = step if signed is not None and signed.in_advance else None
        elif isinstance(step.body, Execute):
            waiting = None
    if waiting is not None:
        yield waiting


def _unshown(execute: Execute, before: Mapping[str, Step], gate: Step | None) -> str | None:
    reference, ids = str(execute.plan.references[0]), list(before)
    proposer = before.get(execute.proposer)
    if proposer is None:
        return None
    if not isinstance(proposer.body, Ai):
        return f"executes {reference}, which is no answer of a model; a command of yours is a run step"
    shown = gate.body.show if gate is not None and isinstance(gate.body, Gate) else ()
    if gate is None or ids.index(gate.id) < ids.index(proposer.id):
        return (
            f"executes {reference}, but no gate stands between it and step {quoted(proposer.id)}. "
            f"Put one there that shows it: gate: {{question: ..., show: [{proposer.id}.{execute.key}]}}"
        )
    if not {(proposer.id, None), (proposer.id, execute.key)} & set(shown):
        return (
            f"executes {reference}, but gate {quoted(gate.id)} before it does not show that. "
            f"Add it: show: [{proposer.id}.{execute.key}]"
        )
    return None
