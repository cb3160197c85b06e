"""What the simulated Anthropic organisation reads from requests, and how it cuts its answers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from starlette.requests import Request

from tabletop.sims.claude_seed import Item


def principal(key: Item) -> str:
    """The id of the member whose key it is, whoever made it."""
    return str((key["principal"] or {}).get("user_id") or key["created_by"]["id"])


def presented(request: Request) -> str:
    """The key that came with the request."""
    bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
    return request.headers.get("x-api-key") or bearer


def within(request: Request, item: Item) -> bool:
    """Whether the item passes ``created_at`` and ``updated_at`` as they were asked."""
    tests: dict[str, Callable[[datetime, datetime], bool]] = {
        "gte": lambda a, b: a >= b,
        "gt": lambda a, b: a > b,
        "lt": lambda a, b: a < b,
        "lte": lambda a, b: a <= b,
    }
    return all(
        tests[name.partition(".")[2]](date(item[name.partition(".")[0]]), date(value))
        for name, value in request.query_params.items()
        if name.startswith(("created_at.", "updated_at."))
    )


def cut(message: Item, most: int) -> Item:
    """Tool results are cut to ``most`` bytes; -1 asks for all."""
    if most < 0:
        return message
    blocks = []
    for block in message["content"]:
        texts = [t["text"] for t in block["content"]] if block["type"] == "tool_result" else []
        if any(len(text) > most for text in texts):
            short = [{"type": "text", "text": text[:most] + "…[truncated]"} for text in texts]
            blocks.append({**block, "content": short, "truncated": True})
        else:
            blocks.append(block)
    return {**message, "content": blocks}


def newest(item: Item) -> str:
    """By what items are put in order of time."""
    return str(item["created_at"])


def date(text: str | None) -> datetime:
    """The moment in UTC; now, if none is given."""
    return datetime.fromisoformat(text).astimezone(UTC) if text else datetime.now(UTC)
