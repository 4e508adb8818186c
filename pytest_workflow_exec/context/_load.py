"""The context of a piece of work, from the project's files."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from pathlib import Path

from pytest_workflow_exec.errors import WorkflowExecError

from ._budget import fitted
from ._context import Context, Query
from ._observed import Observed
from ._select import Selection
from ._tree import OutsideError

_KEPT_ANSWERS = 64
_answers: OrderedDict[tuple[str, str, Query], tuple[Observed, Context]] = OrderedDict()
_lock = threading.Lock()


class ContextError(WorkflowExecError):
    """What must be in a context is not, or the place is none of the project's."""


def load_context(root: Path, at: Path, query: Query) -> Context:
    """Return the `CLAUDE.md` files that matter for a piece of work, within its budget.

    Chosen are the files on the way from the root down to `at`; those whose front matter names the task type or one of
    the keywords; the children of chosen files that do so, too, or name none, or if nothing was asked for; and whatever
    chosen files depend on or import. If not all fits, priority decides, then the way, then how much of what was asked a
    file is about. The same files and query always give the same context.

    Args:
        root: The project.
        at: The folder in it where the work is done.

    Raises:
        ContextError: `at` lies outside the project, or what the query requires can't be loaded whole.
    """
    key = (os.path.realpath(root), os.path.realpath(at), query)
    with _lock:
        known = _answers.get(key)
    if known is not None and known[0].unchanged():
        return known[1]
    observed, context = _loaded(*key)
    # Only after it was made: a file that is written meanwhile is younger than what was seen of it.
    if observed.settled:
        with _lock:
            _answers[key] = (observed, context)
            while len(_answers) > _KEPT_ANSWERS:
                _answers.popitem(last=False)
    return context


def _loaded(root: str, at: str, query: Query) -> tuple[Observed, Context]:
    selection = Selection(root=root, query=query)
    selection.take_required()
    try:
        selection.take_way(at)
    except OutsideError as error:
        raise ContextError(str(error)) from error
    selection.take_asked()
    selection.follow()
    loaded, too_long = fitted(selection.chosen.values(), query.max_tokens)
    warnings = list(dict.fromkeys(selection.warnings))
    warnings += [f"{each.path} is left out: {each.reason}" for each in too_long]
    warnings += [
        f"{each.path} is cut: {each.cut.sections} of {each.cut.of_sections} sections" for each in loaded if each.cut
    ]
    context = Context(
        files=loaded,
        omitted=(*too_long, *selection.left_out()),
        warnings=tuple(warnings),
        max_tokens=query.max_tokens,
    )
    _check_required(context, selection)
    return selection.observed, context


def _check_required(context: Context, selection: Selection) -> None:
    whole = {file.path for file in context.files if file.cut is None}
    short = [each.file.path for each in selection.chosen.values() if each.required and each.file.path not in whole]
    if selection.unusable or short:
        missing = sorted({*selection.unusable, *short})
        why = "\n".join(f"  {warning}" for warning in context.warnings)
        raise ContextError(f"required, but not loaded whole: {', '.join(missing)}\n{why}")
