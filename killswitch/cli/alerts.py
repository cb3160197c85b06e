"""``agent-kill alerts``: list, show, start, dismiss, test, replay, lint."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from sqlalchemy import RowMapping

from killswitch.alerts import people
from killswitch.alerts import rules as triggers
from killswitch.alerts.alert import Alert, NoSuchAlert, named
from killswitch.alerts.outcome import WAITING, Outcome
from killswitch.alerts.store import Alerts
from killswitch.alerts.worker import Worker
from killswitch.cli import complaints, engine_process, lazy
from killswitch.cli.context import context
from killswitch.cli.exits import Exit
from killswitch.cli.kill import AsOption, PlaybookOption, ReasonOption, confirmed
from killswitch.cli.operator import at_the_keyboard
from killswitch.model.errors import Invalid, Refused
from killswitch.model.plan import Mode
from killswitch.model.untrusted import clean
from killswitch.report import words
from killswitch.written import Source

R = TypeVar("R")
app = lazy.group("Alerts in: list, show, start, dismiss, test, replay, lint.")

_NUMBER = re.compile(r"A-([1-9][0-9]{0,17})")
_SHOWN = 4_000  # characters of an alert's text on a terminal
_MEANS = {
    Outcome.START: "a case would be opened",
    Outcome.JOINED: "it would be evidence in the case about its subject",
    Outcome.OBSERVED: "noted only",
    Outcome.DUPLICATE: "nothing more would happen",
    Outcome.TRIAGE: "nothing would be started; a person looks",
    Outcome.HELD: "nothing would be started; a person looks",
}

AlertArgument = Annotated[str, typer.Argument(help="Such as A-12.", show_default=False)]


@app.command("list")
def list_alerts(
    limit: Annotated[int, typer.Option("--limit", help="How many, newest first.")] = 20,
    outcome: Annotated[
        str, typer.Option("--outcome", help="Only these, such as triage or held.")
    ] = "",
    waiting: Annotated[
        bool, typer.Option("--waiting", help="Only those that wait for people.")
    ] = False,
) -> None:
    """The alerts that came, newest first, and what became of them.

    Examples:

      agent-kill alerts list

      agent-kill alerts list --waiting
    """
    known = [o.value for o in Outcome if o is not Outcome.START]
    if outcome and outcome not in known:
        raise Refused(f"{outcome!r} is no outcome", hint=f"one of {', '.join(known)}")
    wanted = [o.value for o in WAITING] if waiting else [outcome] if outcome else []
    found = _store().newest(limit=limit, outcomes=wanted)
    for row in found:
        if context.as_json:
            context.emit({"schema": "killswitch/alert-line/1", **_line(row)})
            continue
        case = f" {row['case_id']}" if row["case_id"] else ""
        context.out.print(
            f"{named(row['id']):8} {row['received_at'][:19]} {row['source']:12} "
            f"{row['outcome'] or 'waiting':10}{case} {row['subject']} {row['why']}",
            markup=False,
        )
    if not found:
        context.say("No such alerts." if wanted else "No alerts yet.")


@app.command("show")
def show(alert: AlertArgument) -> None:
    """One alert: how it came, every decision about it, its text as it is.

    Examples:

      agent-kill alerts show A-12

      agent-kill alerts show A-12 --json
    """
    store = _store()
    row = store.row(_number(alert), body=True)
    text, confirmed = _text(row["body"]), _text(row["confirmed"])
    children = [named(child) for child in store.children(row["id"])]
    if context.as_json:
        context.emit(
            {
                "schema": "killswitch/alert/1",
                **_line(row),
                "media_type": row["media_type"],
                "headers": row["headers"],
                "stands_for": children,
                "history": row["history"],
                "body": text,
                "confirmed_body": confirmed,
            }
        )
        return
    out = context.out
    for name, value in _line(row).items():
        out.print(f"{name:12} {value}", markup=False)
    if children:
        out.print(f"{'stands_for':12} {', '.join(children)}", markup=False)
    for entry in row["history"]:
        who = f" by {entry['by']}" if entry.get("by") else ""
        told = f"{entry['at'][:19]}  {entry['outcome']}{who}  {entry.get('why', '')}"
        out.print(told, markup=False)
    if row["shed_at"]:
        out.print(f"Its text was deleted on {row['shed_at'][:10]}.", markup=False)
    if confirmed:
        out.print("As the vendor has it:", markup=False)
        out.print(clean(confirmed, _SHOWN), markup=False)
        out.print("As it was pushed:", markup=False)
    out.print(clean(text, _SHOWN), markup=False)


@app.command("start")
def start(
    alert: AlertArgument,
    subject: Annotated[
        str, typer.Option("--subject", help="Instead of the one that the alert names.")
    ] = "",
    playbook: PlaybookOption = "",
    reason: ReasonOption = "",
    confirm: Annotated[
        str, typer.Option(help="The subject again, instead of typing it.", metavar="SUBJECT")
    ] = "",
    no_input: Annotated[bool, typer.Option("--no-input", help="Never ask anything.")] = False,
    persona: AsOption = "",
) -> None:
    """Open a case for an alert in your own name, with the alert as its evidence.

    Examples:

      agent-kill alerts start A-12 --reason "seen in the log, too"

      agent-kill alerts start A-12 --subject jo@corp.example
    """
    number, store, config = _number(alert), _store(), context.config
    about = people.subject_of(store, number, subject)
    person = at_the_keyboard(config, persona)
    if config.mode is Mode.LIVE:
        confirmed(about, confirm, no_input)
    started = asyncio.run(
        _at_work(
            people.start(
                config,
                context.api,
                store,
                number,
                person,
                rules=triggers.lint(config).rules,
                subject=str(about),
                playbook=playbook,
                reason=reason,
            )
        )
    )
    engine_process.ensure(config)
    if context.as_json:
        told = {"alert": alert, "case": started.case, "joined": started.joined}
        context.emit({"schema": "killswitch/done/1", **told})
    else:
        verb = "joined" if started.joined else "opened"
        context.say(f"{started.case} {verb} for {about}: agent-kill status {started.case} --watch")


@app.command("dismiss")
def dismiss(
    alert: AlertArgument,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why nothing is to be done.")],
    persona: AsOption = "",
) -> None:
    """Take an alert off the queue. It stays, with your name and reason.

    Example: agent-kill alerts dismiss A-12 --reason "a rehearsal"
    """
    number = _number(alert)
    person = at_the_keyboard(context.config, persona)
    asyncio.run(_at_work(people.dismiss(context.api, _store(), number, person, reason)))
    if context.as_json:
        context.emit({"schema": "killswitch/done/1", "alert": alert})
    else:
        context.say(f"{alert} is dismissed.")


@app.command("test")
def dry_run(
    alert: Annotated[
        str, typer.Argument(help="A file with an alert's text, or A-12.", show_default=False)
    ],
    source: Annotated[str, typer.Option("--source", help="Who would send the file.")] = "",
) -> None:
    """Say what the rules would make of an alert now. Nothing is started and nothing is kept.

    Examples:

      agent-kill alerts test payload.json --source splunk

      agent-kill alerts test A-12
    """
    found = _given(alert, source)
    rules = _rules()
    worker = Worker(context.config, context.api, _store(), rules)
    decision = asyncio.run(_at_work(worker.judged(found)))
    rule = next((r for r in rules if r.name == decision.rule), None)
    told = {
        "outcome": decision.outcome.value,
        "why": decision.why,
        "rule": decision.rule,
        "subject": decision.subject,
        "level": decision.level,
        "playbook": rule.trigger.playbook if rule else "",
        "severity": rule.trigger.severity if rule else "",
        "occurred": decision.occurred,
        "alert_id": decision.alert_id,
        "link": decision.link,
    }
    if context.as_json:
        context.emit({"schema": "killswitch/alert-test/1", **told})
        return
    context.out.print(f"{decision.outcome}: {_MEANS[decision.outcome]}", markup=False)
    for name, value in list(told.items())[1:]:
        context.out.print(f"  {name:10} {value or '-'}", markup=False)


@app.command("replay")
def replay(
    alert: AlertArgument,
    persona: AsOption = "",
) -> None:
    """Let a stored alert be decided again, after its rule or the configuration was put right.

    Example: agent-kill alerts replay A-12
    """
    number, store = _number(alert), _store()
    person = at_the_keyboard(context.config, persona)
    asyncio.run(_at_work(context.api.must_operate(person)))
    row = store.row(number)
    if row["case_id"]:
        raise Refused(f"{alert} belongs to {row['case_id']} already")
    if row["shed_at"]:
        raise Refused(f"the text of {alert} was deleted on {row['shed_at'][:10]}")
    store.reopen(number, person.email, context.api.house.now())
    engine_process.ensure(context.config)
    if context.as_json:
        context.emit({"schema": "killswitch/done/1", "alert": alert})
    else:
        context.say(f"{alert} is decided again: agent-kill alerts show {alert}")


@app.command("lint")
def lint() -> None:
    """Say everything that is wrong with trigger rules, by file and line.

    Example: agent-kill alerts lint
    """
    found = triggers.lint(context.config)
    for level, problems in (("error", found.errors), ("warning", found.warnings)):
        for problem in problems:
            _complain(level, problem)
    counted = words.counted(len(found.rules), "rule")
    context.err.print(
        f"{counted} in force, {len(found.errors)} wrong", style="red" if found.errors else "green"
    )
    raise typer.Exit(Exit.INVALID if found.errors else Exit.DONE)


def _complain(level: str, problem: Invalid) -> None:
    tell = complaints.as_json if context.as_json else complaints.as_text
    tell(level, problem)


async def _at_work(work: Awaitable[R]) -> R:
    """What it comes to; vendors that were asked for it are let go of."""
    try:
        return await work
    finally:
        await context.api.house.connections.aclose()


def _rules() -> tuple[triggers.Rule, ...]:
    """The rules in force. Raises Invalid with the first error: in part they would mislead."""
    found = triggers.lint(context.config)
    if found.errors:
        raise found.errors[0]
    return found.rules


def _given(alert: str, source: str) -> Alert:
    """The stored alert, or the file as if it came now."""
    sources = _sources()
    if _NUMBER.fullmatch(alert):
        return _store().alert(_number(alert))
    if source not in sources:
        raise Refused(
            f"{source!r} is no source" if source else "who would send the file?",
            hint=f"--source, one of {', '.join(sources)}",
        )
    try:
        body = Path(alert).read_bytes()
    except OSError as error:
        raise Invalid(f"{alert}: {error.strerror}", expected="a file, or such as A-12") from error
    return Alert(0, source, body, context.api.house.now())


def _sources() -> dict[str, Source]:
    """The configured sources. Raises Invalid without ``alerts:``."""
    alerts = context.config.written.alerts
    if alerts is None:
        raise Invalid("no alerts are configured", expected="alerts: in killswitch.yaml")
    return alerts.sources


def _store() -> Alerts:
    return Alerts(context.api.house.journal)


def _number(alert: str) -> int:
    found = _NUMBER.fullmatch(alert)
    if not found:
        raise NoSuchAlert(f"{alert!r} is no alert", hint="such as A-12: agent-kill alerts list")
    return int(found[1])


def _text(body: bytes | None) -> str:
    return bytes(body or b"").decode("utf-8", "backslashreplace")


def _line(row: RowMapping) -> dict[str, Any]:
    return {
        "alert": named(row["id"]),
        "received_at": row["received_at"],
        "source": row["source"],
        "outcome": row["outcome"] or "waiting",
        "why": row["why"],
        "rule": row["rule"],
        "subject": row["subject"],
        "alert_id": row["alert_id"],
        "origin": row["origin"],
        "stood_in": named(row["parent"]) if row["parent"] else "",
        "confirmed": row["confirmed_by"],
        "vendor_id": row["vendor_id"],
        "level": row["level"],
        "case": row["case_id"],
        "sha256": row["sha256"],
        "size": row["size"],
        "deliveries": row["deliveries"],
        "last_at": row["last_at"],
    }
