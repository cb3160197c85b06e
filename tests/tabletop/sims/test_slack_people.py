"""Who has an account: the world's people, their agents, and those whom a bot must turn away."""

from __future__ import annotations

import pytest

from tabletop.sims.slack import FakeSlack
from tabletop.sims.world import World
from tests.tabletop.sims.slack_app import bolt, client, connected
from tests.tabletop.sims.test_slack_api import error


async def test_everybody_in_the_world_has_an_account(slack: FakeSlack, world: World) -> None:
    api = client(slack)
    for person in world.people:
        found = (await api.users_lookupByEmail(email=person.email))["user"]
        assert found["id"] == slack.user(person.email)
        assert found["team_id"] == slack.settings()["team_id"]
        assert found["is_email_confirmed"]
        assert found["profile"]["email"] == person.email
    listed = await api.users_list(limit=5)
    assert len(listed["members"]) == 5
    assert listed["response_metadata"]["next_cursor"]
    agent = (await api.users_info(user=slack.user("claude-code-jo")))["user"]
    assert agent["is_bot"]
    assert agent["real_name"] == "claude-code of Jo Marsh"
    assert "email" not in agent["profile"]
    assert await error(api.users_lookupByEmail(email="who@corp.example")) == "users_not_found"
    assert await error(api.users_info(user="U0NOBODY00")) == "user_not_found"
    with pytest.raises(AssertionError, match="nobody in this Slack"):
        slack.user("who@corp.example")


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("guest", "is_restricted", True),
        ("single-channel-guest", "is_ultra_restricted", True),
        ("bot", "is_bot", True),
        ("deleted", "deleted", True),
        ("external", "team_id", "T0FOREIGN0"),
        ("unconfirmed", "is_email_confirmed", False),
    ],
)
async def test_odd_ones(slack: FakeSlack, kind: str, field: str, value: object) -> None:
    user = slack.add_user("odd@corp.example", kind)
    found = (await client(slack).users_info(user=user))["user"]
    assert found[field] == value
    sees_general = kind in ("bot", "unconfirmed")
    assert [c["name"] for c in slack.channels(user)] == ["general"] * sees_general


async def test_people_of_another_enterprise(world: World) -> None:
    with FakeSlack(world, enterprise_id="E0CORP0000") as slack:
        user = slack.add_user("odd@other.example", "other-enterprise")
        found = (await client(slack).users_info(user=user))["user"]
        assert found["enterprise_user"]["enterprise_id"] == "E0FOREIGN0"
        assert found["is_stranger"]
        assert "email" not in found["profile"]
        press = await slack.slash("dana")
        assert press.payload["enterprise_id"] == "E0CORP0000"


async def test_a_press_names_the_team_of_who_pressed(slack: FakeSlack) -> None:
    app, seen = bolt(slack), []

    @app.shortcut("kill_new")
    async def shortcut(ack, body) -> None:
        await ack()
        seen.append((body["team"]["id"], body["user"]["team_id"]))

    partner = slack.add_user("pat@partner.example", "external")
    async with connected(slack, app):
        await slack.shortcut(partner, "kill_new")
        slack.twist(team="T0ELSEWHER")
        await slack.shortcut("dana", "kill_new")
    ours = slack.settings()["team_id"]
    assert seen == [(ours, "T0FOREIGN0"), ("T0ELSEWHER", "T0ELSEWHER")]


async def test_accounts_change(slack: FakeSlack) -> None:
    slack.change_user("lee", deleted=True)
    api = client(slack)
    assert await error(api.users_lookupByEmail(email="lee@corp.example")) == "users_not_found"
    assert (await api.users_info(user=slack.user("lee")))["user"]["deleted"]
    with pytest.raises(AssertionError, match="no colour"):
        slack.change_user("lee", colour="red")


async def test_user_groups_are_the_worlds_groups(slack: FakeSlack) -> None:
    api = client(slack)
    groups = (await api.usergroups_list())["usergroups"]
    leads = next(g["id"] for g in groups if g["handle"] == "eng-leads")
    members = (await api.usergroups_users_list(usergroup=leads))["users"]
    assert members == [slack.user("lee"), slack.user("ria")]
    assert await error(api.usergroups_users_list(usergroup="S0")) == "no_such_subteam"


async def test_the_app_and_the_team(slack: FakeSlack) -> None:
    slack.space.scopes.add("team:read")
    api = client(slack)
    assert (await api.team_info())["team"]["id"] == slack.settings()["team_id"]
    bot = (await api.bots_info(bot=(await api.auth_test())["bot_id"]))["bot"]
    assert (bot["user_id"], bot["app_id"]) == (slack.bot, slack.settings()["app_id"])
    assert await error(api.bots_info(bot="B0")) == "bot_not_found"


def test_ids_are_the_same_in_every_run(world: World) -> None:
    one, two = FakeSlack(world), FakeSlack(World.named("small"))
    assert one.user("dana") == two.user("dana")
    assert one.settings()["app_id"] == two.settings()["app_id"]
    assert one.user("dana").startswith("U")
