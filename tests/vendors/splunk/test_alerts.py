"""Triggered alerts: read by the sid of a push."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

import playbooks
from killswitch.alerts.rules import Rule, Trigger
from killswitch.model.errors import Unexpected
from killswitch.vendors.splunk.alerts import PAGE
from killswitch.vendors.splunk.client import Settings, Splunk
from killswitch.vendors.splunk.vendor import VENDOR
from tabletop.sims.splunk import Splunk as SearchHead
from tests.alerts.support import sample
from tests.support import LoopbackLink
from tests.vendors.splunk.alerting import DENIED_REPO, JO, KIM, READER, last, recent, users


def test_the_vendor_reads_alerts() -> None:
    assert isinstance(VENDOR.alerts, type(READER))


async def test_every_row_of_the_job_is_an_alert_in_the_shape_of_the_push(
    client: Splunk, sim: SearchHead
) -> None:
    sid = sim.fire(DENIED_REPO, [JO, KIM], app="secops")
    pushed = sim.pushed(sid)
    assert READER.references(pushed) == (sid,)
    found = await READER.read(client, [sid])
    assert users(found) == ["jo@corp.example", "kim@corp.example"]
    assert dict(found[0].body) == {**pushed, "results_link": ""}
    assert [one.asked for one in found] == [sid, sid]
    assert [one.id for one in found] == [f"{DENIED_REPO}/{row['event_id']}" for row in (JO, KIM)]
    assert abs(found[0].raised_at.timestamp() - time.time()) < 60


async def test_the_shape_is_that_of_the_sample(client: Splunk, sim: SearchHead) -> None:
    pushed = json.loads(sample("splunk"))
    row = {**pushed["result"], "_time": float(pushed["result"]["_time"])}
    sid = sim.fire(pushed["search_name"], [row], app="search", owner="svc-secops")
    (found,) = await READER.read(client, [sid])
    assert READER.references(pushed) == (pushed["sid"],)
    assert dict(found.body) == {**pushed, "sid": sid, "results_link": ""}


async def test_a_link_leads_to_splunk_web_where_that_is_configured(sim: SearchHead) -> None:
    web = {"web": "https://splunk.corp.example:8000/"}
    client = VENDOR.connect(Settings(**{**sim.settings(), **web}), LoopbackLink("splunk"))
    sid = sim.fire(DENIED_REPO, [JO])
    (found,) = await READER.read(client, [sid])
    link = f"https://splunk.corp.example:8000/app/search/@go?sid={sid}"
    assert found.body["results_link"] == link


async def test_the_name_is_splunks_and_never_the_pushs(client: Splunk, sim: SearchHead) -> None:
    sid = sim.fire("Harmless", [JO], app="other", owner="mallory")
    forged = {**sim.pushed(sid), "search_name": DENIED_REPO, "app": "secops", "owner": "svc"}
    (found,) = await READER.read(client, READER.references(forged))
    assert [found.body[k] for k in ("search_name", "app", "owner")] == [
        "Harmless",
        "other",
        "mallory",
    ]


async def test_more_rows_than_one_answer_holds(client: Splunk, sim: SearchHead) -> None:
    rows = [{**JO, "user": f"p{n}@corp.example", "event_id": f"e{n}"} for n in range(PAGE + 3)]
    found = await READER.read(client, [sim.fire(DENIED_REPO, rows)])
    assert len({one.id for one in found}) == PAGE + 3
    assert len({id(one.answer) for one in found}) == 2, "alerts of one response share it"


async def test_the_answer_is_kept_byte_for_byte(client: Splunk, sim: SearchHead) -> None:
    (found,) = await READER.read(client, [sim.fire(DENIED_REPO, [JO])])
    assert found.answer.body == sim.record()[-1].response_body
    assert not found.answer.truncated


async def test_what_does_not_exist_is_not_in_it(client: Splunk, sim: SearchHead) -> None:
    here, gone = sim.fire(DENIED_REPO, [JO]), sim.fire(DENIED_REPO, [KIM])
    unknown = here.rpartition("_")[0] + "_99999"
    sim.expire(gone)
    found = await READER.read(client, [unknown, gone, here, here])
    assert users(found) == ["jo@corp.example"]


async def test_a_job_outlives_its_ttl_by_nothing(client: Splunk, sim: SearchHead) -> None:
    sid = sim.fire(DENIED_REPO, [JO], at=time.time() - 601, ttl=600)
    assert await READER.read(client, [sid]) == []


async def test_an_alert_without_rows_is_none(client: Splunk, sim: SearchHead) -> None:
    assert await READER.read(client, [sim.fire(DENIED_REPO, [])]) == []


REAL = [
    "scheduler__svc-secops_c2VjdXJpdHk__RMD5a1b2c3d4e5f60718_at_1795255200_4121",
    "scheduler__admin__search__RMD5_at_1791467606_3",
    "scheduler__jo@corp.example_c2VhcmNo__RMD5a1b2_at_1795255200_1",
    "rt_scheduler__admin__search__RMD5a1b2c3d4e5f60718_at_1795255200_12.7",
    "scheduler__a__b__RMD5c_at_1795255200_1_0E9B2F6A-1C2D-4E5F-8A9B-0C1D2E3F4A5B",
]
HOSTILE: list[Any] = [
    None,
    7,
    "",
    [REAL[0]],
    {"sid": REAL[0]},
    "1795255200.12",  # somebody's own search
    "scheduler__x",
    REAL[0] + "\n",
    REAL[0] + "/results",
    REAL[0] + "?output_mode=xml",
    REAL[0] + "#",
    "../../saved/searches/" + REAL[0],
    "scheduler__a/../../b_at_1795255200_1",
    "scheduler__a%2f..%2fb_at_1795255200_1",
    "scheduler__a b_at_1795255200_1",
    'scheduler__a" | delete_at_1795255200_1',
    "scheduler__\u0430dmin_at_1795255200_1",
    "scheduler__a_at_179525520\u0660_1",
    "https://evil.example/scheduler__a_at_1795255200_1",
    "scheduler__" + "a" * 5000 + "_at_1795255200_1",
]


@pytest.mark.parametrize("sid", REAL)
def test_what_the_scheduler_gives_is_a_reference(sid: str) -> None:
    assert READER.references({"sid": sid}) == (sid,)


@pytest.mark.parametrize("sid", HOSTILE)
async def test_what_it_could_not_give_is_left_out_and_never_asked(
    sid: Any, client: Splunk, sim: SearchHead
) -> None:
    assert READER.references({"sid": sid}) == ()
    if isinstance(sid, str):
        with pytest.raises(Unexpected):
            await READER.read(client, [sid])
    assert not sim.exchanges


def test_a_push_without_a_sid_has_no_reference() -> None:
    assert READER.references({"search_name": DENIED_REPO, "result": JO}) == ()


async def test_a_sid_is_one_segment_of_the_path_quoted_once(
    client: Splunk, sim: SearchHead
) -> None:
    sid = sim.fire(DENIED_REPO, [JO], owner="jo@corp.example")
    (found,) = await READER.read(client, [sid])
    assert found.asked == sid
    assert sim.record()[0].path == f"/services/search/v2/jobs/{sid}"


# What is not whole


@pytest.mark.parametrize("kind", ["WARN", "ERROR", "FATAL"])
async def test_a_complaint_about_the_results_is_unexpected(
    client: Splunk, sim: SearchHead, kind: str
) -> None:
    said = {"type": kind, "text": "Search results were truncated to 10 rows"}
    sid = sim.fire(DENIED_REPO, [JO], messages=[said])
    with pytest.raises(Unexpected, match="truncated to 10 rows"):
        await READER.read(client, [sid])
    found, error = await recent(client, last(hours=1))
    assert users(found) == ["jo@corp.example"], "what there is, is given"
    assert found[0].answer.truncated
    assert isinstance(error, Unexpected)
    assert "truncated to 10 rows" in error.why


async def test_a_complaint_that_comes_with_the_rows_alone_is_unexpected(
    client: Splunk, sim: SearchHead
) -> None:
    sid = sim.fire(DENIED_REPO, [JO])
    said = [{"type": "WARN", "text": "Search results may be incomplete"}]
    body = json.dumps({"results": [JO], "messages": said})
    sim.fault("garble", "/results", body=body, headers={"connection": "close"})
    with pytest.raises(Unexpected, match="may be incomplete"):
        await READER.read(client, [sid])


async def test_a_mere_remark_is_none(client: Splunk, sim: SearchHead) -> None:
    said = [{"type": "INFO", "text": "Your timerange was substituted"}, {"type": "DEBUG"}]
    assert await READER.read(client, [sim.fire(DENIED_REPO, [JO], messages=said)])


async def test_fewer_rows_than_the_job_has_is_unexpected(client: Splunk, sim: SearchHead) -> None:
    sid = sim.fire(DENIED_REPO, [JO, KIM])
    sim.fault("partial-page", "/results")
    with pytest.raises(Unexpected, match="1 of 2 rows"):
        await READER.read(client, [sid])


async def test_a_search_that_was_stopped_is_unexpected(client: Splunk, sim: SearchHead) -> None:
    sid = sim.fire(DENIED_REPO, [JO])
    sim.jobs[sid].finalized = True
    with pytest.raises(Unexpected, match="stopped before its end"):
        await READER.read(client, [sid])


@pytest.mark.parametrize(
    "changed",
    [{"label": ""}, {"label": None}, {"dispatchState": "RUNNING"}, {"sid": "another"}],
    ids=str,
)
async def test_a_job_of_no_finished_saved_search_is_unexpected(
    client: Splunk, sim: SearchHead, changed: dict[str, Any]
) -> None:
    sid = sim.fire(DENIED_REPO, [JO])
    sim.jobs[sid].saved |= changed
    with pytest.raises(Unexpected):
        await READER.read(client, [sid])


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"results": 7}', '{"results": ["x"]}'])
async def test_rows_that_are_none_are_unexpected(
    client: Splunk, sim: SearchHead, body: str
) -> None:
    sid = sim.fire(DENIED_REPO, [JO])
    sim.fault("garble", "/results", body=body, headers={"connection": "close"})
    with pytest.raises(Unexpected):
        await READER.read(client, [sid])


# What a row says


async def test_values_are_text_as_in_the_push(client: Splunk, sim: SearchHead) -> None:
    row = {"user": ["jo@corp.example", "kim@corp.example"], "count": 3, "seen": True, "none": ""}
    (found,) = await READER.read(client, [sim.fire(DENIED_REPO, [row])])
    assert found.body["result"] == {
        "user": "jo@corp.example\nkim@corp.example",
        "count": "3",
        "seen": "true",
        "none": "",
    }


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("2026-11-21T09:59:53.412+00:00", "1795255193.412"),
        ("2026-11-21T10:59:53.412+01:00", "1795255193.412"),
        ("2026-11-21T09:59:53.412", "2026-11-21T09:59:53.412"),  # whose clock?
        ("yesterday", "yesterday"),
    ],
)
async def test_a_time_is_seconds_as_in_the_push(
    client: Splunk, sim: SearchHead, sent: str, shown: str
) -> None:
    (found,) = await READER.read(client, [sim.fire(DENIED_REPO, [{"_time": sent}])])
    assert found.body["result"]["_time"] == shown


async def ids(client: Splunk, sim: SearchHead, name: str, *rows: dict[str, Any]) -> list[str]:
    return [one.id for one in await READER.read(client, [sim.fire(name, rows)])]


async def test_without_an_event_id_a_row_is_told_by_what_it_says(
    client: Splunk, sim: SearchHead
) -> None:
    row = {k: v for k, v in JO.items() if k != "event_id"}
    (first,) = await ids(client, sim, DENIED_REPO, {**row, "_cd": "1:2", "splunk_server": "a"})
    other = {"_cd": "3:4", "_serial": "9", "splunk_server": "b", "info_sid": "x", "orig_sid": "y"}
    assert [first] == await ids(client, sim, DENIED_REPO, {**row, **other}), "the next run"
    assert first.startswith("sha256:")
    for changed in (
        {"user": "kim@corp.example"},
        {"_time": 1795255194.0},
        {"_raw": "x"},
        {"sid": "S-1-5-21-1004"},  # somebody's in Windows
        {"info_level": "high"},
    ):
        assert [first] != await ids(client, sim, DENIED_REPO, {**row, **changed})
    assert [first] != await ids(client, sim, "Another search", row)


async def test_one_event_that_two_searches_find_is_two_alerts(
    client: Splunk, sim: SearchHead
) -> None:
    assert await ids(client, sim, DENIED_REPO, JO) != await ids(client, sim, "Another search", JO)


@pytest.mark.parametrize("event_id", ["", " ", "a b", "x" * 201, "\n", "\u202e1", ["a", "b"]])
async def test_an_event_id_that_is_none_is_not_taken_for_one(
    client: Splunk, sim: SearchHead, event_id: Any
) -> None:
    (found,) = await ids(client, sim, DENIED_REPO, {**JO, "event_id": event_id})
    assert found.startswith("sha256:")


# The rules that ship

RULES = {
    "deny-listed-repo": "tool_call",
    "outside-agent-group": "session_start",
    "sandbox-egress": "network_egress",
    "unreviewed-agent-merge": "pull_request.merge",
    "failed-agent-sign-ins": "sign_in",
}


@pytest.mark.parametrize("name", RULES)
async def test_a_rule_reads_the_push_and_the_same_read_again_alike(
    client: Splunk, sim: SearchHead, name: str
) -> None:
    file = Path(playbooks.__path__[0]) / f"triggers/splunk-{name}.yaml"
    trigger = Trigger.model_validate(yaml.safe_load(file.read_text()))
    rule = Rule(trigger, None)  # type: ignore[arg-type]  # the playbook is not looked at
    (title,) = next(w.is_ for w in trigger.when if w.field == "search_name")
    sid = sim.fire(str(title), [{**JO, "action": RULES[name]}, {**KIM, "action": RULES[name]}])
    first, second = await READER.read(client, [sid])
    pushed = sim.pushed(sid)
    assert rule.matches(pushed)
    paths = [trigger.subject, trigger.fields.id, trigger.fields.occurred]
    for path in paths:
        assert path
        assert rule.find(path, first.body) == rule.find(path, pushed)
    assert rule.matches(second.body), "the push has the first row only"
    assert rule.find(trigger.subject, second.body) == "kim@corp.example"
