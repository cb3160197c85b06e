"""Every vendor: how it connects, whom it finds, what it says of itself. Reads only."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from killswitch import catalogue
from killswitch.model.errors import VendorError
from killswitch.model.subject import Account, Kind, Subject
from killswitch.model.vendor import Settings, Vendor
from tabletop.sims.run import SIMS
from tests.contract.conftest import SetStage
from tests.contract.walk import EMAIL, VENDORS, every_vendor
from tests.support import LoopbackLink

AnyVendor = Vendor[Any]

with_actions = pytest.mark.parametrize(
    "vendor", [pytest.param(v, id=v.name) for v in VENDORS if v.actions]
)
with_admins = pytest.mark.parametrize(
    "vendor", [pytest.param(v, id=v.name) for v in VENDORS if v.admins]
)
with_members = pytest.mark.parametrize(
    "vendor", [pytest.param(v, id=v.name) for v in VENDORS if v.members]
)


def test_every_vendor_has_a_simulator() -> None:
    assert catalogue.VENDORS.keys() == SIMS.keys()


@every_vendor
def test_a_vendor_is_known_by_its_name(vendor: AnyVendor) -> None:
    assert catalogue.vendor(vendor.name) is vendor
    assert catalogue.VENDORS[vendor.name] == f"killswitch.vendors.{vendor.name}.vendor"
    assert vendor.title
    assert issubclass(vendor.settings, Settings)


@every_vendor
def test_the_simulators_settings_are_the_vendors(vendor: AnyVendor, stage_of: SetStage) -> None:
    settings = stage_of(vendor.name).settings()
    assert settings.url.startswith("http://127.0.0.1:")
    with pytest.raises(ValueError, match="frozen"):
        settings.url = "https://elsewhere.example"


@every_vendor
async def test_to_connect_is_to_send_nothing(vendor: AnyVendor, stage_of: SetStage) -> None:
    stage = stage_of(vendor.name)
    link = LoopbackLink("some-connection")
    client = stage.connect(link)
    assert link.asked == []
    assert list(stage.sim.exchanges) == []
    await client.aclose()


@every_vendor
async def test_who_is_asked_for_is_found(vendor: AnyVendor, stage_of: SetStage) -> None:
    stage = stage_of(vendor.name)
    client = stage.connect(LoopbackLink("some-connection"))
    for text in stage.sim.subjects():
        subject = Subject.parse(text)
        found = await vendor.resolve(client, subject)
        assert found, text
        assert list(found) == list(await vendor.resolve(client, subject))
        for account in found:
            _is_an_account(account, vendor)
            assert account.mark == "", "the engine marks, not the vendor"
            if subject.kind is Kind.PERSON:
                assert account.email == EMAIL
                assert account.enabled


def _is_an_account(account: Account, vendor: AnyVendor) -> None:
    assert (account.vendor, account.connection) == (vendor.name, "some-connection")
    assert account.id
    assert account.label


# The part before the @ in another domain, a part of it, one that begins and one that ends alike.
STRANGERS = [
    "jo@corp.example.evil.example",
    "o@corp.example",
    "jo.marsh@corp.example",
    "jo@corp.exampl",
    "nobody@corp.example",
]


@with_actions
@pytest.mark.parametrize("stranger", STRANGERS)
async def test_nobody_is_found_by_likeness(
    vendor: AnyVendor, stranger: str, stage_of: SetStage
) -> None:
    client = stage_of(vendor.name).connect()
    assert list(await vendor.resolve(client, Subject.parse(stranger))) == []


@with_actions
async def test_a_credential_that_nobody_knows_is_nobodys(
    vendor: AnyVendor, stage_of: SetStage
) -> None:
    stage = stage_of(vendor.name)
    client = stage.connect()
    for name in ("AKIAAAAAAAAAAAAAAAAA", "apikey_01nobody", "leaked-nobody", "nothing"):
        assert list(await vendor.resolve(client, Subject(Kind.CREDENTIAL, name))) == []


@every_vendor
async def test_we_know_who_we_are(vendor: AnyVendor, stage_of: SetStage) -> None:
    client = stage_of(vendor.name).connect(LoopbackLink("some-connection"))
    us = await vendor.whoami(client)
    _is_an_account(us, vendor)
    assert us == await vendor.whoami(client)
    assert us.id not in [a.id for a in await vendor.resolve(client, Subject.parse(EMAIL))]


@every_vendor
async def test_doctor_finds_nothing_wrong_with_the_simulators(
    vendor: AnyVendor, stage_of: SetStage
) -> None:
    checks = await vendor.check(stage_of(vendor.name).connect())
    assert checks
    assert [c for c in checks if c.ok is False] == []
    assert all(c.name and c.detail for c in checks)
    assert any(c.ok for c in checks)


@every_vendor
async def test_doctor_finds_that_nothing_is_granted(vendor: AnyVendor, stage_of: SetStage) -> None:
    stage = stage_of(vendor.name)
    client = stage.connect()
    stage.sim.granted = set()
    wrong = [c for c in await vendor.check(client) if c.ok is False]
    assert wrong
    assert all(c.fix for c in wrong), "what is wrong says how it is mended"


@every_vendor
async def test_doctor_survives_a_vendor_that_is_down(vendor: AnyVendor, stage_of: SetStage) -> None:
    """A check that says so, or the error."""
    stage = stage_of(vendor.name)
    client = stage.connect()
    stage.sim.fault("status", status=503)
    try:
        checks = await vendor.check(client)
    except VendorError:
        return
    assert any(c.ok is False for c in checks)


@with_admins
async def test_administrators_are_listed_by_the_ids_that_people_have(
    vendor: AnyVendor, stage_of: SetStage
) -> None:
    assert vendor.admins
    client = stage_of(vendor.name).connect(LoopbackLink("some-connection"))
    listed = {a.id: a for a in await vendor.admins(client)}
    assert len(listed) >= 2
    for account in listed.values():
        _is_an_account(account, vendor)
        assert account.admin
        assert account.enabled
    for email in ("ada@corp.example", "ben@corp.example"):
        [own] = await vendor.resolve(client, Subject.parse(email))
        assert own.admin
        assert own.id in listed
    [jo] = await vendor.resolve(client, Subject.parse(EMAIL))
    assert not jo.admin
    assert jo.id not in listed


@with_members
async def test_members_of_a_group_are_addresses(vendor: AnyVendor, stage_of: SetStage) -> None:
    assert vendor.members
    client = stage_of(vendor.name).connect()
    assert list(await vendor.members(client, "eng-leads")) == [
        "lee@corp.example",
        "ria@corp.example",
    ]


@every_vendor
async def test_looking_writes_nothing(vendor: AnyVendor, stage_of: SetStage) -> None:
    stage = stage_of(vendor.name)
    before = copy.deepcopy(stage.sim.state)
    client = stage.connect()
    await stage.accounts(client)
    await vendor.whoami(client)
    await vendor.check(client)
    if vendor.admins:
        await vendor.admins(client)
    assert stage.sim.state == before
    assert [e.line for e in stage.sim.record() if e.wrote] == []
