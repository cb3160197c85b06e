"""Socket Mode with the real Bolt: commands, buttons, acks in time, reconnects, odd deliveries."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import yaml

from tabletop.sims.slack import FakeSlack, text_of
from tabletop.sims.world import World
from tests.tabletop.sims.slack_app import (
    actions,
    bolt,
    button,
    client,
    connected,
    field,
    modal,
    section,
)


async def test_from_the_command_through_a_form_to_a_button(slack: FakeSlack) -> None:
    app = bolt(slack)
    pressed: list[str] = []

    @app.command("/agent-kill")
    async def kill(ack, body, client) -> None:
        await ack("On it.")
        await client.views_open(trigger_id=body["trigger_id"], view=modal(field("reason")))

    @app.view("form")
    async def form(ack, body, client) -> None:
        await ack()
        reason = body["view"]["state"]["values"]["reason"]["v"]["value"]
        made = await client.conversations_create(name="kill-amber-otter", is_private=True)
        channel = made["channel"]["id"]
        await client.conversations_invite(channel=channel, users=[slack.user("lee")])
        card = [section(f"*Approve?* {reason}"), actions(button("review", "Review", value="g1"))]
        await client.chat_postMessage(channel=channel, text="Approve?", blocks=card)

    @app.action("review")
    async def review(ack, body, client) -> None:
        await ack()
        pressed.append(body["user"]["id"] + body["actions"][0]["value"])
        await client.chat_update(
            channel=body["channel"]["id"],
            ts=body["message"]["ts"],
            text="Approved",
            blocks=[section("Approved")],
        )

    async with connected(slack, app):
        press = await slack.slash("dana", "jo@corp.example")
        assert press.error == ""
        assert press.texts == ["On it."]
        assert [e["text"] for e in slack.ephemerals("dana")] == ["On it."]
        assert 0 < press.seconds < 1
        await slack.wait_for(lambda: press.view)
        sent = await slack.submit("dana", {"reason": {"v": "deletes branches"}})
        assert sent.error == ""
        assert slack.view("dana") is None

        [card] = await slack.wait_for(lambda: slack.messages("kill-amber-otter"))
        assert text_of(card) == "*Approve?* deletes branches\n[Review]"
        assert slack.messages("kill-amber-otter", visible_to="jo@corp.example") == []
        with pytest.raises(AssertionError, match="jo cannot see"):
            await slack.click("jo", card, "review")
        await slack.click("lee", card["ts"], "review", label="Review")
        await slack.wait_for(lambda: slack.messages("kill-amber-otter")[0].get("edited"))
        lee = slack.user("lee@corp.example")
        assert pressed == [lee + "g1"]
        with pytest.raises(AssertionError, match="nothing to click as review"):
            await slack.click("lee", card, "review")
        await slack.click("lee", card, "review", stale=True)
        await slack.click("lee", card, "review", stale=True, value="forged")
        assert pressed[1:] == [lee + "g1", lee + "forged"]
        slack.delete_message(card)
        with pytest.raises(AssertionError, match="no message"):
            await slack.click("lee", card, "review")


async def test_an_ack_that_comes_late_is_an_operation_timeout(world: World) -> None:
    with FakeSlack(world, ack_seconds=0.1) as slack:
        app = bolt(slack)
        acked = asyncio.Event()

        @app.command("/agent-kill")
        async def slow(ack) -> None:
            await asyncio.sleep(0.3)
            await ack("too late")
            acked.set()

        async with connected(slack, app):
            press = await slack.slash("dana", "jo@corp.example")
            assert press.error == "operation_timeout"
            assert press.texts == []
            await acked.wait()
            assert slack.ephemerals("dana") == []
            assert [p.error for p in slack.presses()] == ["operation_timeout"]


async def test_without_a_socket_a_press_cannot_be_dispatched(slack: FakeSlack) -> None:
    press = await slack.slash("dana", "help")
    assert press.error == "dispatch_failed"


async def test_each_payload_goes_to_one_of_several_sockets(slack: FakeSlack) -> None:
    app = bolt(slack)
    seen: list[str] = []

    @app.command("/agent-kill")
    async def kill(ack, body) -> None:
        seen.append(body["text"])
        await ack()

    async with connected(slack, app, sockets=3):
        assert slack.sockets == 3
        texts = [str(n) for n in range(9)]
        await asyncio.gather(*(slack.slash("dana", text) for text in texts))
        assert sorted(seen) == texts


async def test_the_eleventh_socket_is_turned_away(slack: FakeSlack) -> None:
    import aiohttp

    async with aiohttp.ClientSession() as http:
        opened = []
        for _ in range(11):
            answer = await client(slack).api_call(
                "apps.connections.open",
                headers={"Authorization": f"Bearer {slack.space.app_token}"},
            )
            opened.append(await http.ws_connect(answer["url"]))
        greetings = [(await socket.receive_json())["type"] for socket in opened]
        assert greetings == ["hello"] * 10 + ["disconnect"]
        for socket in opened:
            await socket.close()
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await http.ws_connect(answer["url"])  # a ticket is good for one socket


async def test_bolt_connects_again_when_asked_and_when_cut_off(slack: FakeSlack) -> None:
    app = bolt(slack)

    @app.command("/agent-kill")
    async def kill(ack) -> None:
        await ack("ok")

    async with connected(slack, app):
        opened = len(slack.calls("apps.connections.open"))
        await slack.refresh_sockets()
        await slack.connected()
        assert (await slack.slash("dana")).texts == ["ok"]
        assert len(slack.calls("apps.connections.open")) == opened + 1
        await slack.drop_sockets()
        await slack.wait_for(lambda: len(slack.calls("apps.connections.open")) == opened + 2)
        await slack.connected()
        assert (await slack.slash("dana")).texts == ["ok"]
        await slack.drop_sockets(cut=True)
        await slack.wait_for(lambda: slack.sockets == 0)
        assert (await slack.slash("dana")).error == "dispatch_failed"
        await slack.connected()
        assert (await slack.slash("dana")).texts == ["ok"]


async def test_slack_goes_down_and_comes_back_as_it_was(slack: FakeSlack) -> None:
    import aiohttp

    api = client(slack)
    channel = slack.add_channel("incidents", members=["dana"], private=True)
    posted = await api.chat_postMessage(channel=channel, text="before")
    port = slack.port
    slack.stop()
    with pytest.raises(aiohttp.ClientConnectorError):
        await api.chat_postMessage(channel=channel, text="meanwhile")
    assert (await slack.slash("dana")).error == "dispatch_failed"
    slack.start()
    assert slack.port == port
    await api.chat_update(channel=channel, ts=posted["ts"], text="after")
    assert [m["text"] for m in slack.messages("incidents")] == ["after"]


async def test_bolt_finds_its_way_back_after_an_outage(slack: FakeSlack) -> None:
    app = bolt(slack)

    @app.command("/agent-kill")
    async def kill(ack) -> None:
        await ack("ok")

    async with connected(slack, app):
        slack.stop()
        assert slack.sockets == 0
        await asyncio.sleep(0.3)  # the client finds nobody at home meanwhile
        slack.start()
        await slack.connected()
        assert (await slack.slash("dana")).texts == ["ok"]


async def test_delivered_twice_out_of_order_late_or_from_elsewhere(slack: FakeSlack) -> None:
    app = bolt(slack)
    seen: list[dict[str, object]] = []

    @app.command("/agent-kill")
    async def kill(ack, body) -> None:
        seen.append(body)
        await ack()

    async with connected(slack, app):
        slack.twist(copies=2)
        press = await slack.slash("dana", "twice")
        assert len(press.acks) == len(seen) == 2
        assert seen[0] == seen[1]

        seen.clear()
        slack.twist(copies=3, at_once=True)
        await slack.slash("dana", "at once")
        assert len(seen) == 3

        seen.clear()
        slack.out_of_order(2)
        first = asyncio.create_task(slack.slash("dana", "first"))
        await asyncio.sleep(0.05)
        assert seen == []
        await asyncio.gather(first, slack.slash("dana", "second"))
        assert [body["text"] for body in seen] == ["second", "first"]

        slack.out_of_order(2)
        alone = asyncio.create_task(slack.slash("dana", "alone"))
        await asyncio.sleep(0.05)
        slack.heal()
        assert (await alone).error == ""

        seen.clear()
        slack.twist(delay=0.1, team="T0FOREIGN0", app="A0FOREIGN0")
        press = await slack.slash("dana", "foreign")
        assert [(body["team_id"], body["api_app_id"]) for body in seen] == [
            ("T0FOREIGN0", "A0FOREIGN0")
        ]
        await slack.slash("dana", "ours again")
        assert seen[-1]["team_id"] == slack.settings()["team_id"]


async def test_who_joins_is_told_to_the_app_where_it_is_a_member(slack: FakeSlack) -> None:
    app = bolt(slack)
    joined: list[tuple[str, str]] = []

    @app.event("member_joined_channel")
    async def member(event) -> None:
        joined.append((event["user"], event.get("inviter", "")))

    private = slack.add_channel("kill-1", members=["dana"], private=True)
    slack.add_channel("elsewhere", members=["dana"], private=True, app=False)
    async with connected(slack, app):
        press = await slack.join("jo", "kill-1", by="dana")
        assert press.error == ""
        await slack.wait_for(lambda: joined)
        assert joined == [(slack.user("jo"), slack.user("dana"))]
        assert not (await slack.join("jo", "elsewhere", by="dana")).sent
        await client(slack).conversations_kick(channel=private, user=slack.user("jo"))
        assert slack.messages("kill-1", visible_to="jo") == []
        assert not (await slack.leave("dana", "kill-1")).sent  # the app did not subscribe to that
        await client(slack).conversations_invite(channel=private, users=slack.user("lee"))
        await slack.wait_for(lambda: len(joined) == 2)
        assert joined[1] == (slack.user("lee"), slack.bot)


async def test_events_that_nobody_acknowledges_are_sent_again(world: World) -> None:
    with FakeSlack(world, ack_seconds=0.1) as slack:
        slack.retry_after(0.0, 0.05, 0.05)
        press = await slack.event(type="app_uninstalled")
        assert press.acks[0].error == "dispatch_failed"
        await slack.wait_for(lambda: len(press.acks) == 4)


async def test_the_home_tab_is_what_the_app_publishes(slack: FakeSlack) -> None:
    app = bolt(slack)
    clicks: list[str] = []

    @app.event("app_home_opened")
    async def opened(event, client) -> None:
        home = {"type": "home", "blocks": [actions(button("case", "Open case", value="K-1"))]}
        await client.views_publish(user_id=event["user"], view=home)

    @app.action("case")
    async def case(ack, action) -> None:
        await ack()
        clicks.append(action["value"])

    assert slack.published("dana") is None
    async with connected(slack, app):
        home = await slack.home("dana")
        assert home is not None
        assert text_of(home) == "[Open case]"
        await slack.click("dana", home, "case")
        assert clicks == ["K-1"]
        with pytest.raises(AssertionError, match="does not have that view"):
            await slack.click("lee", home, "case")


async def test_shortcuts_and_the_message_they_were_chosen_on(slack: FakeSlack) -> None:
    app = bolt(slack)
    seen: list[tuple[str, str]] = []

    @app.shortcut("kill_from_message")
    async def on_message(ack, body) -> None:
        await ack()
        seen.append((body["type"], body["message"]["text"]))

    @app.shortcut("kill_new")
    async def anywhere(ack, body, client) -> None:
        await ack()
        seen.append((body["type"], ""))
        await client.views_open(trigger_id=body["trigger_id"], view=modal(field("reason")))

    alert = slack.say("claude-code-kim", "general", "Alert: 40 branches deleted")
    async with connected(slack, app):
        await slack.shortcut("dana", "kill_from_message", alert)
        press = await slack.shortcut("dana", "kill_new")
        await slack.wait_for(lambda: press.view)
    assert seen == [("message_action", "Alert: 40 branches deleted"), ("shortcut", "")]


async def test_response_urls_take_five_answers_and_then_no_more(slack: FakeSlack) -> None:
    app = bolt(slack)
    statuses: list[int] = []
    done = asyncio.Event()

    @app.command("/agent-kill")
    async def kill(ack, respond) -> None:
        await ack()
        statuses.extend([(await respond(f"answer {n}")).status_code for n in range(6)])
        done.set()

    async with connected(slack, app):
        press = await slack.slash("dana")
        await asyncio.wait_for(done.wait(), 5)
    assert statuses == [200] * 5 + [404]
    assert press.texts == [f"answer {n}" for n in range(5)]


async def test_response_urls_run_out(world: World) -> None:
    with FakeSlack(world, response_url_seconds=0.0) as slack:
        app = bolt(slack)
        answers: list[tuple[int, str]] = []

        @app.command("/agent-kill")
        async def kill(ack, respond) -> None:
            await ack()
            answer = await respond("hello")
            answers.append((answer.status_code, answer.body))

        async with connected(slack, app):
            await slack.slash("dana")
            await slack.wait_for(lambda: answers)
        assert answers == [(404, "expired_url")]


async def test_the_manifest_decides_what_is_installed(slack: FakeSlack, tmp_path: Path) -> None:
    manifest = {
        "features": {
            "slash_commands": [{"command": "/stop-agents", "description": "Stop"}],
            "shortcuts": [{"name": "Kill", "type": "global", "callback_id": "kill_new"}],
        },
        "oauth_config": {"scopes": {"bot": ["commands", "chat:write"]}},
        "settings": {"event_subscriptions": {"bot_events": ["app_home_opened"]}},
    }
    file = tmp_path / "manifest.yaml"
    file.write_text(yaml.safe_dump(manifest))
    slack.install(file)
    assert slack.space.scopes == {"commands", "chat:write"}
    with pytest.raises(AssertionError, match="no command /agent-kill"):
        await slack.slash("dana", command="/agent-kill")
    with pytest.raises(AssertionError, match="no shortcut kill_from_message"):
        await slack.shortcut("dana", "kill_from_message")
    assert (await slack.slash("dana")).payload["command"] == "/stop-agents"
    slack.add_channel("kill-1", private=True)
    assert not (await slack.join("jo", "kill-1")).sent


async def test_typed_text_is_marked_up_where_the_command_asks_for_it(slack: FakeSlack) -> None:
    press = await slack.slash("dana", "jo@corp.example for @lee in #general <now>", escape=True)
    lee, general = slack.user("lee"), slack.channel("general")["id"]
    assert press.payload["text"] == (
        f"<mailto:jo@corp.example|jo@corp.example> for <@{lee}|lee> in <#{general}|general>"
        " &lt;now&gt;"
    )
    raw = "<mailto:evil@x.example|jo@corp.example>"
    assert (await slack.slash("dana", raw)).payload["text"] == raw
