"""What tests of the reader share: what it is asked, and answers made up."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from killswitch.model.alerts import Found
from killswitch.model.collector import Window
from killswitch.vendors.elastic.alerts import Alerts
from killswitch.vendors.elastic.client import Elastic

READER = Alerts()
ABSENT = "0d5f3e6a5d9a1b7c3a2f4e1c9b8d7a6f5e4d3c2b1a0987654321fedcba098765"
NOW = datetime.now(UTC).replace(microsecond=0)
Json = dict[str, Any]


def window(minutes: float = 60) -> Window:
    return Window(NOW - timedelta(minutes=minutes), NOW + timedelta(minutes=5))


async def recent(client: Elastic, asked: Window | None = None) -> list[Found]:
    return [one async for one in READER.recent(client, asked or window())]


async def into(found: list[str], client: Elastic) -> None:
    async for one in READER.recent(client, window()):
        found.append(one.id)  # noqa: PERF401  # what came before an error counts


def answer(*sources: Json, **more: Any) -> str:
    hits = [{"_id": str(n), "_source": s, "sort": [n, n]} for n, s in enumerate(sources)]
    total = more.pop("total", {"value": len(hits), "relation": "eq"})
    whole = {
        "pit_id": "FAKE",
        "timed_out": False,
        "_shards": {"total": 2, "successful": 2, "skipped": 0, "failed": 0},
        "hits": {"total": total, "hits": hits},
    }
    return json.dumps({**whole, **more})


ONE = {"kibana.alert.uuid": ABSENT, "@timestamp": "2026-11-21T10:00:00Z"}
