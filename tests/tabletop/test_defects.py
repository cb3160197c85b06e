"""A drill finds out what is wrong with the tool: each planted defect turns its objective red.

The engine in its process is the real one but for one defect; scenario, simulators and people are
the same as where nothing is wrong, and there everything is green.
"""

from __future__ import annotations

import asyncio

import pytest

from tabletop import exercise, scenario
from tabletop.exercise import Options
from tabletop.record import Record

PLAYBOOK = """\
playbook: keys-only
version: 1
summary: Credentials and nothing around them, so that one lost key shows.
subject: person
gates:
  lead: {approvers: eng-leads, timeout: 15m, on_timeout: deny}
evidence: {window: 1d, deadline: 20s, collect: [claude.api_keys, github.deploy_keys]}
layers:
  credentials:
    gate: lead
    deadline: 60s
    steps: [claude.api_keys.deactivate, aws.access_keys.deactivate, aws.role_sessions.revoke]
watch: {for: 1h, every: 5m}
restore: lead
"""
SCENARIO = """\
scenario: planted
title: A defect is planted
version: 1
seed: 3
duration: 20m
difficulty: 1
situation: Jo's keys leak.
facilitator: The tool itself is what is tried.
suspects: [jo@corp.example]
playbook: keys-only
config:
  playbooks: {playbooks}
  roles:
    secops: ["okta:secops", "lee@corp.example"]
    eng-leads: ["okta:eng-leads"]
    duty-directors: ["okta:duty-directors"]
people:
  oncall: {{plays: lee@corp.example, ack: 30s}}
  eng-lead: {{plays: lee@corp.example, persona: compromised}}
  second-lead: {{plays: ria@corp.example, ack: 3m}}
response: [{{to: alert, subject: "person:jo@corp.example", reason: keys were seen in a gist}}]
timeline:
  - {{id: alert, at: 0s, inject: alert, title: Keys in a gist, text: seen at 09:12}}
  - id: mint
    when: case.planned
    after: 1s
    inject: adversary
    title: One more
    act: aws.create_access_key
faults:
  - id: lies
    target: claude
    kind: lie
    path: "POST .*/api_keys/"
    status: 200
    {times}
    body: "{lie}"
objectives:
  - {{id: O1, title: No false claim, measure: false_contained, at_most: 0.0, critical: true}}
  - {{id: O2, title: Evidence first, measure: evidence_before_change, equals: true, critical: true}}
  - {{id: O3, title: Approved by who may, measure: approvals_valid, equals: true, critical: true}}
"""
RED = {
    "none": set(),
    "skip-the-sweep": {"O1"},
    "trust-the-204": {"O1"},
    "evidence-after-revoking": {"O2"},
    "let-the-requester-approve": {"O3"},
    "forget-a-token": {"O1"},
}


AT_ONCE = ("trust-the-204",)  # the others are played by `make drills`


@pytest.mark.parametrize(
    "defect",
    [d if d in AT_ONCE else pytest.param(d, marks=pytest.mark.slow_drills) for d in RED],
)
def test_each_defect_turns_the_right_objective_red(defect, tmp_path, monkeypatch):
    record = _drilled(defect, tmp_path, monkeypatch)
    assert {o.id for o in record.objectives if o.rating != "P"} == RED[defect], record.measures
    assert (record.verdict == "not ready") == bool(RED[defect])
    assert (record.score <= 49) == bool(RED[defect])


def _drilled(defect: str, folder, monkeypatch) -> Record:
    books = folder / "playbooks"
    books.mkdir()
    (books / "keys-only.yaml").write_text(PLAYBOOK)
    file = folder / "planted.yaml"
    # Told once, a lie is found by the watch even then; the real tool sees it at once.
    times = "" if defect == "trust-the-204" else "times: 1"
    file.write_text(SCENARIO.format(playbooks=books, lie="{}", times=times))
    if defect == "let-the-requester-approve":  # the API judges presses in this process
        monkeypatch.setattr("killswitch.api.Killswitch._why_not", lambda *_, **__: "")
    program = ("tests.tabletop.defective", defect)
    wanted = Options(folder=folder / "drill", program=program)
    return asyncio.run(exercise.run(scenario.load(file), wanted))
