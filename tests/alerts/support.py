"""Alerts for tests: samples as their vendors send them, a configuration that takes them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.drill import DANA, JO

SAMPLES = Path(__file__).parents[3] / "shared/samples"
WHEN = datetime(2026, 11, 21, 10, 1, tzinfo=UTC)  # a minute after the samples' events
SECRET, NEXT = "fake-secret-" + "a" * 32, "fake-secret-" + "b" * 32
SERVICE = "svc-alerts@corp.example"

ALERTS: dict[str, Any] = {
    "requester": SERVICE,
    "people_per_hour": 3,
    "sources": {
        "splunk": {
            "auth": "path",
            "secrets": [{"plain": SECRET}],
            "link_hosts": ["splunk.corp.example"],
        },
        "datadog": {"auth": "header", "secrets": [{"plain": SECRET}]},
        "elastic": {"auth": "header", "header": "X-Token", "secrets": [{"plain": SECRET}]},
        "secops": {"auth": "header", "secrets": [{"plain": SECRET}]},
        "in-house": {"auth": "hmac", "secrets": [{"plain": SECRET}, {"plain": NEXT}]},
    },
}
ROLES = {"secops": ["okta:secops", DANA, SERVICE]}

PLAYBOOK = """
playbook: agent-kill
version: 1
summary: Suspend one user.
subject: person
gates:
  lead: {approvers: eng-leads, quorum: 1, timeout: 10m, on_timeout: deny}
evidence: {deadline: 5s, collect: [okta.user]}
layers:
  identity: {gate: lead, deadline: 5s, keep_trying: 5s, steps: [okta.user.suspend]}
watch: {for: 0s, every: 1s}
"""


def with_playbook(folder: Path, text: str = PLAYBOOK) -> dict[str, Any]:
    """One playbook in the home, and the configuration that uses it and takes alerts."""
    books = folder / "playbooks"
    books.mkdir(parents=True)
    (books / "agent-kill.yaml").write_text(text)
    return {"playbooks": "playbooks", "alerts": ALERTS, "roles": ROLES}


RULE = """\
trigger: {name}
version: 1
summary: A tool call to a deny-listed repository.
source: siem
when:
  - {{field: rule.id, is: [deny-repo]}}
subject: subject.user
fields: {{id: id, occurred: occurred_at, link: link}}
severity: critical
playbook: agent-kill
level: {level}
caps: {{people: {people}, within: 1h}}
collect: {collect}
"""


def with_siem(
    folder: Path,
    *,
    level: str = "propose",
    people: int = 3,
    collect: str = "0s",
    auth: str = "header",
    more: str = "",
    playbook: str = PLAYBOOK,
    **alerts: Any,
) -> dict[str, Any]:
    """A home with one rule of its own, for alerts of the toy SIEM (and of others, unconfirmed)."""
    home = with_playbook(folder, playbook)
    (folder / "triggers").mkdir()
    rule = RULE.format(name="mine", level=level, people=people, collect=collect) + more
    (folder / "triggers" / "mine.yaml").write_text(rule)
    source: dict[str, Any] = {"auth": auth, "connection": "siem"}
    if auth != "none":
        source["secrets"] = [{"plain": SECRET}]
    source |= alerts.pop("source", {})
    sources = {"siem": {"people_per_hour": 50, **source}, **alerts.pop("sources", {})}
    home["alerts"] = {
        "requester": SERVICE,
        "people_per_hour": 50,
        "triggers": "triggers",
        "sources": sources,
        **alerts,
    }
    home["connections"] = {"siem": {"vendor": "toysiem", "url": "http://127.0.0.1:9"}}
    return home


def sample(name: str) -> bytes:
    """A vendor's sample payload; the test is skipped where it is not there."""
    file = SAMPLES / f"{name}-alert.json"
    if not file.is_file():
        pytest.skip(f"no sample {file.name} beside this repository")
    return file.read_bytes()


def in_house(number: int = 1, user: Any = JO, **more: Any) -> bytes:
    """An alert in our own schema, of this moment."""
    alert = {
        "schema": "killswitch/1",
        "id": f"alert-{number}",
        "rule": {"id": "deny-repo"},
        "severity": "critical",
        "occurred_at": datetime.now(UTC).isoformat(),
        "subject": {"user": user},
        "test": False,
        **more,
    }
    return json.dumps(alert).encode()


def splunk(number: int = 1, user: Any = JO, **more: Any) -> bytes:
    """The same as Splunk's webhook sends it."""
    result = {
        "_time": str(datetime.now(UTC).timestamp()),
        "user": user,
        "action": "tool_call",
        "event_id": f"event-{number}",
        **more,
    }
    body = {
        "sid": f"scheduler__{number}",
        "search_name": "Agent tool call to a deny-listed repository",
        "result": result,
    }
    return json.dumps(body).encode()


def ago(**span: float) -> str:
    return (datetime.now(UTC) - timedelta(**span)).isoformat()
