"""The simulator against AWS's published service models, in all flows of ours and the suspect's."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from killswitch.model.collector import Window
from killswitch.model.errors import Missing, VendorError
from killswitch.model.subject import Subject
from killswitch.vendors.aws.client import Aws
from killswitch.vendors.aws.vendor import ACTIONS, COLLECTORS, VENDOR
from tabletop.sims.aws import Aws as Cloud
from tabletop.sims.run import Simulators
from tests.vendors.aws.conftest import JO, account, connect, contain, keys_of, suspect, tries
from tests.vendors.aws.spec import violations

READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"


def wrong(cloud: Cloud) -> list[str]:
    return sorted({v for exchange in cloud.record() for v in violations(exchange)})


async def test_every_flow_of_ours_conforms(cloud: Cloud, sims: Simulators) -> None:
    client = connect(cloud, role_arn=cloud.state["roles"]["killswitch"]["arn"])
    cloud.page = 4
    await tries(sims)
    await VENDOR.check(client)
    assert VENDOR.admins
    await VENDOR.admins(client)
    now = datetime.now(UTC)
    for collector in COLLECTORS:
        whose = await account(client)
        window = Window(now - timedelta(days=1), now)
        assert [a async for a in collector().collect(client, whose, window)]
    for kind in ACTIONS:
        action = kind()
        subject = f"credential:{keys_of(cloud, 'jo')[0]}" if "access_key." in action.name else JO
        for target, before in await contain(client, action, subject):
            await action.probe(client, target)
            await action.undo(client, target, before)
            await action.undo(client, target, before)
    assert await VENDOR.resolve(client, Subject.parse("credential:AKIANOSUCHKEY2222222")) == []
    await tries(sims)
    assert wrong(cloud) == []
    await client.aclose()


async def test_the_operations_that_others_use_conform(client: Aws, cloud: Cloud) -> None:
    async def call(operation: str, **params: str) -> None:
        await client.call("iam", operation, **params)

    for name in ("jo", "ada"):
        for verb in ("attach_user_policy", "list_attached_user_policies", "detach_user_policy"):
            more = {} if verb.startswith("list") else {"PolicyArn": READ_ONLY}
            await call(verb, UserName=name, **more)
        for verb in ("list_user_tags", "list_groups_for_user", "get_login_profile"):
            await call(verb, UserName=name)
    await call("attach_role_policy", RoleName="ci-deploy", PolicyArn=READ_ONLY)
    await call("detach_role_policy", RoleName="ci-deploy", PolicyArn=READ_ONLY)
    await call("list_role_tags", RoleName="ci-deploy")
    await call("list_roles")
    await call("list_users")
    await call("get_account_summary")
    await call("create_access_key", UserName="max")
    [minted] = keys_of(cloud, "max")
    await call("delete_access_key", UserName="max", AccessKeyId=minted)
    with pytest.raises(Missing):
        await call("delete_access_key", UserName="max", AccessKeyId=minted)
    await client.call("sts", "get_session_token")
    assert wrong(cloud) == []


async def test_refusals_conform(client: Aws, cloud: Cloud) -> None:
    full = {"Version": "2012-10-17"}
    for operation, params in (
        ("get_user", {"UserName": "nobody"}),
        ("create_access_key", {"UserName": "jo"}),
        ("put_user_policy", {"UserName": "jo", "PolicyName": "p", "PolicyDocument": str(full)}),
        (
            "put_role_policy",
            {"RoleName": "AWSServiceRoleForSupport", "PolicyName": "p", "PolicyDocument": "{}"},
        ),
        ("list_users", {"Marker": "nonsense"}),
    ):
        with pytest.raises(VendorError):
            await client.call("iam", operation, **params)
    cloud.trail.rate = 0.1
    await client.call("cloudtrail", "lookup_events")
    with pytest.raises(VendorError):
        await client.call("cloudtrail", "lookup_events")
    cloud.granted = set()
    with pytest.raises(VendorError):
        await client.call("cloudtrail", "lookup_events")
    await suspect(cloud, "AKIANOBODY2222222222", Action="GetUser")
    assert len([e for e in cloud.record() if e.status >= 400]) == 8
    assert wrong(cloud) == []


async def test_the_check_itself_finds_what_is_wrong(client: Aws, cloud: Cloud) -> None:
    await client.call("iam", "list_access_keys", UserName="jo")
    [good] = cloud.record()
    assert violations(good) == []
    for old, new in (
        (b"<Status>Active<", b"<Status>On<"),
        (b"UserName>", b"User>"),
        (b"<AccessKeyId>AKIA", b"<AccessKeyId>!"),
        (b"IsTruncated>false", b"IsTruncated>no"),
        (b"RequestId", b"Id"),
    ):
        body = good.response_body.replace(old, new)
        assert violations(replace(good, response_body=body)), old
    asked = good.request_body.replace(b"UserName", b"User")
    assert violations(replace(good, request_body=asked))
