"""Every action of the catalogue, walked through its life. No action is named here.

Targets come from ``locate`` for the simulators' suspect. That every action is used by a shipped
playbook is asked below. That each is rehearsed by a scenario cannot be asked before
``tabletop/scenarios`` holds the first one: that test belongs beside it then.
"""

from __future__ import annotations

import copy
import dataclasses
import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from killswitch import playbooks
from killswitch.model.action import Undo
from killswitch.model.codec import canonical, dump, kinds, load
from killswitch.model.errors import Refused, VendorError
from tests.contract.conftest import SetStage
from tests.contract.excused import APPLY, EFFECT, GONE, excused
from tests.contract.walk import (
    ACTIONS,
    EMAIL,
    AnyAction,
    Stage,
    apply,
    contained,
    every_action,
    every_variant,
    label,
    undo,
    without_suspect,
)

reversible = pytest.mark.parametrize(
    "action", [pytest.param(a(), id=a.name) for a in ACTIONS if a.undo_kind is not Undo.NONE]
)
irreversible = pytest.mark.parametrize(
    "action", [pytest.param(a(), id=a.name) for a in ACTIONS if a.undo_kind is Undo.NONE]
)


# Plan


@every_variant
async def test_a_plan_and_its_probes_write_nothing(action: AnyAction, stage_of: SetStage) -> None:
    stage = stage_of(action.name)
    before = copy.deepcopy(stage.sim.state)
    client = stage.connect()
    for one in await stage.placed(client, action):
        action.goal(one.target, one.before)
        assert isinstance(action.impact(one.target, one.before), str)
        await action.probe(client, one.target)
    assert stage.sim.state == before
    assert [e.line for e in stage.sim.record() if e.wrote] == []


@every_action
async def test_targets_are_named_by_ids_that_stay(action: AnyAction, stage_of: SetStage) -> None:
    stage = stage_of(action.name)
    targets = await stage.targets(stage.connect(), action)
    again = await stage.targets(stage.connect(), action)
    assert [t.id for t in targets] == [t.id for t in again]
    assert all(t.id and t.label and t.counts > 0 for t in targets)
    logins = {EMAIL, EMAIL.partition("@")[0]}
    assert not logins & {t.id for t in targets}, "a login can be given to somebody else"


@every_variant
async def test_targets_and_states_survive_the_journal(
    action: AnyAction, stage_of: SetStage
) -> None:
    stage = stage_of(action.name)
    target_kind, state_kind = kinds(type(action))
    for one in await stage.placed(stage.connect(), action):
        goal = action.goal(one.target, one.before)
        assert type(one.target) is target_kind
        assert load(target_kind, json.loads(canonical(dump(one.target)))) == one.target
        for state in (one.before, goal):
            assert type(state) is state_kind
            assert load(state_kind, json.loads(canonical(dump(state)))) == state


@every_variant
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_the_goal_of_any_state_is_pure_and_its_own_goal(
    action: AnyAction, data: st.DataObject
) -> None:
    target_kind, state_kind = kinds(type(action))
    target = data.draw(st.from_type(target_kind))
    state = data.draw(st.from_type(state_kind))
    before = dump(state)
    goal = action.goal(target, state)
    assert type(goal) is state_kind
    assert action.goal(target, state) == goal
    assert action.goal(target, goal) == goal
    assert dump(state) == before
    assert load(state_kind, json.loads(json.dumps(dump(state)))) == state


# Apply


@every_variant
async def test_applied_twice_is_applied_once(action: AnyAction, stage_of: SetStage) -> None:
    stage = stage_of(action.name)
    client = stage.connect()
    placed = await stage.placed(client, action)
    if excused(APPLY, label(action)):
        with pytest.raises(VendorError):
            await apply(client, action, placed)
        return
    await apply(client, action, placed)
    once = copy.deepcopy(stage.sim.state)
    await apply(client, action, placed)
    assert stage.sim.state == once, "the second apply did something else"
    await contained(client, action, placed)
    await apply(client, action, placed)
    assert stage.sim.state == once, "an apply on what was so already did something"
    await contained(client, action, placed)


@every_action
async def test_the_suspect_notices(action: AnyAction, stage_of: SetStage) -> None:
    stage = stage_of(action.name)
    client = stage.connect()
    placed = await stage.placed(client, action)
    before = await stage.tries()
    await apply(client, action, placed)
    await contained(stage.connect(), action, placed)
    after = await stage.tries()
    lost = {what for what, allowed in before.items() if allowed and not after.get(what)}
    won = {what for what, allowed in after.items() if allowed and not before.get(what)}
    assert won == set()
    assert bool(lost) != excused(EFFECT, action.name)
    for one in placed:
        probe = await action.probe(client, one.target)
        assert probe is None or (probe.refused in (True, None) and probe.how)


@every_action
async def test_what_has_gone_is_told_and_left_alone(action: AnyAction, stage_of: SetStage) -> None:
    """The same targets, in a corporation that has never known the suspect."""
    stage = stage_of(action.name)
    client = stage.connect()
    placed = await stage.placed(client, action)
    stage.renew(without_suspect())
    told = [await _says_gone(client, action, one.target) for one in placed]
    assert all(told) != excused(GONE, action.name)
    if not all(told):
        return
    for one in placed:
        with suppress(VendorError):
            await action.apply(client, one.target, one.before)
    assert [e.line for e in stage.sim.record() if e.wrote] == []


async def _says_gone(client: Any, action: AnyAction, target: Any) -> bool:
    """Missing, or a state in which nothing is left to do."""
    try:
        seen = await action.capture(client, target)
    except VendorError as error:
        return type(error).__name__ == "Missing"
    return bool(seen == action.goal(target, seen))


# Undo


async def _undone(stage: Stage, action: AnyAction) -> tuple[Any, Any]:
    """The simulator's state before, and after apply and undo. Undo a second time is the same."""
    client = stage.connect()
    placed = await stage.placed(client, action)
    before = copy.deepcopy(stage.sim.state)
    await apply(client, action, placed)
    assert stage.sim.state != before, "there was nothing to undo"
    await contained(client, action, placed)
    await undo(client, action, placed)
    once = copy.deepcopy(stage.sim.state)
    await undo(client, action, placed)
    assert stage.sim.state == once, "the second undo did something else"
    return before, once


@reversible
async def test_undone_is_as_it_was_where_that_is_promised(
    action: AnyAction, stage_of: SetStage
) -> None:
    stage = stage_of(action.name)
    before, after = await _undone(stage, action)
    if action.undo_kind is Undo.EXACT:
        assert after == before


@reversible
async def test_what_was_so_before_us_stays_so(action: AnyAction, stage_of: SetStage) -> None:
    stage = stage_of(action.name)
    client = stage.connect()
    placed = await stage.placed(client, action)
    await apply(client, action, placed)
    await contained(client, action, placed)
    already = [replace(one, before=await action.capture(client, one.target)) for one in placed]
    assert all(action.goal(one.target, one.before) == one.before for one in already)
    so = copy.deepcopy(stage.sim.state)
    await apply(client, action, already)
    await undo(client, action, already)
    assert stage.sim.state == so


@irreversible
async def test_what_cannot_be_undone_says_so(action: AnyAction, stage_of: SetStage) -> None:
    stage = stage_of(action.name)
    client = stage.connect()
    placed = await stage.placed(client, action)
    so = copy.deepcopy(stage.sim.state)
    for one in placed:
        with pytest.raises(Refused):
            await action.undo(client, one.target, one.before)
    assert stage.sim.state == so


# Used


def test_every_action_is_used_by_a_shipped_playbook() -> None:
    shipped = [playbooks.load(name) for name in playbooks.names()]
    used = {step.use for playbook in shipped for _, step, _ in playbook.steps()}
    assert {a.name for a in ACTIONS} - used == set()


def test_an_action_is_a_frozen_dataclass_with_defaults() -> None:
    for action in ACTIONS:
        assert dataclasses.is_dataclass(action)
        assert action.__dataclass_params__.frozen, action.name
        action()
