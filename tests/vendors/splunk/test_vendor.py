from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from killswitch.model.collector import Window
from killswitch.model.subject import Subject
from killswitch.vendors.splunk.client import Settings, Splunk
from killswitch.vendors.splunk.evidence import Trail
from killswitch.vendors.splunk.vendor import VENDOR, _clock
from tabletop.sims.splunk import Splunk as SearchHead
from tests.support import LoopbackLink


async def test_the_subject_is_its_own_account(client: Splunk, sim: SearchHead) -> None:
    (jo,) = await VENDOR.resolve(client, Subject.parse("jo@corp.example"))
    (session,) = await VENDOR.resolve(client, Subject.parse("session:cc-7f31b2"))
    (agent,) = await VENDOR.resolve(client, Subject.parse("agent:claude-code-jo"))
    assert (jo.id, jo.email, jo.session, jo.aliases) == (jo.login, "jo@corp.example", "", ())
    assert (session.email, session.session) == ("", "cc-7f31b2")
    assert agent.aliases == ("claude-code-jo",)
    assert not sim.exchanges


async def test_a_person_is_searched_with_the_agents_that_the_configuration_gives(
    sim: SearchHead,
) -> None:
    client = VENDOR.connect(Settings(**sim.settings()), LoopbackLink("splunk"))
    (jo,) = await VENDOR.resolve(client, Subject.parse("jo@corp.example"))
    now = datetime.now(UTC)
    trail = Trail().collect(client, jo, Window(now - timedelta(days=7), now))
    asked = {artifact.query async for artifact in trail}
    await client.aclose()
    assert jo.aliases == ("claude-code-jo", "codex-jo")
    assert {q.split(" ", 2)[2].split(" |")[0] for q in asked} == {
        'user="jo@corp.example"',
        'agent="claude-code-jo"',
        'agent="codex-jo"',
    }


@pytest.mark.parametrize("subject", ["group:agents-pilot", "credential:AKIAFAKE"])
async def test_groups_and_credentials_are_nobody_here(client: Splunk, subject: str) -> None:
    assert await VENDOR.resolve(client, Subject.parse(subject)) == []


async def test_whoami_is_the_service_account(client: Splunk) -> None:
    me = await VENDOR.whoami(client)
    assert (me.id, me.email) == ("svc-killswitch", "svc-killswitch@corp.example")


async def test_check_is_green(client: Splunk, sim: SearchHead) -> None:
    sim.fire("Agent tool call to a deny-listed repository", [{"user": "jo@corp.example"}])
    assert [(c.name, c.ok) for c in await VENDOR.check(client)] == [
        ("token", True),
        ("clock", True),
        ("index", True),
        ("alerts", True),
    ]


async def test_check_without_the_search_capability(client: Splunk, sim: SearchHead) -> None:
    sim.granted = set()
    found = {c.name: c.ok for c in await VENDOR.check(client)}
    assert (found["index"], found["alerts"]) == (False, False)


async def test_no_alert_in_sight_is_a_question(client: Splunk, sim: SearchHead) -> None:
    sim.fire("Not tracked", [{"user": "jo@corp.example"}], track=False)
    found = {c.name: c for c in await VENDOR.check(client)}["alerts"]
    assert found.ok is None
    assert "alert.track = 1" in found.fix


async def test_an_index_that_is_closed_to_us_is_a_question(client: Splunk, sim: SearchHead) -> None:
    sim.state["indexes"] = []
    found = {c.name: c for c in await VENDOR.check(client)}["index"]
    assert found.ok is None
    assert "srchIndexesAllowed" in found.fix


@pytest.mark.parametrize(
    ("date", "ok"), [("Tue, 01 Jan 2019 00:00:00 GMT", False), ("", None), ("yesterday", None)]
)
def test_a_clock_that_is_off_or_unknown(date: str, ok: bool | None) -> None:
    assert _clock(date).ok is ok


async def test_check_with_a_token_that_is_refused(client: Splunk, sim: SearchHead) -> None:
    sim.fault("status", status=401, headers={"connection": "close"})
    assert [(c.name, c.ok) for c in await VENDOR.check(client)] == [("token", False)]
