"""Alerts that wait for people: look at one, open a case for it, or dismiss it.

Each form is filled with what is so when it opens; who may, and how the alert stands, is asked
again when it is sent.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from slack_bolt.async_app import AsyncApp

from bot import alertcards
from bot.blocks import Block, said, told
from bot.handlers import requests
from bot.handlers.requests import Ack, values_of
from bot.naming import alert_number
from bot.parts import Body, Parts
from bot.queue import Looked, Queue
from killswitch.alerts.alert import named
from killswitch.api import Person
from killswitch.model.errors import NotAllowed

NONE = "No alerts are configured here."


def register(app: AsyncApp, parts: Parts) -> None:
    """Buttons and forms."""

    @app.action("alert.review")
    async def review_pressed(ack: Ack, body: Body) -> None:
        fresh = await parts.look(body)
        await ack()
        if fresh:
            await review(parts, body)

    @app.action("alert.start")
    async def start_pressed(ack: Ack, body: Body) -> None:
        fresh = await parts.look(body)
        await ack()
        if fresh:
            await _form(parts, body, lambda looked: alertcards.start(looked, live=parts.live))

    @app.action("alert.dismiss")
    async def dismiss_pressed(ack: Ack, body: Body) -> None:
        fresh = await parts.look(body)
        await ack()
        if fresh:
            await _form(parts, body, alertcards.dismiss)

    @app.view(alertcards.START)
    async def start_sent(ack: Ack, body: Body) -> None:
        await submit_start(parts, ack, body)

    @app.view(alertcards.DISMISS)
    async def dismiss_sent(ack: Ack, body: Body) -> None:
        await submit(parts, ack, body, alertcards.DISMISS)


async def listed(parts: Parts, body: Body) -> None:
    """Those that wait, for operators, in private."""

    async def fill(person: Person) -> Block:
        return alertcards.listing(await _queue(parts).of(person))

    await parts.open(body, "Alerts", fill)


async def review(parts: Parts, body: Body) -> None:
    """One alert: what it says, why it waits, and the two ways on."""
    number = alert_number(_value(body))

    async def fill(person: Person) -> Block:
        looked = await _queue(parts).look(_known(number), person)
        return alertcards.review(looked, await _queue(parts).text(number))

    await parts.open(body, f"Alert {named(number)}", fill)


async def _form(parts: Parts, body: Body, form: Callable[[Looked], Block]) -> None:
    """The form, or what became of the alert meanwhile."""
    number = alert_number(_value(body))

    async def fill(person: Person) -> Block:
        looked = await _queue(parts).look(_known(number), person)
        return alertcards.ended(looked) if looked.ended else form(looked)

    await parts.open(body, f"Alert {named(number)}", fill)


async def submit_start(parts: Parts, ack: Ack, body: Body) -> None:
    """Whom it is about is read; then like every form."""
    command = await requests.named(parts, ack, body)
    if command is None:
        return
    await submit(parts, ack, body, alertcards.START, subject=command.subject)


async def submit(parts: Parts, ack: Ack, body: Body, kind: str, **work: str) -> None:
    """The form was sent: noted, acknowledged, handed over."""
    view = body["view"]
    alert = str(json.loads(view.get("private_metadata") or "{}").get("alert", ""))
    reason = values_of(view).get("reason", "")
    press = parts.press(body, kind, view=view["id"], alert=alert, reason=reason, **work)
    fresh = await parts.presses.take(press)
    await ack(response_action="update", view=told("Taken", f"Taken: {said(alert)}. One moment…"))
    if fresh:
        await parts.desk.carry_out(press)


def _queue(parts: Parts) -> Queue:
    if parts.queue is None:
        raise NotAllowed("no alerts are configured here")
    return parts.queue


def _known(number: int) -> int:
    if not number:
        raise NotAllowed("that button is about no alert of ours")
    return number


def _value(body: Body) -> str:
    return str(((body.get("actions") or [{}])[0]).get("value", ""))
