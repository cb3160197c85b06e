"""The shape of a Web API method here: what it takes, what it needs, how often it may be called."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tabletop.sims.slack_limits import TIER_3
from tabletop.sims.slack_state import Json, SlackError, Workspace


class Args:
    """A call's arguments, whether they came as JSON, as a form or in the query."""

    def __init__(self, values: Json) -> None:
        self.values = values

    def __contains__(self, name: str) -> bool:
        return self.values.get(name) is not None

    def text(self, name: str, default: str | None = None) -> str:
        """A string; ``invalid_arguments`` if it is required and not given."""
        value = self.values.get(name)
        if value is None:
            if default is None:
                raise _invalid(f"missing required field: {name}")
            return default
        return str(value)

    def flag(self, name: str, *, default: bool = False) -> bool:
        """A boolean in any of the spellings that a form has for it."""
        value = self.values.get(name)
        if value is None:
            return default
        return value if isinstance(value, bool) else str(value).lower() in ("1", "true")

    def number(self, name: str, default: int) -> int:
        """A whole number."""
        try:
            return int(self.values.get(name) or default)
        except ValueError as e:
            raise _invalid(f"must be an integer: {name}") from e

    def names(self, name: str) -> list[str]:
        """A list of ids: an array, or one string with commas."""
        value = self.values.get(name) or []
        parts = value.split(",") if isinstance(value, str) else value
        return [str(part).strip() for part in parts if str(part).strip()]

    def json(self, name: str) -> Any:
        """A value that may come as JSON in a string; None if it is not given."""
        value = self.values.get(name)
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except ValueError as e:
            raise _invalid(f"invalid JSON: {name}") from e


@dataclass(frozen=True)
class Method:
    """One method of the Web API. ``scope`` is what every call needs; some need more by channel."""

    run: Callable[[Workspace, Args], Json]
    scope: str = ""
    a_minute: int = TIER_3
    app_token: bool = False  # takes the app-level token and no other


def paged(found: list[Any], args: Args, default: int = 100) -> tuple[list[Any], Json]:
    """One page of a list, and Slack's ``response_metadata`` that leads to the next."""
    limit = args.number("limit", default)
    if not 1 <= limit <= 1000:
        raise SlackError("invalid_limit")
    cursor = args.text("cursor", "")
    if cursor and not cursor.isdecimal():
        raise SlackError("invalid_cursor")
    start = int(cursor or 0)
    end = start + limit
    return found[start:end], {"next_cursor": str(end) if end < len(found) else ""}


def _invalid(what: str) -> SlackError:
    return SlackError("invalid_arguments", response_metadata={"messages": [f"[ERROR] {what}"]})
