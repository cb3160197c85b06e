"""Bad days on request: what a simulator does wrong, to which requests, how often."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

_serial = itertools.count(1)


class Kind(StrEnum):
    """What goes wrong. ``after``: the request has had its effect when it does."""

    STATUS = "status"  # this status instead of handling the request
    STATUS_AFTER = "status-after"  # handled, then this status all the same
    DROP = "drop"  # the connection breaks before the request is handled
    DROP_AFTER = "drop-after"  # handled, then the connection breaks
    LIE = "lie"  # success is answered and nothing is done
    LATE = "late"  # the answer comes ``seconds`` later
    STALE = "stale"  # reads show the state as it was when the fault was set
    GARBLE = "garble"  # the answer's body is ``body``, whatever it should be
    OUTAGE = "outage"  # 503, as from a load balancer with nothing behind it
    PARTIAL = "partial-page"  # a list ends in the middle of its page, and says that this is all


@dataclass
class Fault:
    """One fault. ``path`` is a regular expression, searched in ``METHOD /path?query``.

    ``struck`` counts the requests that it has hit.
    """

    kind: Kind
    path: str = ""
    times: int | None = None  # how often; None: until removed
    skip: int = 0  # let this many matching requests through first
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    seconds: float = 0.0
    struck: int = 0
    id: int = field(default_factory=lambda: next(_serial))
    memory: dict[str, Any] | None = None  # the state that STALE shows

    def strikes(self, line: str) -> bool:
        """Whether this request is hit; counts it."""
        if self.times == 0 or not re.search(self.path, line):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.times is not None:
            self.times -= 1
        self.struck += 1
        return True
