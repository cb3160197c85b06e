"""One delivered alert: the bytes as they came, and the JSON in them, read without mercy."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from killswitch.model.errors import KillswitchError

DEEPEST = 64  # levels of lists and mappings; the samples of five vendors need eleven


class Unreadable(ValueError):
    """The body is not one unambiguous JSON object; the text says why."""


class NoSuchAlert(KillswitchError):
    """There is no alert of that number."""


@dataclass(frozen=True)
class Alert:
    """What a source delivered. ``id`` is ours: the number in ``A-12``.

    ``body``: what it is judged by; the vendor's own word where it was read again. ``confirmed``:
    how it is known to be the source's word: ``read`` at the vendor, ``hmac``, or not (``""``).
    ``raised_at``: when the vendor raised it, where that was read.
    """

    id: int
    source: str
    body: bytes
    received_at: datetime
    confirmed: str = ""
    raised_at: datetime | None = None

    @property
    def name(self) -> str:
        """``A-12``, as people say it."""
        return named(self.id)

    @property
    def asking(self) -> str:
        """The id of its asking for a case, by which the API gives its first answer again."""
        return f"alert:{self.id}"


def named(number: int) -> str:
    """``A-12``."""
    return f"A-{number}"


def parse(body: bytes) -> dict[str, Any]:
    """The JSON object in the body.

    Raises Unreadable for anything else, also for a key that stands there twice: two readers
    could take it for two different people.
    """
    try:
        data = json.loads(
            body.decode("utf-8"), object_pairs_hook=_once_each, parse_constant=_refuse
        )
    except Unreadable:
        raise
    except UnicodeDecodeError:
        raise Unreadable("the body is not UTF-8") from None
    except RecursionError:
        raise Unreadable(f"the JSON is nested deeper than {DEEPEST} levels") from None
    except ValueError:
        raise Unreadable("the body is not JSON: a template error, or another sender") from None
    if not isinstance(data, dict):
        raise Unreadable("the JSON is no object")
    if _deeper(data):
        raise Unreadable(f"the JSON is nested deeper than {DEEPEST} levels")
    return data


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise Unreadable("the JSON has the same key twice in one object")
    return made


def _refuse(constant: str) -> Any:
    raise Unreadable(f"the JSON holds {constant}, which is no JSON")


def _deeper(data: Any) -> bool:
    """Whether anything lies deeper than allowed; level by level, without recursion."""
    level = [data]
    for _ in range(DEEPEST):
        level = [
            inner
            for value in level
            for inner in (value.values() if isinstance(value, dict) else value)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True
