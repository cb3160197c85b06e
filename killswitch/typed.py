"""Plain data into a typed model; every complaint carries the file and the line it is about.

Validation is strict: text is never taken for a number or a truth value. Values are not quoted
in the errors, because one of them may be a secret that was typed into the wrong place.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Sequence
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from killswitch.model.errors import Invalid
from killswitch.strictyaml import Document, Where

M = TypeVar("M")

_PLAIN = {
    "an object": "a mapping",
    "a valid array": "a list",
    "a valid string": "text",
    "a valid integer": "a whole number",
    "a valid number": "a number",
    "a valid boolean": "true or false",
}


def validate(
    kind: type[M], data: Any, document: Document, at: Where = ()
) -> tuple[M | None, list[Invalid]]:
    """The typed value of ``data``, which stands in the document at ``at``, or all its errors."""
    try:
        return TypeAdapter(kind).validate_json(
            json.dumps(data), strict=True, by_alias=True, by_name=False
        ), []
    except ValidationError as error:
        return None, _problems(error, kind, data, document, at)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``; did you mean 'okta.user.suspend'?`` or nothing."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.65)
    return f"; did you mean {near[0]!r}?" if near else ""


def name(where: Iterable[str | int]) -> str:
    """``layers.identity.steps[2]``, as a reader would say it."""
    said = ""
    for part in where:
        said += f"[{part}]" if isinstance(part, int) else f".{part}" if said else part
    return said or "the file"


def _problems(
    error: ValidationError, kind: Any, data: Any, document: Document, at: Where
) -> list[Invalid]:
    """One Invalid for each place; the branches of a union say together what they expected.

    Where something inside a place is wrong, that is said and not that the whole does not fit.
    """
    found: dict[Where, tuple[str, list[str]]] = {}
    for detail in error.errors(include_url=False, include_input=False):
        where, why, expected = _say(detail, kind, data, at)
        known = found.setdefault(where, (why, []))
        if expected not in known[1]:
            known[1].append(expected)
    return [
        document.invalid(where, why, " or ".join(expected))
        for where, (why, expected) in found.items()
        if not any(len(other) > len(where) and other[: len(where)] == where for other in found)
    ]


def _say(detail: ErrorDetails, kind: Any, data: Any, at: Where) -> tuple[Where, str, str]:
    where, value = _place(detail["loc"], data)
    last = str(detail["loc"][-1]) if detail["loc"] else ""
    match detail["type"]:
        case "missing":
            return (*at, *where, last), f"{name((*at, *where))} lacks {last!r}", f"the key {last!r}"
        case "extra_forbidden":
            keys = _keys(kind, where[:-1])
            why = f"unknown key {where[-1]!r}{did_you_mean(str(where[-1]), keys)}"
            return (*at, *where), why, f"one of {', '.join(keys)}" if keys else "no such key"
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if detail["type"] == "value_error" and isinstance(value, dict):
        choice = ", ".join(_keys(kind, where))
        return (*at, *where), f"{name((*at, *where))}: {message}", f"a choice of {choice}"
    message = _PLAIN.get(message, message[:1].lower() + message[1:])
    if detail["loc"] and detail["loc"][-1] == "[key]":
        return (*at, *where), f"{where[-1]!r} is no valid name here", message
    return (*at, *where), f"{name((*at, *where))} is {_called(value)}", message


def _place(loc: Sequence[str | int], data: Any) -> tuple[Where, Any]:
    """Where the error is in the data: pydantic's own marks, such as union branches, left out."""
    where: list[str | int] = []
    for part in loc:
        inside = part in data if isinstance(data, dict) else _is_index(data, part)
        if inside:
            data = data[part]
            where.append(part)
    return tuple(where), data


def _is_index(data: Any, part: str | int) -> bool:
    return isinstance(data, list) and isinstance(part, int) and part < len(data)


def _called(value: Any) -> str:
    match value:
        case None:
            return "empty"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return "a number that does not fit"
        case str():
            return "text that does not fit"
        case list():
            return "a list that does not fit"
    return "a mapping that does not fit"


def _keys(kind: Any, where: Where) -> list[str]:
    """The keys that the model knows at that place."""
    kinds = [kind]
    for part in where:
        kinds = [inner for outer in kinds for inner in inside(outer, part)]
    return [
        field.alias or key
        for model in branches(kinds)
        if isinstance(model, type) and issubclass(model, BaseModel)
        for key, field in model.model_fields.items()
    ]


def inside(kind: Any, part: str | int) -> list[Any]:
    """The kinds that a part of that kind may have: a field, a mapping's or a list's values."""
    found = []
    for branch in branches([kind]):
        if isinstance(branch, type) and issubclass(branch, BaseModel):
            fields = branch.model_fields.items()
            found += [f.annotation for key, f in fields if part == (f.alias or key)]
        elif get_origin(branch) is dict:
            found.append(get_args(branch)[1])
        elif get_origin(branch) in (tuple, list):
            found.append(get_args(branch)[0])
    return found


def branches(kinds: Iterable[Any]) -> list[Any]:
    """The kinds with ``Annotated`` and unions taken apart."""
    flat: list[Any] = []
    for kind in kinds:
        if get_origin(kind) is Annotated:
            flat += branches(get_args(kind)[:1])
        elif get_origin(kind) in (Union, UnionType):
            flat += branches(get_args(kind))
        else:
            flat.append(kind)
    return flat
