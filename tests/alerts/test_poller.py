"""Asking what is new: what a push lost is found, once, whatever happens in between."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog

from killswitch.alerts.finds import Finds
from killswitch.alerts.poller import OVERLAP, Poller
from killswitch.model.errors import Broken, Unexpected
from tests.alerts.desk import Desk, desk
from tests.alerts.siem import Siem
from tests.alerts.support import ago, in_house, with_siem
from tests.drill import JO, KIM

SOURCE = "siem"


def poller(at: Desk) -> Poller:
    return at.polling[SOURCE]


def now() -> datetime:
    return datetime.now(UTC)


async def test_an_alert_whose_push_was_lost_is_found_and_opens_its_case(
    tmp_path: Path, siem: Siem
) -> None:
    async with desk(tmp_path / "h", **with_siem(tmp_path / "h")) as at:
        assert await poller(at).round() == 60.0
        siem.raise_alert(in_house(1))
        at.later(seconds=31)  # so that a push would have come first
        await poller(at).round()
        await at.settle()
        row = at.alerts.row(1)
        assert (row["outcome"], row["origin"]) == ("started", "poll")
        assert (row["confirmed_by"], row["vendor_id"]) == ("read", "alert-1")
        assert poller(at).health["found"] == 1
        (item,) = [i for i in at.drill.api.show("K-1").items if i["collector"] == "alert"]
        assert item["connection"] == "siem"


async def test_what_was_pushed_is_not_found_again_and_what_was_found_is_not_pushed_again(
    tmp_path: Path, siem: Siem
) -> None:
    async with desk(tmp_path / "h", **with_siem(tmp_path / "h")) as at:
        await poller(at).round()
        await at.decided(siem.raise_alert(in_house(1)), SOURCE)
        lost = siem.raise_alert(in_house(2, user=KIM))
        for _ in range(3):
            at.later(seconds=60)
            await poller(at).round()
            await at.settle()
        assert [r["origin"] for r in at.rows().values()] == ["poll", "push"]
        late = await at.decided(lost, SOURCE)
        assert (late["outcome"], late["why"]) == ("duplicate", "the same alert as A-2")
        assert len(at.drill.api.list()) == 2


async def test_an_old_alert_that_tells_no_time_of_its_own_is_old_all_the_same(
    tmp_path: Path, siem: Siem
) -> None:
    home = with_siem(tmp_path / "h")
    rule = tmp_path / "h/triggers/mine.yaml"
    rule.write_text(rule.read_text().replace(", occurred: occurred_at", ""))
    async with desk(tmp_path / "h", **home) as at:
        await poller(at).round()
        siem.raise_alert(in_house(1), now() + timedelta(minutes=1))
        at.later(hours=3)
        await poller(at).round()
        await at.settle()
        assert at.alerts.row(1)["why"].startswith("it is old")


async def test_alerts_of_no_rule_are_not_kept(tmp_path: Path, siem: Siem) -> None:
    async with desk(tmp_path / "h", **with_siem(tmp_path / "h")) as at:
        await poller(at).round()
        siem.raise_alert(in_house(1, rule={"id": "disk-full"}))
        siem.raise_alert(in_house(2, user=["a", "b"]))
        at.later(seconds=60)
        await poller(at).round()
        await at.settle()
        (row,) = at.rows().values()
        assert (row["vendor_id"], row["outcome"]) == ("alert-2", "triage")


async def test_each_question_overlaps_the_one_before_and_nothing_older_than_the_first_is_asked_for(
    tmp_path: Path, siem: Siem
) -> None:
    async with desk(tmp_path / "h", **with_siem(tmp_path / "h")) as at:
        began = now()
        siem.raise_alert(in_house(1), began - timedelta(minutes=5))
        await poller(at).round()
        for _ in range(20):
            at.later(seconds=60)
            await poller(at).round()
        assert at.rows() == {}
        first, second, last = siem.windows[0], siem.windows[1], siem.windows[-1]
        assert timedelta(seconds=30) < began - first.since < timedelta(seconds=35)
        assert second.since == first.since
        before = siem.windows[-2].until
        assert last.since == before - OVERLAP
        # what the vendor shows ten minutes late is found all the same
        siem.raise_alert(in_house(2, occurred_at=ago(minutes=-15)), before - timedelta(minutes=10))
        at.later(seconds=60)
        await poller(at).round()
        assert len(at.rows()) == 1


async def test_a_source_that_sends_nothing_is_asked_up_to_now(tmp_path: Path, siem: Siem) -> None:
    home = with_siem(tmp_path / "h", auth="none", source={"poll": "10s"})
    async with desk(tmp_path / "h", **home) as at:
        await poller(at).round()
        at.later(seconds=1)
        siem.raise_alert(in_house(1))
        assert await poller(at).round() == 10.0
        await at.settle()
        assert at.alerts.row(1)["outcome"] == "started"


async def test_while_the_vendor_is_down_the_mark_stays_and_it_is_said_once(
    tmp_path: Path, siem: Siem
) -> None:
    async with desk(tmp_path / "h", **with_siem(tmp_path / "h")) as at:
        await poller(at).round()
        siem.down()
        with structlog.testing.capture_logs() as log:
            waits = []
            for _ in range(5):
                at.later(minutes=10)
                waits.append(await poller(at).round())
        assert len([line for line in log if line["log_level"] == "error"]) == 1
        assert waits == sorted(waits)
        assert waits[-1] > waits[0]
        assert poller(at).health["why"] == "503 from the toy"
        siem.raise_alert(in_house(1, occurred_at=ago(minutes=-40)), now() + timedelta(minutes=5))
        siem.up()
        at.fresh()
        await poller(at).round()
        assert len(at.rows()) == 1  # though nobody asked for fifty minutes
        assert poller(at).health["why"] == ""


async def test_what_came_before_an_error_is_kept(tmp_path: Path, siem: Siem) -> None:
    async with desk(tmp_path / "h", **with_siem(tmp_path / "h")) as at:
        await poller(at).round()
        for number in range(4):
            siem.raise_alert(in_house(number))
        siem.page = 3
        at.later(minutes=1)
        await poller(at).round()
        assert len(at.rows()) == 3
        assert "only 3 were told" in poller(at).health["why"]
        siem.page = 10
        await poller(at).round()
        assert len(at.rows()) == 4


async def test_an_answer_that_is_cut_short_is_asked_for_in_smaller_windows(
    tmp_path: Path, siem: Siem
) -> None:
    async with desk(tmp_path / "h", **with_siem(tmp_path / "h")) as at:
        await poller(at).round()
        begin = now()
        for number in range(8):
            at_ = begin + timedelta(minutes=30 * number)
            siem.raise_alert(in_house(number, occurred_at=at_.isoformat()), at_)
        siem.page = 2
        at.later(hours=5)
        for _ in range(12):
            await poller(at).round()
            if not poller(at).health["why"]:
                break
        assert len(at.rows()) == 8


async def test_an_alert_that_the_vendor_cannot_tell_whole_keeps_no_later_one_back(
    tmp_path: Path, siem: Siem
) -> None:
    odd = "odd"

    def cannot_tell_all() -> None:
        window = siem.windows[-1]
        if window.since <= siem.raised[odd] < window.until:
            siem.on["end"] = choke

    def choke() -> None:
        del siem.on["end"]
        raise Unexpected("the rows of one alert are gone")

    async with desk(tmp_path / "h", **with_siem(tmp_path / "h")) as at:
        await poller(at).round()
        siem.raise_alert(in_house(1, id=odd), now() + timedelta(seconds=10))
        siem.on["recent"] = cannot_tell_all
        for minutes in range(1, 40, 4):
            at.later(minutes=4)
            raised = now() + timedelta(minutes=minutes)
            siem.raise_alert(in_house(minutes, occurred_at=raised.isoformat()), raised)
            at.later(seconds=40)
            assert await poller(at).round() == 60.0
            assert f"alert-{minutes}" in {row["vendor_id"] for row in at.rows().values()}
        assert poller(at).health["why"] == "the rows of one alert are gone"
        mark = Finds(at.alerts).polled(SOURCE, now()).upto
        assert mark < siem.raised[odd]
        at.later(hours=25)
        await poller(at).round()  # after a day it is passed over, and the mark moves
        assert Finds(at.alerts).polled(SOURCE, now()).upto > siem.raised[odd]


async def test_a_crash_between_keeping_and_marking_doubles_nothing(
    tmp_path: Path, siem: Siem, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with desk(tmp_path / "h", **with_siem(tmp_path / "h")) as at:
        await poller(at).round()
        siem.raise_alert(in_house(1))
        at.later(minutes=1)
        with monkeypatch.context() as failing:
            failing.setattr(Finds, "asked", broken)
            await poller(at).round()
        assert len(at.rows()) == 1
        at.fresh()
        await poller(at).round()
        await at.settle()
        assert len(at.rows()) == 1
        assert len(at.drill.api.list()) == 1


def broken(*args: object) -> None:
    raise Broken("the power fails")


async def test_a_gap_that_is_longer_than_the_vendor_keeps_alerts_is_said(
    tmp_path: Path, siem: Siem
) -> None:
    async with desk(tmp_path / "h", **with_siem(tmp_path / "h")) as at:
        await poller(at).round()
        at.later(days=3)
        with structlog.testing.capture_logs() as log:
            await poller(at).round()
        assert "a gap in polling" in [line["event"] for line in log]
        assert "not asked since" in poller(at).health["why"]
        assert Finds(at.alerts).polled(SOURCE, now()).upto > now() + timedelta(days=2)
        at.later(minutes=1)
        await poller(at).round()
        assert poller(at).health["why"] == ""


async def test_the_vendor_shares_its_pace_with_the_alerts_and_keeps_half_of_it(
    tmp_path: Path, siem: Siem
) -> None:
    from killswitch.engine.pace import background

    seen = []
    siem.on = {"read": lambda: seen.append(background.get()), "recent": lambda: None}
    async with desk(tmp_path / "h", **with_siem(tmp_path / "h")) as at:
        await at.decided(siem.raise_alert(in_house(1, user=JO)), SOURCE)
    assert seen == [True]
    assert background.get() is False
