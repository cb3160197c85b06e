"""The declared scopes suffice, and each of them is needed.

Who the subject is was found before: what ``resolve`` needs is the vendor's, not the action's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from killswitch.model.action import Undo
from killswitch.model.errors import Denied
from tests.contract.conftest import SetStage
from tests.contract.walk import (
    ACTIONS,
    COLLECTORS,
    AnyAction,
    Placed,
    Stage,
    apply,
    body_of,
    contained,
    every_action,
    every_collector,
    undo,
    week,
)

Walk = Callable[[], Awaitable[None]]


def _each_scope(kinds: list[Any]) -> list[Any]:
    return [
        pytest.param(kind(), scope, id=f"{kind.name}-{scope}")
        for kind in kinds
        for scope in sorted(kind.scopes)
    ]


async def _life(stage: Stage, action: AnyAction) -> Walk:
    """Plan, apply, read back, probe and undo, by a client that knows the accounts already."""
    client = stage.connect()
    accounts = await stage.accounts(client)

    async def walk() -> None:
        targets = {t.id: t for a in accounts async for t in action.locate(client, a)}
        placed = [
            Placed(target, await action.capture(client, target))
            for target in targets.values()
            if not target.manual
        ]
        assert placed
        await apply(client, action, placed)
        await contained(client, action, placed)
        for one in placed:
            await action.probe(client, one.target)
        if action.undo_kind is not Undo.NONE:
            await undo(client, action, placed)

    return walk


async def _collection(stage: Stage, collector: Any) -> Walk:
    client = stage.connect()
    accounts = await stage.accounts(client)

    async def walk() -> None:
        found = [
            await body_of(artifact)
            for account in accounts
            async for artifact in collector.collect(client, account, week())
        ]
        assert found

    return walk


@every_action
async def test_the_scopes_of_an_action_suffice(action: AnyAction, stage_of: SetStage) -> None:
    stage = stage_of(action.name)
    walk = await _life(stage, action)
    stage.sim.granted = set(action.scopes)
    await walk()


@every_collector
async def test_the_scopes_of_a_collector_suffice(collector: Any, stage_of: SetStage) -> None:
    stage = stage_of(collector.name)
    walk = await _collection(stage, collector)
    stage.sim.granted = set(collector.scopes)
    await walk()


@pytest.mark.parametrize(("action", "scope"), _each_scope(ACTIONS))
async def test_an_action_needs_each_of_its_scopes(
    action: AnyAction, scope: str, stage_of: SetStage
) -> None:
    stage = stage_of(action.name)
    walk = await _life(stage, action)
    stage.sim.granted = set(action.scopes) - {scope}
    with pytest.raises(Denied):
        await walk()


@pytest.mark.parametrize(("collector", "scope"), _each_scope(COLLECTORS))
async def test_a_collector_needs_each_of_its_scopes(
    collector: Any, scope: str, stage_of: SetStage
) -> None:
    stage = stage_of(collector.name)
    walk = await _collection(stage, collector)
    stage.sim.granted = set(collector.scopes) - {scope}
    with pytest.raises(Denied):
        await walk()
