"""The scenarios that ship: correct, complete, playable, and silent about their twists."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from killswitch import playbooks
from tabletop import scenario
from tabletop.exercise import FORBIDDEN
from tabletop.measures import MEASURES
from tabletop.scenario import Scenario
from tabletop.sims.world import World

SCENARIOS = {
    "key-in-the-prompt": "The Key in the Prompt",
    "friday-refactor": "Friday Refactor",
    "left-pad-utils-pro": "left-pad-utils-pro",
    "readme-says-so": "README Says So",
    "forty-one-agents": "Forty-One Agents",
    "the-quiet-admin": "The Quiet Admin",
    "vendor-monday": "Vendor Monday",
    "two-hundred-alerts": "Two Hundred Alerts",
    "no-doors": "No Doors",
    "the-robot-nobody-owns": "The Robot Nobody Owns",
}
ATOMICS = scenario.names("atomic")
WAITS_FOR_A_GATE_TO_EXPIRE = {"silent-approver"}  # quarter hours, of the drill's clock
FRAMEWORKS = ("owasp_agentic", "maestro", "nist_ai_rmf", "atlas", "d3fend")
LOADED = {name: scenario.load(name) for name in scenario.names()}

each = pytest.mark.parametrize("found", LOADED.values(), ids=LOADED)
each_scenario = pytest.mark.parametrize(
    "found", [LOADED[n] for n in SCENARIOS], ids=list(SCENARIOS)
)
each_atomic = pytest.mark.parametrize("found", [LOADED[n] for n in ATOMICS], ids=ATOMICS)


def world_of(found: Scenario) -> World:
    return World.named(found.world.base).with_changes(
        people=found.world.people,
        agents=found.world.agents,
        repositories=found.world.repositories,
    )


def addresses(found: Scenario) -> set[str]:
    return {person.email for person in world_of(found).people}


# Correct


@pytest.mark.parametrize("name", list(LOADED))
def test_it_lints_clean(name: str) -> None:
    assert scenario.lint(name) == []


def test_the_ten_and_about_a_dozen_atomics_ship() -> None:
    shipped = {name: LOADED[name].title for name in scenario.names("scenario")}
    assert shipped == SCENARIOS
    assert len(ATOMICS) >= 12


@each
def test_ids_are_said_once_and_objectives_are_numbered_without_gaps(found: Scenario) -> None:
    ids = [o.id for o in found.objectives]
    assert ids == [f"O{number}" for number in range(1, len(ids) + 1)]
    questions = [q.id for q in found.grade]
    assert len(set(questions)) == len(questions)


def test_no_two_scenarios_share_a_seed_a_title_or_a_digest() -> None:
    for field in ("seed", "title", "digest"):
        values = [getattr(found, field) for found in LOADED.values()]
        assert len(set(values)) == len(values), field


@each
def test_a_kind_matches_the_folder_that_it_lies_in(found: Scenario) -> None:
    assert found.kind == ("atomic" if found.scenario in ATOMICS else "scenario")


# Playable


@each
def test_everybody_who_acts_or_is_killed_is_in_the_world(found: Scenario) -> None:
    known = addresses(found)
    named = {*found.suspects, *(p.plays for p in found.people.values())}
    named |= {i.by for i in found.timeline if i.by}
    subjects = [r.subject for r in found.response] + [i.subject for i in found.timeline]
    named |= {s.removeprefix("person:") for s in subjects if s.startswith("person:")}
    assert named <= known


@each
def test_subjects_are_of_a_kind_that_the_playbook_is_for(found: Scenario) -> None:
    for response in found.response:
        playbook = playbooks.load(response.playbook or found.playbook)
        assert response.subject.startswith(f"{playbook.subject}:"), response


@each
def test_somebody_is_there_for_each_alert_and_for_what_has_no_api(found: Scenario) -> None:
    injects = {i.id: i for i in found.timeline}
    assert any(i.inject == "alert" for i in found.timeline)
    for response in found.response:
        assert injects[response.to].inject == "alert", response.to
    third_party = {
        agent.bot
        for suspect in found.suspects
        for agent in world_of(found).agents_of(suspect)
        if agent.bot not in ("", "claude-jo[bot]")  # the one App that the organisation owns
    }
    kills = found.playbook == "agent-kill" and not all(
        p.persona == "denier" for r, p in found.people.items() if r == "eng-lead"
    )
    if kills and third_party:
        assert any(i.inject == "by-hand" for i in found.timeline), third_party


@each
def test_a_scenario_leaves_the_drills_own_settings_alone(found: Scenario) -> None:
    assert not set(found.config) & set(FORBIDDEN)


@each
def test_everything_on_the_timeline_comes_within_the_planned_time(found: Scenario) -> None:
    for event in (*found.timeline, *found.faults):
        assert event.at is None or event.at < found.duration, event.id


# Complete


@each_scenario
def test_a_scenario_has_all_its_parts(found: Scenario) -> None:
    assert 4 <= len(found.timeline) <= 13
    assert 6 <= len(found.objectives) <= 10
    assert len(found.grade) >= 3
    assert 5 <= len(found.discussion) <= 8
    assert all(getattr(found.maps, framework) for framework in FRAMEWORKS)
    assert all(len(question.rubric) == 4 for question in found.grade)
    assert timedelta(minutes=30) <= found.duration <= timedelta(hours=1)
    assert 60 <= len(found.situation.split()) <= 220
    assert 120 <= len(found.facilitator.split()) <= 400


@each_atomic
def test_an_atomic_is_small(found: Scenario) -> None:
    assert len(found.faults) <= 1
    assert 2 <= len(found.objectives) <= 4
    assert len(found.response) == 1
    if found.scenario not in WAITS_FOR_A_GATE_TO_EXPIRE:
        assert found.duration <= timedelta(minutes=2)


@each
def test_a_false_contained_is_never_forgiven(found: Scenario) -> None:
    (objective,) = [o for o in found.objectives if o.measure == "false_contained"]
    assert objective.critical
    assert objective.at_most == 0


def test_every_measure_is_used() -> None:
    used = {o.measure for found in LOADED.values() for o in found.objectives}
    assert used == set(MEASURES)


def test_every_kind_of_inject_and_every_way_to_time_one_is_used() -> None:
    injects = [i for found in LOADED.values() for i in found.timeline]
    assert {i.inject for i in injects} == {
        "alert", "message", "adversary", "kill", "abort", "restore", "by-hand", "persona",
    }  # fmt: skip
    assert any(i.at is not None for i in injects)
    assert any(i.when for i in injects)
    assert any(i.chance < 1 for i in injects)
    assert any(i.at is None and i.when is None for i in injects)


def test_the_faults_that_a_drill_should_know_are_each_an_atomic() -> None:
    faults = {(f.target, f.kind) for name in ATOMICS for f in LOADED[name].faults}
    kinds = {kind for _, kind in faults}
    assert kinds >= {"status", "status-after", "late", "stale", "lie", "outage", "partial-page"}
    assert faults >= {("engine", "crash"), ("disk", "full"), ("slack", "outage"), ("siem", "lag")}


# Silent about the twist


def sentences(text: str) -> set[str]:
    """The sentences of a text that say something, without their line breaks."""
    flat = " ".join(text.split())
    return {s for s in re.split(r"(?<=[.?!:])\s+", flat) if len(s.split()) > 4}


@each
def test_what_players_read_gives_nothing_of_the_facilitators_away(found: Scenario) -> None:
    told = " ".join(found.situation.split())
    hidden = sentences(found.facilitator)
    hidden |= {text for i in found.timeline for text in (i.title, i.text) if len(text.split()) > 3}
    hidden |= {f.title for f in found.faults}
    assert not [text for text in hidden if text and text in told]
    for word in ("twist", "facilitator", "persona", "inject", "objective", "drill"):
        assert not re.search(rf"\b{word}s?\b", told, re.IGNORECASE), word


@each_scenario
def test_the_facilitator_is_told_what_to_watch_and_when_to_stop(found: Scenario) -> None:
    for word in ("What is going on", "Watch:", "Stop when"):
        assert word in found.facilitator, word
