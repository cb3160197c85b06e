"""A push is a hint: read again at the vendor, judged by the vendor's word, found out if forged."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from killswitch.alerts.confirming import MOST_REFERENCES
from killswitch.model.errors import Denied, Unexpected
from killswitch.model.event import What
from tests.alerts.desk import Desk, desk
from tests.alerts.siem import Siem
from tests.alerts.support import SECRET, in_house, with_siem
from tests.drill import JO, KIM, LEE

SOURCE = "siem"


def told(at: Desk, number: int = 1) -> tuple[str, str]:
    row = at.alerts.row(number)
    return row["outcome"], row["why"]


async def test_a_push_is_judged_by_what_the_vendor_has(tmp_path: Path, siem: Siem) -> None:
    pushed = siem.raise_alert(in_house(1))
    siem.alerts["alert-1"]["seen_by_vendor"] = "more than the push said"
    async with desk(tmp_path / "h", **with_siem(tmp_path / "h")) as at:
        row = await at.decided(pushed, SOURCE)
        assert (row["outcome"], row["case_id"], row["confirmed_by"]) == ("started", "K-1", "read")
        assert siem.calls == [("read", "alert-1")]
        full = at.alerts.row(1, body=True)
        assert bytes(full["body"]) == pushed
        assert json.loads(full["confirmed"]) == siem.alerts["alert-1"]
        request = at.drill.api.show("K-1").request
        assert "not confirmed" not in request.reason
        assert request.assurance == "service"


async def test_pushed_bytes_and_the_vendors_own_answer_are_evidence_in_that_order(
    tmp_path: Path, siem: Siem
) -> None:
    pushed = siem.raise_alert(in_house(1))
    async with desk(tmp_path / "h", **with_siem(tmp_path / "h")) as at:
        await at.decided(pushed, SOURCE)
        case = at.drill.api.show("K-1")
        first, second = [i for i in case.items if i["collector"] == "alert"]
        assert at.drill.house.vault.read(first["sha256"]) == pushed
        assert (first["source"], first["connection"]) == ("alerts/siem", "")
        answer = json.loads(at.drill.house.vault.read(second["sha256"]))
        assert answer == {"alerts": [siem.alerts["alert-1"]], "took": 3}
        assert (second["source"], second["connection"]) == ("POST /toy/alerts", "siem")
        (alerted,) = at.drill.entries("K-1", What.ALERTED)
        row = at.alerts.row(1)
        assert alerted.data == {
            "alert": "A-1",
            "source": "siem",
            "sha256": row["sha256"],
            "confirmed": "read",
            "rule": "mine",
            "rule_digest": at.rules[0].digest,
            "playbook": "agent-kill",
            "playbook_digest": case.request.playbook_digest,
        }


async def test_a_forged_push_starts_nothing(tmp_path: Path, siem: Siem) -> None:
    async with desk(tmp_path / "h", **with_siem(tmp_path / "h")) as at:
        await at.decided(in_house(1), SOURCE)
        assert told(at)[0] == ""  # a vendor may show an alert a moment after it pushed it
        for _ in range(3):
            at.later(seconds=14)
            await at.settle()
        assert told(at) == ("triage", "Toy SIEM knows no such alert: forged, or expired there")
        assert len(siem.calls) == 3
        assert at.drill.api.list() == []


async def test_an_alert_that_can_be_read_a_moment_after_its_push_is_no_forgery(
    tmp_path: Path, siem: Siem
) -> None:
    async with desk(tmp_path / "h", **with_siem(tmp_path / "h")) as at:
        body = in_house(1)
        await at.decided(body, SOURCE)
        siem.raise_alert(body)
        at.later(seconds=3)
        await at.settle()
        assert told(at)[0] == "started"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"subject": {"user": KIM}}, f"the push said {KIM}, Toy SIEM has {JO}"),
        ({"subject": {"user": [KIM]}}, "the push said ['kim@corp.example'], Toy SIEM has"),
        ({"subject": {"user": "jо@corp.example"}}, "the push said jо@corp.example, Toy SIEM"),
    ],
    ids=["another", "list", "homoglyph"],
)
async def test_an_altered_push_is_found_out_and_does_not_hide_the_true_alert(
    tmp_path: Path, siem: Siem, change: dict[str, Any], why: str
) -> None:
    true = siem.raise_alert(in_house(1))
    async with desk(tmp_path / "h", **with_siem(tmp_path / "h")) as at:
        altered = json.dumps({**json.loads(true), **change}).encode()
        row = await at.decided(altered, SOURCE)
        assert row["outcome"] == "triage"
        assert why in row["why"]
        assert at.drill.api.list() == []
        full = at.alerts.row(1, body=True)
        assert json.loads(full["confirmed"]) == json.loads(true)  # beside it, for people
        # and the true one is acted on when it comes
        row = await at.decided(true, SOURCE)
        assert (row["outcome"], row["subject"]) == ("started", f"person:{JO}")


async def test_what_a_push_leaves_out_is_taken_from_the_vendor(tmp_path: Path, siem: Siem) -> None:
    true = json.loads(siem.raise_alert(in_house(1)))
    poor = {**true, "subject": {"user": "$SECURITY_SIGNAL_USER"}}
    async with desk(tmp_path / "h", **with_siem(tmp_path / "h")) as at:
        row = await at.decided(json.dumps(poor).encode(), SOURCE)
        assert (row["outcome"], row["subject"]) == ("started", f"person:{JO}")


async def test_the_vendors_rule_counts_and_not_the_pushs(tmp_path: Path, siem: Siem) -> None:
    true = json.loads(siem.raise_alert(in_house(1)))
    siem.alerts["alert-1"]["rule"] = {"id": "harmless"}
    async with desk(tmp_path / "h", **with_siem(tmp_path / "h")) as at:
        row = await at.decided(json.dumps(true).encode(), SOURCE)
        assert (row["outcome"], row["why"]) == ("triage", "no rule of this source matches")


async def test_a_push_that_stands_for_several_is_split_and_each_is_judged_by_itself(
    tmp_path: Path, siem: Siem
) -> None:
    for number, who in enumerate([JO, KIM, "ceo@corp.example"], 1):
        siem.raise_alert(in_house(number, user=who))
    notice = {**json.loads(in_house(1)), "ids": ["alert-1", "alert-2", "alert-3"]}
    async with desk(tmp_path / "h", **with_siem(tmp_path / "h")) as at:
        await at.decided(json.dumps(notice).encode(), SOURCE)
        rows = at.rows()
        assert told(at) == ("split", "stands for A-2, A-3, A-4")
        assert [rows[n]["outcome"] for n in (2, 3, 4)] == ["started", "started", "triage"]
        assert {rows[n]["parent"] for n in (2, 3, 4)} == {1}
        assert {rows[n]["origin"] for n in (2, 3, 4)} == {"read"}
        assert siem.calls == [("read", "alert-1", "alert-2", "alert-3")]
        items = [i for i in at.drill.api.show("K-1").items if i["collector"] == "alert"]
        assert at.drill.house.vault.read(items[0]["sha256"]) == json.dumps(notice).encode()
        # the next notice brings one more, and the known ones again
        siem.raise_alert(in_house(5, user=LEE))
        notice["ids"] = ["alert-2", "alert-5"]
        await at.decided(json.dumps(notice).encode(), SOURCE)
        assert told(at, 5) == (
            "triage",
            f"the push said {JO}, Toy SIEM has A-3, A-6, and none is about them",
        )
        notice["subject"] = {"user": KIM}
        await at.decided(json.dumps(notice).encode(), SOURCE)
        assert told(at, 7) == ("split", "stands for A-3, A-6")
        assert len(at.rows()) == 7


async def test_of_several_the_forged_one_is_named_and_the_true_ones_are_judged(
    tmp_path: Path, siem: Siem
) -> None:
    siem.raise_alert(in_house(1))
    notice = {**json.loads(in_house(1)), "ids": ["alert-1", "alert-99"]}
    async with desk(tmp_path / "h", **with_siem(tmp_path / "h")) as at:
        await at.decided(json.dumps(notice).encode(), SOURCE)
        for _ in range(2):
            at.later(seconds=14)
            await at.settle()
        assert told(at) == ("triage", "Toy SIEM knows no such alert: alert-99; the others are A-2")
        assert told(at, 2)[0] == "started"


async def test_the_same_alert_pushed_twice_is_one(tmp_path: Path, siem: Siem) -> None:
    pushed = siem.raise_alert(in_house(1))
    async with desk(tmp_path / "h", **with_siem(tmp_path / "h")) as at:
        await at.decided(pushed, SOURCE)
        await at.decided(pushed + b"\n", SOURCE)
        assert told(at, 2) == ("duplicate", "the same alert as A-1")
        siem.alerts["alert-1"]["subject"] = {"user": KIM}
        await at.decided(json.dumps(siem.alerts["alert-1"]).encode(), SOURCE)
        assert told(at, 3) == ("triage", "A-1 had the same id and another subject")
        assert len(at.drill.api.list()) == 1


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"error rendering mustache template", "not JSON"),
        (b"{}", "no rule of this source matches"),
        (b'{"rule": {"id": "other"}, "id": "alert-1"}', "no rule of this source matches"),
        (b'{"rule": {"id": "deny-repo"}}', "it names no alert of Toy SIEM's"),
        (b'{"rule": {"id": "deny-repo"}, "id": "../../alert-1"}', "it names no alert"),
        (b'{"rule": {"id": "deny-repo"}, "product": "killswitch"}', "killswitch itself"),
        (b'{"rule": {"id": "deny-repo"}, "ids": 7}', "unforeseen TypeError"),
        (
            json.dumps({"rule": "deny-repo", "ids": [f"alert-{n}" for n in range(500)]}).encode(),
            f"over {MOST_REFERENCES} are not read",
        ),
    ],
)
async def test_what_is_not_worth_a_question_costs_none(
    tmp_path: Path, siem: Siem, body: bytes, why: str
) -> None:
    async with desk(tmp_path / "h", **with_siem(tmp_path / "h")) as at:
        row = await at.decided(body, SOURCE)
        assert row["outcome"] == "triage"
        assert why in row["why"]
        assert siem.calls == []


async def test_a_storm_of_pushes_is_few_questions(tmp_path: Path, siem: Siem) -> None:
    bodies = [siem.raise_alert(in_house(n)) for n in range(120)]
    async with desk(tmp_path / "h", **with_siem(tmp_path / "h")) as at:
        await asyncio.gather(*(at.deliver(body, SOURCE) for body in bodies))
        await at.settle()
        assert len(siem.calls) == 3
        outcomes = sorted({row["outcome"] for row in at.rows().values()})
        assert outcomes == ["joined", "started"]


# a vendor that cannot be asked


async def test_a_vendor_that_is_down_is_tried_for_two_minutes_and_then_people_look(
    tmp_path: Path, siem: Siem
) -> None:
    siem.down()
    body = siem.raise_alert(in_house(1))
    async with desk(tmp_path / "h", **with_siem(tmp_path / "h")) as at:
        await at.decided(body, SOURCE)
        assert told(at) == ("", "not read yet at Toy SIEM: 503 from the toy")
        for _ in range(20):
            if told(at)[0]:
                break
            at.later(seconds=10)
            at.fresh()  # what was tried, and since when, outlives the process
            await at.settle()
        assert told(at) == ("triage", "could not be read again at Toy SIEM: 503 from the toy")
        assert 5 <= len(siem.calls) <= 12
        assert at.drill.api.list() == []


async def test_a_vendor_that_answers_again_in_time_loses_nothing(
    tmp_path: Path, siem: Siem
) -> None:
    siem.down(retry_after=30.0)
    body = siem.raise_alert(in_house(1))
    async with desk(tmp_path / "h", **with_siem(tmp_path / "h")) as at:
        await at.decided(body, SOURCE)
        at.later(seconds=20)
        await at.settle()
        assert len(siem.calls) == 1  # the vendor said when
        siem.up()
        at.later(seconds=20)
        await at.settle()
        assert told(at)[0] == "started"


async def test_while_one_vendor_hangs_the_alerts_of_others_are_decided(
    tmp_path: Path, siem: Siem
) -> None:
    siem.on["read"] = asyncio.Event().wait  # for ever
    home = with_siem(
        tmp_path / "h", sources={"in-house": {"auth": "hmac", "secrets": [{"plain": SECRET}]}}
    )
    (tmp_path / "h/triggers/other.yaml").write_text(
        (tmp_path / "h/triggers/mine.yaml")
        .read_text()
        .replace("trigger: mine", "trigger: other")
        .replace("source: siem", "source: in-house")
    )
    async with desk(tmp_path / "h", **home) as at:
        hanging = await at.deliver(siem.raise_alert(in_house(1)), SOURCE)
        reading = asyncio.create_task(at.confirming[SOURCE].once())
        other = await at.deliver(in_house(2, user=KIM))
        while await at.worker.once():
            pass
        assert at.alerts.row(other)["outcome"] == "started"
        assert at.alerts.row(hanging)["outcome"] == ""
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def test_one_odd_push_does_not_keep_the_others_from_being_read(
    tmp_path: Path, siem: Siem
) -> None:
    good = [siem.raise_alert(in_house(n)) for n in (1, 2, 3)]

    def choke() -> None:
        if "alert-2" in siem.calls[-1]:
            raise Unexpected("500: cannot parse alert-2")

    siem.on["read"] = choke
    async with desk(tmp_path / "h", **with_siem(tmp_path / "h")) as at:
        await asyncio.gather(*(at.deliver(body, SOURCE) for body in good))
        await at.settle()
        rows = {row["vendor_id"] or "odd": row["outcome"] for row in at.rows().values()}
        assert rows == {"alert-1": "started", "odd": "", "alert-3": "joined"}


async def test_many_pushes_that_are_no_alerts_are_written_down_together(
    tmp_path: Path, siem: Siem
) -> None:
    async with desk(tmp_path / "h", **with_siem(tmp_path / "h")) as at:
        bodies = [b"no alert at all %d" % number for number in range(40)]
        await asyncio.gather(*(at.deliver(body, SOURCE) for body in bodies))
        await at.settle()
        assert {row["outcome"] for row in at.rows().values()} == {"triage"}
        assert [len(told["alerts"]) for told in at.told(What.ALERTS)] == [40]


async def test_a_credential_that_does_not_suffice_is_said(tmp_path: Path, siem: Siem) -> None:
    def refuse() -> None:
        raise Denied("403: alerts.read is missing")

    siem.on["read"] = refuse
    body = siem.raise_alert(in_house(1))
    async with desk(tmp_path / "h", **with_siem(tmp_path / "h")) as at:
        await at.decided(body, SOURCE)
        at.later(minutes=3)
        await at.settle()
        assert told(at) == (
            "triage",
            "could not be read again at Toy SIEM: 403: alerts.read is missing",
        )


async def test_a_crash_after_the_push_was_confirmed_doubles_nothing(
    tmp_path: Path, siem: Siem
) -> None:
    body = siem.raise_alert(in_house(1))
    async with desk(tmp_path / "h", **with_siem(tmp_path / "h")) as at:
        await at.deliver(body, SOURCE)
        await at.confirming[SOURCE].once()
        at.fresh()  # the power failed between reading and judging
        await at.settle()
        assert told(at)[0] == "started"
        assert len(siem.calls) == 1


# without a connection


async def test_an_alert_that_nobody_vouches_for_says_so_in_its_case(tmp_path: Path) -> None:
    from tests.alerts.support import splunk

    async with desk(tmp_path / "h") as at:
        row = await at.decided(splunk(1, action="tool_call"), "splunk")
        assert row["outcome"] == "started"
        assert "not confirmed: no connection" in at.drill.api.show("K-1").request.reason


async def test_a_signature_vouches_for_its_alert(tmp_path: Path) -> None:
    async with desk(tmp_path / "h") as at:
        await at.decided(in_house(1))
        assert "not confirmed" not in at.drill.api.show("K-1").request.reason
        (alerted,) = at.drill.entries("K-1", What.ALERTED)
        assert alerted.data["confirmed"] == "hmac"
