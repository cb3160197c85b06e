"""A simulator's state: plain JSON data that notices when it is changed.

To compare the whole state before and after a request would cost more than to answer it. So the
dictionaries and lists that it is made of say so themselves when something in them becomes another.
What is put into them is copied, and noticed from then on.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, SupportsIndex

Json = Any


class Changes:
    """Whether state was changed while somebody was watching."""

    made = False


_watched: ContextVar[Changes | None] = ContextVar("changes of kept state", default=None)
_ABSENT = object()


@contextmanager
def watching() -> Iterator[Changes]:
    """Notice what is changed meanwhile by this task, and by threads that it hands work to."""
    changes = Changes()
    token = _watched.set(changes)
    try:
        yield changes
    finally:
        _watched.reset(token)


def kept(value: Json) -> Json:
    """The value, with every dictionary and list in it noticing changes."""
    if type(value) is dict:
        return KeptDict(value)
    return KeptList(value) if type(value) is list else value


def _changed() -> None:
    if changes := _watched.get():
        changes.made = True


class KeptDict(dict[str, Json]):
    """A dictionary that notices. Setting what is there already changes nothing."""

    def __init__(self, *items: Any, **more: Any) -> None:
        super().__init__({k: kept(v) for k, v in dict(*items, **more).items()})

    def __setitem__(self, key: str, value: Json) -> None:
        if self.get(key, _ABSENT) != value:
            _changed()
        super().__setitem__(key, kept(value))

    def __delitem__(self, key: str) -> None:
        super().__delitem__(key)
        _changed()

    def pop(self, key: str, *default: Any) -> Json:
        if key in self:
            _changed()
        return super().pop(key, *default)

    def popitem(self) -> tuple[str, Json]:
        item = super().popitem()
        _changed()
        return item

    def setdefault(self, key: str, default: Json = None) -> Json:
        if key not in self:
            self[key] = default
        return self[key]

    def update(self, *items: Any, **more: Any) -> None:
        for key, value in dict(*items, **more).items():
            self[key] = value

    def __ior__(self, other: Any) -> KeptDict:  # type: ignore[override,misc]  # dict's is overloaded
        self.update(other)
        return self

    def clear(self) -> None:
        if self:
            _changed()
        super().clear()

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[str, Json]:
        """A plain copy: what is compared or shown notices nothing."""
        return {k: copy.deepcopy(v, memo) for k, v in self.items()}


class KeptList(list[Json]):
    """A list that notices."""

    def __init__(self, items: Iterable[Json] = ()) -> None:
        super().__init__([kept(item) for item in items])

    def __setitem__(self, place: Any, value: Json) -> None:
        if self[place] != value:
            _changed()
        several = isinstance(place, slice)
        super().__setitem__(place, [kept(v) for v in value] if several else kept(value))

    def __delitem__(self, place: SupportsIndex | slice) -> None:
        super().__delitem__(place)
        _changed()

    def append(self, value: Json) -> None:
        super().append(kept(value))
        _changed()

    def extend(self, values: Iterable[Json]) -> None:
        for value in values:
            self.append(value)

    def __iadd__(self, values: Iterable[Json]) -> KeptList:  # type: ignore[misc]  # list's gives Self
        self.extend(values)
        return self

    def __imul__(self, times: SupportsIndex) -> KeptList:
        self[:] = list(self) * times
        return self

    def insert(self, place: SupportsIndex, value: Json) -> None:
        super().insert(place, kept(value))
        _changed()

    def pop(self, place: SupportsIndex = -1) -> Json:
        value = super().pop(place)
        _changed()
        return value

    def remove(self, value: Json) -> None:
        super().remove(value)
        _changed()

    def clear(self) -> None:
        self[:] = []

    def sort(self, **how: Any) -> None:
        self[:] = sorted(self, **how)

    def reverse(self) -> None:
        self[:] = self[::-1]

    def __deepcopy__(self, memo: dict[int, Any]) -> list[Json]:
        """A plain copy."""
        return [copy.deepcopy(item, memo) for item in self]
