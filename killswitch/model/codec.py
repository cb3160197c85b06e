"""Frozen dataclasses to plain JSON and back, and the canonical form that digests are taken of."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any, TypeVar, get_args

import rfc8785
from pydantic import TypeAdapter

from killswitch.model.action import Action

A = TypeVar("A")


_adapters: dict[Any, TypeAdapter[Any]] = {}


def _adapter(kind: Any) -> TypeAdapter[Any]:
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]


def dump(value: Any) -> Any:
    """The value as plain JSON data, in letters that can be written.

    A name with half a surrogate pair in it, which JSON allows and UTF-8 does not, must not keep
    a plan from having a digest.
    """
    return writable(_adapter(type(value)).dump_python(value, mode="json"))


def same(one: Any, other: Any) -> bool:
    """Whether two states are the same, once written down."""
    return bool(dump(one) == dump(other))


def writable(data: Any) -> Any:
    """JSON data with every half surrogate pair replaced by ``?``."""
    if isinstance(data, str):
        return data.encode("utf-8", "replace").decode()
    if isinstance(data, dict):
        return {writable(key): writable(value) for key, value in data.items()}
    if isinstance(data, list):
        return [writable(value) for value in data]
    return data


def load(kind: type[A], data: Any) -> A:
    """The value that ``dump`` was given. Raises pydantic's ValidationError."""
    loaded: A = _adapter(kind).validate_python(data)
    return loaded


def canonical(data: Any) -> bytes:
    """JSON by RFC 8785: one sequence of bytes for one value."""
    return rfc8785.dumps(data)


def digest(data: Any) -> str:
    """SHA-256 of the canonical form, as hex."""
    return hashlib.sha256(canonical(data)).hexdigest()


@cache
def kinds(action: type[Action[Any, Any, Any]]) -> tuple[type[Any], type[Any]]:
    """The Target and State classes that an action class was declared with."""
    for klass in action.__mro__:
        for base in getattr(klass, "__orig_bases__", ()):
            if getattr(base, "__origin__", None) is Action:
                _, target, state = get_args(base)
                if isinstance(target, type) and isinstance(state, type):
                    return target, state
    raise TypeError(f"{action.__name__} must subclass Action[Client, Target, State]")
