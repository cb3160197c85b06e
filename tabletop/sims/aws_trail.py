"""CloudTrail as the simulator serves it: LookupEvents, region by region, at the vendor's pace."""

from __future__ import annotations

import base64
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from tabletop.sims.aws_iam import Failure
from tabletop.sims.aws_seed import event

PAGE = 50
Listed = Callable[[list[Any], int, int], Sequence[Any]]


class Trail:
    """The seeded events and those since the start.

    ``rate``: lookups a second in one region; None: as many as you like. ``lag``: seconds until
    an event shows up.
    """

    def __init__(self) -> None:
        self.rate: float | None = None
        self.lag = 0.0
        self._serial = 10_000_000
        self._since: deque[dict[str, Any]] = deque(maxlen=5_000)
        self._asked: dict[str, float] = {}

    def note(self, account: str, name: str, service: str, user: str, key: str, **more: str) -> None:
        """Record a call that was just made; ``more`` as in ``aws_seed.event``."""
        self._serial += 1
        self._since.append(
            event(account, self._serial, name, service, time.time(), user, key, **more)
        )

    def lookup(
        self, state: dict[str, Any], region: str, ask: dict[str, Any], listed: Listed
    ) -> dict[str, Any]:
        """One page of what happened in a region, newest first."""
        self._pace(region)
        attributes = ask.get("LookupAttributes", [])
        if len(attributes) > 1:
            raise Failure(400, "InvalidLookupAttributesException", "one attribute at a time")
        if ask.get("StartTime", 0) > ask.get("EndTime", time.time()):
            raise Failure(400, "InvalidTimeRangeException", "the start is after the end")
        found = sorted(
            (
                entry["event"]
                for entry in [*state["trail"], *self._since]
                if entry["region"] == region and self._asked_for(entry["event"], ask, attributes)
            ),
            key=lambda e: float(e["EventTime"]),
            reverse=True,
        )
        start = int(base64.b64decode(ask["NextToken"])) if ask.get("NextToken") else 0
        size = min(int(ask.get("MaxResults", PAGE)), PAGE)
        end = start + size
        found = list(listed(found, start, size))
        answer: dict[str, Any] = {"Events": found[start:end]}
        if end < len(found):
            answer["NextToken"] = base64.b64encode(str(end).encode()).decode()
        return answer

    def _asked_for(
        self, one: dict[str, Any], ask: dict[str, Any], attributes: list[dict[str, str]]
    ) -> bool:
        until = min(float(ask.get("EndTime", time.time())), time.time() - self.lag)
        if not float(ask.get("StartTime", 0)) <= one["EventTime"] <= until:
            return False
        return all(a["AttributeValue"] in _values(one, a["AttributeKey"]) for a in attributes)

    def _pace(self, region: str) -> None:
        now = time.monotonic()
        if self.rate and now - self._asked.get(region, 0.0) < 0.9 / self.rate:
            raise Failure(400, "ThrottlingException", "Rate exceeded")
        self._asked[region] = now


def _values(one: dict[str, Any], attribute: str) -> list[Any]:
    if attribute in ("ResourceName", "ResourceType"):
        return [resource[attribute] for resource in one["Resources"]]
    return [one.get(attribute)]
