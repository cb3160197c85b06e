"""The searches that we ask Splunk: built from checked words, never from text.

A value that could end a quoted string, start a command or match more than itself is refused, so
nobody's name or session id can widen or change a search.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from killswitch.model.errors import Refused

_INDEX = re.compile(r"[a-z0-9_][a-z0-9_-]{0,79}")
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,79}")
# No quote, backslash, pipe, bracket, backtick, comma, dollar, blank; no * or ?, which match others.
_VALUE = re.compile(r"[A-Za-z0-9._%+'@:/=-]{1,200}")


@dataclass(frozen=True)
class Search:
    """All events of one index in which one field has exactly one value, oldest first."""

    index: str
    field: str
    value: str

    def __post_init__(self) -> None:
        _checked("index", self.index, _INDEX)
        _checked("field", self.field, _FIELD)
        _checked("value", self.value, _VALUE)

    def __str__(self) -> str:
        """SPL. ``sort 0`` lifts the limit of 10 000 rows that ``sort`` has by default."""
        return f'search index="{self.index}" {self.field}="{self.value}" | sort 0 _time'


@dataclass(frozen=True)
class Glance:
    """Any one event of an index, the cheapest search there is, to see if we may look into it."""

    index: str

    def __post_init__(self) -> None:
        _checked("index", self.index, _INDEX)

    def __str__(self) -> str:
        """SPL."""
        return f'search index="{self.index}" | head 1'


def _checked(what: str, text: str, allowed: re.Pattern[str]) -> None:
    if not allowed.fullmatch(text):
        raise Refused(f"{text!r} cannot be put into a search as {what}")
