"""lightinit's NamedTuple behaves as typing's."""

from __future__ import annotations

import copy
import pickle
import typing
from typing import Any, Callable, Dict, Mapping, Optional, Tuple

import pytest

from lightinit import model
from lightinit.model import Lease, User


class Theirs(typing.NamedTuple):
    """As a file of lightinit's would have it."""

    name: str
    size: Optional[int] = None
    more: Mapping[str, str] = {}

    def double(self) -> int:
        return 2 * (self.size or 0)


class Ours(model.NamedTuple):
    """The same."""

    name: str
    size: Optional[int] = None
    more: Mapping[str, str] = {}

    def double(self) -> int:
        return 2 * (self.size or 0)


class Heir(Ours):
    """A subclass; its annotations make no fields."""

    other: int = 1


USES: Dict[str, Callable[[Any], Any]] = {
    "by position": lambda kind: tuple(kind("a", 1, {})),
    "by name": lambda kind: tuple(kind(more={"b": "c"}, name="a")),
    "both": lambda kind: tuple(kind("a", size=2)),
    "replaced": lambda kind: tuple(kind("a", 1)._replace(name="b", size=3)),
    "as a dict": lambda kind: list(kind("a")._asdict().items()),
    "made": lambda kind: tuple(kind._make(["a", 1, {}])),
    "fields": lambda kind: (kind._fields, dict(kind._field_defaults)),
    "equal": lambda kind: (kind("a") == ("a", None, {}), kind("a") == kind("b")),
    "hashed": lambda kind: hash(kind("a", 1, "x")) == hash(("a", 1, "x")),
    "read": lambda kind: (kind("a").name, kind("a", 4).double()),
    "copied": lambda kind: tuple(copy.deepcopy(kind("a", 1))) + tuple(copy.copy(kind("b"))),
    "pickled": lambda kind: pickle.loads(pickle.dumps(kind("a", 1))) == kind("a", 1),
    "unpacked": lambda kind: [*kind("a", 1)] + list(kind("a")[:2]),
    "shown": lambda kind: repr(kind("a", 1)).partition("(")[2],
}
REFUSED: Dict[str, Callable[[Any], Any]] = {
    "too few": lambda kind: kind(),
    "too many": lambda kind: kind("a", 1, {}, 4),
    "unknown": lambda kind: kind("a", colour=1),
    "twice": lambda kind: kind("a", name="b"),
}


@pytest.mark.parametrize("use", sorted(USES))
def test_it_does_what_typings_does(use: str) -> None:
    assert USES[use](Ours) == USES[use](Theirs)


@pytest.mark.parametrize("use", sorted(REFUSED))
def test_it_refuses_what_typings_refuses(use: str) -> None:
    for kind in (Theirs, Ours):
        with pytest.raises(TypeError):
            REFUSED[use](kind)


def test_it_cannot_be_changed() -> None:
    made: Any = Ours("a")
    for name in ("name", "other"):
        with pytest.raises(AttributeError):
            setattr(made, name, 1)


def test_a_subclass_keeps_the_fields() -> None:
    heir: Any = Heir("a", 5)
    assert (heir.double(), heir._fields, heir._replace(size=1).size) == (10, Ours._fields, 1)
    assert isinstance(heir._replace(size=1), Heir)


def test_the_records_of_lightinit_are_such() -> None:
    made: Tuple[Any, ...] = (Lease("dhclient", ""), User("bob"))
    for each in made:
        assert isinstance(each, model.NamedTuple) and isinstance(each, tuple)
