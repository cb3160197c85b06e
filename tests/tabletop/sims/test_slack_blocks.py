"""Block Kit: one template at each limit that passes, and one past it that is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tabletop.sims.slack import FakeSlack, text_of
from tabletop.sims.slack_blocks import problems
from tests.tabletop.sims.slack_app import actions, button, client, field, section
from tests.tabletop.sims.test_slack_api import error, refused

Block = dict[str, Any]


def plain(text: str) -> Block:
    return {"type": "plain_text", "text": text}


def option(value: str, text: str = "x") -> Block:
    return {"text": plain(text), "value": value}


def select(*options: Block, kind: str = "static_select", **more: Any) -> Block:
    return {"type": kind, "action_id": "s", "options": list(options), **more}


def confirm(**parts: str) -> Block:
    words = {"title": "t", "text": "t", "confirm": "t", "deny": "t", **parts}
    return {name: plain(text) for name, text in words.items()}


def fields(*texts: str) -> Block:
    return {"type": "section", "fields": [plain(t) for t in texts]}


def context(*texts: str) -> Block:
    return {"type": "context", "elements": [plain(t) for t in texts]}


def options(number: int) -> list[Block]:
    return [option(str(n)) for n in range(number)]


def table(rows: int, cells: int) -> Block:
    cell = {"type": "raw_text", "text": "x"}
    return {"type": "table", "rows": [[cell] * cells for _ in range(rows)]}


LIMITS: list[tuple[str, list[Block], list[Block]]] = [
    ("blocks", [section("x")] * 50, [section("x")] * 51),
    ("section text", [section("x" * 3000)], [section("x" * 3001)]),
    ("empty text", [section("x")], [section("")]),
    ("fields", [fields(*"x" * 10)], [fields(*"x" * 11)]),
    ("field text", [fields("x" * 2000)], [fields("x" * 2001)]),
    ("section", [fields("x")], [{"type": "section"}]),
    (
        "header",
        [{"type": "header", "text": plain("x" * 150)}],
        [{"type": "header", "text": plain("x" * 151)}],
    ),
    (
        "header kind",
        [{"type": "header", "text": plain("x")}],
        [{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}],
    ),
    ("button text", [actions(button("b", "x" * 75))], [actions(button("b", "x" * 76))]),
    (
        "button value",
        [actions(button("b", "x", value="v" * 2000))],
        [actions(button("b", "x", value="v" * 2001))],
    ),
    (
        "button style",
        [actions(button("b", "x", style="danger"))],
        [actions(button("b", "x", style="red"))],
    ),
    (
        "actions",
        [actions(*(button(str(n), "x") for n in range(25)))],
        [actions(*(button(str(n), "x") for n in range(26)))],
    ),
    ("no actions", [actions(button("b", "x"))], [actions()]),
    ("context", [context(*"x" * 10)], [context(*"x" * 11)]),
    (
        "action ids",
        [actions(button("a", "x"), button("b", "x"))],
        [actions(button("a", "x"), button("a", "y"))],
    ),
    (
        "block ids",
        [actions(button("a", "x"), block_id="1"), actions(button("a", "x"), block_id="2")],
        [actions(button("a", "x"), block_id="1"), actions(button("a", "x"), block_id="1")],
    ),
    ("options", [actions(select(*options(100)))], [actions(select(*options(101)))]),
    ("no options", [actions(select(option("a")))], [actions(select())]),
    (
        "option text",
        [actions(select(option("a", "x" * 75)))],
        [actions(select(option("a", "x" * 76)))],
    ),
    (
        "option value in an accessory",
        [{**section("x"), "accessory": select(option("v" * 150))}],
        [{**section("x"), "accessory": select(option("v" * 151))}],
    ),
    (
        "option values",
        [actions(select(option("a"), option("b")))],
        [actions(select(option("a"), option("a")))],
    ),
    (
        "initial option",
        [actions(select(option("a"), initial_option=option("a")))],
        [actions(select(option("a"), initial_option=option("b")))],
    ),
    (
        "overflow",
        [actions(select(*options(5), kind="overflow"))],
        [actions(select(*options(6), kind="overflow"))],
    ),
    (
        "radio buttons",
        [actions(select(*options(10), kind="radio_buttons"))],
        [actions(select(*options(11), kind="radio_buttons"))],
    ),
    (
        "placeholder",
        [actions(select(option("a"), placeholder=plain("x" * 150)))],
        [actions(select(option("a"), placeholder=plain("x" * 151)))],
    ),
    (
        "confirm title",
        [actions(button("b", "x", confirm=confirm(title="x" * 100)))],
        [actions(button("b", "x", confirm=confirm(title="x" * 101)))],
    ),
    (
        "confirm text",
        [actions(button("b", "x", confirm=confirm(text="x" * 300)))],
        [actions(button("b", "x", confirm=confirm(text="x" * 301)))],
    ),
    (
        "confirm button",
        [actions(button("b", "x", confirm=confirm(confirm="x" * 30)))],
        [actions(button("b", "x", confirm=confirm(confirm="x" * 31)))],
    ),
    ("table rows", [table(100, 1)], [table(101, 1)]),
    ("table cells", [table(1, 20)], [table(1, 21)]),
    ("one table", [table(1, 1)], [table(1, 1), table(1, 1)]),
    (
        "input label",
        [{**field("a"), "label": plain("x" * 2000)}],
        [{**field("a"), "label": plain("x" * 2001)}],
    ),
    ("input element", [field("a")], [{**field("a"), "element": button("b", "x")}]),
    ("known types", [{"type": "divider"}], [{"type": "data_table"}]),
    ("alerts are for modals", [section("x")], [{"type": "alert", "text": plain("x")}]),
]


@pytest.mark.parametrize(
    ("fits", "too_much"), [row[1:] for row in LIMITS], ids=[r[0] for r in LIMITS]
)
def test_limits(fits: list[Block], too_much: list[Block]) -> None:
    assert problems(fits) == []
    assert problems(too_much) != []


@pytest.mark.parametrize(
    "blocks", ["[]", [1], {"type": "section"}, [{}], [{"type": "section", "text": 1}]]
)
def test_what_is_no_list_of_blocks_is_refused_and_does_not_crash(blocks: Any) -> None:
    assert problems(blocks) != []


def test_a_modal_holds_a_hundred_blocks() -> None:
    assert problems([{"type": "divider"}] * 100, "modal") == []
    assert problems([{"type": "divider"}] * 101, "modal") != []


async def test_messages_with_such_blocks_are_refused(slack: FakeSlack) -> None:
    api, channel = client(slack), slack.add_channel("kill-1", private=True)
    bad = [fields("x" * 2001)]
    said = await refused(api.chat_postMessage(channel=channel, text="x", blocks=bad))
    assert said["error"] == "invalid_blocks"
    assert "fields" in said["response_metadata"]["messages"][0]
    ts = (await api.chat_postMessage(channel=channel, text="x", blocks=[section("x")]))["ts"]
    assert await error(api.chat_update(channel=channel, ts=ts, text="x", blocks=bad)) == (
        "invalid_blocks"
    )
    assert slack.messages("kill-1")[0]["blocks"][0]["type"] == "section"
    assert await error(api.blocks_validate(blocks=bad)) == "invalid_blocks"
    await api.blocks_validate(blocks=[section("x")])


def test_messages_as_text() -> None:
    rows = [[{"type": "raw_text", "text": "okta"}, {"type": "raw_text", "text": "suspend"}]]
    message = {
        "blocks": [
            {"type": "header", "text": plain("Approval needed")},
            {**section("Who &amp; what"), "accessory": button("r", "Review")},
            fields("Target", "jo"),
            {"type": "divider"},
            {"type": "table", "rows": rows},
            {"type": "context", "elements": [plain("plan 9f3a"), plain("sev1")]},
            actions(button("a", "Approve"), select(*options(2), kind="overflow")),
            actions(select(option("a", "A"), option("b", "B"), kind="radio_buttons")),
            {"type": "image", "image_url": "https://corp.example/x.png", "alt_text": "chart"},
            {"type": "rich_text", "elements": [{"type": "text", "text": "deep"}]},
        ]
    }
    assert text_of(message).splitlines() == [
        "Approval needed",
        "Who & what",
        "[Review]",
        "Target",
        "jo",
        "--------------------",
        "okta | suspend",
        "plan 9f3a sev1",
        "[Approve] [⋮ x / x]",
        "( ) A ( ) B",
        "(image: chart)",
        "deep",
    ]
    assert text_of({"text": "only &lt;text&gt;"}) == "only <text>"
