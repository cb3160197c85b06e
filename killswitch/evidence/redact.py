"""The copy of evidence that people see: secrets taken out, equal ones still recognisable.

The original is sealed first and never changed; this makes a second copy. A secret becomes
``[REDACTED:rule:hmac8]``, where hmac8 is keyed per case: the same secret looks the same within
a case and cannot be guessed from outside. RE2 runs in linear time, so a hostile transcript
cannot stall it. It fails closed: whatever it cannot read, it refuses to hand out.

Not looked into: archives, images and other binary content (refused), and secrets that are
encoded (base64 of a whole file) or split over several fields. Measured once: 15 MB/s on one core
over 20 MB of JSON lines of source code with a GitHub token in every twentieth.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import json
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any
from urllib.parse import quote

import re2

from killswitch.evidence.rules import RULES, SENSITIVE_ENDINGS
from killswitch.model.errors import KillswitchError

LARGEST = 256 * 1024 * 1024  # bytes; a longer text is refused
_DEEPEST = 8  # JSON within strings of JSON is opened so many times
_SHORTEST = 4  # a known secret that is shorter would black out half the text
_MEMORY = 64 * 1024 * 1024  # bytes that RE2 may use for one pattern

_Span = tuple[int, int, str]


class RedactionFailed(KillswitchError):
    """There is no redacted copy; nothing may be shared."""


class Redactor:
    """Takes secrets out of text and JSON. ``key``: random, one a case, at least 16 bytes.

    ``known``: secrets that are known word for word, such as the keys that are being revoked; they
    are found wherever they stand, also percent-encoded. Compiled once; use it for many texts, in
    a thread where texts are long. Raises ValueError for a short key.
    """

    def __init__(self, key: bytes, known: Iterable[str] = ()) -> None:
        if len(key) < 16:
            raise ValueError("the redaction key must have at least 16 bytes")
        self._key = key
        self._rules = [(rule.name, _compile(rule.pattern)) for rule in RULES]
        # One pass over a text that no rule matches, which is nearly every text.
        self._any_rule = _compile("|".join(f"(?:{rule.pattern})" for rule in RULES))
        self._known = _any_of(known)

    def content(self, body: bytes) -> bytes:
        """A redacted copy of an artifact: JSON, JSON lines, or text. Raises RedactionFailed."""
        if len(body) > LARGEST:
            raise RedactionFailed(f"{len(body)} bytes are more than can be redacted")
        try:
            text = body.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise RedactionFailed("only text can be redacted, and this is none") from error
        try:
            return self._document(text).encode("utf-8", "surrogatepass")
        except (RecursionError, MemoryError) as error:
            raise RedactionFailed("it is nested too deeply to be redacted") from error

    def data(self, value: Any) -> Any:
        """A redacted copy of decoded JSON, keys included. Raises RedactionFailed."""
        try:
            return self._value(value, depth=0)
        except (RecursionError, MemoryError) as error:
            raise RedactionFailed("it is nested too deeply to be redacted") from error

    def text(self, text: str) -> str:
        """A redacted copy of plain text."""
        return self._text(text)

    def _document(self, text: str) -> str:
        """The whole as JSON; else its lines that are JSON as JSON, and what is between as text."""
        if (whole := _parsed(text)) is not _NO_JSON:
            return self._json(text, whole, depth=0)
        parts = []
        lines = ((line, _parsed(line)) for line in io.StringIO(text, newline="\n"))
        for is_json, group in groupby(lines, key=lambda pair: pair[1] is not _NO_JSON):
            if is_json:
                parts += [self._json(line, value, depth=0) for line, value in group]
            else:
                parts.append(self._text("".join(line for line, _ in group)))
        return "".join(parts)

    def _value(self, value: Any, *, depth: int, secret: bool = False) -> Any:
        match value:
            case str():
                return self._string(value, depth=depth, secret=secret)
            case list():
                return [self._value(v, depth=depth, secret=secret) for v in value]
            case dict():
                return {
                    self._text(str(name)): self._value(v, depth=depth, secret=_hides(value, name))
                    for name, v in value.items()
                }
            case bool() | None:
                return value
            case int() | float():
                return self._mark("field", str(value)) if secret else value
            case _:
                raise RedactionFailed(f"{type(value).__name__} is no JSON and cannot be redacted")

    def _string(self, text: str, *, depth: int, secret: bool) -> str:
        if secret and text:
            return self._mark("field", text)
        if depth < _DEEPEST and (inner := _parsed(text)) is not _NO_JSON:
            return self._json(text, inner, depth=depth + 1)
        return self._text(text)

    def _json(self, text: str, value: Any, *, depth: int) -> str:
        """The text as it was where nothing in it is secret; else written anew."""
        redacted = self._value(value, depth=depth)
        if redacted == value:
            return text
        return json.dumps(redacted, ensure_ascii=False) + _end(text)

    def _text(self, text: str) -> str:
        raw = text.encode("utf-8", "surrogatepass")
        pieces, done = [], 0
        for start, end, name in _merged(_whole(raw, span) for span in self._spans(raw)):
            secret = raw[start:end].decode("utf-8", "surrogatepass")
            pieces += [raw[done:start].decode("utf-8", "surrogatepass"), self._mark(name, secret)]
            done = end
        pieces.append(raw[done:].decode("utf-8", "surrogatepass"))
        return "".join(pieces)

    def _spans(self, raw: bytes) -> Iterator[_Span]:
        """Where secrets stand, in the order in which rules go first."""
        if self._known is not None:
            for match in self._known.finditer(raw):
                yield (*match.span(), "known")
        if self._any_rule.search(raw) is None:
            return
        for name, pattern in self._rules:
            for match in pattern.finditer(raw):
                yield (*_secret_in(match), name)

    def _mark(self, name: str, secret: str) -> str:
        told = hmac.new(self._key, secret.encode("utf-8", "surrogatepass"), hashlib.sha256)
        return f"[REDACTED:{name}:{told.hexdigest()[:8]}]"


def _compile(pattern: str) -> Any:
    """Over bytes: a byte that is no UTF-8 must not hide the secret around it."""
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.max_mem = _MEMORY
    options.log_errors = False
    return re2.compile(pattern.encode("latin-1"), options)


def _any_of(known: Iterable[str]) -> Any | None:
    forms = {form for secret in known for form in (secret, quote(secret, safe=""))}
    longest_first = sorted((f for f in forms if len(f) >= _SHORTEST), key=len, reverse=True)
    if not longest_first:
        return None
    raw = [re2.escape(form.encode()).decode("latin-1") for form in longest_first]
    return _compile("|".join(raw))


def _secret_in(match: Any) -> tuple[int, int]:
    """The group that took part; the whole match where the pattern has none."""
    groups = range(1, match.re.groups + 1)
    span: tuple[int, int] = match.span(next((n for n in groups if match.span(n) != (-1, -1)), 0))
    return span


def _whole(raw: bytes, span: _Span) -> _Span:
    """The span widened so that it cuts through no character."""
    start, end, name = span
    while start > 0 and raw[start] & 0xC0 == 0x80:
        start -= 1
    while end < len(raw) and raw[end] & 0xC0 == 0x80:
        end += 1
    return start, end, name


def _merged(spans: Iterable[_Span]) -> list[_Span]:
    """Overlapping spans as one, under the name of the rule that goes first."""
    numbered = sorted((start, end, rank, name) for rank, (start, end, name) in enumerate(spans))
    merged: list[tuple[int, int, int, str]] = []
    for start, end, rank, name in numbered:
        if merged and start < merged[-1][1]:
            first = min(merged[-1][2:], (rank, name))
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]), *first)
        elif end > start:
            merged.append((start, end, rank, name))
    return [(start, end, name) for start, end, _, name in merged]


def _hides(fields: dict[Any, Any], name: Any) -> bool:
    """Whether the field holds a secret by its name, or by the name that stands beside it."""
    if name == "value" and isinstance(fields.get("name"), str):
        name = fields["name"]  # {"name": "Cookie", "value": "…"}
    plain = "".join(c for c in str(name).lower() if c.isalnum())
    return plain.endswith(SENSITIVE_ENDINGS)


_NO_JSON = object()


def _parsed(text: str) -> Any:
    """The value of a text that is a JSON object, array or string; else ``_NO_JSON``."""
    if text.lstrip()[:1] not in ("{", "[", '"'):
        return _NO_JSON
    try:
        return json.loads(text, object_pairs_hook=_fields)
    except ValueError:
        return _NO_JSON


def _fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The fields of an object. One that is there twice holds both: neither may slip through."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        for name in fields:
            values = [value for key, value in pairs if key == name]
            fields[name] = values if len(values) > 1 else values[0]
    return fields


def _end(line: str) -> str:
    """The line break that the text ends with."""
    return line[len(line.rstrip("\r\n")) :]
