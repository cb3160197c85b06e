"""Each vendor's sample payload, posted as that vendor would, becomes the right case.

The sample is moved to this moment and to somebody whom the directory knows; the SIEM behind it
has the alert that it tells of.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from killswitch.alerts import doors
from killswitch.alerts.receiver import Receiver
from killswitch.clock import utc_now
from killswitch.model.case import CaseState
from killswitch.model.plan import Mode
from tests.alerts.desk import Desk, desk
from tests.alerts.support import ALERTS, SECRET, sample, with_playbook
from tests.drill import JO, LEE

Body = dict[str, Any]


@dataclass(frozen=True)
class Sender:
    """A source: how it shows itself, its sample, and what the SIEM has behind it."""

    name: str
    vendor: str
    auth: Mapping[str, str]
    raised: Callable[[Any, Body], Body]  # at the simulator; the push that the vendor would send


def _splunk(sim: Any, told: Body) -> Body:
    row = {**told["result"], "_time": str(time.time())}
    sid = sim.fire(told["search_name"], [row], app=told["app"], owner=told["owner"])
    return {**told, "sid": sid, "result": row}


def _datadog(sim: Any, told: Body) -> Body:
    name = sim.raise_alert(told["attributes"], rule=told["rule_name"], severity=told["severity"])
    return {**told, "signal_id": name, "date": str(round(time.time() * 1000))}


def _elastic(sim: Any, told: Body) -> Body:
    (alert,) = told["alerts"]
    event = {k: v for k, v in alert.items() if not k.startswith(("kibana", "@"))}
    uuid = sim.raise_alert(
        event,
        rule=alert["kibana.alert.rule.name"],
        rule_id=alert["kibana.alert.rule.rule_id"],
        severity=alert["kibana.alert.severity"],
    )
    pushed = json.loads(json.dumps(told).replace(alert["kibana.alert.uuid"], uuid))
    pushed["alerts"][0]["kibana.alert.original_time"] = datetime.now(UTC).isoformat()
    return dict(pushed)


def _secops(sim: Any, told: Body) -> Body:
    (detection,) = told["detections"]
    (found,) = detection["detection"]
    fields = {f["key"]: f["value"] for f in found["detectionFields"]}
    name = sim.raise_alert(fields, rule=found["ruleName"], severity=found["severity"])
    return dict(sim.pushed(name))


def _in_house(sim: Any, told: Body) -> Body:
    del sim
    return {**told, "occurred_at": datetime.now(UTC).isoformat()}


HEADER = {"auth": "header"}
SENDERS = [
    Sender("splunk", "splunk", {"auth": "path"}, _splunk),
    Sender("datadog", "datadog", HEADER, _datadog),
    Sender("elastic", "elastic", HEADER, _elastic),
    Sender("secops", "google_secops", HEADER, _secops),
    Sender("in-house", "", {"auth": "hmac"}, _in_house),
]
SAMPLES = {"secops": "chronicle", "in-house": "generic"}


@pytest.mark.parametrize("sender", SENDERS, ids=lambda s: s.name)
async def test_a_sample_becomes_its_persons_case_and_asks_people(
    tmp_path: Path, sender: Sender
) -> None:
    told = json.loads(
        sample(SAMPLES.get(sender.name, sender.name)).decode().replace("dev@corp.example", JO)
    )
    source: Body = {**sender.auth, "secrets": [{"plain": SECRET}]}
    if sender.vendor:
        source["connection"] = sender.vendor.replace("_", "-")
    home = with_playbook(tmp_path / "home")
    home["alerts"] = {**ALERTS, "sources": {sender.name: source}}
    vendors = ("okta", sender.vendor) if sender.vendor else ("okta",)
    async with desk(tmp_path / "home", vendors=vendors, **home) as at:
        sim = at.drill.sims[sender.vendor] if sender.vendor else None
        body = json.dumps(sender.raised(sim, told)).encode()
        assert await _posted(at, sender, body) == 202
        await at.settle()
        row = at.alerts.row(1)
        assert (row["outcome"], row["why"]) == ("started", f"rule {sender.name}-deny-listed-repo")
        assert row["confirmed_by"] == ("read" if sender.vendor else "hmac")

        case = await at.drill.until(row["case_id"], lambda c: "lead" in c.gates)
        request = case.request
        assert (request.subject, request.severity) == (f"person:{JO}", "critical")
        assert (request.mode, request.automatic) == (Mode.DRILL, False), "the level propose"
        assert (request.door, request.assurance) == (f"alert:{sender.name}", "service")
        assert next(i["name"] for i in case.items if i["collector"] == "alert") == "A-1.json"
        assert at.drill.wrote() == [], "people are asked first"
        await at.drill.approve(case.id, LEE)
        assert (await at.drill.settled(case.id)).state is CaseState.CONTAINED


async def _posted(at: Desk, sender: Sender, body: bytes) -> int:
    """The status that the door answers, with what this vendor can show."""
    alerts = at.drill.config.written.alerts
    assert alerts is not None
    secrets = {sender.name: at.drill.config.alert_secrets(sender.name)}
    app = Starlette(routes=Receiver(alerts.sources, secrets, at.alerts, utc_now).routes)
    path, headers, now = f"/alerts/{sender.name}", {}, str(int(time.time()))
    match sender.auth["auth"]:
        case "path":
            path += f"/{SECRET}"
        case "header":
            headers = {"x-killswitch-token": SECRET}
        case "hmac":
            headers = {doors.TIMESTAMP: now, doors.SIGNATURE: doors.sign(SECRET, now, body)}
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://door") as http:
        return (await http.post(path, content=body, headers=headers)).status_code
