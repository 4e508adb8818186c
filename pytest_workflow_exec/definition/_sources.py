"""Digests: of the files that a run trusts, and of what each step is made of."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

from pytest_workflow_exec.digests import Json, canonical_json, digest_of, digest_of_bytes
from pytest_workflow_exec.lean_dataclasses import replace
from pytest_workflow_exec.model import GivenEveryReference, GivenReference, Location, Reference, Step, StepId, Template

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_WHEN_SAID = frozenset(
    {
        "block",
        "check",
        "enclosure",
        "evidence_type",
        "form",
        "fragment",
        "holds_no_process",
        "poll",
        "retry",
        "signed",
        "undoes",
        "waive",
    }
)
"""Fields that came later: of a step without them the digest is what it was, so that its runs can go on."""
_NOT_SOURCE = frozenset({"__pycache__", "node_modules", "venv"})


def inside(root: Path, path: Path) -> Path | None:
    """Return where the path really leads, as a path below `root`; None if that is elsewhere.

    Raises:
        OSError: It can't be looked at.
    """
    real_root = root.resolve()
    try:
        real = path.resolve()
    except (RuntimeError, ValueError):
        # A loop of links (before Python 3.13 a RuntimeError), or a name that no file can have.
        return None
    return root / real.relative_to(real_root) if real.is_relative_to(real_root) else None


def source_digests(root: Path, contents: Mapping[Path, bytes], folder: Path) -> dict[str, str]:
    """Return the digests of the files with these contents and of every conftest.py from `root` down to `folder`.

    Raises:
        OSError: A conftest.py can't be read.
    """
    found = dict(contents)
    for path in conftest_files(root, folder):
        found[path] = path.read_bytes()
    return {path.relative_to(root).as_posix(): digest_of_bytes(content) for path, content in sorted(found.items())}


def conftest_files(root: Path, folder: Path) -> Iterator[Path]:
    """Return the conftest.py files that pytest loads for tests in `folder`."""
    for place in [*reversed(folder.parents), folder]:
        if place.is_relative_to(root) and (place / "conftest.py").is_file():
            yield place / "conftest.py"


def python_digests(root: Path, target: Path) -> dict[str, str]:
    """Return the digests of the Python files that running the tests in `target` loads, as far as names tell.

    Raises:
        OSError: One of them can't be read.
    """
    folder = target if target.is_dir() else target.parent
    files = [*conftest_files(root, folder), *(_python_files(target) if target.is_dir() else [target])]
    return {path.relative_to(root).as_posix(): digest_of_bytes(path.read_bytes()) for path in sorted(set(files))}


def _python_files(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in _NOT_SOURCE]
        yield from (Path(place) / name for name in names if name.endswith(".py") and (Path(place) / name).is_file())


def with_digest(step: Step, *, root: Path, variables: Mapping[str, Template], sources: Mapping[str, str]) -> Step:
    """Return the step with the digest of its definition.

    Args:
        step: The step, its digest still empty.
        root: The project; paths count from it, so that a moved project has the same digests.
        variables: Those of the workflow; the ones that the step uses count.
        sources: Digests of source text that is part of what the step does, beside what its body holds.
    """
    used = canonical_json({name: variables[name].text for name in _used(step, variables)} if variables else {})
    definition = f'{{"sources":{canonical_json(sources)},"step":{_spelled(step, root)},"variables":{used}}}'
    return replace(step, digest=digest_of_bytes(definition.encode("ascii")))


def _used(step: Step, variables: Mapping[str, Template]) -> set[str]:
    used: set[str] = set()
    waiting = list(templates_in(step)) if variables else []
    while waiting:
        names = {reference.path[0] for reference in waiting.pop().references if reference.scope == "vars"}
        waiting += [variables[name] for name in names - used if name in variables]
        used |= names & variables.keys()
    return used


def with_given(step: Step) -> Step:
    """Return a step of a fragment with a digest that covers what the fragment was given; any other as it is."""
    references = [reference for template in templates_in(step) for reference in template.references]
    references += () if step.when is None else step.when.references
    given: dict[str, Json] = {}
    for reference in references:
        if _given(reference) is not None:
            said: Json = [str(reference), _given_data(reference)]
            given[digest_of({"given": said})] = said
    if not given:
        return step
    data: dict[str, Json] = {"given": [given[key] for key in sorted(given)], "of": step.digest}
    return replace(step, digest=digest_of(data))


def with_included(step: Step, outputs: Mapping[StepId, Mapping[str, tuple[StepId, ...]]]) -> Step:
    """Return a step whose code can look at the outputs of included fragments with a digest that covers what those are.

    Args:
        step: The step; any other stays as it is.
        outputs: What each include before it declares, by name with the step and keys that a value comes from.
    """
    declared: dict[str, Json] = {
        name: {key: list(path) for key, path in values.items()} for name, values in outputs.items() if values
    }
    if not declared or not step.looks_around:
        return step
    return replace(step, digest=digest_of({"included": declared, "of": step.digest}))


def named_steps(step: Step) -> list[str]:
    """Return the references to other steps in a step, as they were written, each once."""
    named = (reference for template in templates_in(step) for reference in template.references)
    return sorted({str(reference) for reference in named if reference.scope == "steps"})


def _given(reference: Reference) -> GivenReference | None:
    given = reference.listed if isinstance(reference, GivenEveryReference) else reference
    return given if isinstance(given, GivenReference) else None


def _given_data(reference: Reference) -> Json:
    given = _given(reference)
    if given is None:
        return str(reference)
    said = given.given
    stands_for: Json = list(said) if isinstance(said, tuple) else said if not isinstance(said, Template) else None
    if isinstance(said, Template):
        stands_for = [part if isinstance(part, str) else {"reference": _given_data(part)} for part in said.parts]
    spec = given.spec
    allowed: Json = None if spec is None else [spec.type, spec.pattern, list(spec.values)]
    return {"allowed": allowed, "stands_for": stands_for}


def templates_in(value: object) -> Iterator[Template]:
    """Give the texts in a part of a definition."""
    kind = type(value)
    if kind in _SCALARS or kind in _OF_WORDS:
        return
    if kind is Template:
        yield cast("Template", value)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from templates_in(item)
    elif isinstance(value, tuple):
        for item in value:
            yield from templates_in(item)
    elif dataclasses.is_dataclass(value) and not isinstance(value, (Location, type)):
        for item in _fields_of(type(value)).values(value):
            yield from templates_in(item)


def _spelled(value: object, root: Path) -> str:
    """Return the canonical JSON of a part of a definition, made of that of its own parts."""
    kind = type(value)
    if kind in _OF_WORDS:
        return _WORDS[value]
    if kind in _SCALARS:
        return canonical_json(cast("Json", value))
    # Tuples first: whether something is a mapping takes its time to find out.
    if isinstance(value, tuple):
        return f"[{','.join([_spelled(item, root) for item in value])}]"
    if isinstance(value, Mapping):
        members = [f"{canonical_json(key)}:{_spelled(value[key], root)}" for key in sorted(value)]
        return f"{{{','.join(members)}}}"
    if dataclasses.is_dataclass(value) and not isinstance(value, (Template, type)):
        return _fields_spelled(value, root)
    return canonical_json(_plain(value, root))


def _plain(value: object, root: Path) -> Json:
    if type(value) is Template:
        return {"template": value.text}
    if isinstance(value, Path):
        return _relative(value, root)
    if isinstance(value, bytes):
        return _digest_of_source(value)
    if not isinstance(value, (int, float, str)):
        raise TypeError(f"a definition can't hold {value!r}")
    return value


def _fields_spelled(value: DataclassInstance, root: Path) -> str:
    names, values = _fields_of(type(value))
    members = []
    for name, item in zip(names, values(value), strict=True):
        kind = type(item)
        if kind is Location or (not item and name in _WHEN_SAID):
            continue
        if kind in _OF_WORDS:
            members.append(f'"{name}":{_WORDS[item]}')
        elif name == "kind" and item is type(value):
            members.append(f'"kind":"{item.__name__}"')
        else:
            members.append(f'"{name}":{_spelled(item, root)}')
    return f"{{{','.join(members)}}}"


_SCALARS = frozenset({str, int, float})
_OF_WORDS = frozenset({bool, type(None)})
_WORDS: Mapping[object, str] = {None: "null", False: "false", True: "true"}

# Steps by the thousand are of few kinds, stand in one file and call functions of few others.
_digest_of_source = functools.lru_cache(maxsize=16)(digest_of_bytes)


@functools.lru_cache(maxsize=256)
def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


class _Fields(NamedTuple):
    names: Sequence[str]
    """The fields of a class in order, without its digest and with `kind`, which stands for the class if it has no such field."""
    values: Callable[[object], Sequence[object]]
    """Returns what an instance has in these places."""


@functools.cache
def _fields_of(cls: type[DataclassInstance]) -> _Fields:
    own = {field.name for field in dataclasses.fields(cls)}
    names = sorted({"kind", *own} - {"digest"})
    attributes = [name if name in own else "__class__" for name in names]
    return _Fields(names, attrgetter(*attributes) if len(names) > 1 else lambda value: (getattr(value, attributes[0]),))
