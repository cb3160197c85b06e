"""okta.sessions.revoke."""

from __future__ import annotations

import httpx
import pytest

from killswitch.model import codec
from killswitch.model.errors import Missing, Transient
from killswitch.vendors.okta.client import Okta
from killswitch.vendors.okta.sessions import RevokeSessions, SessionsState, UserSessions
from tabletop.sims.okta import TOKEN
from tabletop.sims.okta import Okta as Org
from tabletop.sims.run import Simulators
from tests.vendors.okta.conftest import MARK, account, tries

REVOKE = RevokeSessions()


async def target(client: Okta) -> UserSessions:
    [found] = [t async for t in REVOKE.locate(client, await account(client))]
    return found


async def test_the_plan_writes_nothing_and_sees_the_tokens(client: Okta, org: Org) -> None:
    before = org.world.snapshot()
    events = len(org.world.events)
    jo = await target(client)
    state = await REVOKE.capture(client, jo)
    assert not state.cleared
    assert len(state.refresh_tokens) == 4, "three of agents, one of the phone"
    assert org.world.snapshot() == before
    assert len(org.world.events) == events


async def test_sessions_and_tokens_are_refused_afterwards(client: Okta, sims: Simulators) -> None:
    jo = await target(client)
    before = await REVOKE.capture(client, jo)
    await REVOKE.apply(client, jo, before)
    assert await REVOKE.capture(client, jo) == REVOKE.goal(jo, before)
    can = await tries(sims)
    assert can.pop("sign in with the password"), "that is what okta.user.suspend is for"
    assert len(can) == 7
    assert not any(can.values())


async def test_the_revocation_asks_for_tokens_and_devices_and_is_marked(
    client: Okta, org: Org
) -> None:
    await REVOKE.apply(client, await target(client), SessionsState(False, ()))
    last = org.record()[-1]
    assert (last.method, last.query) == ("DELETE", "oauthTokens=true&forgetDevices=true")
    assert last.request_headers["user-agent"] == MARK


async def test_applied_twice_is_applied_once(client: Okta, org: Org) -> None:
    jo = await target(client)
    await REVOKE.apply(client, jo, SessionsState(False, ()))
    once = org.world.snapshot()
    await REVOKE.apply(client, jo, SessionsState(False, ()))
    assert org.world.snapshot() == once
    assert await REVOKE.capture(client, jo) == SessionsState(True, ())


async def test_undo_does_nothing_and_the_user_signs_in_anew(
    client: Okta, org: Org, sims: Simulators
) -> None:
    jo = await target(client)
    before = await REVOKE.capture(client, jo)
    await REVOKE.apply(client, jo, before)
    asked = len(org.exchanges)
    await REVOKE.undo(client, jo, before)
    assert len(org.exchanges) == asked
    assert (await tries(sims))["sign in with the password"]


async def test_a_sign_in_after_the_revocation_is_seen(client: Okta, org: Org) -> None:
    jo = await target(client)
    await REVOKE.apply(client, jo, SessionsState(False, ()))
    assert (await REVOKE.capture(client, jo)).cleared
    credentials = {"username": "jo@corp.example", "password": "fake-password-of-jo"}
    async with httpx.AsyncClient(trust_env=False) as jos:
        assert (await jos.post(f"{org.url}/api/v1/authn", json=credentials)).is_success
    assert not (await REVOKE.capture(client, jo)).cleared


async def test_a_refused_sign_in_changes_nothing(client: Okta, org: Org, sims: Simulators) -> None:
    jo = await target(client)
    org.state["users"][jo.id]["status"] = "SUSPENDED"
    await REVOKE.apply(client, jo, SessionsState(False, ()))
    await tries(sims)
    assert (await REVOKE.capture(client, jo)).cleared


@pytest.mark.parametrize("agent", ["curl/8", "killswitch-K-11270 killswitch-K-112"])
async def test_a_revocation_by_others_is_not_taken_for_ours(
    client: Okta, org: Org, agent: str
) -> None:
    jo = await target(client)
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.delete(
            f"{org.url}/api/v1/users/{jo.id}/sessions",
            headers={"Authorization": f"SSWS {TOKEN}", "User-Agent": agent},
        )
    assert answer.status_code == 204
    assert not (await REVOKE.capture(client, jo)).cleared


async def test_an_answer_that_lies_leaves_it_open(client: Okta, org: Org) -> None:
    jo = await target(client)
    before = await REVOKE.capture(client, jo)
    org.fault("lie", "DELETE", status=204)
    await REVOKE.apply(client, jo, before)
    assert await REVOKE.capture(client, jo) == before


async def test_a_break_after_the_effect_is_sent_once_and_read_back(client: Okta, org: Org) -> None:
    jo = await target(client)
    org.fault("drop-after", "DELETE", times=1)
    with pytest.raises(Transient) as caught:
        await REVOKE.apply(client, jo, SessionsState(False, ()))
    assert caught.value.sent
    assert sum(e.method == "DELETE" for e in org.record()) == 1
    assert await REVOKE.capture(client, jo) == SessionsState(True, ())


async def test_many_pages_of_tokens_and_log_are_read_to_the_end(client: Okta, org: Org) -> None:
    jo = await target(client)
    whole = await REVOKE.capture(client, jo)
    org.page = 1
    assert await REVOKE.capture(client, jo) == whole
    await REVOKE.apply(client, jo, whole)
    assert (await REVOKE.capture(client, jo)).cleared


async def test_a_client_removed_meanwhile_does_not_hide_the_user(client: Okta, org: Org) -> None:
    jo = await target(client)
    org.fault("status", "/clients/[^/]+/tokens", times=1, status=404)
    assert (await REVOKE.capture(client, jo)).refresh_tokens
    org.heal()
    del org.state["users"][jo.id]
    with pytest.raises(Missing):
        await REVOKE.capture(client, jo)


async def test_target_and_state_survive_json(client: Okta) -> None:
    jo = await target(client)
    assert codec.load(UserSessions, codec.dump(jo)) == jo
    state = await REVOKE.capture(client, jo)
    assert codec.load(SessionsState, codec.dump(state)) == state
