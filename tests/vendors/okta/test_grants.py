"""okta.grants.revoke."""

from __future__ import annotations

import pytest

from killswitch.model import codec
from killswitch.model.errors import Missing
from killswitch.vendors.okta.client import Okta
from killswitch.vendors.okta.grants import GrantsState, RevokeGrants, UserGrants
from tabletop.sims.okta import Okta as Org
from tests.vendors.okta.conftest import account

REVOKE = RevokeGrants()


async def target(client: Okta, email: str = "jo@corp.example") -> UserGrants:
    [found] = [t async for t in REVOKE.locate(client, await account(client, email))]
    return found


async def test_the_plan_writes_nothing_and_reads_every_page(client: Okta, org: Org) -> None:
    before = org.world.snapshot()
    org.page = 2
    state = await REVOKE.capture(client, await target(client))
    assert {grant.scope for grant in state.grants} >= {"offline_access", "okta.users.read.self"}
    assert len(state.grants) == 7, "three for each of two agents, one for the phone"
    assert org.world.snapshot() == before


async def test_only_the_suspects_grants_are_revoked_once(client: Okta, org: Org) -> None:
    jo, kim = await target(client), await target(client, "kim@corp.example")
    of_kim = await REVOKE.capture(client, kim)
    before = await REVOKE.capture(client, jo)
    await REVOKE.apply(client, jo, before)
    once = org.world.snapshot()
    await REVOKE.apply(client, jo, before)
    assert org.world.snapshot() == once
    assert await REVOKE.capture(client, jo) == REVOKE.goal(jo, before) == GrantsState(())
    assert of_kim.grants
    assert await REVOKE.capture(client, kim) == of_kim


async def test_undo_does_nothing(client: Okta, org: Org) -> None:
    jo = await target(client)
    before = await REVOKE.capture(client, jo)
    await REVOKE.apply(client, jo, before)
    asked = len(org.exchanges)
    await REVOKE.undo(client, jo, before)
    assert len(org.exchanges) == asked


async def test_a_deleted_user_is_missing(client: Okta, org: Org) -> None:
    jo = await target(client)
    del org.state["users"][jo.id]
    with pytest.raises(Missing):
        await REVOKE.capture(client, jo)


async def test_target_and_state_survive_json(client: Okta) -> None:
    jo = await target(client)
    assert codec.load(UserGrants, codec.dump(jo)) == jo
    state = await REVOKE.capture(client, jo)
    assert codec.load(GrantsState, codec.dump(state)) == state
