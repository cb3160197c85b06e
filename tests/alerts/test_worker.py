"""From the stored alert to the case: the real engine, simulated vendors, rules that ship."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog

from killswitch.alerts.acting import MOST_ITEMS
from killswitch.alerts.alert import NoSuchAlert
from killswitch.alerts.facts import Facts
from killswitch.model.case import CaseState
from killswitch.model.event import What
from killswitch.model.plan import Mode
from tests.alerts.desk import desk
from tests.alerts.support import ALERTS, SERVICE, ago, in_house, splunk
from tests.drill import DANA, JO, KIM, LEE, person


async def test_an_alert_opens_a_case_that_asks_people_and_is_its_first_evidence(
    tmp_path: Path,
) -> None:
    async with desk(tmp_path / "h") as at:
        body = in_house()
        row = await at.decided(body)
        assert (row["outcome"], row["case_id"]) == ("started", "K-1")
        case = await at.drill.until("K-1", lambda c: "lead" in c.gates)
        assert case.request.requester == SERVICE
        assert case.request.door == "alert:in-house"
        assert case.request.detected_at == json.loads(body)["occurred_at"]
        assert "alert A-1" in case.request.reason
        assert case.items[0]["collector"] == "alert"
        assert case.items[0]["sha256"] == hashlib.sha256(body).hexdigest()
        assert at.drill.house.vault.read(case.items[0]["sha256"]) == body
        assert at.drill.wrote() == []  # nothing changes before people agree
        assert case.request.playbook_digest in json.dumps(
            at.drill.entries("K-1", What.REQUESTED)[0].data
        )
        await at.drill.approve("K-1", LEE)
        assert (await at.drill.settled("K-1")).state is CaseState.CONTAINED


async def test_what_another_rule_found_in_the_same_event_is_no_duplicate(tmp_path: Path) -> None:
    async with desk(tmp_path / "h") as at:
        watched = await at.decided(in_house(1, test=True))
        assert (watched["outcome"], watched["rule"]) == ("observed", "in-house-test")
        found = await at.decided(in_house(1))
        assert (found["outcome"], found["rule"]) == ("started", "in-house-deny-listed-repo")
        again = await at.decided(in_house(1, severity="high"))
        assert (again["outcome"], again["why"]) == ("duplicate", "the same alert as A-2")


async def test_further_alerts_join_the_open_case_as_evidence(tmp_path: Path) -> None:
    async with desk(tmp_path / "h") as at:
        await at.decided(in_house(1))
        rows = [await at.decided(in_house(n)) for n in (2, 3)]
        rows.append(await at.decided(splunk(1), "splunk"))  # the same from another source
        assert {(r["outcome"], r["case_id"]) for r in rows} == {("joined", "K-1")}
        items = [i for i in at.drill.api.show("K-1").items if i["collector"] == "alert"]
        assert len(items) == 4
        assert len(at.drill.api.list()) == 1


async def test_an_alert_joins_the_case_that_a_person_opened(tmp_path: Path) -> None:
    async with desk(tmp_path / "h") as at:
        case = await at.drill.start(JO)
        row = await at.decided(in_house())
        assert (row["outcome"], row["case_id"]) == ("joined", case)
        (joined,) = at.drill.entries(case, What.JOINED)
        assert joined.data["by"] == SERVICE


async def test_the_sources_own_id_again_starts_nothing(tmp_path: Path) -> None:
    async with desk(tmp_path / "h") as at:
        await at.decided(in_house(1))
        again = await at.decided(in_house(1, note="sent once more"))
        assert again["outcome"] == "duplicate"
        other = await at.decided(in_house(1, user=KIM))
        assert other["outcome"] == "triage"
        assert len(at.drill.api.list()) == 1


@pytest.mark.parametrize(
    "user", ["ceo@corp.example", SERVICE, ["jo@corp.example"], "agents-pilot", "jо@corp.example"]
)
async def test_nothing_is_started_about_whom_it_should_not(tmp_path: Path, user: Any) -> None:
    async with desk(tmp_path / "h") as at:
        row = await at.decided(in_house(user=user))
        assert row["outcome"] == "triage"
        assert at.drill.api.list() == []


async def test_members_of_a_protected_group_are_protected(tmp_path: Path) -> None:
    board = {"people": [], "groups": ["okta:eng-leads"]}
    async with desk(tmp_path / "h", protected=board) as at:
        row = await at.decided(in_house(user=LEE))
        assert row["why"] == f"{LEE} is protected"


async def test_a_storm_stays_within_the_caps_and_loses_nothing(tmp_path: Path) -> None:
    async with desk(tmp_path / "h") as at:
        people = [f"dev{n}@corp.example" for n in range(48)] + [JO, KIM]
        bodies = [in_house(n, user=people[n % 50]) for n in range(300)]
        await asyncio.gather(*(at.deliver(body) for body in bodies))
        assert at.alerts.waiting() == 300
        with structlog.testing.capture_logs() as log:
            while await at.worker.once():
                pass
        said = [line["cap"] for line in log if line["event"] == "alerts are held for people"]
        assert "rule in-house-deny-listed-repo" in said
        assert len(said) == len(set(said)), "each cap is said once"
        rows = at.alerts.newest(limit=500)
        assert len(rows) == 300
        assert {r["outcome"] for r in rows} <= {"started", "joined", "held"}
        began = {r["subject"] for r in rows if r["outcome"] == "started"}
        assert len(began) == 3
        assert len(at.drill.api.list(limit=100)) == 3
        held = [r for r in rows if r["outcome"] == "held"]
        assert all("the cap is 3" in r["why"] for r in held)
        assert not began & {r["subject"] for r in held}
        # whoever answers has kills left
        case = await at.drill.start(JO, by=DANA)
        assert at.drill.api.show(case)


async def test_one_case_keeps_so_many_alerts_as_evidence_and_the_store_keeps_all(
    tmp_path: Path,
) -> None:
    async with desk(tmp_path / "h") as at:
        more = MOST_ITEMS + 20
        await asyncio.gather(*(at.deliver(in_house(n)) for n in range(more)))
        while await at.worker.once():
            pass
        outcomes = Counter(r["outcome"] for r in at.alerts.newest(limit=500))
        assert outcomes == {"started": 1, "joined": more - 1}
        items = [i for i in at.drill.api.show("K-1").items if i["collector"] == "alert"]
        assert len(items) == MOST_ITEMS
        assert len(at.drill.entries("K-1", What.JOINED)) == 1


async def test_a_crash_before_the_decision_is_written_doubles_nothing(tmp_path: Path) -> None:
    async with desk(tmp_path / "h") as at:
        number = await at.deliver(in_house())
        alert = at.alerts.alert(number)
        await at.worker._acting.start(alert, await at.worker.judged(alert))  # the power fails
        assert at.alerts.row(number)["outcome"] == ""
        at.fresh()
        while await at.worker.once():
            pass
        row = at.alerts.row(number)
        assert (row["outcome"], row["case_id"]) == ("started", "K-1")
        assert len(at.drill.api.list()) == 1
        stored = at.drill.entries("K-1", What.STORED)
        assert sum(e.data["item"]["collector"] == "alert" for e in stored) == 1


async def test_a_late_alert_is_covered_by_a_new_seal(tmp_path: Path) -> None:
    drill = {"world": "world.json", "watch_for": "60s", "watch_every": "60s"}
    async with desk(tmp_path / "h", drill=drill) as at:
        await at.decided(in_house(1))
        await at.drill.approve("K-1", LEE)
        await at.drill.until("K-1", lambda c: any(s["which"] == "final" for s in c.seals))
        row = await at.decided(in_house(2, occurred_at=ago(minutes=1)))
        assert (row["outcome"], row["case_id"]) == ("joined", "K-1")
        seals = [s for s in at.drill.api.show("K-1").seals if s["which"] == "final"]
        assert len(seals) == 2
        assert seals[-1]["items"] == seals[0]["items"] + 1


async def test_the_requester_who_lost_the_role_starts_nothing(tmp_path: Path) -> None:
    async with desk(tmp_path / "h") as at:
        at.drill.house.rules.roles["secops"] = (DANA,)
        row = await at.decided(in_house())
        assert row["outcome"] == "held"
        assert "does not hold the role" in row["why"]
        assert at.drill.api.list() == []


async def test_an_alert_can_be_decided_again(tmp_path: Path) -> None:
    narrow = {**ALERTS, "people_per_hour": 1}
    async with desk(tmp_path / "h", alerts=narrow) as at:
        await at.decided(in_house(1, user=KIM))
        held = await at.decided(in_house(2))
        assert held["outcome"] == "held"
        at.worker._settings = at.worker._settings.model_copy(update={"people_per_hour": 2})
        at.alerts.reopen(held["id"], DANA, datetime.now(UTC))
        while await at.worker.once():
            pass
        row = at.alerts.row(held["id"])
        assert row["outcome"] == "started"
        assert [e["outcome"] for e in row["history"]] == ["held", "replay", "started"]
        assert row["history"][1]["by"] == DANA


async def test_a_subject_whom_the_idp_does_not_know_ends_as_a_refused_case(tmp_path: Path) -> None:
    async with desk(tmp_path / "h") as at:
        row = await at.decided(in_house(user="nobody@corp.example"))
        case = await at.drill.settled(row["case_id"])
        assert case.state is CaseState.REFUSED


async def test_refused_over_and_over_an_alert_does_not_use_up_the_kills_of_people(
    tmp_path: Path,
) -> None:
    async with desk(tmp_path / "h") as at:
        who = "person:nobody@corp.example"
        first = await at.decided(in_house(1, user="nobody@corp.example"))
        await at.drill.until(
            first["case_id"],
            lambda c: not Facts(at.drill.house.store).cases([who], Mode.DRILL)[who].open,
        )
        again = await at.decided(in_house(2, user="nobody@corp.example"))
        assert again["outcome"] == "held"
        assert "within the hour" in again["why"]
        assert len(at.drill.api.list()) == 1


async def test_an_unknown_number_is_said(tmp_path: Path) -> None:
    async with desk(tmp_path / "h") as at:
        with pytest.raises(NoSuchAlert):
            at.alerts.alert(9)
        with pytest.raises(NoSuchAlert):
            at.alerts.reopen(9, person(DANA).email, datetime.now(UTC))
