"""Dataclasses whose methods are made late behave as those of the standard library."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_workflow_exec import lean_dataclasses

DEFINITION = """
from __future__ import annotations
from dataclasses import field

@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    x: int
    y: int = 2
    tags: list[str] = field(default_factory=list, compare=False)
    secret: str = field(default="s", repr=False, hash=False)
    total: int = field(init=False, default=0)

    def __post_init__(self):
        object.__setattr__(self, "total", self.x + self.y)

@dataclass(frozen=True, slots=True, kw_only=True)
class Point3(Point):
    z: int = 0

@dataclass(frozen=True, slots=True)
class Point4(Point3):
    y: int = 5
    w: int = 1

@dataclass(frozen=True, slots=True)
class Placed:
    a: int
    b: str = "b"

@dataclass
class Open:
    a: int
    b: list[int] = field(default_factory=list)

@dataclass(slots=True, eq=False)
class Self:
    a: int

@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    a: int

    def __eq__(self, other):
        return True

    def __hash__(self):
        return 7

    def __repr__(self):
        return "own"

@dataclass(frozen=True)
class Empty:
    pass

@dataclass(frozen=True)
class Loose:
    a: int
    b: str = "b"

class Below(Loose):
    def __init__(self, a):
        super().__init__(a, "below")
        self.more = a

class Beside(Loose):
    pass
"""


def _defined(dataclass: Callable[..., Any], name: str) -> dict[str, Any]:
    module = type(sys)(name)
    module.dataclass = dataclass  # type: ignore[attr-defined]
    sys.modules[name] = module
    exec(DEFINITION, vars(module))  # noqa: S102  # the classes of this test
    return vars(module)


STANDARD = _defined(dataclasses.dataclass, "made_at_once")

TRIED = {
    "named": "Point(x=1)",
    "all named": "Point(x=1, y=3, tags=['t'], secret='q')",
    "derived": "Point3(x=1, z=4)",
    "derived twice": "Point4(3, x=1), Point4.__match_args__, Point4.__slots__",
    "derived twice, missing": "Point4()",
    "placed": "Placed(1)",
    "placed by name": "Placed(b='c', a=1)",
    "open": "Open(1)",
    "empty": "Empty()",
    "own": "Own(a=1)",
    "missing": "Point()",
    "missing of derived": "Point3(z=1)",
    "unknown": "Point(x=1, q=2)",
    "by place": "Point(1)",
    "not to be given": "Point(x=1, total=9)",
    "too many": "Placed(1, 'b', 3)",
    "below": "Below(3)",
    "below with its own": "(lambda b: (setattr(b, 'more', 4), b.more))(Below(3))",
    "below changed": "(lambda b: setattr(b, 'a', 4))(Below(3))",
    "beside": "Beside(3)",
    "equal": "Point(x=1, tags=['a']) == Point(x=1, tags=['b'])",
    "not equal": "Point(x=1) == Point(x=2)",
    "never equal to another": "Loose(1) == Beside(1), Loose(1) == 1, Point(x=1) == Point3(x=1)",
    "by identity": "Self(1) == Self(1)",
    "hash": "hash(Placed(1)) == hash(Placed(1)), hash(Point(x=1, secret='a')) == hash(Point(x=1, secret='b'))",
    "own hash": "hash(Own(a=1)), Own(a=1) == 3",
    "no hash": "hash(Open(1))",
    "hash by identity": "isinstance(hash(Self(1)), int)",
    "set": "(lambda p: setattr(p, 'x', 3))(Point(x=1))",
    "set other": "(lambda p: setattr(p, 'q', 3))(Loose(1))",
    "delete": "(lambda p: delattr(p, 'x'))(Point(x=1))",
    "open set": "(lambda o: (setattr(o, 'a', 3), o))(Open(1))",
    "fresh lists": "Open(1).b is Open(1).b",
    "match": "Placed.__match_args__, Point.__match_args__, Open.__match_args__",
    "slots": "Point.__slots__, hasattr(Point(x=1), '__dict__')",
}


@pytest.mark.parametrize("expression", TRIED.values(), ids=TRIED.keys())
def test_class_made_late_does_as_one_made_at_once(expression: str) -> None:
    """What an expression gives or raises is the same, also when it is the first that needs the class."""
    assert _told(expression, _defined(lean_dataclasses.dataclass, "made_late")) == _told(expression, STANDARD)


@pytest.mark.parametrize(
    "expression", ["Point(x=1, tags=['t'])", "Point3(x=1, z=2)", "Point4(2, x=1)", "Placed(1)", "Open(1, [2])"]
)
def test_instance_is_copied_pickled_replaced_and_taken_apart(expression: str) -> None:
    """The standard library's functions take the instances."""
    # Pickled by the name of its module, which is then to be this one.
    made = eval(expression, dict(_defined(lean_dataclasses.dataclass, "made_late")))  # noqa: S307
    wanted = eval(expression, dict(STANDARD))  # noqa: S307

    assert copy.deepcopy(made) == made
    assert pickle.loads(pickle.dumps(made)) == made  # noqa: S301
    assert dataclasses.asdict(made) == dataclasses.asdict(wanted)
    changed, wanted_changed = (
        dataclasses.replace(each, **{dataclasses.fields(each)[0].name: 9}) for each in (made, wanted)
    )
    assert repr(changed) == repr(wanted_changed)


def _told(expression: str, names: dict[str, Any]) -> str:
    try:
        return repr(eval(expression, dict(names)))  # noqa: S307
    except (TypeError, dataclasses.FrozenInstanceError) as error:
        return f"{type(error).__name__}: {error}"


@pytest.mark.parametrize("annotation", ["ClassVar[int]", "typing.ClassVar[int]", "InitVar[int]", "KW_ONLY"])
def test_what_is_no_field_is_refused(annotation: str) -> None:
    """An annotation that the standard library takes for something else than a field makes no class."""
    body = {"__annotations__": {"a": "int", "b": annotation}, "__module__": __name__}

    with pytest.raises(TypeError, match="Made has an annotation that is no field's"):
        lean_dataclasses.dataclass(frozen=True, slots=True)(type("Made", (), body))


def test_default_that_instances_would_share_is_refused() -> None:
    """A list as a default is refused before there is an instance that has it."""
    body = {"__annotations__": {"a": "list[int]"}, "__module__": __name__, "a": []}
    made: Any = lean_dataclasses.dataclass(frozen=True, slots=True, kw_only=True)(type("Made", (), body))

    with pytest.raises(ValueError, match=r"Made\.a has a default that all would share"):
        made()


def test_every_module_of_the_package_uses_them() -> None:
    """One that takes the standard library's is defined at the cost of hundreds."""
    package = Path(lean_dataclasses.__file__).parent
    said = re.compile(r"^\s*from dataclasses import .*\bdataclass\b|dataclasses\.dataclass\(", re.MULTILINE)
    # The spawn server runs without the package.
    own = {package / "lean_dataclasses.py", *package.glob("sandbox/_spawn/*.py")}

    assert [path for path in sorted({*package.rglob("*.py")} - own) if said.search(path.read_text("utf-8"))] == []
