"""aws.user.deny_all."""

from __future__ import annotations

import json

import pytest

from killswitch.model import codec
from killswitch.model.errors import Denied, Missing, Transient, Unexpected
from killswitch.model.subject import Account
from killswitch.vendors.aws.client import Aws
from killswitch.vendors.aws.policies import DENY_ALL, Inline
from killswitch.vendors.aws.users import DenyAll, User
from tabletop.sims.aws import Aws as Cloud
from tabletop.sims.aws_policy import document
from tabletop.sims.run import Simulators
from tests.vendors.aws.conftest import MARK, contain, keys_of, live, suspect, targets, tries

DENY = DenyAll()
NOTHING = Inline(applied=False)


async def jo(client: Aws) -> User:
    found: User = (await targets(client, DENY))["user jo"]
    return found


async def test_the_plan_writes_nothing(client: Aws, cloud: Cloud) -> None:
    before = cloud.world.snapshot()
    found = await targets(client, DENY)
    assert sorted(found) == ["user codex-jo", "user jo"]
    for target in found.values():
        state = await DENY.capture(client, target)
        assert state == NOTHING
        assert DENY.goal(target, DENY.goal(target, state)) == Inline(applied=True)
    assert cloud.world.snapshot() == before
    assert not any(exchange.wrote for exchange in cloud.record())


async def test_targets_carry_the_immutable_id_and_survive_json(client: Aws, cloud: Cloud) -> None:
    target = await jo(client)
    assert target.id == cloud.state["users"]["jo"]["id"]
    assert target.policy == MARK
    assert codec.load(User, codec.dump(target)) == target
    assert codec.load(Inline, codec.dump(Inline(False, "{}"))) == Inline(False, "{}")


async def test_keys_and_their_sessions_are_denied_role_sessions_are_not(
    client: Aws, sims: Simulators
) -> None:
    could, kim = await tries(sims), await tries(sims, "kim@corp.example")
    await contain(client, DENY)
    can = await tries(sims)
    assert could.keys() == can.keys()
    still = {what for what, allowed in can.items() if allowed}
    assert still == {
        f"call in the session {s} of role/agent-{a}"
        for a, s in [
            ("claude-code-jo", "cc-7f31b2"),
            ("claude-code-jo", "cc-80a4d1"),
            ("codex-jo", "cx-19be02"),
        ]
    }, "aws.role_sessions.revoke is for these"
    assert "call in the session claude-code-jo-mfa of user/jo" in could
    assert await tries(sims, "kim@corp.example") == kim, "others work on"


async def test_applied_twice_is_applied_once(client: Aws, cloud: Cloud) -> None:
    target = await jo(client)
    await DENY.apply(client, target, NOTHING)
    once = cloud.world.snapshot()
    await DENY.apply(client, target, NOTHING)
    assert cloud.world.snapshot() == once
    assert cloud.state["users"]["jo"]["inline"] == {MARK: DENY_ALL}
    assert await DENY.capture(client, target) == Inline(applied=True)


async def test_undo_deletes_exactly_ours_twice_too(client: Aws, cloud: Cloud) -> None:
    cloud.state["users"]["jo"]["inline"]["own"] = document("Allow", "s3:*")
    before = cloud.world.snapshot()
    done = await contain(client, DENY)
    for _ in range(2):
        for target, state in done:
            await DENY.undo(client, target, state)
        assert cloud.world.snapshot() == before


async def test_a_policy_of_our_name_comes_back_to_the_byte(client: Aws, cloud: Cloud) -> None:
    odd = '{ "Statement" : [{"Resource":"*",\n "Action":"s3:*","Effect":"Deny"}] }'
    cloud.state["users"]["jo"]["inline"][MARK] = odd
    target = await jo(client)
    state = await DENY.capture(client, target)
    assert state == Inline(applied=False, other=odd)
    await DENY.apply(client, target, state)
    assert await DENY.capture(client, target) == Inline(applied=True)
    await DENY.undo(client, target, state)
    assert cloud.state["users"]["jo"]["inline"][MARK] == odd


async def test_our_policy_laid_out_anew_is_still_ours(client: Aws, cloud: Cloud) -> None:
    cloud.state["users"]["jo"]["inline"][MARK] = json.dumps(json.loads(DENY_ALL), indent=4)
    target = await jo(client)
    state = await DENY.capture(client, target)
    assert DENY.goal(target, state) == state == Inline(applied=True)
    await DENY.undo(client, target, state)
    assert await DENY.capture(client, target) == state, "it was there before us"


async def test_a_weakened_policy_is_not_taken_for_ours(client: Aws, cloud: Cloud) -> None:
    target = await jo(client)
    await DENY.apply(client, target, NOTHING)
    cloud.state["users"]["jo"]["inline"][MARK] = document("Deny", "s3:*")
    assert not (await DENY.capture(client, target)).applied


async def test_a_user_who_was_renamed_is_followed(client: Aws, cloud: Cloud) -> None:
    target = await jo(client)
    cloud.state["users"]["jo.marsh"] = cloud.state["users"].pop("jo")
    for its in cloud.state["keys"].values():
        its["user"] = its["user"].replace("jo", "jo.marsh") if its["user"] == "jo" else its["user"]
    assert await DENY.capture(client, target) == NOTHING
    await DENY.apply(client, target, NOTHING)
    assert MARK in cloud.state["users"]["jo.marsh"]["inline"]
    await DENY.undo(client, target, NOTHING)
    assert not cloud.state["users"]["jo.marsh"]["inline"]


async def test_whoever_got_the_name_since_is_left_alone(client: Aws, cloud: Cloud) -> None:
    target = await jo(client)
    cloud.state["users"]["jo"]["id"] = "AIDASOMEBODYELSE22222"
    for verb in (DENY.apply, DENY.undo):
        with pytest.raises(Missing):
            await verb(client, target, NOTHING)
    with pytest.raises(Missing):
        await DENY.capture(client, target)
    assert not cloud.state["users"]["jo"]["inline"]


async def test_where_there_is_no_room_a_person_must_act(client: Aws, cloud: Cloud) -> None:
    full = document("Allow", *(f"s3:GetThing{n:03}" for n in range(120)))
    assert len("".join(full.split())) > 2048 - len(DENY_ALL)
    cloud.state["users"]["jo"]["inline"]["big"] = full
    assert "AWSDenyAll" in (await jo(client)).manual
    cloud.state["users"]["jo"]["inline"] = {"big": full[:-2] + " " * 500 + "]}"}
    assert "AWSDenyAll" in (await jo(client)).manual, "blanks do not count"


async def test_a_quota_that_fills_up_meanwhile_is_said(client: Aws, cloud: Cloud) -> None:
    target = await jo(client)
    cloud.state["users"]["jo"]["inline"]["big"] = document(
        "Allow", *(f"s3:GetThing{n:03}" for n in range(120))
    )
    with pytest.raises(Unexpected, match="LimitExceeded") as caught:
        await DENY.apply(client, target, NOTHING)
    assert caught.value.hint


async def test_our_own_user_is_never_hit(client: Aws, cloud: Cloud) -> None:
    cloud.state["users"]["killswitch"]["tags"]["owner"] = "jo@corp.example"
    found = await targets(client, DENY)
    assert "killswitch itself" in found["user killswitch"].manual
    assert not found["user jo"].manual


async def test_the_probe_asks_iam_what_the_user_may_do(client: Aws, cloud: Cloud) -> None:
    target = await jo(client)
    before = await DENY.probe(client, target)
    assert before is not None
    assert before.refused is False
    await DENY.apply(client, target, NOTHING)
    after = await DENY.probe(client, target)
    assert after is not None
    assert after.refused is True
    cloud.granted = set(DENY.scopes)
    unknown = await DENY.probe(client, target)
    assert unknown is not None
    assert unknown.refused is None
    assert "iam:SimulatePrincipalPolicy" in unknown.how


async def test_a_stale_read_shows_before_until_it_does_not(client: Aws, cloud: Cloud) -> None:
    target = await jo(client)
    cloud.fault("stale", "Action=GetUserPolicy")
    await DENY.apply(client, target, NOTHING)
    assert await DENY.capture(client, target) == NOTHING, "IAM is eventually consistent"
    cloud.heal()
    assert await DENY.capture(client, target) == Inline(applied=True)


async def test_a_success_that_did_nothing_is_found_out(client: Aws, cloud: Cloud) -> None:
    target = await jo(client)
    cloud.fault("lie", "Action=PutUserPolicy", status=200, body="<PutUserPolicyResponse/>")
    await DENY.apply(client, target, NOTHING)
    assert await DENY.capture(client, target) == NOTHING
    answer = await suspect(cloud, keys_of(cloud, "jo")[0], Action="ListUsers")
    assert answer.status_code == 200


async def test_broken_after_the_effect_is_sent_and_read_back_decides(
    client: Aws, cloud: Cloud
) -> None:
    target = await jo(client)
    cloud.fault("drop-after", "Action=PutUserPolicy", times=1)
    with pytest.raises(Transient) as caught:
        await DENY.apply(client, target, NOTHING)
    assert caught.value.sent
    assert await DENY.capture(client, target) == Inline(applied=True)


@pytest.mark.parametrize("lacking", sorted(DENY.scopes))
async def test_each_scope_is_needed_and_together_they_suffice(
    client: Aws, cloud: Cloud, lacking: str
) -> None:
    cloud.granted = set(DENY.scopes)
    target = await jo(client)
    await DENY.apply(client, target, NOTHING)
    await DENY.undo(client, target, await DENY.capture(client, target))
    await DENY.undo(client, target, NOTHING)
    cloud.granted = set(DENY.scopes) - {lacking}
    with pytest.raises(Denied) as caught:
        await live(client, DENY, _plain_account(target), target, NOTHING)
    assert caught.value.scope == lacking


def _plain_account(target: User) -> Account:
    return Account(connection="aws", vendor="aws", id=target.id, login="jo", label="jo")
