"""App Home stays current for those who have opened it, also over a restart, and for no others."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select

from bot.tables import homes
from tabletop.sims.slack import FakeSlack
from tests.bot.office import Office, of_view, world
from tests.drill import DANA, JO, KIM, LEE, RIA, person


def page(slack: FakeSlack, user: str) -> str:
    return of_view(slack.published(user))


def published(slack: FakeSlack, user: str) -> int:
    mine = slack.user(user)
    return sum(c.args["user_id"] == mine for c in slack.calls("views.publish"))


async def test_pages_follow_gates_and_cases_for_those_whom_they_concern(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        async with Office.of(tmp_path, slack) as office:
            for user in (LEE, KIM):
                await slack.home(user)
            assert "Nothing." in page(slack, LEE)
            case = await office.ask()
            await office.wait(lambda: "gate `lead`" in page(slack, LEE))

            await office.stop_bot()  # who has a page is known after a restart, too
            await office.start_bot()
            office.parts.homes.budget.every = 0.1
            await office.decide(RIA, await office.wait(lambda: office.card(case)))
            await office.drill.settled(case)
            await office.wait(lambda: "Contained" in page(slack, LEE))
            assert "gate `lead`" not in page(slack, LEE), "nothing waits for Lee any more"

            cases = office.drill.api.list()
            for email in (LEE, KIM, DANA, JO):
                seen = await office.drill.api.seen(cases, person(email))
                one_by_one = [c for c in cases if await office.drill.api.sees(c, person(email))]
                assert seen == one_by_one, email
            assert case not in page(slack, KIM)
            assert published(slack, KIM) == 1, "nothing changed on Kim's page"
            assert published(slack, RIA) == 0, "Ria never opened hers"
            assert slack.published(DANA) is None


async def test_pages_wait_where_slack_limits_them_and_hold_up_no_card(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        async with Office.of(tmp_path, slack) as office:
            await slack.home(LEE)
            office.parts.homes.budget.every = 0.1
            slack.fault(
                "status", "views.publish", status=429, headers={"Retry-After": "1"}, times=2
            )
            case = await office.ask()
            await office.wait(lambda: office.card(case))
            assert "gate `lead`" not in page(slack, LEE)
            await office.wait(lambda: "gate `lead`" in page(slack, LEE))
            refused = [c for c in slack.calls("views.publish") if c.status == 429]
            assert len(refused) == 2
            assert refused[1].at - refused[0].at >= 1.0, "as long as Slack asked for"


async def test_somebody_who_is_gone_is_shown_nothing_more(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        async with Office.of(tmp_path, slack) as office:
            await slack.home(LEE)
            office.parts.people._known.clear()
            slack.change_user(LEE, deleted=True)
            await office.ask()
            await office.wait(lambda: "deactivated" in page(slack, LEE))
            assert "K-1" not in page(slack, LEE)
            with office.drill.house.store.read() as tx:
                assert [row.user for row in tx.execute(select(homes))] == [slack.user(LEE)]
