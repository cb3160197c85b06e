"""The fields of a model or an action, in words: name, kind, default, and the comment beside it."""

from __future__ import annotations

import inspect
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, is_dataclass
from dataclasses import fields as dataclass_fields
from datetime import timedelta
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, SecretStr, TypeAdapter
from pydantic_core import PydanticUndefined

from killswitch import written
from killswitch.model import playbook

_NAMED = {
    playbook.Duration: "a duration: `90s`, `15m`, `24h`, `7d`",
    playbook.Name: "a name",
    playbook.Entry: "a name from the catalogue",
    written.Email: "an e-mail address",
    written.Group: "`connection:group`",
    written.Member: "`connection:group` or an e-mail address",
    written.Domain: "a domain",
}
_PLAIN = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "`true` or `false`",
    Path: "a path",
    SecretStr: "a secret: `{env: NAME}` or `{file: path}`",
    Any: "any value",
}
_FIELD = re.compile(r"^    (\w+): ")  # a field of a class at the top of its module


@dataclass(frozen=True)
class Field:
    """One key that people may write."""

    key: str
    kind: str
    default: str  # "" where it is required
    note: str
    models: tuple[type[BaseModel], ...] = ()  # what is written inside


def of(kind: type[Any]) -> list[Field]:
    """The fields of a pydantic model or a dataclass, inherited ones first."""
    hints = get_type_hints(kind, include_extras=True)
    notes = _notes(kind)
    return [
        Field(key, said(hints[name]), default, notes.get(name, ""), tuple(_models(hints[name])))
        for name, key, default in _declared(kind)
    ]


def _declared(kind: type[Any]) -> Iterator[tuple[str, str, str]]:
    """Name, key as it is written, and default."""
    if is_dataclass(kind):
        for field in dataclass_fields(kind):
            yield field.name, field.name, "" if field.default is MISSING else _shown(field.default)
        return
    for name, info in kind.model_fields.items():
        default = info.default
        if default is PydanticUndefined:
            shown = "" if info.default_factory is None else "none"
        else:
            shown = _shown(default)
        yield name, info.alias or name, shown


def _shown(value: Any) -> str:
    """A default as a reader would write it."""
    if isinstance(value, BaseModel):
        return "see there"
    if isinstance(value, SecretStr) or value in (None, "", ()):
        return "none"
    if isinstance(value, timedelta):
        return f"`{TypeAdapter(playbook.Duration).dump_python(value)}`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return ", ".join(f"`{each}`" for each in value)
    return f"`{value}`"


def said(hint: Any) -> str:
    """A type in words."""
    for known, words in _NAMED.items():
        if hint == known:
            return words
    if hint in _PLAIN:
        return _PLAIN[hint]
    origin, inside = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return said(inside[0])
    if origin is Literal:
        return " or ".join(f"`{each}`" for each in inside)
    if origin in (Union, UnionType):
        return " or ".join(said(each) for each in inside if each is not type(None))
    if origin in (tuple, list):
        return f"a list, each {said(inside[0])}"
    if origin is dict:
        return f"a mapping, {said(inside[0])} to {said(inside[1])}"
    if isinstance(hint, type) and issubclass(hint, Enum):
        return " or ".join(f"`{each.value}`" for each in hint)
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return f"[{hint.__name__}](#{hint.__name__.lower()})"
    raise TypeError(f"no words for {hint!r}")


def _models(hint: Any) -> Iterator[type[BaseModel]]:
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        yield hint
    for inner in get_args(hint):
        yield from _models(inner)


def _notes(kind: type[Any]) -> dict[str, str]:
    """The comments that stand beside the fields, the nearest class's last."""
    found: dict[str, str] = {}
    for klass in reversed(kind.__mro__):
        if klass.__module__.startswith("killswitch."):
            found.update(_beside(inspect.getsource(klass)))
    return found


def _beside(source: str) -> Iterator[tuple[str, str]]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT and (field := _FIELD.match(token.line)):
            yield field[1], token.string.removeprefix("#").strip().replace("``", "`")
