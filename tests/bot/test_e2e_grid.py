"""Enterprise Grid: an app of the whole organisation, whose presses come without a team."""

from __future__ import annotations

from pathlib import Path

from killswitch.model.case import CaseState
from tabletop.sims.slack import FakeSlack
from tests.bot.office import Office, world
from tests.drill import DANA, JO, LEE


async def test_a_press_from_an_app_of_the_whole_organisation(tmp_path: Path) -> None:
    with FakeSlack(world(), enterprise_id="E0000000001", org_install=True) as slack:
        async with Office.of(tmp_path, slack) as office:
            await slack.shortcut(DANA, "kill_new")
            sent = await office.fill(DANA, JO)
            await office.wait(office.drill.api.list)
            card = await office.wait(office.card)
            decided = await office.decide(LEE, card)
            assert (await office.drill.settled("K-1")).state is CaseState.CONTAINED
            for press in (sent, decided):
                assert press.payload["team"] is None
                assert press.payload["is_enterprise_install"] is True
                assert press.user.startswith("W")
            (pressed,) = [p for p in slack.presses() if p.payload.get("actions")]
            assert pressed.payload["team"]["enterprise_id"] == "E0000000001"
            (made,) = slack.calls("conversations.create")
            assert made.args["team_id"] == slack.settings()["team_id"]

            home = await slack.home(LEE)
            assert home is not None


async def test_another_organisations_people_press_nothing(tmp_path: Path) -> None:
    with FakeSlack(world(), enterprise_id="E0000000001", org_install=True) as slack:
        async with Office.of(tmp_path, slack) as office:
            eve = slack.add_user("eve@corp.example", "other-enterprise")
            pressed = await slack.shortcut(eve, "kill_new")
            assert pressed.views == []
            assert office.drill.api.list() == []
