"""Whatever a drill brings to Slack says DRILL: messages, forms, home pages, answers, files.

Cards that name a case say it in their title. This is for the rest: forms that ask and tell,
private sentences, names of files. It stands where everything passes, so that nothing that is
written later can be without it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.response import BoltResponse

from bot.blocks import MOST, Block, context
from killswitch.report import words

WORD = words.MODES["drill"].label
_BAND = context(f"*{words.MODES['drill'].glyph} {WORD}* · {words.MODES['drill'].means}")


def text(said: str) -> str:
    """The sentence, with the word before it where it is not in it."""
    return said if WORD in said else f"{WORD} · {said}"


def marked(arguments: dict[str, Any]) -> dict[str, Any]:
    """What is sent to Slack, marked: its text, its blocks, its view."""
    found = dict(arguments)
    if found.get("text"):
        found["text"] = text(found["text"])
    if found.get("blocks"):
        found["blocks"] = _blocks(found["blocks"], MOST["message"])
    if found.get("view"):
        found["view"] = {**found["view"], "blocks": _blocks(found["view"]["blocks"], MOST["modal"])}
    return found


def _blocks(blocks: list[Block], most: int) -> list[Block]:
    """With the band on top, where the first block does not say it already."""
    return blocks if blocks and WORD in str(blocks[0]) else [_BAND, *blocks][:most]


class Ack(AsyncAck):
    """An acknowledgement that says it, too."""

    async def __call__(self, text: Any = "", **more: Any) -> BoltResponse:  # type: ignore[override]  # hands the rest on
        """Acknowledge."""
        said = {"text": text} if isinstance(text, str) else {}
        given = marked({**said, **more})
        return await super().__call__(given.pop("text", text), **given)


async def mark_answers(
    context: AsyncBoltContext,
    next: Callable[[], Awaitable[Any]],  # noqa: A002  # Bolt's name
) -> None:
    """Bolt's middleware: from here on `ack` marks what it answers with."""
    context["ack"] = Ack()  # type: ignore[no-untyped-call]  # Bolt's
    await next()
