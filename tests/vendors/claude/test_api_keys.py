from __future__ import annotations

import pytest

from killswitch.model.action import Action
from killswitch.model.codec import dump, kinds, load
from killswitch.model.errors import Missing, Transient, Unexpected
from killswitch.model.subject import Account, Kind, Subject
from killswitch.vendors.claude.api_keys import DeactivateAll, DeactivateOne, KeyState, KeyTarget
from killswitch.vendors.claude.client import Claude
from killswitch.vendors.claude.vendor import VENDOR
from tabletop.sims.claude import Claude as Organisation
from tabletop.sims.run import Simulators

JO = "jo@corp.example"
KIM = "kim@corp.example"


async def targets(client: Claude, account: Account) -> dict[str, KeyTarget]:
    return {t.label.split()[0]: t async for t in DeactivateAll().locate(client, account)}


async def deactivate_all(client: Claude, account: Account) -> dict[str, KeyState]:
    action, before = DeactivateAll(), {}
    for name, target in (await targets(client, account)).items():
        before[name] = await action.capture(client, target)
        await action.apply(client, target, before[name])
    return before


async def working(sims: Simulators, email: str) -> set[str]:
    return {a.what.split()[6] for a in await sims.truth(email) if a.allowed}


async def test_finds_keys_made_by_the_person_and_keys_that_act_as_them(
    client: Claude, jo: Account
) -> None:
    assert set(await targets(client, jo)) == {
        "jo-laptop",
        "jo-ci-payments",
        "jo-batch-review",  # an administrator made it, to act as jo
        "jo-old-experiment",
    }


async def test_a_plan_writes_nothing(client: Claude, jo: Account, sim: Organisation) -> None:
    before = sim.world.snapshot()
    for target in (await targets(client, jo)).values():
        await DeactivateAll().capture(client, target)
    assert sim.world.snapshot() == before
    assert not any(e.wrote for e in sim.record())


async def test_deactivated_keys_open_nothing_and_others_keep_theirs(
    client: Claude, jo: Account, sims: Simulators
) -> None:
    assert await working(sims, JO) == {"jo-laptop", "jo-ci-payments", "jo-batch-review"}
    await deactivate_all(client, jo)
    assert await working(sims, JO) == set()
    assert await working(sims, KIM) == {"kim-laptop"}


async def test_twice_is_once(client: Claude, jo: Account, sim: Organisation) -> None:
    await deactivate_all(client, jo)
    once = sim.world.snapshot()
    await deactivate_all(client, jo)
    assert sim.world.snapshot() == once


async def test_undo_gives_back_exactly_what_was(
    client: Claude, jo: Account, sim: Organisation
) -> None:
    action, whole = DeactivateAll(), sim.world.snapshot()
    before = await deactivate_all(client, jo)
    assert not before["jo-old-experiment"].active
    for _ in range(2):
        for name, target in (await targets(client, jo)).items():
            await action.undo(client, target, before[name])
    assert sim.world.snapshot() == whole


async def test_the_goal_is_reached_and_stays(client: Claude, jo: Account) -> None:
    action = DeactivateAll()
    before = await deactivate_all(client, jo)
    for name, target in (await targets(client, jo)).items():
        goal = action.goal(target, before[name])
        assert goal == action.goal(target, goal) == await action.capture(client, target)
    idle = KeyState(active=False)
    assert action.goal(target, idle) == idle
    assert action.impact(target, idle) == ""
    assert target.label in action.impact(target, KeyState(active=True))


async def test_a_key_that_was_archived_meanwhile_is_no_failure(
    client: Claude, jo: Account, sim: Organisation
) -> None:
    action, target = DeactivateAll(), (await targets(client, jo))["jo-laptop"]
    sim.state["api_keys"][target.id]["status"] = "archived"
    await action.apply(client, target, KeyState(active=True))
    assert await action.capture(client, target) == KeyState(active=False)
    with pytest.raises(Unexpected):  # nobody can take an archived key back: say so
        await action.undo(client, target, KeyState(active=True))


async def test_a_refused_change_of_an_active_key_is_a_failure(
    client: Claude, jo: Account, sim: Organisation
) -> None:
    action, target = DeactivateAll(), (await targets(client, jo))["jo-laptop"]
    sim.fault("status", "POST", status=400)
    with pytest.raises(Unexpected):
        await action.apply(client, target, KeyState(active=True))


async def test_a_key_that_is_gone_is_missing(
    client: Claude, jo: Account, sim: Organisation
) -> None:
    target = (await targets(client, jo))["jo-laptop"]
    del sim.state["api_keys"][target.id]
    with pytest.raises(Missing):
        await DeactivateAll().capture(client, target)


async def test_a_lie_is_seen_when_read_back(client: Claude, jo: Account, sim: Organisation) -> None:
    action, target = DeactivateAll(), (await targets(client, jo))["jo-laptop"]
    sim.fault("lie", "POST", status=200, body="{}")
    await action.apply(client, target, KeyState(active=True))
    assert (await action.capture(client, target)).active


async def test_after_an_error_that_came_too_late_the_read_decides(
    client: Claude, jo: Account, sim: Organisation
) -> None:
    action, target = DeactivateAll(), (await targets(client, jo))["jo-laptop"]
    sim.fault("status-after", "POST", status=503)
    with pytest.raises(Transient) as raised:
        await action.apply(client, target, KeyState(active=True))
    assert raised.value.sent
    assert not (await action.capture(client, target)).active


async def test_one_key_by_itself(client: Claude, sims: Simulators, sim: Organisation) -> None:
    key = next(k for k in sim.state["api_keys"].values() if k["name"] == "jo-ci-payments")
    (account,) = await VENDOR.resolve(client, Subject(Kind.CREDENTIAL, key["id"]))
    (target,) = [t async for t in DeactivateOne().locate(client, account)]
    await DeactivateOne().apply(client, target, await DeactivateOne().capture(client, target))
    assert await working(sims, JO) == {"jo-laptop", "jo-batch-review"}
    assert [t async for t in DeactivateAll().locate(client, account)] == []


async def test_a_person_is_no_key(client: Claude, jo: Account) -> None:
    assert [t async for t in DeactivateOne().locate(client, jo)] == []


@pytest.mark.parametrize("action", VENDOR.actions)
async def test_targets_and_states_survive_json(
    client: Claude, jo: Account, action: type[Action[Claude, KeyTarget, KeyState]]
) -> None:
    target_kind, state_kind = kinds(action)
    for target in (await targets(client, jo)).values():
        assert load(target_kind, dump(target)) == target
        state = await action().capture(client, target)
        assert load(state_kind, dump(state)) == state
        assert "FAKE" not in str(dump(target)) + str(dump(state))
