"""Signals read again, by id and by time."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from killswitch.model.alerts import Found
from killswitch.model.collector import Window
from killswitch.model.errors import Denied, Transient, Unexpected
from killswitch.vendors.datadog.alerts import SEARCH, SIGNALS, Signals
from killswitch.vendors.datadog.client import Datadog
from tabletop.sims.datadog import READ
from tabletop.sims.datadog import Datadog as Organisation
from tests.support import LoopbackLink
from tests.vendors.datadog.conftest import connected
from tests.vendors.support import DEV, sample, shipped

READER = Signals()
ABSENT = "AgAAAZr2pQ8xS0FiQ0RFRkdISUpLTE1OT1A"
NOW = datetime.now(UTC).replace(microsecond=0)
Json = dict[str, Any]


def window(minutes: float = 60) -> Window:
    return Window(NOW - timedelta(minutes=minutes), NOW + timedelta(minutes=5))


async def recent(client: Datadog, asked: Window | None = None) -> list[Found]:
    return [one async for one in READER.recent(client, asked or window())]


async def into(found: list[str], client: Datadog) -> None:
    async for one in READER.recent(client, window()):
        found.append(one.id)  # noqa: PERF401  # what came before an error counts


# -- references ----------------------------------------------------------------------------------


def test_a_push_names_one_signal(sim: Organisation) -> None:
    name = sim.deny_listed_repo(DEV)
    assert list(READER.references(sim.pushed(name))) == [name]


def test_the_sample_names_its_signal() -> None:
    pushed = sample("datadog")
    assert list(READER.references(pushed)) == [pushed["signal_id"]]


@pytest.mark.parametrize(
    "hostile",
    [
        "$SECURITY_SIGNAL_ID",
        "$" + ABSENT,
        "{{ signal_id }}",
        "",
        "../../../v1/users",
        "..%2F..%2Fusers",
        f"{ABSENT}/../state",
        f"{ABSENT}?x=1",
        f"{ABSENT}#x",
        f"{ABSENT}\n",
        f"{ABSENT} OR *",
        "https://evil.example/AAAAAAAAAAAAAAAAAAAA",
        "A" * 10_000,
        "Аg" + "A" * 30,  # a Cyrillic letter
        "１" * 30,
        7,
        None,
        True,
        [ABSENT],
        {"id": ABSENT},
    ],
)
def test_what_does_not_look_like_an_id_is_no_reference(hostile: Any) -> None:
    assert list(READER.references({"signal_id": hostile})) == []


@pytest.mark.parametrize("pushed", [{}, {"id": ABSENT}, {"signal": {"signal_id": ABSENT}}])
def test_a_body_that_names_no_signal_has_no_reference(pushed: Json) -> None:
    assert list(READER.references(pushed)) == []


# -- read ----------------------------------------------------------------------------------------


async def test_a_signal_is_read_by_its_id(client: Datadog, sim: Organisation) -> None:
    sim.deny_listed_repo("kim@corp.example")
    name = sim.deny_listed_repo(DEV, at=NOW)
    [found] = await READER.read(client, [name])
    [exchange] = sim.record()
    assert (found.id, found.asked, found.raised_at) == (name, name, NOW)
    assert found.body["attributes"]["usr"]["email"] == DEV
    assert found.answer.body == exchange.response_body
    assert found.answer.source == f"GET {SIGNALS}/{name}"


async def test_one_that_does_not_exist_is_not_in_it(client: Datadog, sim: Organisation) -> None:
    one, other = sim.deny_listed_repo(DEV), sim.deny_listed_repo("kim@corp.example")
    found = await READER.read(client, [one, ABSENT, other, one])
    assert [f.id for f in found] == [one, other]
    assert len(sim.exchanges) == 3, "each is asked for once"


async def test_one_that_is_not_visible_yet_is_read_later(
    client: Datadog, sim: Organisation
) -> None:
    name = sim.deny_listed_repo(DEV, lag=60)
    assert list(await READER.read(client, [name])) == await recent(client) == []
    sim.state["signals"][name]["visible_at"] = 0
    assert [f.id for f in await READER.read(client, [name])] == [name]
    assert [f.id for f in await recent(client)] == [name]


async def test_a_hostile_reference_is_never_sent(client: Datadog, sim: Organisation) -> None:
    assert list(await READER.read(client, ["../../users", "$SECURITY_SIGNAL_ID", "A" * 9999])) == []
    assert not sim.exchanges


async def test_another_signal_than_was_asked_for_is_unexpected(
    client: Datadog, sim: Organisation
) -> None:
    one, other = sim.deny_listed_repo(DEV), sim.deny_listed_repo("kim@corp.example")
    sim.fault("garble", body=json.dumps({"data": sim.state["signals"][other]["signal"]}))
    with pytest.raises(Unexpected, match="another signal"):
        await READER.read(client, [one])


# -- the shape -----------------------------------------------------------------------------------


async def test_what_is_read_has_the_shape_of_the_push(client: Datadog, sim: Organisation) -> None:
    name = sim.deny_listed_repo(DEV)
    pushed = sim.pushed(name)
    [found] = await READER.read(client, [name])
    assert list(found.body) == list(pushed)
    told = {**found.body, "attributes": dict(found.body["attributes"])}
    del told["attributes"]["workflow"], told["attributes"]["title"]  # of the signal itself
    assert told == pushed


async def test_what_is_read_has_the_shape_of_the_sample(client: Datadog, sim: Organisation) -> None:
    """The sample has more keys than the template of docs/alerts.md; of those in it all are here."""
    pushed = sample("datadog")
    name = sim.raise_alert(pushed["attributes"], rule=pushed["rule_name"])
    [found] = await READER.read(client, [name])
    same = ("schema", "event_type", "rule_name", "severity", "alert_transition")
    assert {k: found.body[k] for k in same} == {k: pushed[k] for k in same}
    assert {k: type(v) for k, v in found.body.items()} == {k: type(pushed[k]) for k in found.body}
    assert pushed["attributes"].items() <= found.body["attributes"].items()
    assert pushed["link"] == found.body["link"].replace(name, pushed["signal_id"])


@pytest.mark.parametrize("how", ["read", "recent"])
async def test_the_shipped_rule_matches_what_is_read_just_as_the_push(
    client: Datadog, sim: Organisation, how: str
) -> None:
    rule = shipped("datadog-deny-listed-repo")
    name = sim.deny_listed_repo(DEV, at=NOW)
    [found] = await READER.read(client, [name]) if how == "read" else await recent(client)
    fields = rule.trigger.fields
    for body in (sim.pushed(name), found.body):
        assert rule.matches(body)
        assert rule.find(rule.trigger.subject, body) == DEV
        assert rule.find(str(fields.id), body) == name
        assert rule.find(str(fields.occurred), body) == str(round(NOW.timestamp() * 1000))


@pytest.mark.parametrize(
    ("state", "matches"), [("open", True), ("under_review", True), ("archived", False)]
)
async def test_a_signal_that_somebody_archived_matches_no_more(
    client: Datadog, sim: Organisation, state: str, matches: bool
) -> None:
    name = sim.deny_listed_repo(DEV, state=state)
    [found] = await READER.read(client, [name])
    assert shipped("datadog-deny-listed-repo").matches(found.body) is matches


async def test_the_severity_of_the_event_is_not_taken_for_the_signals(
    client: Datadog, sim: Organisation
) -> None:
    name = sim.raise_alert({"status": "critical", "usr": {"email": DEV}}, severity="info")
    [found] = await READER.read(client, [name])
    assert found.body["severity"] == "info"


async def test_shapes_of_recorded_answers_are_read_like_the_documented_one(
    client: Datadog, sim: Organisation
) -> None:
    """A search had ``attributes`` for ``custom``; a signal by id had a part of it in ``gated``."""
    name = sim.deny_listed_repo(DEV)
    documented = [f.body for f in await READER.read(client, [name])]
    signal = json.loads(json.dumps(sim.state["signals"][name]["signal"]))
    custom = signal["attributes"].pop("custom")
    whole = json.loads(json.dumps(custom))
    searched = {**signal, "attributes": {**signal["attributes"], "attributes": whole}}
    workflow = custom["workflow"]
    split = {
        "gated": {"usr": custom.pop("usr"), "workflow": {"first_seen": workflow.pop("first_seen")}},
        "custom": custom,
        "severity": 0,
    }
    by_id = {**signal, "attributes": {**signal["attributes"], **split}}
    for shape in (searched, by_id):
        sim.heal()
        sim.fault("garble", body=json.dumps({"data": shape}))
        assert [f.body for f in await READER.read(client, [name])] == documented


async def test_what_the_answer_does_not_tell_matches_no_rule(
    client: Datadog, sim: Organisation
) -> None:
    told = {"timestamp": "2026-11-21T10:00:00Z", "custom": {"workflow": "none"}, "status": 5}
    body = json.dumps({"data": {"id": ABSENT, "attributes": told}})
    sim.fault("lie", status=200, body=body)
    [found] = await READER.read(client, [ABSENT])
    assert (found.body["rule_id"], found.body["rule_name"], found.body["severity"]) == ("", "", "")
    assert not shipped("datadog-deny-listed-repo").matches(found.body)


# -- recent --------------------------------------------------------------------------------------


async def test_every_signal_of_the_window_oldest_first_over_pages(
    client: Datadog, sim: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("killswitch.vendors.datadog.alerts.PAGE", 3)
    raised = [sim.deny_listed_repo(DEV, at=NOW - timedelta(minutes=n)) for n in range(8)]
    sim.deny_listed_repo(DEV, at=NOW - timedelta(hours=2))
    found = await recent(client)
    assert [f.id for f in found] == raised[::-1]
    assert [f.asked for f in found] == [""] * 8
    asked = [json.loads(e.request_body) for e in sim.record()]
    assert [a["page"]["limit"] for a in asked] == [3, 3, 3]
    assert "cursor" not in asked[0]["page"]
    assert {a["filter"]["query"] for a in asked} == {"*"}
    assert {f.answer.body for f in found} == {e.response_body for e in sim.record()}


async def test_a_page_is_as_large_as_the_api_gives(client: Datadog, sim: Organisation) -> None:
    assert await recent(client) == []
    assert json.loads(sim.record()[0].request_body)["page"] == {"limit": 1000}


async def test_a_local_time_is_asked_for_in_utc(client: Datadog, sim: Organisation) -> None:
    east = Window(datetime.fromisoformat("2026-11-21T15:00:00.1234+05:00"), NOW)
    await recent(client, east)
    asked = json.loads(sim.record()[0].request_body)["filter"]
    assert asked["from"] == "2026-11-21T10:00:00.123Z"


async def test_the_link_to_the_next_page_is_not_followed(
    client: Datadog, sim: Organisation, link: LoopbackLink
) -> None:
    signal = json.dumps(
        {"data": [], "links": {"next": "https://evil.example/"}, "meta": {"page": {}}}
    )
    sim.fault("garble", body=signal)
    assert await recent(client) == []
    assert link.asked == [f"{sim.url}{SEARCH}"]


@pytest.mark.parametrize(
    "answer",
    [
        "{}",
        '{"data": {}}',
        '{"data": [7]}',
        '{"data": [{"id": "x"}]}',
        '{"data": [{"id": "x", "attributes": {}}]}',
        '{"data": [{"id": "x", "attributes": {"timestamp": "2026-11-21T10:00:00"}}]}',
        '{"data": [{"id": "x", "attributes": {"timestamp": 5}}]}',
        '{"data": [{"id": "", "attributes": {"timestamp": "2026-11-21T10:00:00Z"}}]}',
        '{"data": [], "meta": 7}',
        '{"data": [], "meta": {"page": {"after": 7}}}',
        '{"data": [], "meta": {"status": "timeout"}}',
        '{"data": [], "meta": {"warnings": [{"code": "incomplete"}]}}',
        '{"data": [',
        "<html/>",
    ],
)
async def test_an_answer_that_is_cut_short_or_odd_is_unexpected(
    client: Datadog, sim: Organisation, answer: str
) -> None:
    sim.fault("garble", body=answer)
    with pytest.raises(Unexpected):
        await recent(client)


async def test_a_list_without_an_end_ends(client: Datadog, sim: Organisation) -> None:
    sim.fault("lie", status=200, body='{"data": [], "meta": {"page": {"after": "again"}}}')
    with pytest.raises(Unexpected, match="the same page twice"):
        await recent(client)
    assert len(sim.exchanges) == 2


async def test_what_came_before_an_error_is_good(
    client: Datadog, sim: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("killswitch.vendors.datadog.alerts.PAGE", 2)
    raised = [sim.deny_listed_repo(DEV, at=NOW - timedelta(minutes=n)) for n in range(4)]
    sim.fault("status", skip=1, status=500)
    found: list[str] = []
    with pytest.raises(Transient):
        await into(found, client)
    assert found == raised[:1:-1]


# -- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind"), [(400, Unexpected), (401, Denied), (403, Denied), (500, Transient)]
)
async def test_a_refusal_is_an_error_and_not_an_absence(
    client: Datadog, sim: Organisation, status: int, kind: type[Exception]
) -> None:
    name = sim.deny_listed_repo(DEV)
    sim.fault("status", status=status)
    with pytest.raises(kind):
        await READER.read(client, [name])
    with pytest.raises(kind):
        await recent(client)


async def test_without_the_scope_reading_is_denied(client: Datadog, sim: Organisation) -> None:
    name = sim.deny_listed_repo(DEV)
    sim.granted = set()
    with pytest.raises(Denied):
        await READER.read(client, [name])
    with pytest.raises(Denied):
        await recent(client)
    sim.granted = {READ}
    assert len(await READER.read(client, [name])) == len(await recent(client)) == 1


async def test_a_rate_limit_says_how_long_to_wait(client: Datadog, sim: Organisation) -> None:
    sim.fault("status", status=429, headers={"x-ratelimit-reset": "42"})
    with pytest.raises(Transient) as raised:
        await recent(client)
    assert raised.value.retry_after == 42


async def test_a_search_that_takes_too_long_is_transient(sim: Organisation) -> None:
    client = connected(sim, LoopbackLink("datadog"), timeout=0.3)
    sim.fault("late", SEARCH, seconds=1.0)
    with pytest.raises(Transient):
        await recent(client)
    await client.aclose()
