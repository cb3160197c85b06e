"""The Web API through the real SDK: tokens, scopes, channels, messages, limits, bad days."""

from __future__ import annotations

import asyncio
import time

import httpx
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from tabletop.sims.slack import FakeSlack, Limits
from tabletop.sims.world import World
from tests.tabletop.sims.slack_app import actions, button, client, section


async def refused(awaitable) -> dict:
    """The body of the error that this call is answered with."""
    with pytest.raises(SlackApiError) as caught:
        await awaitable
    data = caught.value.response.data
    assert data["ok"] is False
    return data


async def error(awaitable) -> str:
    return (await refused(awaitable))["error"]


async def test_tokens_are_checked(slack: FakeSlack) -> None:
    who = await client(slack).auth_test()
    assert (who["user_id"], who["team_id"]) == (slack.bot, slack.settings()["team_id"])
    stranger = AsyncWebClient(token="xoxb-fake-other", base_url=slack.url)
    assert await error(stranger.auth_test()) == "invalid_auth"
    nobody = AsyncWebClient(base_url=slack.url)
    assert await error(nobody.auth_test()) == "not_authed"
    app_level = AsyncWebClient(token=slack.space.app_token, base_url=slack.url)
    assert await error(app_level.auth_test()) == "not_allowed_token_type"
    assert (await app_level.apps_connections_open(app_token=slack.space.app_token))["url"]
    wrong = client(slack).apps_connections_open(app_token=slack.space.bot_token)
    assert await error(wrong) == "not_allowed_token_type"
    slack.revoke()
    assert await error(client(slack).auth_test()) == "token_revoked"
    slack.heal()
    await client(slack).auth_test()
    assert await error(client(slack).api_call("no.such")) == "unknown_method"


async def test_a_missing_scope_is_named(slack: FakeSlack) -> None:
    slack.space.scopes -= {"groups:write", "users:read.email"}
    said = await refused(client(slack).conversations_create(name="kill-1", is_private=True))
    assert said["error"] == "missing_scope"
    assert said["needed"] == "groups:write"
    assert "chat:write" in said["provided"].split(",")
    lookup = client(slack).users_lookupByEmail(email="dana@corp.example")
    assert (await refused(lookup))["needed"] == "users:read.email"
    dana = (await client(slack).users_info(user=slack.user("dana")))["user"]
    assert "email" not in dana["profile"]
    public = client(slack).conversations_create(name="open")
    assert (await refused(public))["needed"] == "channels:manage"
    listed = client(slack).conversations_list(types="public_channel")
    assert (await refused(listed))["needed"] == "channels:read"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "invalid_name_required"),
        ("k" * 81, "invalid_name_maxlength"),
        ("---", "invalid_name_punctuation"),
        ("Kill-1", "invalid_name_specials"),
        ("kill 1", "invalid_name_specials"),
        ("general", "name_taken"),
    ],
)
async def test_channel_names(slack: FakeSlack, name: str, why: str) -> None:
    assert await error(client(slack).conversations_create(name=name, is_private=True)) == why


async def test_a_private_channel_exists_for_its_members_only(slack: FakeSlack) -> None:
    api = client(slack)
    hidden = slack.add_channel("board", members=["ceo"], private=True, app=False)
    assert await error(api.conversations_info(channel=hidden)) == "channel_not_found"
    assert await error(api.chat_postMessage(channel=hidden, text="hello")) == "channel_not_found"
    assert await error(api.conversations_create(name="board", is_private=True)) == "name_taken"
    made = await api.conversations_create(name="kill-1", is_private=True)
    channel = made["channel"]["id"]
    assert made["channel"]["is_member"]
    jo, lee = slack.user("jo"), slack.user("lee")
    await api.conversations_invite(channel=channel, users=[lee, slack.user("dana")])
    await api.chat_postMessage(channel=channel, text="secret")
    assert [c["name"] for c in slack.channels("lee")] == ["general", "kill-1"]
    assert [c["name"] for c in slack.channels("jo")] == ["general"]
    assert slack.messages("kill-1", visible_to="jo") == []
    assert [m["text"] for m in slack.messages("kill-1", visible_to="lee")] == ["secret"]
    listed = await api.conversations_list(types="private_channel")
    assert [c["name"] for c in listed["channels"]] == ["kill-1"]
    members = await api.conversations_members(channel=channel, limit=2)
    rest = await api.conversations_members(
        channel=channel, cursor=members["response_metadata"]["next_cursor"]
    )
    assert [*members["members"], *rest["members"]] == [slack.bot, lee, slack.user("dana")]
    said = await refused(api.conversations_invite(channel=channel, users=[lee, jo]))
    assert (said["error"], len(said["errors"])) == ("already_in_channel", 1)
    assert jo not in slack.channel("kill-1")["members"]
    await api.conversations_invite(channel=channel, users=[lee, jo], force=True)
    assert slack.messages("kill-1", visible_to="jo") != []
    await api.conversations_kick(channel=channel, user=jo)
    assert slack.messages("kill-1", visible_to="jo") == []
    assert await error(api.conversations_kick(channel=channel, user=jo)) == "not_in_channel"
    assert await error(api.conversations_kick(channel=channel, user=slack.bot)) == "cant_kick_self"


async def test_whom_a_channel_cannot_take(slack: FakeSlack) -> None:
    api, channel = client(slack), slack.add_channel("kill-1", private=True)

    async def invite(user: str) -> str:
        return await error(api.conversations_invite(channel=channel, users=user))

    assert await invite("U0NOBODY00") == "user_not_found"
    assert await invite("") == "no_user"
    assert await invite(slack.bot) == "cant_invite_self"
    assert await invite(slack.add_user("gone@corp.example", "deleted")) == "cant_invite"
    partner = slack.add_user("pat@partner.example", "external")
    assert await invite(partner) == "user_team_not_in_channel"
    visitor = slack.add_user("vi@corp.example", "single-channel-guest")
    assert await invite(visitor) == "ura_max_channels"
    await api.conversations_invite(channel=channel, users=slack.user("claude-code-jo"))


async def test_topics_joining_and_archiving(slack: FakeSlack) -> None:
    api = client(slack)
    slack.space.scopes |= {"channels:join", "channels:manage", "channels:read", "reactions:write"}
    public = slack.add_channel("alerts", members=["dana"], app=False)
    assert await error(api.conversations_setTopic(channel=public, topic="x")) == "not_in_channel"
    await api.conversations_join(channel=public)
    await api.conversations_setTopic(channel=public, topic="sev1")
    assert slack.channel("alerts")["topic"] == "sev1"
    long = api.conversations_setTopic(channel=public, topic="x" * 251)
    assert await error(long) == "too_long"
    posted = await api.chat_postMessage(channel=public, text="up")
    ts = posted["ts"]
    await api.pins_add(channel=public, timestamp=ts)
    assert await error(api.pins_add(channel=public, timestamp=ts)) == "already_pinned"
    await api.reactions_add(channel=public, timestamp=ts, name="eyes")
    again = api.reactions_add(channel=public, timestamp=ts, name="eyes")
    assert await error(again) == "already_reacted"
    await api.bookmarks_add(
        channel_id=public, title="Report", type="link", link="https://corp.example/r"
    )
    assert slack.channel("alerts")["bookmarks"][0]["title"] == "Report"
    await api.conversations_archive(channel=public)
    assert slack.channel("alerts")["is_archived"]
    assert await error(api.conversations_archive(channel=public)) == "already_archived"
    assert await error(api.chat_postMessage(channel=public, text="x")) == "is_archived"
    assert await error(api.conversations_invite(channel=public, users="U1")) == "is_archived"
    assert await error(api.chat_update(channel=public, ts=ts, text="x")) == "is_inactive"
    whisper = api.chat_postEphemeral(channel=public, user=slack.user("dana"), text="x")
    assert await error(whisper) == "is_archived"


async def test_posting_editing_and_taking_back(slack: FakeSlack) -> None:
    api, channel = client(slack), slack.add_channel("kill-1", members=["dana"], private=True)
    assert await error(api.api_call("chat.postMessage", json={"channel": channel})) == "no_text"
    assert await error(api.chat_postMessage(channel=channel, text="x" * 40_001)) == "msg_too_long"
    card = [section("Approve?"), actions(button("review", "Review"))]
    posted = await api.chat_postMessage(
        channel=channel,
        text="Approve?",
        blocks=card,
        metadata={"event_type": "gate", "event_payload": {"case": "K-1"}},
    )
    assert all(block["block_id"] for block in posted["message"]["blocks"])
    ts = posted["ts"]
    reply = await api.chat_postMessage(channel=channel, text="because", thread_ts=ts)
    [message, _] = slack.messages("kill-1")
    assert message["metadata"]["event_payload"] == {"case": "K-1"}
    assert [m["ts"] for m in slack.thread(message)] == [reply["ts"]]
    lost = api.chat_postMessage(channel=channel, text="x", thread_ts="1.000001")
    assert await error(lost) == "cannot_reply_to_message"
    bad = api.chat_postMessage(channel=channel, text="x", metadata={"event_type": 1})
    assert await error(bad) == "invalid_metadata_format"
    await api.chat_update(channel=channel, ts=ts, text="Approved")
    assert slack.messages("kill-1")[0]["blocks"], "what an update leaves out stays"
    await api.chat_update(channel=channel, ts=ts, text="Approved", blocks=[])
    assert slack.messages("kill-1")[0]["blocks"] == []
    said = slack.say("dana", "kill-1", "mine")
    theirs = api.chat_update(channel=channel, ts=said["ts"], text="x")
    assert await error(theirs) == "cant_update_message"
    assert await error(api.chat_delete(channel=channel, ts=said["ts"])) == "cant_delete_message"
    assert (await api.chat_getPermalink(channel=channel, message_ts=ts))["permalink"]
    history = await api.conversations_history(channel=channel)
    assert [m["text"] for m in history["messages"]] == ["mine", "Approved"]
    replies = await api.conversations_replies(channel=channel, ts=ts)
    assert [m["text"] for m in replies["messages"]] == ["Approved", "because"]
    await api.chat_delete(channel=channel, ts=ts)
    assert await error(api.chat_update(channel=channel, ts=ts, text="x")) == "message_not_found"


async def test_malformed_arguments_are_refused(slack: FakeSlack) -> None:
    api, channel = client(slack), slack.add_channel("kill-1", private=True)
    token = {"Authorization": f"Bearer {slack.space.bot_token}"}
    async with httpx.AsyncClient(trust_env=False, base_url=slack.url, headers=token) as http:
        for body in (b"{", b"[1]"):
            answer = await http.post(
                "chat.postMessage", content=body, headers={"Content-Type": "application/json"}
            )
            assert answer.json() == {"ok": False, "error": "invalid_json"}
        form = await http.post("chat.postMessage", data={"channel": channel, "blocks": "[{"})
        assert form.json()["error"] == "invalid_arguments"
        form = await http.post("chat.postMessage", data={"channel": channel, "text": "a form"})
        assert form.json()["ok"]
    assert await error(api.api_call("chat.update", json={"channel": channel})) == (
        "invalid_arguments"
    )
    members = api.conversations_members(channel=channel, limit=1001)
    assert await error(members) == "invalid_limit"
    members = api.conversations_members(channel=channel, cursor="x")
    assert await error(members) == "invalid_cursor"
    assert await error(api.conversations_list(types="every_channel")) == "invalid_types"


async def test_ephemeral_messages_are_for_one_and_cannot_be_edited(slack: FakeSlack) -> None:
    api, channel = client(slack), slack.add_channel("kill-1", members=["dana"], private=True)
    dana, jo = slack.user("dana"), slack.user("jo")
    said = await api.chat_postEphemeral(channel=channel, user=dana, text="not for you")
    assert [e["text"] for e in slack.ephemerals("dana")] == ["not for you"]
    assert slack.messages("kill-1") == []
    assert slack.ephemerals("lee") == []
    edit = api.chat_update(channel=channel, ts=said["message_ts"], text="x")
    assert await error(edit) == "cant_update_message"
    outside = api.chat_postEphemeral(channel=channel, user=jo, text="x")
    assert await error(outside) == "user_not_in_channel"


async def test_direct_messages(slack: FakeSlack) -> None:
    api, dana = client(slack), slack.user("dana")
    opened = await api.conversations_open(users=dana)
    await api.chat_postMessage(channel=opened["channel"]["id"], text="one")
    await api.chat_postMessage(channel=dana, text="two")
    assert [m["text"] for m in slack.dm("dana")] == ["one", "two"]
    assert slack.dm("lee") == []
    assert slack.channels("dana") == slack.channels("lee")
    assert await error(api.conversations_open(users="U0NOBODY00")) == "user_not_found"
    assert await error(api.conversations_open(users="")) == "users_list_not_supplied"
    gone = slack.add_user("gone@corp.example", "deleted")
    assert await error(api.conversations_open(users=gone)) == "user_disabled"
    bot = slack.user("claude-code-jo")
    assert await error(api.conversations_open(users=bot)) == "cannot_dm_bot"


async def test_public_channels_take_posts_from_outside_with_a_scope(slack: FakeSlack) -> None:
    api, channel = client(slack), slack.add_channel("index", members=["dana"], app=False)
    await api.chat_postMessage(channel=channel, text="K-1 opened")
    slack.space.scopes -= {"chat:write.public"}
    assert await error(api.chat_postMessage(channel=channel, text="x")) == "not_in_channel"


async def test_updates_are_limited_to_fifty_a_minute(slack: FakeSlack) -> None:
    api, channel = client(slack), slack.add_channel("kill-1", private=True)
    ts = (await api.chat_postMessage(channel=channel, text="0"))["ts"]
    for n in range(50):
        await api.chat_update(channel=channel, ts=ts, text=str(n))
    with pytest.raises(SlackApiError) as caught:
        await api.chat_update(channel=channel, ts=ts, text="more")
    assert caught.value.response.status_code == 429
    assert caught.value.response.data["error"] == "ratelimited"
    assert 50 <= int(caught.value.response.headers["Retry-After"]) <= 60
    assert slack.messages("kill-1")[0]["text"] == "49"
    await api.users_info(user=slack.user("dana"))  # other methods go on
    assert slack.calls("chat.update")[-1].status == 429


async def test_a_channel_takes_a_burst_and_then_a_message_a_second(slack: FakeSlack) -> None:
    api, channel = client(slack), slack.add_channel("kill-1", private=True)
    for n in range(10):
        await api.chat_postMessage(channel=channel, text=str(n))
    with pytest.raises(SlackApiError) as caught:
        await api.chat_postMessage(channel=channel, text="more")
    assert caught.value.response.headers["Retry-After"] == "1"
    await api.chat_postMessage(channel=slack.user("dana"), text="another channel")
    await asyncio.sleep(1.05)
    await api.chat_postMessage(channel=channel, text="a second later")


async def test_limits_scale(world: World) -> None:
    with FakeSlack(world, limits=Limits(minute=0.3)) as slack:
        slack.limits.allowances["users.info"] = 1
        api, dana = client(slack), slack.user("dana")
        await api.users_info(user=dana)
        assert await error(api.users_info(user=dana)) == "ratelimited"
        await asyncio.sleep(0.35)
        await api.users_info(user=dana)
    with FakeSlack(world, limits=Limits(scale=0)) as slack:
        api = client(slack)
        for n in range(30):
            await api.conversations_create(name=f"kill-{n}", is_private=True)


async def test_bad_days(slack: FakeSlack) -> None:
    import aiohttp

    api, dana = client(slack), slack.user("dana")
    slack.fault("status", "chat.postMessage", times=1, status=429, headers={"Retry-After": "7"})
    with pytest.raises(SlackApiError) as caught:
        await api.chat_postMessage(channel=dana, text="x")
    assert caught.value.response.status_code == 429
    assert caught.value.response.headers["Retry-After"] == "7"
    slack.fault("status", status=503)
    with pytest.raises(SlackApiError) as caught:
        await api.chat_postMessage(channel=dana, text="x")
    assert caught.value.response.status_code == 503
    assert slack.dm("dana") == []
    slack.heal()
    slack.fault("late", "users.info", times=1, seconds=0.2)
    start = time.perf_counter()
    await api.users_info(user=dana)
    assert time.perf_counter() - start >= 0.2
    slack.fault("drop", "chat.postMessage", times=1)
    with pytest.raises(aiohttp.ClientError):
        await api.chat_postMessage(channel=dana, text="lost")
    assert slack.dm("dana") == []
    slack.fault("drop-after", "chat.postMessage", times=1)
    with pytest.raises(aiohttp.ClientError):
        await api.chat_postMessage(channel=dana, text="posted all the same")
    assert [m["text"] for m in slack.dm("dana")] == ["posted all the same"]
    slack.fault("lie", "chat.postMessage", times=1)
    assert (await api.chat_postMessage(channel=dana, text="never"))["ok"]
    slack.fault("status-after", "chat.postMessage", times=1, status=500)
    with pytest.raises(SlackApiError):
        await api.chat_postMessage(channel=dana, text="too")
    slack.fault("garble", "users.info", times=1, body="<html>")
    with pytest.raises(SlackApiError):
        await api.users_info(user=dana)
    assert [m["text"] for m in slack.dm("dana")] == ["posted all the same", "too"]


async def test_calls_are_recorded_without_tokens(slack: FakeSlack) -> None:
    await client(slack).chat_postMessage(channel=slack.user("dana"), text="hello")
    [call] = slack.calls("chat.postMessage")
    assert call.args["text"] == "hello"
    assert call.ok
    assert abs(call.at - time.time()) < 5
    assert call.answer["ts"] == slack.dm("dana")[0]["ts"]
    assert not any(secret in str(slack.calls()) for secret in slack.secrets())


async def test_a_transcript_shows_what_each_person_sees(slack: FakeSlack) -> None:
    api, channel = client(slack), slack.add_channel("kill-1", members=["dana"], private=True)
    card = [section("Stop &lt;3&gt; agents?"), actions(button("review", "Review"))]
    await api.chat_postMessage(channel=channel, text="Stop", blocks=card)
    await api.chat_postMessage(channel=slack.user("lee"), text="Please decide")
    await api.chat_postEphemeral(channel=channel, user=slack.user("dana"), text="psst")
    all_of_it = slack.transcript()
    assert "#kill-1 agent-kill:\n    Stop <3> agents?\n    [Review]" in all_of_it
    assert "@lee agent-kill:\n    Please decide" in all_of_it
    assert "only @dana agent-kill:\n    psst" in all_of_it
    assert slack.transcript(visible_to="jo") == ""
    assert "Please decide" not in slack.transcript(visible_to="dana")


async def test_waiting_in_vain_says_what_was_going_on(slack: FakeSlack) -> None:
    await client(slack).auth_test()
    with pytest.raises(AssertionError, match=r"auth\.test 200"):
        await slack.wait_for(lambda: slack.dm("dana"), 0.05)
