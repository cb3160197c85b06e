"""aws.access_keys.deactivate and aws.access_key.deactivate."""

from __future__ import annotations

import pytest

from killswitch.model import codec
from killswitch.model.errors import Denied, Missing, Transient
from killswitch.model.subject import Account
from killswitch.vendors.aws.access_keys import DeactivateAll, DeactivateOne, Key, Status
from killswitch.vendors.aws.client import Aws
from tabletop.sims.aws import Aws as Cloud
from tabletop.sims.run import Simulators
from tests.vendors.aws.conftest import contain, keys_of, live, suspect, targets, tries

ALL = DeactivateAll()
ONE = DeactivateOne()
ACTIVE = Status("Active")


async def test_the_plan_writes_nothing_and_lists_every_key(client: Aws, cloud: Cloud) -> None:
    before = cloud.world.snapshot()
    found = await targets(client, ALL)
    of_jo = keys_of(cloud, "jo") + keys_of(cloud, "codex-jo")
    retired = keys_of(cloud, "codex-jo", "Inactive")
    assert sorted(t.id for t in found.values()) == sorted(of_jo + retired)
    states = {t.id: await ALL.capture(client, t) for t in found.values()}
    assert {k for k, s in states.items() if s == ACTIVE} == set(of_jo)
    assert cloud.world.snapshot() == before
    assert not any(exchange.wrote for exchange in cloud.record())


async def test_targets_and_states_survive_json(client: Aws) -> None:
    target = next(iter((await targets(client, ALL)).values()))
    assert codec.load(Key, codec.dump(target)) == target
    assert codec.load(Status, codec.dump(ACTIVE)) == ACTIVE
    assert ALL.goal(target, ALL.goal(target, ACTIVE)) == Status("Inactive")
    assert ALL.goal(target, Status("Expired")) == Status("Expired")


async def test_no_key_works_but_a_session_that_was_made_with_one_does(
    client: Aws, sims: Simulators, cloud: Cloud
) -> None:
    made = await suspect(cloud, keys_of(cloud, "jo")[0], "sts", Action="GetSessionToken")
    assert made.status_code == 200
    await contain(client, ALL)
    can = await tries(sims)
    assert not any(allowed for what, allowed in can.items() if "the key" in what)
    assert can["call in the session claude-code-jo-mfa of user/jo"], "deny_all is for these"
    assert can["call in the session jo of user/jo"]


async def test_the_vendor_says_nothing_of_why_a_key_is_refused(client: Aws, cloud: Cloud) -> None:
    key = keys_of(cloud, "jo")[0]
    await contain(client, ALL)
    answer = await suspect(cloud, key, Action="GetUser")
    assert (answer.status_code, "InvalidClientTokenId" in answer.text) == (403, True)


async def test_applied_twice_is_applied_once_and_undo_is_exact(client: Aws, cloud: Cloud) -> None:
    before = cloud.world.snapshot()
    done = await contain(client, ALL)
    once = cloud.world.snapshot()
    for target, state in done:
        await ALL.apply(client, target, state)
        assert await ALL.capture(client, target) == Status("Inactive")
    assert cloud.world.snapshot() == once != before
    for _ in range(2):
        for target, state in done:
            await ALL.undo(client, target, state)
        assert cloud.world.snapshot() == before, "a retired key is not woken"


async def test_a_key_minted_meanwhile_is_located_again(client: Aws, cloud: Cloud) -> None:
    first = await targets(client, ALL)
    [spare] = keys_of(cloud, "codex-jo", "Inactive")
    await suspect(cloud, keys_of(cloud, "codex-jo")[0], Action="DeleteAccessKey", AccessKeyId=spare)
    minted = await suspect(cloud, keys_of(cloud, "codex-jo")[0], Action="CreateAccessKey")
    assert minted.status_code == 200
    again = await targets(client, ALL)
    assert len({t.id for t in again.values()} - {t.id for t in first.values()}) == 1


async def test_a_leaked_key_is_that_key_and_no_other(client: Aws, cloud: Cloud) -> None:
    leaked, other = keys_of(cloud, "jo")
    found = await targets(client, ONE, f"credential:{leaked}")
    assert [t.id for t in found.values()] == [leaked]
    await contain(client, ONE, f"credential:{leaked}")
    assert keys_of(cloud, "jo", "Inactive") == [leaked]
    assert keys_of(cloud, "jo") == [other]
    assert await targets(client, ONE) == {}, "a person is no key"


async def test_a_leaked_key_never_widens_to_the_persons_other_users(
    client: Aws, cloud: Cloud
) -> None:
    leaked = keys_of(cloud, "codex-jo")[0]
    found = await targets(client, ALL, f"credential:{leaked}")
    assert {t.user_name for t in found.values()} == {"codex-jo"}


async def test_a_renamed_users_key_is_followed(client: Aws, cloud: Cloud) -> None:
    key = keys_of(cloud, "jo")[0]
    target = next(t for t in (await targets(client, ALL)).values() if t.id == key)
    cloud.state["users"]["jo.marsh"] = cloud.state["users"].pop("jo")
    for its in cloud.state["keys"].values():
        if its["user"] == "jo":
            its["user"] = "jo.marsh"
    assert await ALL.capture(client, target) == ACTIVE
    await ALL.apply(client, target, ACTIVE)
    assert cloud.state["keys"][key]["status"] == "Inactive"


async def test_an_expired_key_is_left_as_it_is(client: Aws, cloud: Cloud) -> None:
    target = next(iter((await targets(client, ALL)).values()))
    cloud.state["keys"][target.id]["status"] = "Expired"
    state = await ALL.capture(client, target)
    await ALL.undo(client, target, state)
    assert cloud.state["keys"][target.id]["status"] == "Expired"
    assert not any(exchange.wrote for exchange in cloud.record())


async def test_a_key_that_is_gone_is_missing(client: Aws, cloud: Cloud) -> None:
    target = next(iter((await targets(client, ALL)).values()))
    del cloud.state["keys"][target.id]
    with pytest.raises(Missing):
        await ALL.capture(client, target)
    for verb in (ALL.apply, ALL.undo):
        with pytest.raises(Missing):
            await verb(client, target, ACTIVE)


async def test_our_own_key_is_never_hit(client: Aws, cloud: Cloud) -> None:
    own = cloud.settings()["access_key_id"]
    found = await targets(client, ONE, f"credential:{own}")
    assert all("killswitch itself" in t.manual for t in found.values())
    cloud.state["users"]["killswitch"]["tags"]["owner"] = "jo@corp.example"
    manual = {t.id for t in (await targets(client, ALL)).values() if t.manual}
    assert manual == {own}


async def test_the_impact_is_said_of_active_keys_only(client: Aws) -> None:
    target = next(iter((await targets(client, ALL)).values()))
    assert target.id in ALL.impact(target, ACTIVE)
    assert ALL.impact(target, Status("Inactive")) == ""


async def test_broken_after_the_effect_is_sent(client: Aws, cloud: Cloud) -> None:
    target = next(iter((await targets(client, ALL)).values()))
    cloud.fault("status-after", "Action=UpdateAccessKey", times=1, status=503)
    with pytest.raises(Transient) as caught:
        await ALL.apply(client, target, ACTIVE)
    assert caught.value.sent
    assert await ALL.capture(client, target) == Status("Inactive")


@pytest.mark.parametrize("action", [ALL, ONE], ids=lambda a: a.name)
@pytest.mark.parametrize("lacking", sorted(ALL.scopes))
async def test_each_scope_is_needed_and_together_they_suffice(
    client: Aws, cloud: Cloud, action: DeactivateAll | DeactivateOne, lacking: str
) -> None:
    key = keys_of(cloud, "jo")[0]
    who = cloud.state["users"]["jo"]["id"]
    whose = Account(connection="aws", vendor="aws", id=who, login="jo", label="jo", session=key)
    cloud.granted = set(action.scopes)
    target = next(iter([t async for t in action.locate(client, whose)]))
    await action.apply(client, target, ACTIVE)
    await action.undo(client, target, ACTIVE)
    cloud.granted = set(action.scopes) - {lacking}
    with pytest.raises(Denied) as caught:
        await live(client, action, whose, target, ACTIVE)
    assert caught.value.scope == lacking
