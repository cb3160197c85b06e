"""Trigger files: what is refused, at which line, and that nothing is quietly made weaker."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from killswitch import config as configuration
from killswitch.alerts import rules
from killswitch.config import Config
from tabletop.home import prepare
from tabletop.sims.world import World
from tests.alerts.support import ALERTS, PLAYBOOK, with_playbook

ROOT = Path(__file__).parents[2]
RULE = """\
trigger: mine
version: 1
summary: One of ours.
source: in-house
when:
  - {field: rule.id, is: [deny-repo]}
subject: subject.user
fields: {id: id, occurred: occurred_at}
severity: high
playbook: agent-kill
level: propose
caps: {people: 2, within: 30m}
not_older: 2h
"""


def home(
    folder: Path,
    *,
    rule: str = RULE,
    name: str = "mine",
    playbook: str = PLAYBOOK,
    alerts: dict[str, object] | None = None,
) -> Config:
    more = with_playbook(folder, playbook)
    more["alerts"] = {**ALERTS, "triggers": "triggers", **(alerts or {})}
    (folder / "triggers").mkdir()
    (folder / "triggers" / f"{name}.yaml").write_text(rule)
    file, _ = prepare(folder, World.named("small"), vendors=["okta"], **more)
    return configuration.load(file)


def test_a_rule_is_read_with_its_playbook(tmp_path: Path) -> None:
    found = rules.lint(home(tmp_path / "h"))
    assert not found.errors
    (rule,) = found.rules
    assert (rule.name, rule.playbook.playbook, len(rule.digest)) == ("mine", "agent-kill", 64)


def test_every_rule_that_ships_is_right_and_named_as_its_file(config: Config) -> None:
    found = rules.lint(config)
    assert not found.errors
    assert not found.warnings
    assert {r.name for r in found.rules} == {f.stem for f in rules.files(config)}


DETECTIONS = sorted(f.parent.name for f in (ROOT / "playbooks/detections").glob("*/rule.yml"))


@pytest.mark.parametrize("detection", DETECTIONS)
@pytest.mark.parametrize("source", ["splunk", "elastic"])
def test_each_detection_has_its_trigger_by_the_name_that_its_alert_carries(
    shipped: tuple[rules.Rule, ...], source: str, detection: str
) -> None:
    folder = ROOT / "playbooks/detections" / detection
    (rule,) = [r for r in shipped if r.name == f"{source}-{detection}"]
    if source == "splunk":
        names = [w.is_ for w in rule.trigger.when if w.field == "search_name"]
        titles = re.findall(r"^title: (.+)$", (folder / "rule.yml").read_text(), re.MULTILINE)
        assert names[0][0] in titles
    else:
        names = [w.is_ for w in rule.trigger.when if "rule_id" in w.field]
        lines = (folder / "elastic.ndjson").read_text().splitlines()
        assert names[0][0] in [json.loads(line).get("rule_id") for line in lines]


REFUSED = [
    ("level: propose", "level: reversible", 11, "the configuration does not allow it"),
    ("not_older: 2h", "collect: 20m", 13, "collect is out of range"),
    ("level: propose", "level: auto", 11, "level is text that does not fit"),
    ("subject: subject.user", "subject: 'subject..user'", 7, "subject is text"),
    ("subject: subject.user", "subject: ''", 7, "subject is text"),
    ("{field: rule.id, is: [deny-repo]}", "{field: rule.id, is: []}", 6, "when[0].is"),
    ("  - {field: rule.id, is: [deny-repo]}\n", "  []\n", 5, "when is a list"),
    ("playbook: agent-kill", "playbook: agent-kil", 10, "did you mean 'agent-kill'?"),
    ("within: 30m", "within: 3d", 12, "within is out of range"),
    ("not_older: 2h", "not_older: 5s", 13, "not_older is out of range"),
    ("people: 2", "people: 0", 12, "caps.people"),
    ("severity: high", "severity: huge", 9, "severity is text"),
    ("trigger: mine", "trigger: yours", 1, "holds the trigger 'yours'"),
    ("summary: One", "sumary: One", 3, "unknown key 'sumary'"),
    ("version: 1", "version: *one", 2, "alias"),
]


@pytest.mark.parametrize(("old", "new", "line", "why"), REFUSED, ids=[r[1] for r in REFUSED])
def test_what_is_wrong_is_told_by_line(
    tmp_path: Path, old: str, new: str, line: int, why: str
) -> None:
    found = rules.lint(home(tmp_path / "h", rule=RULE.replace(old, new)))
    assert not found.rules
    told = [e for e in found.errors if why in str(e)]
    assert [e.line for e in told] == [line], [str(e) for e in found.errors]
    assert told[0].file.endswith("mine.yaml")


def test_a_rule_of_a_source_that_is_not_configured_is_left_aside_and_said(tmp_path: Path) -> None:
    found = rules.lint(home(tmp_path / "h", rule=RULE.replace("in-house", "in-hose")))
    assert not found.rules
    assert not found.errors
    assert "did you mean 'in-house'?" in str(found.warnings[0])


REVERSIBLE = RULE.replace("level: propose", "level: reversible\ncollect: 10s")


@pytest.mark.parametrize(
    ("rule", "alerts", "why"),
    [
        (REVERSIBLE, {"automatic": True}, ""),
        (REVERSIBLE, {}, "the configuration does not allow it"),
        (REVERSIBLE.replace("10s", "9s"), {"automatic": True}, "would not be noticed"),
        (
            REVERSIBLE.replace("source: in-house", "source: splunk"),
            {"automatic": True},
            "nobody vouches for what splunk says",
        ),
        (RULE.replace("propose", "evidence"), {}, ""),
    ],
    ids=["allowed", "not allowed", "no window", "not confirmed", "evidence"],
)
def test_what_may_go_ahead_without_people_is_narrow(
    tmp_path: Path, rule: str, alerts: dict[str, object], why: str
) -> None:
    found = rules.lint(home(tmp_path / "h", rule=rule, alerts=alerts))
    assert [why] == [why if why in str(e) else str(e) for e in found.errors] or not why
    assert bool(found.rules) is not bool(why)


@pytest.mark.parametrize("level", ["propose", "reversible"])
def test_a_gate_that_opens_by_itself_asks_nobody_at_either_level(
    tmp_path: Path, level: str
) -> None:
    alone = PLAYBOOK.replace("on_timeout: deny", "on_timeout: reversible_only")
    rule = REVERSIBLE if level == "reversible" else RULE
    found = rules.lint(home(tmp_path / "h", rule=rule, playbook=alone, alerts={"automatic": True}))
    assert not found.rules
    assert "goes on when nobody answers" in str(found.errors[0])


HEADER = {"auth": "header", "secrets": [{"plain": "fake-" + "x" * 32}]}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"requester": "eve@corp.example"}, "does not hold the role secops"),
        ({"people_per_hour": 100}, "leave none to people"),
        ({"sources": {"x": {"auth": "hmac", "secrets": ["text"]}}}, "is a secret in the file"),
        ({"sources": {"x": {"auth": "hmac", "secrets": []}}}, "secrets"),
        ({"sources": {"x": {"auth": "none", "secrets": [{"plain": "x"}]}}}, "nothing is sent"),
        ({"sources": {"x": {"auth": "none"}}}, "nothing is asked for"),
        ({"sources": {"x": {"auth": "oauth"}}}, "auth"),
        ({"sources": {"x": {**HEADER, "connection": "okt"}}}, "did you mean 'okta'?"),
        ({"sources": {"x": {**HEADER, "connection": "okta"}}}, "alerts cannot be read at okta"),
        ({"sources": {"x": {**HEADER, "poll": "1s"}}}, "poll is out of range"),
        ({"keep": "1h"}, "gone before anybody could look"),
    ],
)
def test_killswitch_yaml_is_checked(tmp_path: Path, change: dict[str, object], why: str) -> None:
    folder = tmp_path / "h"
    more = with_playbook(folder)
    more["alerts"] = {**ALERTS, **change}
    file, _ = prepare(folder, World.named("small"), vendors=["okta"], **more)
    config, errors = configuration.lint(file)
    assert config is None
    assert why in str(errors[0])


def test_a_short_secret_is_refused_when_it_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "h"
    more = with_playbook(folder)
    source = {"x": {"auth": "header", "secrets": [{"plain": "fake-short"}]}}
    more["alerts"] = {**ALERTS, "sources": source}
    file, _ = prepare(folder, World.named("small"), vendors=["okta"], **more)
    with pytest.raises(configuration.Invalid, match="fewer than 32"):
        configuration.load(file).alert_secrets("x")
