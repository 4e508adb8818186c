"""One run as one file of HTML: nothing in it is loaded from elsewhere, and no text of a log is markup or script."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import shlex
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pytest_workflow_exec.errors import WorkflowExecError
from pytest_workflow_exec.verify import Verdict

from ._attempts import SATISFIED
from ._raw import RawRecords, packed
from ._story import RunStory
from ._timeline import WIDTH, Timeline
from ._words import clock, spoken, visible

if TYPE_CHECKING:
    from jinja2 import Environment

GENERATOR = "pytest-workflow-exec report"
"""What the pages say they were made by; only files that say so are replaced."""


AT_ONCE = 300
"""With more steps, a browser makes each one's details when they are opened: made at once, they take seconds."""
_FIRST_WORDS = 300
"""How much of why a step failed stands on top of the page; its details have all of it."""


class TemplatesMissingError(WorkflowExecError):
    """What makes pages is not installed."""

    def __init__(self) -> None:
        """Say what to install."""
        super().__init__(
            "pages are made with Jinja2, which is not installed: pip install 'pytest-workflow-exec[report]'"
        )


def run_page(story: RunStory, verdict: Verdict, raw: RawRecords, *, problem: str = "") -> str:
    """Return the page of a run.

    Args:
        verdict: What `verify` says of its log.
        raw: The log's lines.
        problem: Why not all of its records could be read; empty if they could.

    Raises:
        TemplatesMissingError: Jinja2 is not installed.
    """
    unsatisfied = [step for step in story.steps.values() if step.planned and step.outcome not in SATISFIED]
    return rendered(
        "run.html.j2",
        story=story,
        verdict=verdict,
        raw=raw,
        problem=problem,
        timeline=Timeline(story),
        anchors=_anchors(story),
        wrong=[step for step in unsatisfied if step.outcome != "blocked"],
        blocked=[step for step in unsatisfied if step.outcome == "blocked"],
        width=WIDTH,
        later=len(story.steps) > AT_ONCE,
    )


def rendered(template: str, **values: Any) -> str:  # noqa: ANN401 - a template looks at values of any kind
    """Return what a template makes of values, with the style, the script and the policy that allows these two alone.

    Raises:
        TemplatesMissingError: Jinja2 is not installed.
    """
    style, script = _asset("page.css"), _asset("page.js")
    policy = (
        f"default-src 'none'; style-src '{_hash_of(style)}'; script-src '{_hash_of(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    environment = _environment()
    return environment.get_template(template).render(
        style=_trusted(style), script=_trusted(script), csp=_trusted(policy), generator=GENERATOR, **values
    )


def _environment() -> Environment:
    try:
        from jinja2 import Environment, FunctionLoader, StrictUndefined
    except ModuleNotFoundError as error:
        raise TemplatesMissingError from error

    # Every value that a template writes goes through `finalize`, then through Jinja's escaping.
    made = Environment(
        loader=FunctionLoader(_asset),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "clock": clock,
        "spoken": spoken,
        "argv": _command_line,
        "plain": _is_plain,
        "as_json": _as_json,
        "fragment": functools.partial(quote, safe=""),
        "packed": packed,
        "first_words": _first_words,
    }
    return made


def _asset(name: str) -> str:
    return resources.files(__package__).joinpath("assets").joinpath(name).read_text(encoding="utf-8")


def _hash_of(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def _trusted(text: str) -> Any:  # noqa: ANN401 - Markup is a type of a library that may be missing
    from markupsafe import Markup

    return Markup(text)  # noqa: S704 - our own files, and JSON in which nothing can end a script element


def _shown(value: object) -> object:
    # Markup is a str, too, and is ours.
    if type(value) is str:
        return visible(value)
    return "" if value is None else value


def _first_words(value: object) -> str:
    words = " ".join(str(value).split())
    return words if len(words) <= _FIRST_WORDS else f"{words[:_FIRST_WORDS]} ..."


def _is_plain(value: object) -> bool:
    return not isinstance(value, (Mapping, list, tuple)) or not value


def _as_json(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        value = dict(value)
    return json.dumps(value, ensure_ascii=False, default=str)


def _command_line(value: object) -> str:
    if not isinstance(value, list):
        return _as_json(value)
    return shlex.join(map(str, value))


def _anchors(story: RunStory) -> Mapping[str, str]:
    """Return the name of each step's place on the page: no two are the same, and none holds a space."""
    return dict(_unique(story))


def _unique(story: RunStory) -> Iterator[tuple[str, str]]:
    taken: set[str] = set()
    for name in story.steps:
        anchor = "step-" + "".join("_" if character.isspace() else character for character in visible(name))
        while anchor in taken:
            anchor += "~"
        taken.add(anchor)
        yield name, anchor
