"""Modals: triggers that run out, hashes, stacks, what a form refuses, what an app answers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from slack_bolt.async_app import AsyncApp

from tabletop.sims.slack import FakeSlack, Press, text_of
from tabletop.sims.world import World
from tests.tabletop.sims.slack_app import actions, bolt, button, client, connected, field, modal
from tests.tabletop.sims.test_slack_api import error, refused


def options(*values: str) -> list[dict[str, Any]]:
    return [{"text": {"type": "plain_text", "text": v.title()}, "value": v} for v in values]


def choice(block_id: str, kind: str, *values: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "input",
        "block_id": block_id,
        "optional": more.pop("optional", False),
        "label": {"type": "plain_text", "text": block_id.title()},
        "element": {"type": kind, "action_id": "v", "options": options(*values), **more},
    }


def answering(slack: FakeSlack, **answer: Any) -> tuple[AsyncApp, list[dict[str, Any]]]:
    """An app that acknowledges every form like this, and the forms that it was sent."""
    app, forms = bolt(slack), []

    @app.view("form")
    async def form(ack, body) -> None:
        forms.append(body["view"]["state"]["values"])
        await ack(**answer)

    return app, forms


async def opened(slack: FakeSlack, view: dict[str, Any], user: str = "dana") -> dict[str, Any]:
    """The view, in front of that person, opened with the trigger of something they pressed."""
    press = Press("interactive", slack.user(user), {})
    trigger = slack.space.trigger(press.user, press, seconds=3)
    return (await client(slack).views_open(trigger_id=trigger, view=view))["view"]


async def test_a_trigger_opens_one_view_and_not_for_long(world: World) -> None:
    with FakeSlack(world, trigger_seconds=0.2) as slack:
        api = client(slack)
        view = modal(field("reason"))
        press = await slack.slash("dana")
        trigger = press.payload["trigger_id"]
        await api.views_open(trigger_id=trigger, view=view)
        assert press.view is not None
        again = api.views_open(trigger_id=trigger, view=view)
        assert await error(again) == "exchanged_trigger_id"
        late = (await slack.slash("dana")).payload["trigger_id"]
        await asyncio.sleep(0.25)
        assert await error(api.views_open(trigger_id=late, view=view)) == "expired_trigger_id"
        invented = api.views_open(trigger_id="1.2.abc", view=view)
        assert await error(invented) == "invalid_trigger_id"


async def test_an_update_with_an_old_hash_conflicts(slack: FakeSlack) -> None:
    api = client(slack)
    first = await opened(slack, modal(field("reason")))
    second = modal(field("reason"), field("alert"))
    updated = await api.views_update(view_id=first["id"], hash=first["hash"], view=second)
    assert updated["view"]["hash"] != first["hash"]
    old = api.views_update(view_id=first["id"], hash=first["hash"], view=second)
    assert await error(old) == "hash_conflict"
    await api.views_update(view_id=first["id"], view=second)
    assert len(slack.view("dana")["blocks"]) == 2
    assert await error(api.views_update(view_id="V0NONE", view=second)) == "not_found"


async def test_what_was_typed_outlives_an_update(slack: FakeSlack) -> None:
    app, _ = answering(slack, response_action="errors", errors={"reason": "Say more."})
    async with connected(slack, app):
        view = await opened(slack, modal(field("reason")))
        assert (await slack.submit("dana", {"reason": {"v": "why"}})).errors == {
            "reason": "Say more."
        }
        longer = modal(field("reason"), field("alert", optional=True))
        await client(slack).views_update(view_id=view["id"], view=longer)
        assert text_of(slack.view("dana")).splitlines() == [
            "Kill agent access",
            "Reason: <why>",
            "Alert: <>",
            "[Build plan]",
        ]


async def test_views_stack_three_deep(slack: FakeSlack) -> None:
    api = client(slack)
    app = bolt(slack)
    triggers: list[str] = []

    @app.action("more")
    async def more(ack, body) -> None:
        await ack()
        triggers.append(body["trigger_id"])

    async with connected(slack, app):
        view = modal(actions(button("more", "More")))
        root = await opened(slack, view)
        for expected in (None, None, "push_limit_reached"):
            await slack.click("dana", slack.view("dana"), "more")
            pushing = api.views_push(trigger_id=triggers[-1], view=view)
            if expected:
                assert await error(pushing) == expected
            else:
                assert (await pushing)["view"]["root_view_id"] == root["id"]
        with pytest.raises(AssertionError, match="on top of"):
            await slack.submit(root)
        for _ in range(3):
            assert await slack.dismiss("dana") is None
        assert slack.view("dana") is None
        with pytest.raises(AssertionError, match="no modal open"):
            await slack.submit("dana")
        with pytest.raises(AssertionError, match="was closed"):
            await slack.submit(root)


async def test_the_form_itself_refuses_before_the_app_is_asked(slack: FakeSlack) -> None:
    app, forms = answering(slack)
    view = modal(
        field("reason", min_length=10, max_length=20),
        choice("sev", "radio_buttons", "sev1", "sev2"),
        choice("mode", "checkboxes", "dry_run", optional=True),
        choice("playbook", "static_select", "contain", "leak", initial_option=options("leak")[0]),
    )
    async with connected(slack, app):
        await opened(slack, view)
        press = await slack.submit("dana")
        assert (set(press.errors), press.sent) == ({"reason", "sev"}, False)
        press = await slack.submit("dana", {"reason": {"v": "short"}, "sev": {"v": "sev1"}})
        assert press.errors == {"reason": "Please enter at least 10 characters."}
        press = await slack.submit("dana", {"reason": {"v": "x" * 21}})
        assert press.errors == {"reason": "Please enter at most 20 characters."}
        with pytest.raises(AssertionError, match="no option sev9; it has sev1, sev2"):
            await slack.submit("dana", {"sev": {"v": "sev9"}})
        with pytest.raises(AssertionError, match="no field target/v"):
            await slack.submit("dana", {"target": {"v": "x"}})
        assert forms == []
        press = await slack.submit("dana", {"reason": {"v": "deletes branches"}})
        assert (press.errors, press.sent) == ({}, True)
    [values] = forms
    assert values["reason"]["v"] == {"type": "plain_text_input", "value": "deletes branches"}
    assert values["sev"]["v"]["selected_option"]["value"] == "sev1"  # typed two tries ago
    assert values["mode"]["v"]["selected_options"] == []
    assert values["playbook"]["v"]["selected_option"]["value"] == "leak"


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ({}, None),
        ({"response_action": "clear"}, None),
        ({"response_action": "update", "view": modal(field("next"))}, "next"),
        ({"response_action": "push", "view": modal(field("next"))}, "next"),
    ],
)
async def test_what_the_app_answers_is_shown(
    slack: FakeSlack, answer: dict[str, Any], shown: str | None
) -> None:
    app, _ = answering(slack, **answer)
    async with connected(slack, app):
        await opened(slack, modal(field("reason")))
        press = await slack.submit("dana", {"reason": {"v": "why"}})
        assert press.error == ""
        view = slack.view("dana")
        assert (view and view["blocks"][0]["block_id"]) == shown


@pytest.mark.parametrize(
    "answer",
    [
        {"response_action": "errors", "errors": {"nowhere": "x"}},
        {"response_action": "update", "view": modal()},
    ],
)
async def test_answers_that_slack_cannot_show_are_errors(
    slack: FakeSlack, answer: dict[str, Any]
) -> None:
    app, _ = answering(slack, **answer)
    async with connected(slack, app):
        await opened(slack, modal(field("reason")))
        press = await slack.submit("dana", {"reason": {"v": "why"}})
        assert press.error != ""
        assert slack.view("dana") is not None


async def test_a_form_whose_app_is_late_stays_open(world: World) -> None:
    with FakeSlack(world, ack_seconds=0.1) as slack:
        await opened(slack, modal(field("reason")))
        press = await slack.submit("dana", {"reason": {"v": "why"}})
        assert press.error == "dispatch_failed"
        assert slack.view("dana") is not None


async def test_closing_is_told_to_apps_that_ask(slack: FakeSlack) -> None:
    app, closed = bolt(slack), []

    @app.view_closed("form")
    async def on_close(ack, body) -> None:
        await ack()
        closed.append(body["view"]["callback_id"])

    async with connected(slack, app):
        await opened(slack, modal(field("reason"), notify_on_close=True))
        press = await slack.dismiss("dana")
        assert press is not None
        assert closed == ["form"]


async def test_selects_report_what_was_chosen(slack: FakeSlack) -> None:
    app, chosen = bolt(slack), []

    @app.action("more")
    async def more(ack, action) -> None:
        await ack()
        chosen.append(action["selected_option"]["value"])

    menu = {"type": "overflow", "action_id": "more", "options": options("status", "abort")}
    async with connected(slack, app):
        await client(slack).chat_postMessage(
            channel=slack.user("dana"), text="menu", blocks=[actions(menu)]
        )
        await slack.click("dana", slack.dm("dana")[0], "more", choose="abort")
    assert chosen == ["abort"]


@pytest.mark.parametrize(
    "view",
    [
        modal(),
        modal(field("reason"), submit=None),
        modal(field("reason"), title={"type": "plain_text", "text": "x" * 25}),
        modal(field("reason"), private_metadata="x" * 3001),
        modal(field("reason"), callback_id="x" * 256),
        modal(field("reason"), field("reason")),
        modal(*({"type": "divider"} for _ in range(101))),
        {"type": "dialog", "blocks": [{"type": "divider"}]},
        {"type": "home", "blocks": [{"type": "divider"}]},
    ],
)
async def test_views_that_slack_refuses(slack: FakeSlack, view: dict[str, Any]) -> None:
    trigger = (await slack.slash("dana")).payload["trigger_id"]
    calling = client(slack).api_call(
        "views.open", json={"trigger_id": trigger, "view": {k: v for k, v in view.items() if v}}
    )
    said = await refused(calling)
    assert said["error"] == "invalid_arguments"
    assert said["response_metadata"]["messages"][0].startswith("[ERROR]")
    assert slack.view("dana") is None
    await client(slack).views_open(trigger_id=trigger, view=modal(field("reason")))


async def test_the_home_tab_is_guarded_by_its_hash(slack: FakeSlack) -> None:
    api, dana = client(slack), slack.user("dana")
    home = {"type": "home", "blocks": [{"type": "divider"}]}
    first = (await api.views_publish(user_id=dana, view=home))["view"]
    await api.views_publish(user_id=dana, view=home, hash=first["hash"])
    assert await error(api.views_publish(user_id=dana, view=home, hash=first["hash"])) == (
        "hash_conflict"
    )
    assert slack.published("dana")["id"] == first["id"]
    wrong = {**home, "submit": {"type": "plain_text", "text": "Send"}}
    assert await error(api.views_publish(user_id=dana, view=wrong)) == "invalid_arguments"
    assert await error(api.views_publish(user_id="U0NOBODY00", view=home)) == "user_not_found"
