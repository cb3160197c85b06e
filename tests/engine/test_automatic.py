"""A trigger's level `reversible`: what can be undone goes ahead, the rest asks people."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from killswitch.api import Person
from killswitch.model.case import CaseState, ChangeState
from killswitch.model.errors import NotAllowed
from killswitch.model.event import What
from killswitch.model.plan import Mode
from killswitch.model.playbook import Assurance
from tests.drill import DANA, JO, LEE, RIA, Drill, person, recipe

TRIGGER = Person(DANA, Assurance.SERVICE, "alert:splunk")
TOYS = {"toy": {"vendor": "toy", "url": "http://127.0.0.1:1"}}
GATES = (
    "lead: {approvers: eng-leads, quorum: 1, timeout: 10m},"
    " dual: {approvers: eng-leads, quorum: 2, timeout: 10m}"
)
KEYS = "claude.api_keys.deactivate"
WALL = "{use: toy.door.wall_up, gate: dual}"
MIXED = recipe(credentials=f"{KEYS}, {WALL}", gates=GATES)
SUSPEND, WALLED = "okta.user.suspend", "toy.door.wall_up"


@asynccontextmanager
async def drill_of(folder, **more):
    drill = Drill.of(folder, connections=TOYS, **more)
    drill.house.rules = replace(drill.house.rules, automatic=True)
    async with drill:
        yield drill


async def alerted(drill, text, **more):
    """The case that a trigger of level `reversible` opens."""
    request = drill.request(JO, playbook=text, automatic=True, **more)
    request = request.model_copy(update={"door": "alert:splunk"})
    return (await drill.api.start(request, TRIGGER)).case


@pytest.fixture(autouse=True)
def here(room):
    """The toy's house."""
    return room("http://127.0.0.1:1")


def by_action(view):
    return {c.plan.action: c.state for c in view.changes.values()}


async def test_what_can_be_undone_goes_ahead_and_the_rest_waits_for_people(tmp_path, here):
    async with drill_of(tmp_path) as drill:
        case = await alerted(drill, MIXED)
        view = await drill.until(case, lambda c: by_action(c).get(KEYS) is ChangeState.CONTAINED)
        assert by_action(view)[SUSPEND] is ChangeState.CONTAINED
        assert by_action(view)[WALLED] is ChangeState.PLANNED
        assert not drill.entries(case, What.DECIDED)
        view = await drill.until(case, lambda c: c.gates["lead"].outcome != "")
        assert view.gates["lead"].outcome == "reversible_only"
        assert view.gates["dual"].outcome == ""
        assert "apply" not in here.calls
        before = len(drill.wrote())

        await drill.approve(case, LEE, RIA, gate="dual")
        view = await drill.until(case, lambda c: c.state is CaseState.CONTAINED)
        assert set(by_action(view).values()) == {ChangeState.CONTAINED}
        assert here.open == {"front": False, "back": False}
        assert len(drill.wrote()) == before


async def test_where_everything_can_be_undone_nobody_is_asked(tmp_path):
    async with drill_of(tmp_path) as drill:
        case = await alerted(drill, recipe())
        view = await drill.settled(case)
        assert view.state is CaseState.CONTAINED
        assert view.gates["lead"].outcome == "reversible_only"
        assert not drill.entries(case, What.DECIDED)


async def test_a_denial_leaves_the_rest_alone_and_what_went_ahead_can_be_given_back(tmp_path, here):
    async with drill_of(tmp_path) as drill:
        case = await alerted(drill, MIXED)
        await drill.until(case, lambda c: by_action(c).get(KEYS) is ChangeState.CONTAINED)
        await drill.api.answer(case, "dual", "deny", person(LEE), reason="it is a test rule")
        view = await drill.until(case, lambda c: by_action(c)[WALLED] is ChangeState.SKIPPED)
        view = await drill.closed(case)
        assert view.state is CaseState.PARTIAL
        assert "apply" not in here.calls
        assert by_action(view)[SUSPEND] is ChangeState.CONTAINED

        view = await drill.restore(case)
        assert by_action(view)[SUSPEND] is ChangeState.RESTORED
        assert drill.okta_user()["status"] == "ACTIVE"


async def test_a_denial_stops_what_is_still_being_tried(tmp_path):
    text = recipe(credentials=f"{KEYS}, {WALL}", gates=GATES).replace(
        "layers:\n  identity: {gate: lead", "layers:\n  identity: {gate: dual"
    )
    async with drill_of(tmp_path) as drill:
        drill.sims["okta"].fault("status", "lifecycle/suspend", status=503)
        case = await alerted(drill, text)
        await drill.until(case, lambda c: len(drill.entries(case, What.APPLYING)) > 1)
        await drill.until(case, lambda c: "dual" in c.gates)
        await drill.api.answer(case, "dual", "deny", person(LEE))
        await drill.until(case, lambda c: c.gates["dual"].outcome == "denied")
        drill.sims["okta"].heal()
        view = await drill.closed(case)
        assert view.state is CaseState.PARTIAL
        assert drill.okta_user()["status"] == "ACTIVE"
        assert by_action(view)[SUSPEND] is ChangeState.FAILED


async def test_a_restart_between_the_two_halves_loses_neither(tmp_path, here):
    async with drill_of(tmp_path) as drill:
        case = await alerted(drill, MIXED)
        await drill.until(case, lambda c: by_action(c).get(KEYS) is ChangeState.CONTAINED)
        await drill.restart()
        await drill.approve(case, LEE, RIA, gate="dual")
        view = await drill.until(case, lambda c: c.state is CaseState.CONTAINED)
        assert by_action(view)[WALLED] is ChangeState.CONTAINED
        assert here.open == {"front": False, "back": False}


async def test_a_person_cannot_ask_for_it_and_the_configuration_must_allow_it(tmp_path):
    async with drill_of(tmp_path) as drill:
        request = drill.request(JO, automatic=True)
        with pytest.raises(NotAllowed, match="only a trigger"):
            await drill.api.start(request, person(DANA))
        with pytest.raises(NotAllowed, match="only a trigger"):
            await drill.api.start(request, TRIGGER)  # through a person's door
        drill.house.rules = replace(drill.house.rules, automatic=False)
        with pytest.raises(NotAllowed, match="no case goes ahead without approval here"):
            await alerted(drill, recipe())
        await drill.closed(await drill.start(mode=Mode.PLAN))


async def test_a_service_decides_nothing(tmp_path):
    async with drill_of(tmp_path) as drill:
        case = await drill.start()
        await drill.until(case, lambda c: "lead" in c.gates)
        service = Person(LEE, Assurance.SERVICE, "alert:splunk")
        for decision in ("approve", "deny"):
            with pytest.raises(NotAllowed, match="a service asks"):
                await drill.api.answer(case, "lead", decision, service)
        await drill.approve(case, LEE)
        assert (await drill.settled(case)).state is CaseState.CONTAINED
