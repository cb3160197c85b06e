"""What people do about alerts in Slack: look, open a case, dismiss; in private, by their role."""

from __future__ import annotations

import json
from pathlib import Path

from sqlalchemy import update

from bot.tables import presses
from killswitch.alerts.people import dismiss
from killswitch.alerts.store import Alerts
from killswitch.model.event import What
from killswitch.model.playbook import Assurance
from tabletop.sims.slack import FakeSlack
from tests.alerts.support import ago
from tests.bot.alerting import LIST, NOBODY, Alerting, alerting
from tests.bot.office import Office, buttons, of_view, world
from tests.drill import DANA, JO, KIM, LEE, SOL, person

REASON = "seen in the proxy's log, too"


async def start(at: Alerting, user: str, **fields: str) -> None:
    """Fill in the open form for a case and send it."""
    values = {"reason": {"v": REASON}, **{k: {"v": v} for k, v in fields.items()}}
    sent = await at.slack.submit(user, values)
    assert not sent.errors, sent.errors


async def old(at: Alerting, user: str = JO, number: int = 1) -> str:
    """An alert that is left to people because it is old, and is in the list."""
    alert = await at.alert(number, user, occurred_at=ago(hours=3))
    await at.says(alert)
    return alert


async def test_a_case_is_opened_through_the_buttons_in_ones_own_name(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        async with alerting(tmp_path, slack, members=[DANA, SOL, KIM]) as at:
            alert = await old(at)
            await at.review(DANA, alert)
            shown = of_view(slack.view(DANA))
            assert f"subject.user: {JO}" in shown
            assert "rule.id: deny-repo" in shown
            assert "test: false" in shown
            assert "it is old" in shown
            assert buttons(slack.view(DANA) or {}) == ["Start a case…", "Dismiss…"]
            await at.form(DANA, "alert.start", "subject")
            typed = (slack.view(DANA) or {})["state"]["values"]
            assert typed["subject"]["v"]["value"] == JO
            await start(at, DANA)
            await at.office.wait(lambda: at.office.shows(DANA, "Queued: *K-1*"))

            request = at.office.case().request
            assert (request.requester, request.door) == (DANA, "slack")
            assert request.assurance is Assurance.SLACK
            assert request.reason == f"{REASON} (alert {alert})"
            (alerted,) = at.office.drill.entries("K-1", What.ALERTED)
            assert alerted.data["alert"] == alert
            await at.office.decide(LEE, await at.office.wait(at.office.card))
            await at.office.drill.settled("K-1")
            await at.says("No alert waits for people")
            assert at.row(alert)["outcome"] == "started"


async def test_an_alert_that_names_nobody_needs_a_name_before_anything_is_sent(
    tmp_path: Path,
) -> None:
    with FakeSlack(world()) as slack:
        async with alerting(tmp_path, slack) as at:
            alert = await at.alert(1, NOBODY)
            await at.says(alert)
            await at.review(DANA, alert)
            await at.form(DANA, "alert.start", "subject")
            for wrong in ("agents-pilot", "<!channel>", "j\u043e@corp.example", "help"):
                fields = {"subject": {"v": wrong}, "reason": {"v": REASON}}
                assert (await slack.submit(DANA, fields)).errors["subject"]
            await start(at, DANA, subject=KIM)
            await at.office.wait(at.office.drill.api.list)
            assert at.office.case().request.subject == f"person:{KIM}"


async def test_an_alert_is_dismissed_with_a_reason_from_the_private_list(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        async with alerting(tmp_path, slack) as at:
            alert = await old(at)
            await slack.slash(DANA, "alerts")
            await at.office.wait(lambda: at.office.shows(DANA, JO))
            await slack.click(DANA, slack.view(DANA) or {}, "alert.review")
            await at.office.wait(lambda: at.office.shows(DANA, "What the alert says"))
            await at.form(DANA, "alert.dismiss", "reason")
            assert (await slack.submit(DANA, {"reason": {"v": ""}})).errors
            await slack.submit(DANA, {"reason": {"v": "a rehearsal"}})
            await at.office.wait(lambda: at.office.shows(DANA, "is off the list"))
            row = at.row(alert)
            assert (row["outcome"], row["why"]) == ("dismissed", "a rehearsal")
            assert row["history"][-1]["by"] == DANA
            await slack.slash(DANA, "alerts")
            await at.office.wait(lambda: at.office.shows(DANA, "No alert waits for people"))
            assert at.office.drill.api.list() == []


async def test_who_is_no_operator_is_told_so_in_private_and_sees_nothing(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        async with alerting(tmp_path, slack, members=[DANA, KIM]) as at:
            alert = await at.alert(1, JO, occurred_at=ago(hours=3))
            await at.says(f"{alert} ·")
            await at.review(KIM, alert)
            await at.office.wait(lambda: at.office.shows(KIM, "does not hold the role"))
            await slack.slash(KIM, "alerts")
            await at.office.wait(lambda: at.office.shows(KIM, "does not hold the role"))
            page = await slack.home(KIM)
            assert "alert" not in of_view(page).lower()
            assert not any(JO in of_view(v) for p in slack.presses() for v in p.views)
            assert len(at.queue()) == 1


async def test_whoever_loses_the_role_before_sending_does_nothing(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        async with alerting(tmp_path, slack) as at:
            alert = await old(at)
            await at.review(SOL, alert)
            await at.form(SOL, "alert.start", "subject")
            slack.change_user(SOL, deleted=True)
            await slack.submit(SOL, {"reason": {"v": REASON}})
            await at.office.wait(lambda: slack.presses()[-1].acks)
            assert at.office.drill.api.list() == []
            assert [w.alert for w in at.queue()] == [alert]


async def test_the_subject_is_shown_nothing_of_an_alert_about_them(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        async with alerting(tmp_path, slack) as at:
            alert = await old(at, SOL)
            page = of_view(await slack.home(SOL))
            assert "None." in page.partition("Alerts that wait for people")[2]
            await slack.slash(SOL, "alerts")
            await at.office.wait(lambda: at.office.shows(SOL, "No alert waits for people"))
            await slack.dismiss(SOL)
            await at.review(SOL, alert)
            await at.office.wait(lambda: at.office.shows(SOL, f"{alert} is not yours to see"))
            assert "it is old" not in of_view(slack.view(SOL))


async def test_a_stale_press_is_answered_with_how_it_stands(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        async with alerting(tmp_path, slack) as at:
            alert = await old(at)
            before = at.posts()[-1]
            await at.review(DANA, alert)
            await at.form(DANA, "alert.start", "subject")
            await dismissed(at, alert)
            await start(at, DANA)
            await at.office.wait(lambda: at.office.shows(DANA, f"dismissed by {SOL}"))
            assert at.office.shows(DANA, "a rehearsal")
            await slack.dismiss(DANA)
            await slack.click(DANA, before, "alert.review", stale=True)
            await at.office.wait(lambda: at.office.shows(DANA, f"dismissed by {SOL}"))
            assert buttons(slack.view(DANA) or {}) == []
            assert at.office.drill.api.list() == []


async def test_two_who_start_at_once_are_in_one_case(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        async with alerting(tmp_path, slack) as at:
            alert = await old(at)
            for user in (DANA, SOL):
                await at.review(user, alert)
                await at.form(user, "alert.start", "subject")
            await start(at, DANA)
            await at.office.wait(lambda: at.office.shows(DANA, "K-1"))
            await start(at, SOL)
            await at.office.wait(lambda: at.office.shows(SOL, f"belongs to K-1 by {DANA}"))
            assert len(at.office.drill.api.list()) == 1


async def dismissed(at: Alerting, alert: str) -> None:
    """By Sol, at a terminal."""
    drill = at.office.drill
    number = int(alert.removeprefix("A-"))
    await dismiss(drill.api, Alerts(drill.house.journal), number, person(SOL), "a rehearsal")


async def test_a_press_that_a_crash_left_is_carried_out_once(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        async with alerting(tmp_path, slack) as at:
            first, second = await old(at), await old(at, KIM, 2)
            await at.review(DANA, first)
            await at.form(DANA, "alert.start", "subject")
            await start(at, DANA)
            await at.office.wait(lambda: at.office.shows(DANA, "Queued"))
            await slack.dismiss(DANA)
            await at.review(DANA, second)
            await at.form(DANA, "alert.dismiss", "reason")
            await slack.submit(DANA, {"reason": {"v": "a rehearsal"}})
            await at.office.wait(lambda: at.office.shows(DANA, "off the list"))
            await at.office.stop_bot()
            with at.office.drill.house.store.begin() as tx:
                mine = presses.c.kind.in_(("alert-start", "alert-dismiss"))
                tx.execute(update(presses).where(mine).values(outcome=None))
            await at.office.start_bot()
            await at.office.wait(lambda: not at.office.parts.presses.open())
            with at.office.drill.house.store.read() as tx:
                mine = presses.c.kind.in_(("alert-start", "alert-dismiss"))
                outcomes = tx.execute(presses.select().where(mine)).all()
            assert [row.outcome for row in outcomes] == ["done", "done"]
            assert len(at.office.drill.api.list()) == 1
            assert len(at.row(second)["history"]) == 2


async def test_hostile_text_is_words_and_its_secrets_are_not_shown(tmp_path: Path) -> None:
    token = "ghp_" + "a1B2" * 9
    evil = "<!channel> <https://evil.example|sign in> *now* \u202e " + token
    more = {
        "note": evil, "password": "hunter2-hunter2", "<!here>": "key", "long": "y" * 10_000,
        "link": "https://evil.example/x", "occurred_at": ago(hours=3),
    }  # fmt: skip
    with FakeSlack(world()) as slack:
        async with alerting(tmp_path, slack) as at:
            alert = await at.alert(1, evil, **more)
            await at.says(alert)
            await at.review(DANA, alert)
            await at.office.wait(lambda: at.office.shows(DANA, "note: "))
            view = slack.view(DANA) or {}
            shown = json.dumps([view["blocks"], slack.messages(LIST)], ensure_ascii=False)
            for never in (token, "hunter2", "<!channel>", "<!here>", "<https", "\u202e"):
                assert never not in shown, never
            assert "Open it at its source" not in shown
            texts = [b["text"] for b in view["blocks"] if "text" in b]
            quoting = [t for t in texts if "evil.example" in t["text"]]
            assert quoting
            assert {t["type"] for t in quoting} == {"plain_text"}
            sent = [c for c in slack.calls("chat.postMessage") if "alert" in str(c.args)]
            assert all(c.args["unfurl_links"] is False for c in sent)


async def test_an_operators_home_lists_what_waits(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        async with alerting(tmp_path, slack) as at:
            await slack.home(DANA)
            assert "Alerts that wait for people" in of_view(slack.published(DANA))
            at.office.parts.homes.budget.every = 0.1
            alert = await old(at)
            await at.office.wait(lambda: JO in of_view(slack.published(DANA)))
            page = slack.published(DANA) or {}
            await slack.click(DANA, page, "alert.review", label=f"Review {alert}")
            await at.office.wait(lambda: at.office.shows(DANA, "What the alert says"))


async def test_without_alerts_nothing_of_them_is_shown(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        index = slack.add_channel(LIST, members=[DANA], private=True)
        async with Office.of(tmp_path, slack, bot={"index_channel": index}) as office:
            assert "alert" not in (await slack.slash(DANA, "help")).texts[0]
            assert "No alerts are configured" in (await slack.slash(DANA, "alerts")).texts[0]
            assert "Alerts" not in of_view(await slack.home(DANA))
            await office.wait(lambda: office.parts.notifier.drained)
            assert slack.messages(LIST) == []


async def test_with_alerts_help_names_the_command(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        async with alerting(tmp_path, slack):
            assert "/agent-kill alerts" in (await slack.slash(DANA, "help")).texts[0]
