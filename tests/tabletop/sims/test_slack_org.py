"""Pins, and an app that is installed in a whole Enterprise organisation."""

from __future__ import annotations

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from tabletop.sims.slack import FakeSlack
from tabletop.sims.world import World
from tests.tabletop.sims.slack_app import client


async def error(awaitable) -> str:
    with pytest.raises(SlackApiError) as caught:
        await awaitable
    return caught.value.response["error"]


async def test_a_message_is_pinned_once(slack: FakeSlack) -> None:
    channel = slack.add_channel("kill-1", private=True)
    web = client(slack)
    ts = (await web.chat_postMessage(channel=channel, text="headline"))["ts"]
    assert (await web.pins_add(channel=channel, timestamp=ts))["ok"]
    assert slack.channel("kill-1")["pins"] == [ts]
    assert await error(web.pins_add(channel=channel, timestamp=ts)) == "already_pinned"


async def test_what_cannot_be_pinned_is_said_in_slacks_words(slack: FakeSlack) -> None:
    channel = slack.add_channel("kill-1", private=True)
    web = client(slack)
    ts = (await web.chat_postMessage(channel=channel, text="headline"))["ts"]
    assert await error(web.pins_add(channel=channel)) == "no_item_specified"
    assert await error(web.pins_add(channel=channel, timestamp="soon")) == "bad_timestamp"
    gone = web.pins_add(channel=channel, timestamp="1700000000.000001")
    assert await error(gone) == "message_not_found"
    assert await error(web.pins_add(channel="C0NOWHERE0", timestamp=ts)) == "channel_not_found"
    joined = slack.say("dana", "general", "dana joined")
    slack.space.channel("general").message(joined["ts"])["subtype"] = "channel_join"
    slack.space.channel("general").members.append(slack.bot)
    pinned = web.pins_add(channel=joined["channel"], timestamp=joined["ts"])
    assert await error(pinned) == "not_pinnable"
    slack.archive(channel)
    assert await error(web.pins_add(channel=channel, timestamp=ts)) == "is_archived"
    slack.space.scopes.discard("pins:write")
    assert await error(web.pins_add(channel=channel, timestamp=ts)) == "missing_scope"


async def test_an_app_of_the_organisation_must_say_which_workspace(world: World) -> None:
    with FakeSlack(world, enterprise_id="E0000000001", org_install=True) as slack:
        web: AsyncWebClient = client(slack)
        team = slack.settings()["team_id"]
        assert (await web.auth_test())["is_enterprise_install"] is True
        made = web.conversations_create(name="kill-1", is_private=True)
        assert await error(made) == "missing_argument"
        elsewhere = web.conversations_create(name="kill-1", is_private=True, team_id="T0OTHER000")
        assert await error(elsewhere) == "invalid_team"
        assert (await web.conversations_create(name="kill-1", is_private=True, team_id=team))["ok"]
        assert await error(web.conversations_list(types="private_channel")) == "missing_argument"
        listed = await web.conversations_list(types="private_channel", team_id=team)
        assert [c["name"] for c in listed["channels"]] == ["kill-1"]


async def test_an_app_of_one_workspace_need_not(slack: FakeSlack) -> None:
    made = await client(slack).conversations_create(name="kill-1", is_private=True, team_id="T9")
    assert made["ok"]
    assert slack.user("dana").startswith("U")
