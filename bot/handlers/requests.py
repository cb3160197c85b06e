"""Asking for a kill: the form, from a command, a shortcut or App Home, and its submission."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import structlog
from slack_bolt.async_app import AsyncApp

from bot import grammar, modals
from bot.blocks import Block, said, told
from bot.grammar import Command, Misread, Verb
from bot.naming import title
from bot.parts import Body, Parts
from killswitch.api import Person
from killswitch.model.errors import SubjectNotFound, VendorError

log = structlog.get_logger()

Ack = Callable[..., Awaitable[Any]]


def register(app: AsyncApp, parts: Parts) -> None:
    """The form, and the ways to it that are no command."""

    @app.view(modals.REQUEST)
    async def submitted(ack: Ack, body: Body) -> None:
        await submit(parts, ack, body)

    @app.shortcut("kill_from_message")
    async def from_message(ack: Ack, body: Body) -> None:
        fresh = await parts.look(body)
        await ack()
        if fresh:
            await ask(parts, body, Command(Verb.KILL), link=permalink(body))

    @app.shortcut("kill_new")
    async def new(ack: Ack, body: Body) -> None:
        fresh = await parts.look(body)
        await ack()
        if fresh:
            await ask(parts, body, Command(Verb.KILL))

    @app.action("home.new")
    async def new_from_home(ack: Ack, body: Body) -> None:
        fresh = await parts.look(body)
        await ack()
        if fresh:
            await ask(parts, body, Command(Verb.KILL))


async def ask(parts: Parts, body: Body, command: Command, *, link: str = "") -> None:
    """Open the form at once; then say in it who was found."""

    def form(wanted: Command, **more: Any) -> Block:
        return modals.request(wanted, parts.playbooks(), live=parts.live, link=link, **more)

    async def fill(person: Person) -> Block:
        await parts.api.must_operate(person)
        wanted = await _mentioned(parts, command) if command.user else _with_default(command)
        if not wanted.subject:
            return form(wanted)
        open_case = parts.api.open_case(wanted.subject)
        try:
            found = list(await parts.api.look_up(wanted.subject, person))
        except SubjectNotFound as error:
            status = f"Nobody was found: {said(error.why, 300)}"
            return form(wanted, status=status, open_case=open_case)
        except VendorError as error:
            status = f"Not looked up: {said(error.why, 200)}"
            return form(wanted, status=status, open_case=open_case)
        return form(wanted, found=found, open_case=open_case)

    # A field that is shown keeps what is in it, also nothing: who is mentioned is looked up first.
    first = None if command.user else form(_with_default(command), status="Looking up who that is…")
    await parts.open(body, "Kill agent access", fill, first)


def _with_default(command: Command) -> Command:
    """With the playbook that its kind of subject has by default."""
    kind = command.subject.partition(":")[0]
    name = {"credential": "leaked-credential"}.get(kind, "agent-kill")
    return command if command.playbook else replace(command, playbook=name)


async def _mentioned(parts: Parts, command: Command) -> Command:
    """A mention as an address. Raises SubjectNotFound."""
    member = await parts.people.member(command.user)
    if not member.email:
        raise SubjectNotFound(
            "that Slack account has no confirmed address of the company",
            hint="name the person by their e-mail address",
        )
    return _with_default(replace(command, subject=f"person:{member.email}", user=""))


async def submit(parts: Parts, ack: Ack, body: Body) -> None:
    """The form was sent: checked for being readable, noted, acknowledged, handed over."""
    view = body["view"]
    values = values_of(view)
    command = await named(parts, ack, body)
    if command is None:
        return
    press = parts.press(
        body,
        "start",
        view=view["id"],
        subject=command.subject,
        playbook=values.get("playbook", ""),
        severity=values.get("severity", "high"),
        reason=values.get("reason", ""),
        dry_run=bool(values.get("mode")),
        link=json.loads(view.get("private_metadata") or "{}").get("link", ""),
    )
    fresh = await parts.presses.take(press)
    await ack(response_action="update", view=told("Taken", _standing(parts, command, fresh)))
    if fresh:
        await parts.desk.carry_out(press)


async def named(parts: Parts, ack: Ack, body: Body) -> Command | None:
    """Whom the form names, live twice; None where it cannot be read, which the form then says."""
    values = values_of(body["view"])
    try:
        command = grammar.parse(values["subject"], domains=parts.domains)
        if command.verb is not Verb.KILL or not command.subject:
            raise Misread("name one person, credential or session", hint="jo@corp.example")
    except Misread as error:
        await parts.look(body, misread=error.why)
        await ack(response_action="errors", errors={"subject": f"{error.why}. {error.hint}"})
        return None
    if parts.live and not typed(values.get("typed", ""), command.subject):
        await parts.look(body, misread="not typed again")
        await ack(response_action="errors", errors={"typed": "This is not the same address."})
        return None
    return command


def _standing(parts: Parts, command: Command, fresh: bool) -> str:
    """What the form says next; a second delivery gets how things stand."""
    if fresh:
        return f"Taken: {said(command.subject)}. One moment…"
    case = parts.api.open_case(command.subject)
    if case:
        return f"Taken already: {title(parts.api.show(case))} is open for them."
    return "Taken already. `/agent-kill list` shows how it stands."


def typed(text: str, subject: str) -> bool:
    """Whether somebody typed that subject again."""
    try:
        return grammar.parse(text).subject == subject
    except Misread:
        return False


def values_of(view: Body) -> dict[str, Any]:
    """Field -> what was typed or chosen."""
    found: dict[str, Any] = {}
    for name, actions in view["state"]["values"].items():
        value = actions.get("v") or {}
        if value.get("type") == "plain_text_input":
            found[name] = (value.get("value") or "").strip()
        elif "selected_options" in value:
            found[name] = [o["value"] for o in value["selected_options"] or []]
        else:
            found[name] = (value.get("selected_option") or {}).get("value", "")
    return found


def permalink(body: Body) -> str:
    """The address of the message that a shortcut was used on; nothing is read out of its text."""
    channel = (body.get("channel") or {}).get("id", "")
    ts = str(body.get("message_ts") or (body.get("message") or {}).get("ts", ""))
    domain = (body.get("team") or {}).get("domain", "app")
    if not channel or not ts:
        return ""
    return f"https://{domain}.slack.com/archives/{channel}/p{ts.replace('.', '')}"
