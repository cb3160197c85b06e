"""``/agent-kill …``: read, noted, acknowledged, and the form that it means is opened."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import structlog
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackClientError

from bot import grammar, homepage
from bot.grammar import Command, Misread, Verb
from bot.handlers import alerts, cases, gates, requests
from bot.handlers.requests import Ack
from bot.naming import GateRef
from bot.parts import Body, Parts
from killswitch.model.errors import KillswitchError

log = structlog.get_logger()

Respond = Callable[..., Awaitable[Any]]

HELP = """\
*Stop what a person's coding agents can do.* Nothing is changed before people approve.
• `/agent-kill jo@corp.example` with `--reason "…"`, `--playbook NAME`, \
`--severity low|medium|high|critical`, `--dry-run`
• `/agent-kill status K-12`, `plan K-12`, `list`
• `/agent-kill approve K-12 GATE`, `deny K-12 GATE`
• `/agent-kill abort K-12`, `restore K-12`
• `/agent-kill drill`: how to rehearse it
{alerts}Without Slack, `agent-kill` at a terminal does the same."""
ALERTS = "• `/agent-kill alerts`: those that wait for people, for operators\n"
DRILL = """\
Drills are held from a terminal with a `killswitch.yaml` in `mode: drill`; this bot serves them \
like real cases, marked DRILL. Starting one from Slack comes with the tabletop."""


def register(app: AsyncApp, parts: Parts) -> None:
    """The one command."""

    @app.command("/agent-kill")
    async def typed(ack: Ack, body: Body, respond: Respond) -> None:
        try:
            command = grammar.parse(str(body.get("text", "")), domains=parts.domains)
        except Misread as error:
            await parts.look(body, misread=error.why)
            await ack(f"{error.why[:1].upper()}{error.why[1:]}. Nothing was started.\n"
                      f"_{error.hint}_")  # fmt: skip
            return
        fresh = await parts.look(body, verb=command.verb)
        if answer := _said_at_once(parts, command.verb):
            await ack(answer)
            return
        await ack()
        if fresh:
            await _open(parts, body, command, respond)


def _said_at_once(parts: Parts, verb: Verb) -> str:
    """The answer to what asks for no look at anything; "" for all else."""
    if verb is Verb.HELP:
        return HELP.format(alerts=ALERTS if parts.queue else "")
    if verb is Verb.ALERTS and parts.queue is None:
        return alerts.NONE
    return DRILL if verb is Verb.DRILL else ""


async def _open(parts: Parts, body: Body, command: Command, respond: Respond) -> None:
    match command.verb:
        case Verb.KILL:
            await requests.ask(parts, body, command)
        case Verb.STATUS:
            await cases.status(parts, body, command.case)
        case Verb.PLAN:
            await cases.plan(parts, body, command.case)
        case Verb.APPROVE | Verb.DENY:
            ref = GateRef(command.case, command.gate or _only_gate(parts, command.case), "")
            await gates.show(parts, body, ref, deny=command.verb is Verb.DENY)
        case Verb.ABORT:
            await cases.abort(parts, body, command.case, command.reason)
        case Verb.RESTORE:
            await cases.restore(parts, body, command.case, command.reason)
        case Verb.ALERTS:
            await alerts.listed(parts, body)
        case _:
            await _list(parts, body, respond)


def _only_gate(parts: Parts, case: str) -> str:
    """The open gate, where the case has just one; else the person is told to name it."""
    try:
        view = parts.api.show(case)
    except KillswitchError:
        return "lead"
    open_gates = [g.name for g in view.gates.values() if not g.outcome]
    return open_gates[0] if len(open_gates) == 1 else next(iter(view.gates), "lead")


async def _list(parts: Parts, body: Body, respond: Respond) -> None:
    try:
        person = await parts.people.person(str(body["user_id"]))
        seen = await parts.api.seen(parts.api.list(), person)
        text = homepage.listing(seen)
    except KillswitchError as error:
        text = f"Refused: {error.why}."
    try:
        await respond(text, response_type="ephemeral")
    except (aiohttp.ClientError, SlackClientError, TimeoutError) as error:
        log.warning("a list could not be shown", kind=type(error).__name__)
