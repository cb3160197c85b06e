"""What goes over the wire, held to Okta's published OpenAPI document."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from killswitch.model.collector import Window
from killswitch.model.errors import Denied, Missing, Unexpected, VendorError
from killswitch.vendors.okta.client import Okta
from killswitch.vendors.okta.users import SuspendUser, User, UserState
from killswitch.vendors.okta.vendor import VENDOR
from tabletop.sims.okta import Okta as Org
from tests.contract import spec
from tests.vendors.okta.conftest import account

DOCUMENT = "okta-management"
spec.require(DOCUMENT)


async def test_a_whole_kill_speaks_as_okta_documents(client: Okta, org: Org) -> None:
    assert VENDOR.admins
    assert VENDOR.members
    jo = await account(client)
    await VENDOR.whoami(client)
    await VENDOR.check(client)
    await VENDOR.admins(client)
    await VENDOR.members(client, "eng-leads")
    org.page = 2
    now = datetime.now(UTC)
    for collector in VENDOR.collectors:
        async for _ in collector().collect(client, jo, Window(now - timedelta(days=7), now)):
            pass
    for kind in VENDOR.actions:
        action = kind()
        async for target in action.locate(client, jo):
            before = await action.capture(client, target)
            await action.apply(client, target, before)
            await action.capture(client, target)
            await action.undo(client, target, before)
    assert len(org.exchanges) > 50
    assert spec.violations(DOCUMENT, org.record()) == []


async def test_refusals_are_those_that_okta_documents(client: Okta, org: Org) -> None:
    suspend = SuspendUser()
    refused: list[tuple[str, type[VendorError]]] = [
        ("locked.out@", Unexpected),
        ("ada@", Denied),
    ]
    for email, error in refused:
        someone = await account(client, email + "corp.example")
        target = User(id=someone.id, label=email)
        try:
            await suspend.apply(client, target, UserState("ACTIVE"))
        except error:
            continue
        raise AssertionError(f"{email} was suspended")
    try:
        await client.get("/api/v1/users/00unobody/groups")
    except Missing:
        assert {e.status for e in org.record()} >= {200, 400, 403, 404}
    assert spec.violations(DOCUMENT, org.record()) == []


async def test_a_stray_answer_would_be_found(client: Okta, org: Org) -> None:
    jo = await account(client)
    org.state["users"][jo.id]["status"] = "ON_HOLIDAY"
    await client.get(f"/api/v1/users/{jo.id}")
    found = spec.violations(DOCUMENT, org.record()[-1:])
    assert len(found) == 1
    assert "ON_HOLIDAY" in found[0]
