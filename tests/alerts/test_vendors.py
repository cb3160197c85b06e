"""With the four SIEMs: what each would push becomes the right case, and what it lost is found."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from killswitch.model.plan import Mode
from tests.alerts.desk import Desk, desk
from tests.alerts.support import ALERTS, SECRET, with_playbook
from tests.drill import JO, KIM

SIEMS = {
    "splunk": ("splunk", {"auth": "path"}),
    "datadog": ("datadog", {"auth": "header"}),
    "elastic": ("elastic", {"auth": "header"}),
    "secops": ("google_secops", {"auth": "header"}),
}
SEARCH = "Agent tool call to a deny-listed repository"
each_siem = pytest.mark.parametrize("source", SIEMS)


@dataclass
class At:
    """The desk, and one SIEM that sends to it."""

    desk: Desk
    source: str
    sim: Any

    def raised(self, who: str = JO) -> dict[str, Any]:
        """An alert that the SIEM has, as its push would bring it."""
        if self.source != "splunk":
            told: dict[str, Any] = self.sim.pushed(self.sim.deny_listed_repo(who))
            return told
        row = {"_time": time.time(), "user": who, "action": "tool_call", "event_id": f"e-{who}"}
        pushed: dict[str, Any] = self.sim.pushed(self.sim.fire(SEARCH, [row]))
        return pushed

    async def push(self, body: dict[str, Any]) -> Any:
        return await self.desk.decided(json.dumps(body).encode(), self.source)


@asynccontextmanager
async def at_siem(folder: Path, source: str) -> AsyncIterator[At]:
    vendor, auth = SIEMS[source]
    how = {
        **auth,
        "secrets": [{"plain": SECRET}],
        "connection": vendor.replace("_", "-"),
        "people_per_hour": 9,
    }
    home = with_playbook(folder)
    home["alerts"] = {**ALERTS, "sources": {source: how}}
    async with desk(folder, vendors=("okta", vendor), **home) as made:
        yield At(made, source, made.drill.sims[vendor])


@each_siem
async def test_a_push_is_read_again_and_becomes_its_persons_case(
    tmp_path: Path, source: str
) -> None:
    async with at_siem(tmp_path / "h", source) as at:
        row = await at.push(at.raised())
        assert (row["outcome"], row["case_id"], row["why"]) == (
            "started",
            "K-1",
            f"rule {source}-deny-listed-repo",
        )
        assert (row["confirmed_by"], row["subject"]) == ("read", f"person:{JO}")
        request = at.desk.drill.api.show("K-1").request
        assert (request.mode, request.severity, request.door) == (
            Mode.DRILL,
            "critical",
            f"alert:{source}",
        )
        items = [i for i in at.desk.drill.api.show("K-1").items if i["collector"] == "alert"]
        assert [bool(i["connection"]) for i in items] == [False, True]


@each_siem
async def test_a_push_that_the_siem_never_sent_starts_nothing(tmp_path: Path, source: str) -> None:
    async with at_siem(tmp_path / "h", source) as at:
        forged = json.dumps(at.raised())
        if source == "splunk":
            at.sim.jobs.clear()
        else:
            at.sim.state[
                {"datadog": "signals", "elastic": "alerts"}.get(source, "detections")
            ].clear()
        await at.push(json.loads(forged))
        for _ in range(2):
            at.desk.later(seconds=14)
            await at.desk.settle()
        row = at.desk.alerts.row(1)
        assert row["outcome"] == "triage"
        assert "knows no such alert: forged, or expired there" in row["why"]


@each_siem
async def test_a_push_about_somebody_else_than_the_alert_is_found_out(
    tmp_path: Path, source: str
) -> None:
    async with at_siem(tmp_path / "h", source) as at:
        altered = json.loads(json.dumps(at.raised()).replace(JO, KIM))
        row = await at.push(altered)
        if source == "secops":  # its push names nobody
            assert (row["outcome"], row["subject"]) == ("started", f"person:{JO}")
        else:
            assert row["outcome"] == "triage"
            assert f"the push said {KIM}" in row["why"]


@each_siem
async def test_an_alert_whose_push_was_lost_is_found_by_asking(tmp_path: Path, source: str) -> None:
    async with at_siem(tmp_path / "h", source) as at:
        poller = at.desk.polling[source]
        await poller.round()
        lost = at.raised()
        at.desk.later(seconds=60)
        await poller.round()
        assert poller.health["why"] == ""
        await at.desk.settle()
        row = at.desk.alerts.row(1)
        assert (row["origin"], row["outcome"], row["subject"]) == (
            "poll",
            "started",
            f"person:{JO}",
        )
        again = await at.push(lost)  # late, and it is no second one
        assert (again["outcome"], again["why"]) == ("duplicate", "the same alert as A-1")
