"""Detections: read by the id of a push."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from killswitch.model.errors import Unexpected
from killswitch.vendors.google_secops.alerts import MOST
from killswitch.vendors.google_secops.client import SecOps
from killswitch.vendors.google_secops.vendor import VENDOR
from tabletop.sims.google_secops import GoogleSecOps
from tests.alerts.support import sample
from tests.vendors.google_secops.asking import ID, JO, KIM, READER, TEN, user


def test_the_vendor_reads_alerts() -> None:
    assert isinstance(VENDOR.alerts, type(READER))


async def test_a_detection_is_read_by_its_id(client: SecOps, sim: GoogleSecOps) -> None:
    name = sim.deny_listed_repo(JO, at=TEN)
    assert READER.references(sim.pushed(name)) == [name]
    (found,) = await READER.read(client, [name])
    assert (found.id, found.asked, found.raised_at) == (name, name, TEN)
    assert found.body == {
        "schema": "killswitch/1",
        "event_type": "secops_detection",
        "detection": json.loads(sim.record()[-1].response_body)["alert"],
        "fields": {"user": JO, "session_id": "cc-7f31b2", "repository": "corp/payments"},
    }
    assert found.answer.body == sim.record()[-1].response_body


def test_the_samples_detection_is_a_reference() -> None:
    pushed = json.loads(sample("chronicle"))
    assert READER.references(pushed) == [ID]


def keys(value: Any, at: str = "") -> set[str]:
    """Every path in the data; of a list, those of its items together."""
    if isinstance(value, dict):
        return {p for k, v in value.items() for p in {f"{at}.{k}", *keys(v, f"{at}.{k}")}}
    if isinstance(value, list):
        return {path for one in value for path in keys(one, f"{at}[]")}
    return set()


async def test_the_shape_is_that_of_the_sample(client: SecOps, sim: GoogleSecOps) -> None:
    (theirs,) = json.loads(sample("chronicle"))["detections"]
    (found,) = await READER.read(client, [sim.deny_listed_repo(JO)])
    ours = found.body["detection"]
    of_events = ".collectionElements[].references[].event"
    assert {k for k in keys(theirs) if not k.startswith(of_events)} == {
        k for k in keys(ours) if not k.startswith(of_events)
    }


async def test_what_does_not_exist_or_raised_no_alert_is_not_in_it(
    client: SecOps, sim: GoogleSecOps
) -> None:
    here = sim.deny_listed_repo(JO)
    silent = sim.deny_listed_repo(KIM, alerting=False)
    found = await READER.read(client, [ID, silent, here, here])
    assert [user(one) for one in found] == [JO]


async def test_several_detections_of_one_push(client: SecOps, sim: GoogleSecOps) -> None:
    both = [sim.deny_listed_repo(JO), sim.deny_listed_repo(KIM)]
    pushed = {"detections": [{"id": name} for name in both], "detection_id": both[0]}
    found = await READER.read(client, READER.references(pushed))
    assert [(one.asked, user(one)) for one in found] == [(both[0], JO), (both[1], KIM)]


HOSTILE: list[Any] = [
    None,
    7,
    "",
    [ID],
    {"id": ID},
    ID.upper(),
    ID + "\n",
    ID + "/x",
    ID + "&ruleId=-",
    f"../{ID}",
    f" {ID}",
    ID.replace("-", "\u2010"),
    ID.replace("4", "\u0664"),
    "de_" + "4" * 5000,
    "ru_7c1d2e3f-1111-4222-8333-944455566677",
    f"https://evil.example/{ID}",
    "[Event.detection_id]",
]


@pytest.mark.parametrize("name", HOSTILE)
async def test_what_is_no_id_is_left_out_and_never_asked(
    name: Any, client: SecOps, sim: GoogleSecOps
) -> None:
    assert READER.references({"detection_id": name}) == []
    assert READER.references({"detections": [{"id": name}]}) == []
    if isinstance(name, str):
        assert await READER.read(client, [name]) == []
    assert not sim.exchanges


@pytest.mark.parametrize("whole", [None, 7, "x", {"id": ID}, [], [[{"id": ID}]]])
def test_detections_that_are_no_list_of_them_name_nothing(whole: Any) -> None:
    assert READER.references({"detections": whole}) == []


def test_a_push_names_a_hundred_at_most() -> None:
    names = [f"de_4f2f1c9e-3a57-9b1c-0a52-{number:012x}" for number in range(MOST + 5)]
    assert READER.references({"detections": [{"id": n} for n in names]}) == names[:MOST]


@pytest.mark.parametrize(
    "alert", [None, {}, 7, {"id": ID}, {"id": ID, "createdTime": "soon"}, {"id": "de_another"}]
)
async def test_an_answer_that_is_no_such_alert_is_unexpected(
    client: SecOps, sim: GoogleSecOps, alert: Any
) -> None:
    name = sim.deny_listed_repo(JO)
    if isinstance(alert, dict) and "createdTime" not in alert and alert.get("id") == "de_another":
        alert = {**alert, "createdTime": "2026-11-21T10:00:00Z"}
    sim.fault("garble", "legacyGetAlert", body=json.dumps({"alert": alert}))
    with pytest.raises(Unexpected):
        await READER.read(client, [name])


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-21T10:00:00Z", TEN),
        ("2026-11-21T10:00:00.123456789Z", TEN + timedelta(microseconds=123456)),
        ("2026-11-21T15:00:00+05:00", TEN),
    ],
)
async def test_times_are_read_as_google_may_write_them(
    client: SecOps, sim: GoogleSecOps, text: str, moment: datetime
) -> None:
    name = sim.deny_listed_repo(JO)
    sim.state["detections"][name]["detection"]["createdTime"] = text
    (found,) = await READER.read(client, [name])
    assert found.raised_at == moment


async def test_a_field_that_stands_there_twice_is_in_no_flat_field(
    client: SecOps, sim: GoogleSecOps
) -> None:
    name = sim.deny_listed_repo(JO)
    (result,) = sim.state["detections"][name]["detection"]["detection"]
    result["detectionFields"] += [{"key": "user", "value": KIM}, {"key": "empty"}, {"value": "x"}]
    (found,) = await READER.read(client, [name])
    assert found.body["fields"] == {
        "session_id": "cc-7f31b2",
        "repository": "corp/payments",
        "empty": "",
    }


@pytest.mark.parametrize("part", [[], None, 7, [{}], [{"detectionFields": 7}], ["x"]])
async def test_a_detection_without_fields_has_none(
    client: SecOps, sim: GoogleSecOps, part: Any
) -> None:
    name = sim.deny_listed_repo(JO)
    detection = {**sim.state["detections"][name]["detection"], "detection": part}
    sim.fault("garble", "legacyGetAlert", body=json.dumps({"alert": detection}))
    (found,) = await READER.read(client, [name])
    assert found.body["fields"] == {}
