"""Alerts read again by their uuids, and the shape in which they come."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from killswitch.model.errors import Denied, Missing, Transient, Unexpected
from killswitch.vendors.elastic.client import Elastic
from tabletop.sims.elastic import Elastic as Cluster
from tests.support import LoopbackLink
from tests.vendors.elastic.conftest import connected
from tests.vendors.elastic.support import ABSENT, NOW, ONE, READER, Json, answer, recent
from tests.vendors.support import DEV, sample, shipped

# -- references ----------------------------------------------------------------------------------


def test_a_push_names_all_its_alerts_each_once(sim: Cluster) -> None:
    one, other = sim.deny_listed_repo(DEV), sim.deny_listed_repo("kim@corp.example")
    assert list(READER.references(sim.pushed(one, other, one))) == [one, other]


def test_the_sample_names_its_alert() -> None:
    assert list(READER.references(sample("elastic"))) == [ABSENT]


@pytest.mark.parametrize(
    "alert", [{"kibana.alert.uuid": ABSENT}, {"kibana": {"alert": {"uuid": ABSENT}}}]
)
def test_a_uuid_is_found_dotted_or_nested(alert: Json) -> None:
    assert list(READER.references({"alerts": [alert]})) == [ABSENT]


@pytest.mark.parametrize(
    "uuid", [ABSENT, ABSENT[:40], "6f0f4f2e-0d2a-4c6e-9a51-1d3f7c1a0003", ABSENT.upper()]
)
def test_every_form_of_uuid_is_a_reference(uuid: str) -> None:
    assert list(READER.references({"alerts": [{"kibana.alert.uuid": uuid}]})) == [uuid]


def test_an_alert_with_two_uuids_names_none() -> None:
    two = {"kibana.alert.uuid": ABSENT, "kibana": {"alert": {"uuid": ABSENT[::-1]}}}
    good = {"kibana.alert.uuid": ABSENT[:40]}
    assert list(READER.references({"alerts": [two, good]})) == [ABSENT[:40]]


@pytest.mark.parametrize(
    "hostile",
    [
        "{{context.alerts}}",
        "$" + ABSENT,
        "",
        "../_cat/indices",
        "*",
        f"{ABSENT} OR *",
        f"{ABSENT}\n",
        '"}]}}',
        "f" * 10_000,
        "https://evil.example/",
        "а" * 64,  # Cyrillic
        7,
        None,
        True,
        [ABSENT],
        {"uuid": ABSENT},
    ],
)
def test_what_does_not_look_like_a_uuid_is_no_reference(hostile: Any) -> None:
    for alert in ({"kibana.alert.uuid": hostile}, {"kibana": {"alert": {"uuid": hostile}}}):
        assert list(READER.references({"alerts": [alert]})) == []


@pytest.mark.parametrize(
    "alerts", [None, 7, ABSENT, {"kibana.alert.uuid": ABSENT}, [], [7, None, ABSENT, [ABSENT]]]
)
def test_a_body_without_alerts_has_no_reference(alerts: Any) -> None:
    assert list(READER.references({"alerts": alerts})) == []
    assert list(READER.references({})) == []


# -- read ----------------------------------------------------------------------------------------


async def test_those_that_exist_are_read_in_one_search(client: Elastic, sim: Cluster) -> None:
    one = sim.deny_listed_repo(DEV, at=NOW)
    other = sim.deny_listed_repo("kim@corp.example", at=NOW)
    sim.deny_listed_repo("sol@corp.example", at=NOW)
    found = {f.asked: f for f in await READER.read(client, [one, ABSENT, other, one])}
    [exchange] = sim.record()
    assert set(found) == {f.id for f in found.values()} == {one, other}
    assert found[one].body["alerts"][0]["user"]["email"] == DEV
    assert {f.raised_at for f in found.values()} == {NOW}
    assert {f.answer.body for f in found.values()} == {exchange.response_body}
    assert found[one].answer is found[other].answer, "one response is one piece of evidence"
    assert exchange.query == "allow_partial_search_results=false"


async def test_many_are_read_in_several_searches(
    client: Elastic, sim: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("killswitch.vendors.elastic.alerts.AT_ONCE", 2)
    raised = [sim.deny_listed_repo(DEV) for _ in range(5)]
    found = await READER.read(client, raised)
    assert {f.id for f in found} == set(raised)
    assert len(sim.exchanges) == 3


async def test_nothing_is_asked_about_no_or_hostile_references(
    client: Elastic, sim: Cluster
) -> None:
    assert list(await READER.read(client, [])) == []
    assert list(await READER.read(client, ["*", "{{x}}", "f" * 10_000])) == []
    assert not sim.exchanges


async def test_one_that_is_not_visible_yet_is_read_later(client: Elastic, sim: Cluster) -> None:
    name = sim.deny_listed_repo(DEV, lag=60)
    assert list(await READER.read(client, [name])) == await recent(client) == []
    sim.state["alerts"][name]["visible_at"] = 0
    assert [f.id for f in await READER.read(client, [name])] == [name]
    assert [f.id for f in await recent(client)] == [name]


async def test_an_alert_of_another_space_is_not_ours(
    client: Elastic, sim: Cluster, link: LoopbackLink
) -> None:
    sim.state["spaces"].append("agents")
    name = sim.deny_listed_repo(DEV, space="agents")
    assert list(await READER.read(client, [name])) == await recent(client) == []
    agents = connected(sim, link, space="agents")
    assert [f.id for f in await READER.read(agents, [name])] == [name]
    assert [f.id for f in await recent(agents)] == [name]
    await agents.aclose()


async def test_a_space_that_is_not_there_is_an_error(sim: Cluster, link: LoopbackLink) -> None:
    client = connected(sim, link, space="nowhere")
    with pytest.raises(Missing):
        await READER.read(client, [ABSENT])
    with pytest.raises(Missing):
        await recent(client)
    await client.aclose()


ODD = [
    "{}",
    '{"hits": []}',
    '{"hits": {"hits": [',
    answer(ONE, timed_out=True),
    answer(ONE, _shards={"total": 2, "successful": 1, "failed": 1}),
    answer(ONE, _shards={}),
    answer(ONE, total={"value": 10_000, "relation": "gte"}),
    answer(ONE, total=1),
    answer(ONE, hits={"hits": 7}),
    answer(ONE, hits={"total": {"value": 1, "relation": "eq"}, "hits": [7]}),
    answer(ONE, hits={"total": {"value": 1, "relation": "eq"}, "hits": [{"_source": 7}]}),
    answer({"@timestamp": "2026-11-21T10:00:00Z"}),
    answer({**ONE, "kibana.alert.uuid": [ABSENT]}),
    answer({**ONE, "@timestamp": "yesterday"}),
    answer({**ONE, "@timestamp": "2026-11-21T10:00:00"}),
    answer({**ONE, "@timestamp": None}),
]


@pytest.mark.parametrize("body", ODD)
async def test_an_answer_that_is_cut_short_or_odd_is_unexpected(
    client: Elastic, sim: Cluster, body: str
) -> None:
    sim.fault("garble", "/_search", body=body)
    with pytest.raises(Unexpected):
        await READER.read(client, [ABSENT])
    with pytest.raises(Unexpected):
        await recent(client)


@pytest.mark.parametrize(
    "body",
    [
        answer({**ONE, "kibana.alert.uuid": ABSENT[::-1]}),
        answer(ONE, ONE),
        answer(ONE, total={"value": 2, "relation": "eq"}),
        answer(total={"value": 1, "relation": "eq"}),
    ],
)
async def test_other_alerts_than_were_asked_for_are_unexpected(
    client: Elastic, sim: Cluster, body: str
) -> None:
    sim.fault("garble", "/_search", body=body)
    with pytest.raises(Unexpected, match="other alerts"):
        await READER.read(client, [ABSENT])


# -- the shape -----------------------------------------------------------------------------------


async def test_what_is_read_has_the_shape_of_the_push(client: Elastic, sim: Cluster) -> None:
    name = sim.deny_listed_repo(DEV)
    pushed = sim.pushed(name)
    [found] = await READER.read(client, [name])
    assert list(found.body) == list(pushed)
    assert {**found.body, "results_link": ""} == {**pushed, "results_link": ""}
    assert found.body["results_link"].endswith(f"/redirect/{name}")


@pytest.mark.parametrize("way", ["dotted", "both"])
async def test_the_sample_as_it_is_stored_is_read_as_it_was_pushed(
    client: Elastic, sim: Cluster, way: str
) -> None:
    pushed = sample("elastic")
    [alert] = pushed["alerts"]
    stored = {k: v for k, v in alert.items() if k != "kibana" or way == "both"}
    sim.fault("garble", "/_search", body=answer(stored))
    [found] = await READER.read(client, [ABSENT])
    assert found.body["alerts"] == [alert]
    same = ("schema", "event_type")
    assert {k: found.body[k] for k in same} == {k: pushed[k] for k in same}
    assert found.body["rule"] == {k: pushed["rule"][k] for k in ("id", "name")}
    assert {k: type(v) for k, v in found.body.items()} == {k: type(pushed[k]) for k in found.body}


@pytest.mark.parametrize("how", ["read", "recent"])
async def test_the_shipped_rule_matches_what_is_read_just_as_the_push(
    client: Elastic, sim: Cluster, how: str
) -> None:
    rule = shipped("elastic-deny-listed-repo")
    name = sim.deny_listed_repo(DEV, at=NOW)
    [found] = await READER.read(client, [name]) if how == "read" else await recent(client)
    fields = rule.trigger.fields
    for body in (sim.pushed(name), found.body):
        assert rule.matches(body)
        assert rule.find(rule.trigger.subject, body) == DEV
        assert rule.find(str(fields.id), body) == name
        assert datetime.fromisoformat(rule.find(str(fields.occurred), body)) == NOW


async def test_an_event_that_names_two_people_is_nobodys(client: Elastic, sim: Cluster) -> None:
    event = {"user.email": "kim@corp.example", "user": {"email": DEV}}
    name = sim.raise_alert(event)
    [found] = await READER.read(client, [name])
    rule = shipped("elastic-deny-listed-repo")
    assert rule.find(rule.trigger.subject, found.body) == ["kim@corp.example", DEV]


async def test_two_alerts_of_one_search_are_two_bodies(client: Elastic, sim: Cluster) -> None:
    names = [sim.deny_listed_repo(DEV), sim.deny_listed_repo("kim@corp.example")]
    found = await READER.read(client, names)
    assert [len(f.body["alerts"]) for f in found] == [1, 1]
    assert {f.body["alerts"][0]["kibana.alert.uuid"] for f in found} == set(names)


# -- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, Unexpected), (401, Denied), (403, Denied), (429, Transient), (500, Transient)],
)
async def test_a_refusal_is_an_error_and_not_an_absence(
    client: Elastic, sim: Cluster, status: int, kind: type[Exception]
) -> None:
    name = sim.deny_listed_repo(DEV)
    sim.fault("status", status=status)
    with pytest.raises(kind):
        await READER.read(client, [name])
    with pytest.raises(kind):
        await recent(client)


async def test_without_the_privilege_reading_is_denied(client: Elastic, sim: Cluster) -> None:
    name = sim.deny_listed_repo(DEV)
    sim.granted = set()
    with pytest.raises(Denied):
        await READER.read(client, [name])
    with pytest.raises(Denied):
        await recent(client)
    sim.granted = {"read"}
    assert len(await READER.read(client, [name])) == len(await recent(client)) == 1


async def test_a_search_that_takes_too_long_is_transient(sim: Cluster) -> None:
    client = connected(sim, LoopbackLink("elastic"), timeout=0.3)
    sim.fault("late", "/_search", seconds=1.0)
    with pytest.raises(Transient):
        await READER.read(client, [ABSENT])
    await client.aclose()
