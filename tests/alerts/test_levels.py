"""Levels: evidence only, asking, and going ahead with what can be undone; windows that collect."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import structlog

from killswitch.model.event import What
from killswitch.model.plan import Mode
from tests.alerts.desk import Desk, desk
from tests.alerts.siem import Siem
from tests.alerts.support import in_house, with_siem
from tests.drill import JO, KIM, LEE

SOURCE = "siem"
REVERSIBLE: dict[str, Any] = {"level": "reversible", "collect": "10s", "automatic": True}


def people(number: int) -> list[str]:
    return [f"dev{n}@corp.example" for n in range(number)]


async def push(at: Desk, siem: Siem, *bodies: bytes) -> None:
    await asyncio.gather(*(at.deliver(siem.raise_alert(body), SOURCE) for body in bodies))
    await at.settle()


def outcomes(at: Desk) -> list[str]:
    return [row["outcome"] for _, row in sorted(at.rows().items())]


# evidence


async def test_evidence_opens_a_case_that_only_collects(tmp_path: Path, siem: Siem) -> None:
    async with desk(tmp_path / "h", **with_siem(tmp_path / "h", level="evidence")) as at:
        await push(at, siem, in_house(1))
        assert at.drill.api.show("K-1").request.mode is Mode.EVIDENCE
        await at.drill.settled("K-1")
        assert at.drill.wrote() == []


async def test_a_persons_evidence_is_collected_once_in_a_quarter_of_an_hour(
    tmp_path: Path, siem: Siem
) -> None:
    async with desk(tmp_path / "h", **with_siem(tmp_path / "h", level="evidence")) as at:
        await push(at, siem, in_house(1))
        await at.drill.closed("K-1")
        await push(at, siem, in_house(2))
        assert (outcomes(at), at.alerts.row(2)["case_id"]) == (["started", "joined"], "K-1")
        at.later(minutes=16)
        await push(at, siem, in_house(3))
        assert at.alerts.row(3)["case_id"] == "K-2"


async def test_evidence_about_somebody_with_an_open_case_joins_that(
    tmp_path: Path, siem: Siem
) -> None:
    async with desk(tmp_path / "h", **with_siem(tmp_path / "h", level="evidence")) as at:
        await at.drill.start(JO)
        await push(at, siem, in_house(1))
        assert at.alerts.row(1)["case_id"] == "K-1"
        assert len(at.drill.api.list()) == 1


async def test_evidence_has_caps_of_its_own_and_uses_up_no_kills(
    tmp_path: Path, siem: Siem
) -> None:
    home = with_siem(tmp_path / "h", level="evidence", people=2)
    rule = (tmp_path / "h/triggers/mine.yaml").read_text()
    asks = rule.replace("level: evidence", "level: propose").replace("trigger: mine", "trigger: b")
    (tmp_path / "h/triggers/b.yaml").write_text(asks.replace("deny-repo", "other"))
    async with desk(tmp_path / "h", **home) as at:
        one, two, three = people(3)
        bodies = [in_house(n, user=who) for n, who in enumerate([one, two, three])]
        await push(at, siem, *bodies)
        assert sorted(outcomes(at)) == ["held", "started", "started"]
        more = [
            in_house(9, user=JO, rule={"id": "other"}),
            in_house(8, user=KIM, rule={"id": "other"}),
        ]
        await push(at, siem, *more)
        assert sorted(outcomes(at)) == ["held", *["started"] * 4]


# reversible


async def test_reversible_asks_for_a_case_that_goes_ahead(tmp_path: Path, siem: Siem) -> None:
    async with desk(tmp_path / "h", **with_siem(tmp_path / "h", **REVERSIBLE)) as at:
        await push(at, siem, in_house(1))
        assert at.drill.api.list() == []  # ten seconds, to see whether it is the rule
        at.later(seconds=11)
        await at.settle()
        request = at.drill.api.show("K-1").request
        assert (request.automatic, request.door) == (True, "alert:siem")
        assert at.alerts.row(1)["level"] == "reversible"
        await at.drill.settled("K-1")


async def test_over_its_own_cap_a_reversible_rule_asks_people_and_says_so_once(
    tmp_path: Path, siem: Siem
) -> None:
    home = with_siem(tmp_path / "h", people=2, **REVERSIBLE)
    async with desk(tmp_path / "h", **home) as at:
        with structlog.testing.capture_logs() as log:
            for n, who in enumerate(people(4)):
                await push(at, siem, in_house(n, user=who))
                at.later(seconds=11)
                await at.settle()
        cases = [at.drill.api.show(f"K-{n}").request for n in (1, 2, 3, 4)]
        assert [r.automatic for r in cases] == [True, True, False, False]
        assert outcomes(at) == ["started"] * 4
        assert "so it asks people" in at.alerts.row(3)["why"]
        said = [x for x in log if x["event"] == "a rule asks people now, over its cap"]
        assert len(said) == 1


async def test_beyond_the_sources_cap_a_reversible_rule_is_held(tmp_path: Path, siem: Siem) -> None:
    home = with_siem(tmp_path / "h", people=1, source={"people_per_hour": 2}, **REVERSIBLE)
    async with desk(tmp_path / "h", **home) as at:
        for n, who in enumerate(people(3)):
            await push(at, siem, in_house(n, user=who))
            at.later(seconds=11)
            await at.settle()
        assert outcomes(at) == ["started", "started", "held"]
        requests = [at.drill.api.show(case).request for case in ("K-1", "K-2")]
        assert [r.automatic for r in requests] == [True, False]


# windows


async def test_more_people_in_a_window_than_the_cap_start_nothing_at_all(
    tmp_path: Path, siem: Siem
) -> None:
    home = with_siem(tmp_path / "h", collect="30s")
    async with desk(tmp_path / "h", **home) as at:
        bodies = [in_house(n, user=who) for n, who in enumerate(people(12))]
        await push(at, siem, *bodies)
        assert outcomes(at) == [""] * 12
        at.later(seconds=31)
        with structlog.testing.capture_logs() as log:
            await at.settle()
        assert outcomes(at) == ["held"] * 12
        whys = {row["why"] for row in at.rows().values()}
        assert whys == {"12 people in 30 s, the cap is 3: looks like the rule, not the people"}
        assert at.drill.api.list() == []
        said = [x for x in log if x["event"] == "alerts are held for people"]
        assert len(said) == 1
        (entry,) = at.told(What.ALERTS)
        assert len(entry["alerts"]) == 12


async def test_in_a_window_each_person_has_one_case_with_all_their_alerts(
    tmp_path: Path, siem: Siem
) -> None:
    async with desk(tmp_path / "h", **with_siem(tmp_path / "h", collect="30s")) as at:
        await push(at, siem, *(in_house(n, user=[JO, KIM][n % 2]) for n in range(6)))
        at.later(seconds=31)
        await at.settle()
        assert sorted(outcomes(at)) == ["joined"] * 4 + ["started"] * 2
        for case in ("K-1", "K-2"):
            entries = at.drill.entries(case, What.ALERTED)
            assert len(entries) == 3


async def test_the_window_is_the_first_alerts_and_outlives_the_process(
    tmp_path: Path, siem: Siem
) -> None:
    async with desk(tmp_path / "h", **with_siem(tmp_path / "h", collect="30s")) as at:
        await push(at, siem, in_house(1))
        first = at.alerts.row(1)["wait_until"]
        await push(at, siem, in_house(2, user=KIM))
        assert at.alerts.row(2)["wait_until"] == first
        at.fresh()
        await at.settle()
        assert outcomes(at) == ["", ""]
        at.later(seconds=31)
        await at.settle()
        assert outcomes(at) == ["started", "started"]


async def test_what_came_while_nobody_looked_is_judged_together_too(
    tmp_path: Path, siem: Siem
) -> None:
    async with desk(tmp_path / "h", **with_siem(tmp_path / "h", collect="30s")) as at:
        for n, who in enumerate(people(60)):
            await at.deliver(siem.raise_alert(in_house(n, user=who)), SOURCE)
        at.later(minutes=5)  # the engine was down: every window is long over
        await at.settle()
        assert set(outcomes(at)) == {"held"}
        assert at.drill.api.list() == []


async def test_what_needs_no_window_is_decided_at_once(tmp_path: Path, siem: Siem) -> None:
    async with desk(tmp_path / "h", **with_siem(tmp_path / "h", collect="30s")) as at:
        await at.drill.start(JO)
        await push(at, siem, in_house(1), in_house(2, user="ceo@corp.example"), in_house(3, LEE))
        assert sorted(outcomes(at)) == ["", "joined", "triage"]
