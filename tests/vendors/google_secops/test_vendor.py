"""The instance: its settings, who we are there, what the doctor is told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from killswitch.config import _addresses
from killswitch.hosts import HostGuard
from killswitch.model.errors import Denied, Refused, Unexpected
from killswitch.model.plan import Mode
from killswitch.model.subject import Subject
from killswitch.vendors.google_secops.client import SecOps, Settings
from killswitch.vendors.google_secops.vendor import VENDOR
from tabletop.sims.google_secops import PARENT, GoogleSecOps
from tabletop.sims.google_secops_key import EMAIL, ID
from tests.support import LoopbackLink

LIVE: dict[str, Any] = {
    "url": "https://eu-chronicle.googleapis.com",
    "project": "corp-secops",
    "region": "eu",
    "instance": "0f4a1c2e-0000-4000-8000-00000000fa4e",
    "service_account": "{}",
}


def test_live_it_reaches_its_region_and_googles_token_endpoint_and_nobody_else() -> None:
    guard = HostGuard(Mode.LIVE, _addresses(Settings(**LIVE)))
    guard.allow("https://eu-chronicle.googleapis.com/v1alpha/x")
    guard.allow("https://oauth2.googleapis.com/token")
    for other in ("https://us-chronicle.googleapis.com/", "https://oauth2.googleapis.com:8443/"):
        with pytest.raises(Refused):
            guard.allow(other)


def test_a_token_endpoint_that_is_not_encrypted_cannot_be_reached() -> None:
    url = "http://oauth2.googleapis.com/token"
    guard = HostGuard(Mode.LIVE, _addresses(Settings(**{**LIVE, "token_url": url})))
    with pytest.raises(Refused):
        guard.allow(url)


def test_in_a_drill_a_token_endpoint_elsewhere_is_refused() -> None:
    here = {**LIVE, "url": "http://127.0.0.1:8001"}
    HostGuard(Mode.DRILL, _addresses(Settings(**here))).allow("http://127.0.0.1:8001/token")
    settings = Settings(**{**here, "token_url": "https://oauth2.googleapis.com/token"})
    with pytest.raises(Refused):
        HostGuard(Mode.DRILL, _addresses(settings))


@pytest.mark.parametrize(
    ("given", "endpoint"),
    [
        ({}, "https://oauth2.googleapis.com/token"),
        ({"url": "https://chronicle.eu.rep.googleapis.com"}, "https://oauth2.googleapis.com/token"),
        ({"url": "https://gateway.corp.example/"}, "https://gateway.corp.example/token"),
        (
            {"url": "https://googleapis.com.evil.example"},
            "https://googleapis.com.evil.example/token",
        ),
        ({"token_url": "https://sts.corp.example/t"}, "https://sts.corp.example/t"),
    ],
)
def test_a_token_is_asked_for_at_google_unless_said_otherwise(
    given: dict[str, str], endpoint: str
) -> None:
    assert Settings(**{**LIVE, **given}).token_endpoint == endpoint


@pytest.mark.parametrize(
    "changed",
    [
        {"instance": "corp"},
        {"instance": LIVE["instance"] + "/../x"},
        {"project": "../other"},
        {"project": ""},
        {"region": "eu/instances"},
        {"region": "EU?"},
        {"instance": LIVE["instance"] + "\n"},
    ],
)
def test_what_would_change_the_path_is_no_setting(changed: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Settings(**{**LIVE, **changed})


async def test_nobody_has_an_account_here(client: SecOps, sim: GoogleSecOps) -> None:
    for subject in ("jo@corp.example", "group:agents-pilot", "session:cc-7f31b2"):
        assert list(await VENDOR.resolve(client, Subject.parse(subject))) == []
    assert not sim.exchanges


async def test_we_are_the_service_account(client: SecOps, sim: GoogleSecOps) -> None:
    me = await VENDOR.whoami(client)
    assert (me.id, me.login, me.email, me.connection) == (ID, EMAIL, EMAIL, "google-secops")
    assert [e.path for e in sim.record()] == ["/token", PARENT]


async def test_an_instance_that_is_not_ours_is_unexpected(
    client: SecOps, sim: GoogleSecOps
) -> None:
    body = json.dumps({"name": "projects/1/locations/eu/instances/another"})
    sim.fault("garble", PARENT, body=body)
    with pytest.raises(Unexpected):
        await VENDOR.whoami(client)


async def test_a_project_may_be_answered_by_its_number(client: SecOps, sim: GoogleSecOps) -> None:
    name = f"projects/424242424242/locations/eu/instances/{client.settings.instance}"
    sim.fault("garble", PARENT, body=json.dumps({"name": name}))
    assert (await VENDOR.whoami(client)).id == ID


async def test_a_token_that_was_taken_back_is_fetched_anew(
    client: SecOps, sim: GoogleSecOps
) -> None:
    await VENDOR.whoami(client)
    sim.tokens.clear()
    with pytest.raises(Denied):
        await VENDOR.whoami(client)
    assert (await VENDOR.whoami(client)).id == ID


async def test_check_is_green(client: SecOps, sim: GoogleSecOps) -> None:
    sim.deny_listed_repo("jo@corp.example")
    found = await VENDOR.check(client)
    assert [(c.name, c.ok) for c in found] == [
        ("key", True),
        ("alerts", True),
        ("alert by id", True),
    ]
    assert found[0].detail == EMAIL


async def test_check_without_any_detection(client: SecOps) -> None:
    found = {c.name: c for c in await VENDOR.check(client)}
    assert (found["alerts"].ok, found["alerts"].detail) == (True, "readable; none in a day")


@pytest.mark.parametrize(
    ("missing", "name"),
    [
        ("chronicle.legacies.legacySearchDetections", "alerts"),
        ("chronicle.legacies.legacyGetAlert", "alert by id"),
    ],
)
async def test_check_names_the_permission_that_is_missing(
    client: SecOps, sim: GoogleSecOps, missing: str, name: str
) -> None:
    sim.granted = {"chronicle.instances.get", *VENDOR.alerts.scopes} - {missing}
    found = {c.name: c for c in await VENDOR.check(client)}
    assert found[name].ok is False
    assert missing in found[name].fix
    assert [n for n, c in found.items() if c.ok is False] == [name]


async def test_check_with_a_key_that_is_none(sim: GoogleSecOps) -> None:
    settings = Settings(**{**sim.settings(), "service_account": "-"})
    client = VENDOR.connect(settings, LoopbackLink("google-secops"))
    assert [(c.name, c.ok) for c in await VENDOR.check(client)] == [("key", False)]
