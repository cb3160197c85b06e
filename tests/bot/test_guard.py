"""The door: the payload's own word first, then Slack's; what cannot be told is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot.guard import Guard
from tabletop.sims.slack import FakeSlack
from tests.bot.office import Office, of_view, world
from tests.drill import LEE

OURS: dict[str, Any] = {
    "api_app_id": "A1",
    "team_id": "T1",
    "user": {"id": "U1", "team_id": "T1"},
}


def door(enterprise: str = "") -> Guard:
    return Guard("A1", "T1", enterprise, None, None, None)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"api_app_id": "A2"}, "not for this app"),
        ({"api_app_id": None}, "not for this app"),
        ({"team_id": "T2"}, "workspace"),
        ({"team_id": None}, "workspace"),
        ({"team_id": None, "team": {"id": "T2"}}, "workspace"),
        ({"team_id": "T2", "enterprise_id": "E1"}, "workspace"),
        ({"user": {"id": "U1", "team_id": "T2"}}, "other companies"),
        ({"user": {"id": "U1", "team_id": "T2", "enterprise_id": "E2"}}, "other companies"),
        ({"user": {"id": "U1", "enterprise_id": "E1"}}, "other companies"),
        ({"event": {"user": "U1", "user_team": "T2"}}, "other companies"),
    ],
)
def test_what_the_payload_speaks_against(change: dict[str, Any], why: str) -> None:
    assert why in door().of_payload({**OURS, **change})


def test_ours_pass_and_so_does_our_organisation() -> None:
    assert door().of_payload(OURS) == ""
    grid = {"team_id": "T9", "enterprise_id": "E1", "user": {"id": "W1", "enterprise_id": "E1"}}
    assert door("E1").of_payload({**OURS, **grid}) == ""
    assert door("E2").of_payload({**OURS, **grid}) != ""


@pytest.mark.parametrize("kind", ["guest", "single-channel-guest", "bot", "deleted", "external"])
async def test_strangers_are_refused_in_private_and_nothing_starts(
    tmp_path: Path, kind: str
) -> None:
    with FakeSlack(world()) as slack:
        async with Office.of(tmp_path, slack) as office:
            eve = slack.add_user("eve@corp.example", kind)
            pressed = await slack.slash(eve, "jo@corp.example")
            assert pressed.views == []
            assert "Refused" in "\n".join(pressed.texts)
            assert "Nothing was started" in "\n".join(pressed.texts)
            assert office.drill.api.list() == []


async def test_an_unconfirmed_address_may_press_nothing(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        async with Office.of(tmp_path, slack) as office:
            eve = slack.add_user("dana.w@corp.example", "unconfirmed")
            await slack.slash(eve, "jo@corp.example")
            await office.wait(lambda: office.shows(eve, "no confirmed address"))
            assert office.drill.api.list() == []


async def test_somebody_who_is_no_operator_starts_nothing(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        async with Office.of(tmp_path, slack) as office:
            await slack.slash("kim", "jo@corp.example")
            await office.wait(lambda: office.shows("kim", "does not hold the role secops"))
            assert office.drill.api.list() == []


async def test_a_mapped_person_is_who_the_configuration_says(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        dana = slack.add_user("dana@elsewhere.example", "unconfirmed")
        people = {"people": {dana: "dana@corp.example"}}
        async with Office.of(tmp_path, slack, bot=people) as office:
            case = await office.ask(dana)
            assert office.case(case).request.requester == "dana@corp.example"


@pytest.mark.parametrize("twist", [{"team": "T0FOREIGN0"}, {"app": "A0FOREIGN0"}])
async def test_a_click_of_another_team_or_app_reaches_no_handler(
    tmp_path: Path, twist: dict[str, str]
) -> None:
    with FakeSlack(world()) as slack:
        async with Office.of(tmp_path, slack) as office:
            case = await office.ask()
            card = await office.wait(lambda: office.card(case))
            slack.twist(**twist)
            pressed = await slack.click(LEE, card, "gate.review", label="Review")
            assert pressed.views == []
            assert office.case(case).gates["lead"].decisions == []


async def test_who_loses_the_role_between_click_and_submit_decides_nothing(
    tmp_path: Path,
) -> None:
    with FakeSlack(world()) as slack:
        async with Office.of(tmp_path, slack) as office:
            case = await office.ask()
            card = await office.wait(lambda: office.card(case))
            await slack.click(LEE, card, "gate.review", label="Review")
            await office.wait(lambda: office.has_form(LEE, "decision"))
            slack.change_user(LEE, is_email_confirmed=False)
            await slack.submit(LEE, {"decision": {"v": "approve"}, "reason": {"v": "agreed"}})
            await office.wait(lambda: office.shows(LEE, "no confirmed address"))
            assert office.case(case).gates["lead"].decisions == []
            assert "Refused" in of_view(slack.view(LEE))
