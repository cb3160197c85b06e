"""The live list of alerts: one message and its edits, whatever comes, and nothing twice."""

from __future__ import annotations

import asyncio
import itertools
import json
from pathlib import Path

from sqlalchemy import update

from bot.budget import EVERY
from bot.outbox import SENDING
from bot.tables import posts
from tabletop.sims.slack import FakeSlack
from tests.alerts.support import ALERTS, ago, in_house
from tests.bot.alerting import LIST, Alerting, alerting
from tests.bot.office import buttons, of_view, world
from tests.drill import DANA, JO, KIM, SOL, person


def edits(at: Alerting) -> list[float]:
    """When the newest list was edited."""
    ts = at.posts()[-1]["ts"]
    return [c.at for c in at.slack.calls("chat.update") if c.args["ts"] == ts and c.ok]


async def dismiss(at: Alerting, alert: str, by: str = SOL) -> None:
    """At a terminal."""
    queue = at.office.parts.queue
    assert queue is not None
    await queue.dismiss(int(alert.removeprefix("A-")), person(by), "a rehearsal")


async def test_one_message_is_edited_and_says_when_none_waits_and_a_new_one_follows(
    tmp_path: Path,
) -> None:
    with FakeSlack(world()) as slack:
        async with alerting(tmp_path, slack) as at:
            first = await at.alert(1)
            await at.says("1 alert waits for people")
            second = await at.alert(2)
            listed = await at.says("2 alerts wait for people")
            assert buttons(listed) == [f"Review {second}", f"Review {first}"]
            assert len(at.posts()) == 1
            for alert in (first, second):
                await dismiss(at, alert)
            await at.says("No alert waits for people")
            assert buttons(at.posts()[0]) == []

            await at.alert(3)
            await at.office.wait(lambda: len(at.posts()) == 2)
            await at.says("1 alert waits for people")
            await at.office.wait(lambda: "newer message" in of_view(at.posts()[0]))
            await at.office.wait(lambda: at.office.parts.notifier.drained)
            assert len(at.posts()) == 2


async def test_a_storm_of_five_hundred_held_alerts_is_one_message(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        one = {**ALERTS, "people_per_hour": 1}
        async with alerting(tmp_path, slack, alerts=one, every=EVERY) as at:
            bodies = [in_house(n, user=f"user{n}@corp.example" if n else JO) for n in range(500)]
            await asyncio.gather(*(at.deliver(body) for body in bodies))
            await at.office.wait(lambda: not at.intake.store.waiting(), 60)
            await at.says("499 alerts wait for people")
            assert "and 489 more" in at.shown()
            assert "Over a cap: what the rule in-house-deny-listed-repo finds" in at.shown()
            await at.office.wait(lambda: at.office.parts.notifier.drained)
            assert len(at.posts()) == 1
            assert all(b - a >= EVERY - 0.1 for a, b in itertools.pairwise(edits(at)))


async def test_a_rule_over_its_cap_is_said_anew_once_an_hour(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        async with alerting(tmp_path, slack, alerts={**ALERTS, "people_per_hour": 1}) as at:
            await at.alert(1)
            await at.says("1 alert waits for people")
            assert "Over a cap" not in at.shown()
            await at.alert(2, JO)
            await at.alert(3, KIM)
            await at.office.wait(lambda: len(at.posts()) == 2)
            await at.says("Over a cap")
            await at.office.wait(lambda: "newer message" in of_view(at.posts()[0]))
            await at.alert(4, "max@corp.example")
            await at.says("3 alerts wait for people")
            assert len(at.posts()) == 2


async def test_a_restart_loses_none_and_repeats_no_post(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        async with alerting(tmp_path, slack) as at:
            await at.alert(1)
            await at.says("1 alert waits for people")
            await at.office.stop_bot()
            await at.alert(2)
            await at.office.start_bot()
            await at.says("2 alerts wait for people")
            assert len(at.posts()) == 1

            await (
                at.office.stop_bot()
            )  # as if it died between Slack's taking it and our noting that
            with at.office.drill.house.store.begin() as tx:
                mine = posts.c.kind == "alerts"
                tx.execute(update(posts).where(mine).values(state=SENDING, ts="", shown=""))
            await at.alert(3)
            await at.office.start_bot()
            await at.says("3 alerts wait for people")
            assert len(at.posts()) == 1


async def test_what_came_while_slack_was_down_is_there_afterwards_once(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        async with alerting(tmp_path, slack) as at:
            slack.fault("status", status=503)
            await at.alert(1)
            await at.alert(2)
            slack.heal()
            await at.says("2 alerts wait for people")
            assert len(at.posts()) == 1


async def test_a_list_that_somebody_deleted_is_posted_again(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        async with alerting(tmp_path, slack) as at:
            await at.alert(1)
            slack.delete_message(await at.says("1 alert waits for people"))
            await at.alert(2)
            await at.says("2 alerts wait for people")
            assert len(at.posts()) == 1


async def test_only_operators_among_themselves_are_shown_whom_alerts_name(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        async with alerting(tmp_path, slack) as at:
            await at.alert(1, JO, occurred_at=ago(hours=3))
            await at.alert(2, SOL, occurred_at=ago(hours=3))
            await at.says("2 alerts wait for people")
            assert JO in at.shown()
            assert "it is old" in at.shown()
            assert SOL not in at.shown(), "Sol reads along"
            await slack.join(KIM, LIST)
            await at.office.wait(lambda: JO not in at.shown())
            assert "2 alerts wait for people" in at.shown()
            assert buttons(at.posts()[0]) == ["Review A-2", "Review A-1"]


async def test_a_public_channel_is_told_no_names(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        async with alerting(tmp_path, slack, private=False) as at:
            await at.alert(1, JO, occurred_at=ago(hours=3))
            await at.says("1 alert waits for people")
            assert "in-house-deny-listed-repo" in at.shown()
            assert not any(JO in json.dumps(m) for m in slack.messages(LIST))


async def test_everything_about_alerts_in_a_drill_says_it(tmp_path: Path) -> None:
    sent = ("chat.postMessage", "chat.update", "views.open", "views.update", "views.publish")
    with FakeSlack(world()) as slack:
        async with alerting(tmp_path, slack) as at:
            first = await at.alert(1)
            await at.says("1 alert waits for people")
            await slack.home(DANA)
            await slack.slash(DANA, "alerts")
            await at.office.wait(lambda: at.office.shows(DANA, first))
            await at.review(DANA, first)
            await at.form(DANA, "alert.dismiss", "reason")
            await slack.submit(DANA, {"reason": {"v": "a rehearsal"}})
            await at.says("No alert waits for people")
        calls = [c for c in slack.calls() if c.method in sent]
        assert {c.method for c in calls} == set(sent)
        for call in calls:
            assert "DRILL" in json.dumps(call.args), (call.method, call.args)
