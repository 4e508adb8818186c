"""What of the files that matter fits: the least important go first, and what is cut says so."""

from __future__ import annotations

from collections.abc import Iterable

from ._context import Cut, Loaded, Omitted
from ._select import Chosen
from ._tokens import tokens_of


def fitted(chosen: Iterable[Chosen], max_tokens: int) -> tuple[tuple[Loaded, ...], tuple[Omitted, ...]]:
    """Return what fits, root first, and what does not.

    A file that is too long for what is left, or for its own `max_tokens`, ends behind a section of it.
    """
    loaded, omitted, left = [], [], max_tokens
    for each in sorted(chosen, key=_importance):
        own = each.file.front.max_tokens
        most = left if own is None or each.required else min(left, own)
        file = _whole(each) if tokens_of(_text(each.file.path, each.file.body)) <= most else _cut(each, most)
        if file is None:
            omitted.append(Omitted(path=each.file.path, reason=f"{each.reason}, but {_too_long(each, most, left)}"))
            continue
        loaded.append(file)
        left -= file.tokens
    return tuple(sorted(loaded, key=lambda file: (file.path.count("/"), file.path))), tuple(omitted)


def _importance(each: Chosen) -> tuple[object, ...]:
    path = each.file.path
    return not each.required, -each.priority, not each.on_the_way, -each.matches, path.count("/"), path


def _whole(each: Chosen) -> Loaded:
    return _loaded(each, _text(each.file.path, each.file.body), None)


def _cut(each: Chosen, most: int) -> Loaded | None:
    sections = each.file.sections
    fits, too_many = 0, len(sections)
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        if tokens_of(_shortened(each, middle)) <= most:
            fits = middle
        else:
            too_many = middle
    if fits == 0:
        return None
    cut = Cut(sections=len(sections) - fits, of_sections=len(sections), tokens=tokens_of("".join(sections[fits:])))
    return _loaded(each, _shortened(each, fits), cut)


def _shortened(each: Chosen, count: int) -> str:
    sections = each.file.sections
    rest = "".join(sections[count:])
    mark = (
        f"[cut to fit: the last {len(sections) - count} of {len(sections)} sections of {each.file.path}, "
        f"about {tokens_of(rest)} tokens, are left out]"
    )
    return _text(each.file.path, "".join(sections[:count]).rstrip() + f"\n\n{mark}")


def _text(path: str, body: str) -> str:
    return f"===== {path} =====\n{body.strip()}\n"


def _loaded(each: Chosen, text: str, cut: Cut | None) -> Loaded:
    return Loaded(
        path=each.file.path,
        reason=each.reason,
        sha256=each.file.sha256,
        tokens=tokens_of(text),
        text=text,
        cut=cut,
    )


def _too_long(each: Chosen, most: int, left: int) -> str:
    limit = f"{left} are left" if most == left else f"its own limit is {most}"
    if len(each.file.sections) > 1:
        return f"its first section needs about {tokens_of(_shortened(each, 1))} tokens and {limit}"
    # With its label: without, it might seem to fit.
    return f"it needs about {tokens_of(_text(each.file.path, each.file.body))} tokens and {limit}"
