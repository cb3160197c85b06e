"""aws.role_sessions.revoke."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from killswitch.model import codec
from killswitch.model.errors import Denied, Missing
from killswitch.model.subject import Account
from killswitch.vendors.aws.client import Aws
from killswitch.vendors.aws.policies import DENY_ALL, Inline, revocation, revoked_before
from killswitch.vendors.aws.role_sessions import Revoke, Role
from tabletop.sims.aws import Aws as Cloud
from tabletop.sims.aws_policy import document
from tabletop.sims.run import Simulators
from tests.vendors.aws.conftest import JO, MARK, contain, keys_of, live, suspect, targets, tries

REVOKE = Revoke()
NOTHING = Inline(applied=False)
NAME = "agent-claude-code-jo"


async def role(client: Aws) -> Role:
    found: Role = (await targets(client, REVOKE))[f"role {NAME}"]
    return found


def cut_off(cloud: Cloud) -> datetime:
    found = revoked_before(cloud.state["roles"][NAME]["inline"][MARK])
    assert found is not None
    return found


async def test_the_plan_writes_nothing(client: Aws, cloud: Cloud) -> None:
    before = cloud.world.snapshot()
    found = await targets(client, REVOKE)
    assert sorted(found) == ["role agent-claude-code-jo", "role agent-codex-jo"]
    for target in found.values():
        state = await REVOKE.capture(client, target)
        assert state == NOTHING
        assert REVOKE.goal(target, REVOKE.goal(target, state)) == Inline(applied=True)
        assert target.role_name in REVOKE.impact(target, state)
    assert cloud.world.snapshot() == before
    assert not any(exchange.wrote for exchange in cloud.record())


async def test_targets_survive_json(client: Aws) -> None:
    target = await role(client)
    assert codec.load(Role, codec.dump(target)) == target


async def test_old_sessions_are_refused_and_new_ones_are_not(
    client: Aws, sims: Simulators, cloud: Cloud
) -> None:
    await contain(client, REVOKE)
    can = await tries(sims)
    in_roles = {what: ok for what, ok in can.items() if "of role/" in what}
    assert len(in_roles) == 3
    assert not any(in_roles.values())
    cloud.ahead = 5  # somebody assumes the role anew, five seconds later
    arn = cloud.state["roles"][NAME]["arn"]
    key = keys_of(cloud, "jo")[0]
    anew = await suspect(
        cloud, key, "sts", Action="AssumeRole", RoleArn=arn, RoleSessionName="anew"
    )
    found = re.search("<AccessKeyId>([^<]+)<", anew.text)
    assert found
    assert (await suspect(cloud, found[1], Action="ListUsers")).status_code == 200


async def test_a_second_apply_never_moves_the_moment(client: Aws, cloud: Cloud) -> None:
    planned = codec.dump(await role(client))
    target = codec.load(Role, {**planned, "since": "2020-01-01T00:00:00Z"})
    first = revocation(datetime.now(UTC) - timedelta(hours=1))  # applied an hour ago
    cloud.state["roles"][NAME]["inline"][MARK] = first
    assert await REVOKE.capture(client, target) == Inline(applied=True)
    await REVOKE.apply(client, target, NOTHING)
    assert cloud.state["roles"][NAME]["inline"][MARK] == first
    assert "Action=PutRolePolicy" in cloud.record()[-1].line, "apply always acts"


async def test_the_moment_is_the_vendors_and_just_after_now(client: Aws, cloud: Cloud) -> None:
    target = await role(client)
    await REVOKE.apply(client, target, NOTHING)
    now = datetime.now(UTC)
    assert now - timedelta(seconds=5) < cut_off(cloud) <= now + timedelta(seconds=1)
    assert cut_off(cloud) > datetime.fromisoformat(target.since)


async def test_a_revocation_from_before_the_plan_does_not_count(client: Aws, cloud: Cloud) -> None:
    old = revocation(datetime(2024, 5, 7, tzinfo=UTC))
    cloud.state["roles"][NAME]["inline"][MARK] = old
    target = await role(client)
    state = await REVOKE.capture(client, target)
    assert state == Inline(applied=False, other=old)
    await REVOKE.apply(client, target, state)
    assert cut_off(cloud) >= datetime.fromisoformat(target.since)
    await REVOKE.undo(client, target, state)
    assert cloud.state["roles"][NAME]["inline"][MARK] == old


@pytest.mark.parametrize(
    "text",
    [
        DENY_ALL,
        document("Deny", "s3:*"),
        '{"Version":"2012-10-17","Statement":[]}',
        '{"Version":"2012-10-17","Statement":{"Effect":"Deny"}}',
        revocation(datetime(2030, 1, 1, tzinfo=UTC)).replace('"Resource":"*"', '"Resource":"x"'),
        revocation(datetime(2030, 1, 1, tzinfo=UTC)).replace("2030-01-01", "soon"),
        "no json",
    ],
)
def test_only_our_own_shape_is_a_revocation(text: str) -> None:
    assert revoked_before(text) is None


def test_a_revocation_laid_out_anew_is_still_one() -> None:
    moment = datetime(2030, 1, 1, tzinfo=UTC)
    assert revoked_before(json.dumps(json.loads(revocation(moment)), indent=2)) == moment


async def test_undo_brings_the_account_back_twice_too(client: Aws, cloud: Cloud) -> None:
    before = cloud.world.snapshot()
    done = await contain(client, REVOKE)
    assert cloud.world.snapshot() != before
    for _ in range(2):
        for target, state in done:
            await REVOKE.undo(client, target, state)
        assert cloud.world.snapshot() == before


async def test_undo_leaves_what_was_there_before_us(client: Aws, cloud: Cloud) -> None:
    target = await role(client)
    cloud.state["roles"][NAME]["inline"][MARK] = revocation(datetime.now(UTC) + timedelta(hours=1))
    before = cloud.world.snapshot()
    state = await REVOKE.capture(client, target)
    assert state == Inline(applied=True)
    await REVOKE.apply(client, target, state)
    await REVOKE.undo(client, target, state)
    assert cloud.world.snapshot() == before


async def test_a_role_made_anew_under_the_name_is_left_alone(client: Aws, cloud: Cloud) -> None:
    target = await role(client)
    cloud.state["roles"][NAME]["id"] = "AROASOMEBODYELSE22222"
    with pytest.raises(Missing):
        await REVOKE.capture(client, target)
    for verb in (REVOKE.apply, REVOKE.undo):
        with pytest.raises(Missing):
            await verb(client, target, NOTHING)
    assert MARK not in cloud.state["roles"][NAME]["inline"]


async def test_what_nobody_may_change_is_a_persons_task(client: Aws, cloud: Cloud) -> None:
    roles = cloud.state["roles"]
    roles["AWSServiceRoleForSupport"]["tags"]["owner"] = JO
    roles["killswitch"]["tags"]["owner"] = JO
    roles[NAME]["inline"]["big"] = document("Allow", *(f"s3:GetThing{n:03}" for n in range(610)))
    found = await targets(client, REVOKE)
    assert "AWS owns" in found["role AWSServiceRoleForSupport"].manual
    assert "leave no room" in found[f"role {NAME}"].manual
    assert not found["role killswitch"].manual, "we run as the user, not as the role"
    assert not found["role agent-codex-jo"].manual


async def test_the_probe_asks_iam_about_a_session_of_the_plans_time(
    client: Aws, cloud: Cloud
) -> None:
    target = await role(client)
    before = await REVOKE.probe(client, target)
    assert before is not None
    assert before.refused is False
    await REVOKE.apply(client, target, NOTHING)
    after = await REVOKE.probe(client, target)
    assert after is not None
    assert after.refused is True
    cloud.granted = set(REVOKE.scopes)
    unknown = await REVOKE.probe(client, target)
    assert unknown is not None
    assert unknown.refused is None


@pytest.mark.parametrize("lacking", sorted(REVOKE.scopes))
async def test_each_scope_is_needed_and_together_they_suffice(
    client: Aws, cloud: Cloud, lacking: str
) -> None:
    who = Account(connection="aws", vendor="aws", id="", login="", label="", email=JO, mark=MARK)
    cloud.granted = set(REVOKE.scopes)
    target = next(iter([t async for t in REVOKE.locate(client, who)]))
    await REVOKE.apply(client, target, await REVOKE.capture(client, target))
    await REVOKE.undo(client, target, NOTHING)
    cloud.granted = set(REVOKE.scopes) - {lacking}
    with pytest.raises(Denied) as caught:
        await live(client, REVOKE, who, target, NOTHING)
    assert caught.value.scope == lacking
