"""The life of a change, as the engine drives it: what the tests of actions share."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from killswitch.model.action import Action
from killswitch.model.codec import dump, kinds, load
from killswitch.model.subject import Account
from killswitch.vendors.github.client import GitHubClient

AnyAction = Action[GitHubClient, Any, Any]


async def located(action: AnyAction, client: GitHubClient, account: Account) -> list[Any]:
    """The targets, each of which survives the journal."""
    targets = [target async for target in action.locate(client, account)]
    kind, _ = kinds(type(action))
    assert [load(kind, dump(target)) for target in targets] == targets
    return targets


async def planned(action: AnyAction, client: GitHubClient, target: Any) -> Any:
    """The state before, which survives the journal and has a goal that is one."""
    before = await action.capture(client, target)
    _, kind = kinds(type(action))
    assert load(kind, dump(before)) == before
    goal = action.goal(target, before)
    assert action.goal(target, goal) == goal
    return before


async def reads(action: AnyAction, client: GitHubClient, target: Any, wanted: Any) -> None:
    """Read back until it is so; GitHub answers 202 and gets round to it later."""
    deadline = time.monotonic() + 3
    while (found := await action.capture(client, target)) != wanted:
        assert time.monotonic() < deadline, f"{found} is not {wanted}"
        await asyncio.sleep(0.02)


async def contained(action: AnyAction, client: GitHubClient, target: Any) -> Any:
    """Apply, twice, and read back; the state before."""
    before = await planned(action, client, target)
    await action.apply(client, target, before)
    await action.apply(client, target, before)
    await reads(action, client, target, action.goal(target, before))
    return before
