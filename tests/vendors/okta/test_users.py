"""okta.user.suspend."""

from __future__ import annotations

import pytest

from killswitch.model import codec
from killswitch.model.errors import Denied, Missing, Transient, Unexpected
from killswitch.vendors.okta.client import Okta
from killswitch.vendors.okta.users import SuspendUser, User, UserState
from tabletop.sims.okta import Okta as Org
from tabletop.sims.run import Simulators
from tests.vendors.okta.conftest import account, tries

SUSPEND = SuspendUser()


async def target(client: Okta, email: str = "jo@corp.example") -> User:
    [found] = [t async for t in SUSPEND.locate(client, await account(client, email))]
    return found


async def test_the_plan_writes_nothing(client: Okta, org: Org) -> None:
    before = org.world.snapshot()
    jo = await target(client)
    state = await SUSPEND.capture(client, jo)
    assert state == UserState("ACTIVE")
    assert SUSPEND.goal(jo, state) == UserState("SUSPENDED")
    assert org.world.snapshot() == before
    assert not any(exchange.wrote for exchange in org.record())


async def test_a_suspended_user_can_neither_sign_in_nor_use_a_session(
    client: Okta, sims: Simulators
) -> None:
    could = await tries(sims)
    assert all(could.values())
    jo = await target(client)
    await SUSPEND.apply(client, jo, UserState("ACTIVE"))
    can = await tries(sims)
    assert not can["sign in with the password"]
    assert not any(allowed for what, allowed in can.items() if what.startswith("use session"))
    assert can["refresh token 1, of claude-code"], "tokens are what okta.sessions.revoke is for"
    assert await SUSPEND.capture(client, jo) == UserState("SUSPENDED")


async def test_applied_twice_is_applied_once(client: Okta, org: Org) -> None:
    jo = await target(client)
    await SUSPEND.apply(client, jo, UserState("ACTIVE"))
    once = org.world.snapshot()
    await SUSPEND.apply(client, jo, UserState("ACTIVE"))
    assert org.record()[-2].status == 400, "Okta refuses a second suspension"
    assert org.world.snapshot() == once


async def test_undo_gives_the_very_state_back_twice_too(client: Okta, org: Org) -> None:
    before = org.world.snapshot()
    jo = await target(client)
    state = await SUSPEND.capture(client, jo)
    await SUSPEND.apply(client, jo, state)
    assert org.world.snapshot() != before
    for _ in range(2):
        await SUSPEND.undo(client, jo, state)
        assert org.world.snapshot() == before


async def test_whoever_was_cut_off_by_others_stays_so(client: Okta, org: Org) -> None:
    for name in ("suspended", "leaver"):
        found = await target(client, f"{name}@corp.example")
        state = await SUSPEND.capture(client, found)
        assert SUSPEND.goal(found, state) == state
        await SUSPEND.apply(client, found, state)
        await SUSPEND.undo(client, found, state)
        assert await SUSPEND.capture(client, found) == state
    assert not any(exchange.wrote for exchange in org.record())


@pytest.mark.parametrize("name", ["staged", "provisioned", "recovery", "locked.out", "expired"])
async def test_a_status_that_okta_does_not_suspend_is_said(
    client: Okta, org: Org, name: str
) -> None:
    found = await target(client, f"{name}@corp.example")
    state = await SUSPEND.capture(client, found)
    assert SUSPEND.goal(found, state) == UserState("SUSPENDED"), "never a false success"
    assert state.status in SUSPEND.impact(found, state)
    with pytest.raises(Unexpected, match=f"is {state.status}") as caught:
        await SUSPEND.apply(client, found, state)
    assert caught.value.hint
    await SUSPEND.undo(client, found, state)
    assert await SUSPEND.capture(client, found) == state


async def test_undo_says_why_it_cannot(client: Okta, org: Org) -> None:
    jo = await target(client)
    org.state["users"][jo.id]["status"] = "DEPROVISIONED"
    with pytest.raises(Unexpected, match="DEPROVISIONED"):
        await SUSPEND.undo(client, jo, UserState("ACTIVE"))


async def test_a_deleted_user_is_missing(client: Okta, org: Org) -> None:
    jo = await target(client)
    del org.state["users"][jo.id]
    with pytest.raises(Missing):
        await SUSPEND.capture(client, jo)
    with pytest.raises(Missing):
        await SUSPEND.apply(client, jo, UserState("ACTIVE"))


async def test_an_administrator_is_out_of_reach_of_a_lesser_one(client: Okta, org: Org) -> None:
    ada = await target(client, "ada@corp.example")
    with pytest.raises(Denied):
        await SUSPEND.apply(client, ada, UserState("ACTIVE"))
    org.super_admin = True
    await SUSPEND.apply(client, ada, UserState("ACTIVE"))


async def test_a_break_after_the_effect_is_neither_success_nor_failure(
    client: Okta, org: Org
) -> None:
    jo = await target(client)
    org.fault("drop-after", "POST .*suspend", times=1)
    with pytest.raises(Transient) as caught:
        await SUSPEND.apply(client, jo, UserState("ACTIVE"))
    assert caught.value.sent
    assert await SUSPEND.capture(client, jo) == UserState("SUSPENDED"), "reading back decides"


async def test_a_lie_is_found_by_reading_back(client: Okta, org: Org) -> None:
    jo = await target(client)
    org.fault("lie", "POST .*suspend", status=200)
    await SUSPEND.apply(client, jo, UserState("ACTIVE"))
    assert await SUSPEND.capture(client, jo) != SUSPEND.goal(jo, UserState("ACTIVE"))


async def test_target_and_state_survive_json(client: Okta) -> None:
    jo = await target(client)
    assert codec.load(User, codec.dump(jo)) == jo
    state = await SUSPEND.capture(client, jo)
    assert codec.load(UserState, codec.dump(state)) == state
