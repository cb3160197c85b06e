"""The trigger rule that ships, over what is pushed and what is read again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

import playbooks
from killswitch.alerts.rules import Rule, Trigger
from killswitch.vendors.google_secops.client import SecOps
from tabletop.sims.google_secops import GoogleSecOps
from tests.alerts.support import sample
from tests.vendors.google_secops.asking import ID, JO, KIM, READER


@pytest.fixture(scope="module")
def rule() -> Rule:
    file = Path(playbooks.__path__[0]) / "triggers/secops-deny-listed-repo.yaml"
    return Rule(Trigger.model_validate(yaml.safe_load(file.read_text())), None)


def told(rule: Rule, body: Any) -> Sequence[Any]:
    trigger = rule.trigger
    paths = [trigger.subject, trigger.fields.id, trigger.fields.occurred, trigger.fields.link]
    return [rule.find(path, body) for path in paths if path]


def pushed_whole() -> dict[str, Any]:
    """The sample as a SOAR step posts it."""
    whole = json.loads(sample("chronicle"))["detections"]
    return {"schema": "killswitch/1", "event_type": "secops_detection", "detections": whole}


async def test_the_rule_reads_the_sample_and_the_same_read_again_alike(
    client: SecOps, sim: GoogleSecOps, rule: Rule
) -> None:
    pushed = pushed_whole()
    (detection,) = pushed["detections"]
    sim.state["detections"][ID] = {"visible_at": 0.0, "detection": detection}
    (found,) = await READER.read(client, READER.references(pushed))
    assert rule.matches(pushed)
    assert rule.matches(found.body)
    assert told(rule, pushed) == told(rule, found.body)
    assert told(rule, pushed)[:3] == ["dev@corp.example", ID, "2026-11-21T10:00:00Z"]


async def test_the_rule_matches_what_the_simulator_raises(
    client: SecOps, sim: GoogleSecOps, rule: Rule
) -> None:
    name = sim.deny_listed_repo(JO)
    (found,) = await READER.read(client, [name])
    assert rule.matches(found.body)
    assert told(rule, found.body)[:2] == [JO, name]
    assert rule.could_match(frozenset(sim.pushed(name).values())), "so the push is looked up"


@pytest.mark.parametrize(
    "changed",
    [
        {"ruleName": "another_rule"},
        {"alertState": "NOT_ALERTING"},
        {"severity": "LOW"},
        {"detectionFields": []},
        {"detectionFields": [{"key": "user", "value": JO}, {"key": "user", "value": KIM}]},
    ],
)
def test_the_rule_leaves_out_what_is_not_clearly_its_own(
    rule: Rule, changed: dict[str, Any]
) -> None:
    pushed = pushed_whole()
    pushed["detections"][0]["detection"][0].update(changed)
    assert not rule.matches(pushed)


def test_the_rule_leaves_out_several_at_once(rule: Rule) -> None:
    pushed = pushed_whole()
    pushed["detections"] *= 2
    assert not rule.matches(pushed)
