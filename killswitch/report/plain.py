"""From what the journal holds to what may be shown: clean single lines, readable values."""

from __future__ import annotations

import functools
import json
import re
import secrets
from typing import Any

from killswitch.evidence.redact import Redactor
from killswitch.model.untrusted import clean
from killswitch.report.rows import Difference, Named
from killswitch.report.words import Word, word

LABEL, TEXT, VALUE = 120, 300, 160
_KEYED = re.compile(r"\[REDACTED:([a-z-]+):[0-9a-f]{8}\]")


def line(value: Any, limit: int = TEXT) -> str:
    """Hostile text as one clean line without secrets, cut at ``limit`` characters. None is ""."""
    return "" if value is None else clean(_without_secrets(str(value)[: limit * 8]), limit)


def label(value: Any) -> str:
    """The name of a thing, short. An id such as an access key's stays what it is."""
    return exact(value, LABEL)


def exact(value: Any, limit: int = TEXT) -> str:
    """An id or a state's value as one clean line. By contract no secret is in one."""
    return "" if value is None else clean(str(value), limit)


@functools.cache
def _redactor() -> Redactor:
    return Redactor(secrets.token_bytes(32))


def _without_secrets(text: str) -> str:
    """Each secret as its kind alone, so that the same case reads the same in every process."""
    return _KEYED.sub(r"[REDACTED:\1]", _redactor().text(text))


def link(url: Any) -> str:
    """The address if a browser may be sent there, else ""."""
    text = str(url or "")
    shown = clean(text, 500)
    return text if text.startswith("https://") and shown == text and " " not in text else ""


def named(words: dict[str, Word], state: str) -> Named:
    """A state with its words."""
    found = word(words, state)
    return Named(
        name=line(state, LABEL),
        label=line(found.label, LABEL),
        glyph=found.glyph,
        colour=found.colour,
        means=found.means,
    )


def differences(before: Any, wanted: Any) -> list[Difference]:
    """The fields in which two states differ, by name. A missing field is told from an empty one."""
    if not (isinstance(before, dict) and isinstance(wanted, dict)):
        return [] if before == wanted else [_difference("", before, wanted)]
    found: list[Difference] = []
    for field in dict.fromkeys([*before, *wanted]):
        old, new = before.get(field, _ABSENT), wanted.get(field, _ABSENT)
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            for inner in differences(old, new):
                path = f"{field}.{inner['field']}" if inner["field"] else str(field)
                found.append({**inner, "field": label(path)})
        else:
            found.append(_difference(field, old, new))
    return found


class _Absent:
    """A field that is not there."""


_ABSENT = _Absent()


def _difference(field: str, before: Any, wanted: Any) -> Difference:
    return Difference(field=label(field), before=_value(before), wanted=_value(wanted))


def _value(value: Any) -> str:
    """A value in words where they cannot be mistaken, else as JSON."""
    if value is None or value is _ABSENT:
        return "not set" if value is None else "absent"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return exact(value, VALUE) or "empty"
    if value in ([], {}):
        return "none"
    if isinstance(value, list) and all(isinstance(part, str | int) for part in value):
        return exact(", ".join(str(part) for part in value), VALUE)
    return exact(json.dumps(value, ensure_ascii=False, sort_keys=True), VALUE)
