"""Makes each elastic.ndjson, as Kibana imports it, from rule.yml and the ES|QL beside it.

Run ``python -m tests.playbooks.detections.kibana`` after a change of either.
"""

from __future__ import annotations

import json
import re
from typing import Any

from tests.playbooks.detections.support import DETECTIONS, FOLDERS, firing, native

INTERVAL, LAG = 5, 2  # minutes: how often a rule runs, and how late an event may be
RISK = {"low": 21, "medium": 47, "high": 73, "critical": 99}  # Kibana's own, by severity
TACTICS = {
    "initial-access": ("TA0001", "Initial Access"),
    "credential-access": ("TA0006", "Credential Access"),
    "collection": ("TA0009", "Collection"),
    "exfiltration": ("TA0010", "Exfiltration"),
    "command-and-control": ("TA0011", "Command and Control"),
}
TECHNIQUES = {
    "T1071": "Application Layer Protocol",
    "T1078": "Valid Accounts",
    "T1110": "Brute Force",
    "T1110.003": "Password Spraying",
    "T1195": "Supply Chain Compromise",
    "T1195.002": "Compromise Software Supply Chain",
    "T1213": "Data from Information Repositories",
    "T1213.003": "Code Repositories",
    "T1567": "Exfiltration Over Web Service",
}


def text(folder: str) -> str:
    """The file: one rule a line, switched off."""
    return "".join(json.dumps(_rule(folder, rule)) + "\n" for rule in firing(folder))


def _rule(folder: str, rule: dict[str, Any]) -> dict[str, Any]:
    query = native(folder, rule, "elastic", "esql")
    kind = query.name.removeprefix("elastic").removesuffix(".esql").replace(".", "-")
    return {
        "rule_id": f"killswitch-{folder}{kind}",
        "name": rule["title"],
        "description": rule["description"],
        "type": "esql",
        "language": "esql",
        "query": query.read_text().rstrip("\n"),
        "interval": f"{INTERVAL}m",
        "from": f"now-{_minutes(rule) + INTERVAL + LAG}m",
        "to": "now",
        "enabled": False,
        "severity": rule["level"],
        "risk_score": RISK[rule["level"]],
        "max_signals": 100,
        "tags": ["killswitch"],
        "references": rule["references"],
        "false_positives": rule["falsepositives"],
        "author": [rule["author"]],
        "threat": _threat(rule["tags"]),
        "actions": [],
        "exceptions_list": [],
        "version": 1,
    }


def _minutes(rule: dict[str, Any]) -> int:
    """How long the rule looks at once; a single event is given five minutes more to arrive."""
    if "correlation" not in rule:
        return INTERVAL
    span = re.fullmatch(r"(\d+)m", rule["correlation"]["timespan"])
    assert span, "Kibana's window is made of whole minutes"
    return int(span[1])


def _threat(tags: list[str]) -> list[dict[str, Any]]:
    """Tactics with the techniques that follow them in the tags."""
    found: list[dict[str, Any]] = []
    for tag in (tag.removeprefix("attack.") for tag in tags):
        if tag in TACTICS:
            tactic = _named("tactics", *TACTICS[tag])
            found.append({"framework": "MITRE ATT&CK", "tactic": tactic, "technique": []})
        else:
            found[-1]["technique"].append(_technique(tag.upper()))
    return found


def _technique(id_: str) -> dict[str, Any]:
    above = id_.partition(".")[0]
    below = [_named("techniques", id_, TECHNIQUES[id_])] if above != id_ else []
    return {**_named("techniques", above, TECHNIQUES[above]), "subtechnique": below}


def _named(kind: str, id_: str, name: str) -> dict[str, Any]:
    where = f"https://attack.mitre.org/{kind}/{id_.replace('.', '/')}/"
    return {"id": id_, "name": name, "reference": where}


if __name__ == "__main__":
    for folder in FOLDERS:
        (DETECTIONS / folder / "elastic.ndjson").write_text(text(folder))
