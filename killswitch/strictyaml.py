"""YAML without its surprises: the only reader of files that people write.

What is refused, with file and line: aliases, anchors, tags, directives, merge keys, duplicate
keys, several documents, invisible characters, more than 256 KB, 20 levels or 5,000 values. What
is read: text, ``true``, ``false``, ``null``, decimal integers and floats. Everything else that
YAML 1.1 would turn into something (``on``, ``yes``, ``12:30:45``, ``017``, ``2024-01-01``) stays
text. The file is read as a stream of events, without recursion, so depth costs nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from killswitch.model.errors import Invalid

LARGEST = 256 * 1024  # bytes
DEEPEST = 20
MOST = 5_000  # values

Where = tuple[str | int, ...]  # ("gates", "lead", "quorum")

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same events, forty times faster
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+(?:[eE][+-]?[0-9]{1,3})?")
_WORDS: dict[str, Any] = {"": None, "null": None, "true": True, "false": False}
_DIRECTIVE = re.compile(r"(?:\A|[\r\n])%")
_SAFE_INTEGER = 2**53 - 1  # the largest that canonical JSON can carry
# Not printable, or printed as nothing, or turning the line around: what a reviewer cannot see.
_HIDDEN = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
    "|[\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)


@dataclass(frozen=True)
class Document:
    """A file's plain data, and on which line each part of it stands."""

    file: str
    data: dict[str, Any]
    lines: dict[Where, int]

    def line(self, where: Iterable[str | int]) -> int:
        """The line of that part, or of the nearest part around it."""
        path = tuple(where)
        while path not in self.lines:
            path = path[:-1]
        return self.lines[path]

    def invalid(self, where: Iterable[str | int], why: str, expected: str = "") -> Invalid:
        """The error that names this file and the line of that part."""
        return Invalid(why, file=self.file, line=self.line(where), expected=expected)


def read(file: Path) -> Document:
    """Read a file from disk. Raises Invalid, also when there is no such file."""
    if not file.is_file():
        raise Invalid("there is no such file", file=str(file), line=1, expected="a YAML file")
    try:
        with file.open("rb") as stream:
            raw = stream.read(LARGEST + 1)
    except OSError as error:
        raise Invalid(
            f"cannot be read: {error.strerror}", file=str(file), line=1, expected="a readable file"
        ) from error
    return parse(raw, str(file))


def parse(raw: bytes, file: str) -> Document:
    """Read the bytes of one document whose top is a mapping. Raises Invalid, nothing else."""
    text = _text(raw, file)
    builder = _Builder(file)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise Invalid(
            f"not YAML: {error.problem or error.context}", file=file, line=line, expected="YAML"
        ) from error
    except yaml.YAMLError as error:
        raise Invalid(f"not YAML: {error}", file=file, line=1, expected="YAML") from error
    return builder.document()


def _text(raw: bytes, file: str) -> str:
    if len(raw) > LARGEST:
        raise Invalid(
            "the file is too large", file=file, line=1, expected=f"at most {LARGEST // 1024} KB"
        )
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise Invalid("not UTF-8", file=file, line=line, expected="UTF-8 text") from error
    if found := _HIDDEN.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise _hidden(found[0], file, line)
    if found := _DIRECTIVE.search(text):  # before parsing: libyaml's time for them is quadratic
        line = text.count("\n", 0, found.end()) + 1
        raise Invalid("a directive (%)", file=file, line=line, expected="no %YAML or %TAG line")
    return text


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _hidden(character: str, file: str, line: int) -> Invalid:
    return Invalid(
        f"an invisible character, U+{ord(character):04X}",
        file=file,
        line=line,
        expected="text that a reviewer can see",
    )


@dataclass
class _Open:
    """A mapping or list that is being filled."""

    into: dict[str, Any] | list[Any]
    where: Where
    key: str | None = None  # of a mapping: read, its value not yet


@dataclass
class _Builder:
    """Events in, plain data out."""

    file: str
    lines: dict[Where, int] = field(default_factory=dict)
    root: Any = None
    open: list[_Open] = field(default_factory=list)
    documents: int = 0
    values: int = 0

    def take(self, event: yaml.Event) -> None:
        """Add what the event says."""
        match event:
            case yaml.ScalarEvent():
                self._scalar(event)
            case yaml.MappingStartEvent():
                self._start({}, event)
            case yaml.SequenceStartEvent():
                self._start([], event)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self.open.pop()
            case yaml.AliasEvent():
                raise self._invalid(event, "an alias (*)", "the value written out")
            case yaml.DocumentStartEvent():
                self._document_start(event)

    def document(self) -> Document:
        """What was read."""
        if not isinstance(self.root, dict):
            line = self.lines.get((), 1)
            raise Invalid(
                "the file holds no mapping", file=self.file, line=line, expected="key: value"
            )
        return Document(self.file, self.root, self.lines)

    def _document_start(self, event: yaml.DocumentStartEvent) -> None:
        self.documents += 1
        if self.documents > 1:
            raise self._invalid(event, "a second document (---)", "one document in a file")

    def _start(self, into: dict[str, Any] | list[Any], event: yaml.CollectionStartEvent) -> None:
        self._plain(event)
        where = self._put(into, event)
        if len(self.open) >= DEEPEST:
            raise self._invalid(event, "nested too deeply", f"at most {DEEPEST} levels")
        self.open.append(_Open(into, where))

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        self._plain(event)
        if found := _HIDDEN.search(event.value):  # by an escape such as "\u202e"
            raise _hidden(found[0], self.file, _line(event))
        top = self.open[-1] if self.open else None
        if top and isinstance(top.into, dict) and top.key is None:
            self._key(top, top.into, event)
        else:
            self._put(self._value(event), event)

    def _key(self, top: _Open, mapping: dict[str, Any], event: yaml.ScalarEvent) -> None:
        key: str = event.value
        if not key:
            raise self._invalid(event, "an empty key", "a key before the colon")
        if key == "<<":
            raise self._invalid(event, "a merge key (<<)", "the keys written out")
        if key in mapping:
            first = self.lines[(*top.where, key)]
            raise self._invalid(
                event, f"the key {key[:60]!r} is here twice (first on line {first})", "it once"
            )
        top.key = key
        self.lines[(*top.where, key)] = _line(event)

    def _put(self, value: Any, event: yaml.NodeEvent) -> Where:
        self.values += 1
        if self.values > MOST:
            raise self._invalid(event, "too many values", f"at most {MOST:,} in a file")
        line = _line(event)
        if not self.open:
            self.root, self.lines[()] = value, line
            return ()
        top = self.open[-1]
        if isinstance(top.into, list):
            where: Where = (*top.where, len(top.into))
            top.into.append(value)
            self.lines[where] = line
            return where
        if top.key is None:
            raise self._invalid(event, "a key that is no text", "a plain key")
        where = (*top.where, top.key)
        top.into[top.key], top.key = value, None
        return where

    def _value(self, event: yaml.ScalarEvent) -> Any:
        text: str = event.value
        if not event.implicit[0]:  # quoted, or a block of text
            return text
        if text in _WORDS:
            return _WORDS[text]
        if _INTEGER.fullmatch(text):
            if len(text) > 17 or abs(int(text)) > _SAFE_INTEGER:
                raise self._invalid(event, "a number this large", f"at most {_SAFE_INTEGER}")
            return int(text)
        if _FLOAT.fullmatch(text):
            if math.isinf(number := float(text)):
                raise self._invalid(event, "a number this large", "a finite number")
            return number
        return text

    def _plain(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        if event.anchor is not None:
            raise self._invalid(event, "an anchor (&)", "no anchors and no aliases")
        if event.tag is not None:
            raise self._invalid(event, "a tag (!)", "plain values without tags")

    def _invalid(self, event: yaml.Event, why: str, expected: str) -> Invalid:
        return Invalid(why, file=self.file, line=_line(event), expected=expected)


def texts(data: Any) -> Iterator[tuple[Where, str]]:
    """Every text in plain data, keys excepted, with where it stands."""
    waiting: list[tuple[Where, Any]] = [((), data)]
    while waiting:
        where, value = waiting.pop()
        if isinstance(value, str):
            yield where, value
        elif isinstance(value, dict):
            waiting.extend(((*where, k), v) for k, v in reversed(value.items()))
        elif isinstance(value, list):
            waiting.extend(((*where, i), v) for i, v in reversed(list(enumerate(value))))
