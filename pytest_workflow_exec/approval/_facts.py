"""The facts of a request as labelled lines, in the order in which an approver reads them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from pytest_workflow_exec.digests import Json, digest_of
from pytest_workflow_exec.lean_dataclasses import dataclass, replace

from ._again import Again, Difference, spoken
from ._field import FormField, allowed
from ._request import Covered, GateRequest, PlanChange, Proposal, ShownOutput
from ._rules import SignatureRules
from ._words import escape_line

_MAX_VALUE_CHARS = 600
"""So many are shown at once: what was made must not push the question off the screen."""

_APPROVED = "If you approve"
_NONE_YET = "none yet"
_LEVELS = {
    "none": "none: commands are not confined",
    "landlock": "landlock: commands are held to their rules by the kernel",
    "namespaces": "namespaces: commands are held to their rules by the kernel, in namespaces of their own",
}
_SOURCES = {
    "live": "asked now",
    "local": "answered ON THIS MACHINE: whoever listens there need be no model",
    "replay": "REPLAYED from a recording: no model was asked",
    "scripted": "SCRIPTED by a file of answers: no model was asked",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Something that is shown shortened, and can be read whole page by page."""

    title: str
    """What it is; already escaped."""
    text: str
    """All of it, as it is."""
    missing: int
    """How much of it is not shown."""
    unit: str = "characters"


@dataclass(frozen=True, slots=True, kw_only=True)
class FactLine:
    """One logical line of a fact; what does not fit is continued under `text`, never under `mark`."""

    text: str
    """Already escaped."""
    mark: str = ""
    behind: str = ""
    """What follows, and behind the mark of a cut."""
    cut: Cut | None = None
    """What of the text is not shown; None if it is whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One labelled fact."""

    label: str
    lines: tuple[FactLine, ...]
    is_warning: bool = False


def facts_of(request: GateRequest) -> Sequence[Fact]:
    """Return every fact of a request; what does not exist yet is there as `none yet`."""
    return (
        _fact("Workflow", request.workflow),
        _fact("Run", request.run),
        _fact("Plan digest", request.plan_digest),
        _fact("Gate step", f"{request.step}, attempt {request.attempt}"),
        *_asked_again(request.again),
        *_failed(request),
        *_concluded(request),
        Fact(label=_APPROVED, lines=tuple(_numbered(request.covers))),
        *_changes(request.plan_changes),
        Fact(label="If you reject", lines=tuple(_numbered(request.on_reject))),
        *_proposals(request.proposals),
        *_asked(request.fields_to_fill),
        Fact(label="Outputs shown", lines=tuple(_outputs(request.shown, request.run)) or (FactLine(text="none"),)),
        Fact(label="Inputs", lines=tuple(_values(request.inputs)) or (FactLine(text="none"),)),
        _commit(request),
        Fact(label="Started by", lines=tuple(_values(request.starter)) or (FactLine(text=_NONE_YET),)),
        _fact("Policy digest", request.policy_digest),
        _fact("Pin", f"policy {request.pin or 'unpinned'}", is_warning=request.pin in {"", "unpinned"}),
        _fact("Signers", request.signers),
        *_rules(request.rules),
        _fact("Sandbox level", _LEVELS.get(request.level, request.level), is_warning=request.level in {"", "none"}),
        Fact(label="Carried steps", lines=_texts(request.carried)),
        *_waived(request.waived),
        *_broken(request.broken_glass),
        _fact("Evidence head", f"record {request.evidence_seq}, {escape_line(request.evidence_head) or _NONE_YET}"),
        _fact("Meaning", request.meaning),
        Fact(label="References", lines=_texts(request.refs)),
        _fact("Nonce", request.nonce),
        _fact("Issued", request.issued),
        _fact("Expires", request.expires),
        _fact("Request digest", request.digest),
    )


def facts_on_screen(request: GateRequest) -> Sequence[Fact]:
    """Return every fact of a request as a terminal shows it; what is signed has a form that stays as it is."""
    facts = facts_of(request)
    if not request.on_reject:
        return facts
    # What cleans up needs no decision, and runs whichever is made.
    too = FactLine(text="in the end, too, what runs if you reject")
    return [replace(fact, lines=(*fact.lines, too)) if fact.label == _APPROVED else fact for fact in facts]


def _asked_again(again: Again | None) -> Iterable[Fact]:
    if again is None:
        return
    said = f"{again.approver} approved this before, and the approval is not used: what it was given for changed"
    yield _fact("Asked again", f"{said} before {again.used_by} started", is_warning=True)
    yield _fact("Approved was", f"request {again.of}")
    yield Fact(label="Changed", lines=tuple(_changed(again.changes)), is_warning=True)
    if again.answers:
        yield Fact(label="Filled in", lines=tuple(_values(again.answers)))


def _changed(changes: Iterable[Difference]) -> Iterable[FactLine]:
    for change in changes:
        yield FactLine(text=f"{escape_line(spoken(change.fact))}:")
        # Never cut, as little as the commands themselves are: this is what is decided about.
        yield from _sides("  was: ", change.fact, change.before)
        yield from _sides("  now: ", change.fact, change.after)


def _sides(mark: str, fact: str, value: Json) -> Iterable[FactLine]:
    items = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    for item in items or ["nothing in its place"]:
        yield FactLine(mark=mark, text=escape_line(_side(fact, item)) or "empty")


def _side(fact: str, item: Json) -> str:
    if fact == "dirty":
        return "not known" if item is None else "dirty" if item else "clean"
    if isinstance(item, Mapping) and item.keys() == {"step", "kind", "does"}:
        return f"{item['step']} ({item['kind']}): {item['does']}"
    if item is None:
        return "none"
    return item if isinstance(item, str) else json.dumps(item, ensure_ascii=False)


def _failed(request: GateRequest) -> Iterable[Fact]:
    if request.failure:
        yield Fact(label="It failed", lines=(_value_line("failure", request.failure),), is_warning=True)
        yield _fact("You decide", "whether it counts as waived; if you approve, the steps behind it run all the same")


def _concluded(request: GateRequest) -> Iterable[Fact]:
    if request.conclusion:
        yield _fact(
            "You confirm", "what the conversation came to, as the outputs below show it; it opens no gate behind it"
        )
        yield _fact("Conclusion", f"sha256 {request.conclusion}")


def _waived(steps: Sequence[str]) -> Iterable[Fact]:
    if steps:
        yield Fact(label="Waived steps", lines=_texts(steps), is_warning=True)


def _broken(gates: Sequence[str]) -> Iterable[Fact]:
    if gates:
        yield Fact(label="Broken glass", lines=_texts(gates), is_warning=True)


def form_fact(form: Iterable[FormField]) -> Fact:
    """Return which fields are asked for."""
    lines = tuple(FactLine(mark="- ", text=f"{escape_line(field.name)}: {allowed(field)}") for field in form)
    return Fact(label="You fill in", lines=lines)


def _asked(form: Iterable[FormField]) -> Sequence[Fact]:
    fact = form_fact(form)
    return (fact,) if fact.lines else ()


def _rules(rules: SignatureRules | None) -> Iterable[Fact]:
    if rules is not None:
        lines = tuple(FactLine(text=escape_line(text), mark="- ") for text in rules.said())
        yield Fact(label="Signatures", lines=lines)
        yield _fact("Starter", rules.said_of_starter(), is_warning=not rules.starter and rules.starter_excluded)


def _fact(label: str, text: str, *, is_warning: bool = False) -> Fact:
    return Fact(label=label, lines=(FactLine(text=escape_line(text) or _NONE_YET),), is_warning=is_warning)


def _texts(texts: Iterable[str]) -> tuple[FactLine, ...]:
    return tuple(FactLine(text=escape_line(text), mark="- ") for text in texts) or (FactLine(text="none"),)


def _numbered(covered: Sequence[Covered]) -> Iterable[FactLine]:
    if not covered:
        yield FactLine(text="nothing runs")
    # Never cut: a command that is approved is a command that was shown.
    for number, each in enumerate(covered, start=1):
        yield FactLine(mark=f"{number}. ", text=escape_line(f"{each.step} ({each.kind}): {each.does}"))


def _changes(changes: Sequence[PlanChange]) -> Iterable[Fact]:
    lines: list[FactLine] = []
    for change in changes:
        earlier = (
            f"beside the plan approved last, in run {change.before}" if change.before else "no earlier plan is known"
        )
        lines.append(FactLine(text=escape_line(f"{change.step}: {earlier}")))
        lines += [FactLine(mark=f"  {line[:2]}", text=escape_line(line[2:])) for line in change.lines]
    if lines:
        yield Fact(label="Plan changes", lines=tuple(lines))


def _proposals(proposals: Sequence[Proposal]) -> Iterable[Fact]:
    if proposals:
        lines = (
            f"{each.step}: {each.model}, {_SOURCES.get(each.source, each.source)}{f', {each.at}' if each.at else ''}"
            for each in proposals
        )
        yield Fact(
            label="Answers",
            lines=tuple(FactLine(mark="- ", text=escape_line(line)) for line in lines),
            is_warning=any(each.source != "live" for each in proposals),
        )


def _outputs(shown: Iterable[ShownOutput], run: str) -> Iterable[FactLine]:
    for output in shown:
        yield _value_line(f"{output.step}.{output.key}", output.value)
        if output.file is None:
            yield FactLine(mark="  ", text=f"sha256 {digest_of(output.value)} of the value")
        else:
            yield FactLine(mark="  ", text=f"file {escape_line(output.file.path)}, {output.file.size_bytes} bytes")
            yield FactLine(mark="  ", text=f"sha256 {escape_line(output.file.sha256)} of the file")
            if output.file.kept:
                kept = output.file.kept.partition(f"/{run}/")[2] or output.file.kept
                yield FactLine(mark="  ", text=f"used from here on: the run's copy {escape_line(kept)}")


def _values(values: Mapping[str, Json]) -> Iterable[FactLine]:
    for name, value in values.items():
        yield _value_line(name, value)


def _value_line(name: str, value: Json) -> FactLine:
    spelled, title = json.dumps(value, ensure_ascii=False), escape_line(name)
    shown = f"{title} = {escape_line(spelled[:_MAX_VALUE_CHARS])}"
    missing = len(spelled) - _MAX_VALUE_CHARS
    if missing <= 0:
        return FactLine(mark="- ", text=shown)
    # Whole, a text is read in its own lines, and data in lines of its parts.
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
    cut = Cut(title=title, text=text, missing=missing)
    return FactLine(mark="- ", text=shown, behind=f", sha256 {digest_of(value)} of the value", cut=cut)


def _commit(request: GateRequest) -> Fact:
    if request.commit is None:
        return _fact("Commit", "none: not under version control", is_warning=True)
    dirty = f"DIRTY: files differ from it, sha256 {escape_line(request.changes or _NONE_YET)} of the differences"
    state = {True: dirty, False: "clean", None: "not known whether clean"}[request.dirty]
    return _fact("Commit", f"{request.commit}, {state}", is_warning=request.dirty is not False)
