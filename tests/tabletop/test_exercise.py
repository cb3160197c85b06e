"""A whole drill: the real engine in its process, simulated vendors, personas, truth, score.

One drill is played once for the module, most tests look at its record; a second one with the
same seed is played to be compared, and by `make drills` one with another.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tabletop import exercise, scenario
from tabletop.aar.schema import read
from tabletop.exercise import Options
from tabletop.record import Record, stable, to_json

QUICK = Path(__file__).with_name("quick.yaml")


def played(folder: Path, **options) -> Record:
    return asyncio.run(exercise.run(scenario.load(QUICK), Options(folder=folder, **options)))


@pytest.fixture(scope="module")
def record(tmp_path_factory) -> Record:
    return played(tmp_path_factory.mktemp("drill"))


def says(record: Record, *words: str) -> list:
    return [m for m in record.moments if all(word in m.says for word in words)]


def test_the_tool_holds_and_the_drill_says_so(record):
    assert record.status == "completed"
    assert [c["state"] for c in record.cases] == ["contained"]
    assert [(o.id, o.rating) for o in record.objectives if o.rating != "P"] == []
    assert (record.score, record.verdict) == (100, "ready")
    assert not [t for t in record.truth if t.works]
    assert len([t for t in record.truth if t.before]) > 100
    assert record.collateral == record.missed == []
    assert record.measures["audit_verifies"] is True
    assert record.measures["evidence_verifies"] is True
    assert record.measures["secrets_written"] == 0


def test_people_answer_as_their_personas_do(record):
    asked = next(a for a in record.approvals if a["person"] == "kim@corp.example")
    assert not asked["counted"]
    by = {(a["gate"], a["person"]): a["t"] for a in record.approvals if a["counted"]}
    question = says(record, "lee@corp.example asks")
    assert question
    opened = next(m.t for m in record.moments if m.says.startswith("gate lead asks"))
    assert 120 <= question[0].t - opened <= 245
    assert 240 <= by["lead", "ria@corp.example"] - opened <= 365
    assert {p.role: p.by for p in record.people}["eng-lead"] == "persona:questioner"


def test_what_was_to_happen_happened_and_what_waits_for_a_hand_did_not(record):
    assert says(record, "Another key")
    assert says(record, "jo@corp.example", "access key")
    assert says(record, "Who speaks for us?")
    assert not says(record, "chief executive")
    (fault,) = record.faults
    assert (fault["id"], fault["struck"]) == ("okta-twice", 2)


def test_a_key_that_was_minted_meanwhile_is_tried_and_is_dead(record):
    minted = [t for t in record.truth if t.before is None]
    assert minted
    assert not [t for t in minted if t.works]


def test_waiting_for_people_is_skipped_and_counted_as_theirs(record):
    assert record.times.human > 300
    assert record.times.machine < 60
    assert abs(record.times.total - (record.times.human + record.times.machine)) < 0.01


def test_moments_are_named_once_and_the_journal_reads_back(record):
    keys = [m.key for m in record.moments]
    assert len(keys) == len(set(keys))
    assert read(to_json(record)).moments == record.moments


def test_one_seed_repeats(record, tmp_path):
    assert stable(to_json(played(tmp_path))) == stable(to_json(record))


@pytest.mark.slow_drills
def test_another_seed_differs(record, tmp_path):
    other = played(tmp_path, seed=8)
    assert stable(to_json(other)) != stable(to_json(record))
    assert other.measures["time_to_approve"] != record.measures["time_to_approve"]


def test_a_scenario_cannot_reach_for_what_keeps_a_drill_a_drill(tmp_path):
    text = QUICK.read_text() + "config: {mode: live}\n"
    (tmp_path / "quick.yaml").write_text(text)
    loaded = scenario.load(tmp_path / "quick.yaml")
    with pytest.raises(Exception, match="may not set 'mode'"):
        asyncio.run(exercise.run(loaded, Options(folder=tmp_path)))
