"""``agent-kill doctor``: whether a kill would work, now."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Annotated

import typer
from rich.text import Text

from killswitch import config as configuration
from killswitch import typed, wiring
from killswitch.api import OPERATORS, Killswitch
from killswitch.cli import engine_process
from killswitch.cli.context import context
from killswitch.cli.exits import Exit
from killswitch.cli.operator import at_the_keyboard
from killswitch.config import Config
from killswitch.doctor import connections, machine, people
from killswitch.doctor.finding import Finding, fix_of
from killswitch.engine.people import holders
from killswitch.model.errors import KillswitchError, NotAllowed
from killswitch.model.untrusted import clean
from killswitch.report.words import counted, listed

LIMIT = 20.0  # seconds for one connection


def doctor(
    connection: Annotated[
        str, typer.Option("--connection", help="Only this connection.", metavar="NAME")
    ] = "",
    limit: Annotated[
        float, typer.Option("--limit", min=1.0, help="Seconds that one connection may take.")
    ] = LIMIT,
) -> None:
    """Check that a kill would work: connections, people, journal, vault, keys.

    It reads at the vendors and changes nothing there. ✓ is well, ✗ must be put right before it
    can be relied on, ! is worth a look, ? could not be told.

    Examples:

      agent-kill doctor

      agent-kill doctor --connection github --json
    """
    config = _readable()
    engine_process.confine(config)
    names = _wanted(config, connection)
    findings = asyncio.run(_tell_all(_examine(config, names, limit, alone=bool(connection))))
    blocking = [f for f in findings if f.blocking]
    unknown = sum(f.ok is None for f in findings)
    if not context.as_json:
        context.say("")
        told = f"{counted(len(findings), 'check')}; {unknown} could not be told; "
        verdict = f"{len(blocking)} must be put right" if blocking else "nothing blocks"
        context.say(told + verdict, style="red" if blocking else "green")
    raise typer.Exit(Exit.BLOCKED if blocking else Exit.DONE)


def _readable() -> Config:
    """The configuration; everything that is wrong with it is said, not just the first thing."""
    config, errors = configuration.lint(context.find())
    if config is None:
        for error in errors[1:]:
            context.err.print(f"agent-kill: {error}", style="red", markup=False)
        raise errors[0]
    return config


def _wanted(config: Config, connection: str) -> list[str]:
    if connection and connection not in config.connections:
        guess = typed.did_you_mean(connection, config.connections)
        raise NotAllowed(
            f"there is no connection {connection!r}{guess}",
            hint=f"one of {', '.join(config.connections) or 'none is configured'}",
        )
    return [connection] if connection else list(config.connections)


async def _examine(
    config: Config, names: list[str], limit: float, *, alone: bool
) -> AsyncIterator[list[Finding]]:
    tenants = wiring.connections(config)
    try:
        if not names:
            fix = "add one under `connections:`"
            yield [Finding("connections", "any", ok=False, detail="none", fix=fix)]
        admins = config.written.policy.min_admins
        async for findings in connections.look(tenants, names, limit, admins):
            yield findings
    finally:
        await tenants.aclose()
    if not alone:
        async for findings in _around(config):
            yield findings


async def _around(config: Config) -> AsyncIterator[list[Finding]]:
    """Everything that is no connection: this machine first, as people are read through it."""
    yield (apart := machine.keeping_apart(config))
    if not all(finding.ok for finding in apart):  # nothing is opened that is the other mode's
        return
    yield [machine.signing_key(config), machine.disk(config), *machine.signatures(config)]
    if broken := machine.store(config):
        yield [broken]
        return
    try:
        house = wiring.build(config)
    except KillswitchError:  # a signing key that is open to others: said above
        return
    try:
        yield [
            machine.journal(house),
            await machine.vault(house.vault),
            machine.witness(config),
        ]
        yield await people.roles(house, config)
        yield await people.protected(house, config)
        yield [await _you(config, Killswitch(house)), _engine(config), _open(Killswitch(house))]
    finally:
        await house.connections.aclose()


async def _you(config: Config, api: Killswitch) -> Finding:
    try:
        person = at_the_keyboard(config)
        operators = await holders(api.house, OPERATORS)
    except KillswitchError as error:
        fix = fix_of(error)
        return Finding("machine", "you", ok=False, detail=error.why, fix=fix, blocks=False)
    may = person.email in operators
    return Finding(
        "machine",
        "you",
        ok=may,
        detail=f"{person.email}, " + (f"in {OPERATORS}" if may else f"not in {OPERATORS}"),
        fix="" if may else f"you may look and approve, not start: that needs the role {OPERATORS}",
        blocks=False,
    )


def _engine(config: Config) -> Finding:
    pid = engine_process.running(config.state)
    detail = f"runs, process {pid}" if pid else "not running; a kill starts one"
    return Finding("machine", "engine", ok=True, detail=detail)


def _open(api: Killswitch) -> Finding:
    going_on = [c for c in api.list(limit=200) if not c.closed_at]
    if not going_on:
        return Finding("machine", "cases", ok=True, detail="none is open")
    detail = f"{counted(len(going_on), 'case')} open: " + listed(
        (f"{c.id} ({c.state})" for c in going_on), 5
    )
    idle = engine_process.running(context.config.state) is None
    fix = "no engine runs: `agent-kill serve` goes on with them" if idle else ""
    return Finding("machine", "cases", ok=not idle, detail=detail, fix=fix, blocks=False)


async def _tell_all(parts: AsyncIterator[list[Finding]]) -> list[Finding]:
    told: list[Finding] = []
    async for findings in parts:
        _tell(findings)
        told += findings
    return told


def _tell(findings: Iterable[Finding]) -> None:
    for finding in findings:
        if context.as_json:
            context.emit(
                {
                    "schema": "killswitch/check/1",
                    "area": finding.area,
                    "check": finding.name,
                    "ok": finding.ok,
                    "blocks": finding.blocking,
                    "detail": finding.detail,
                    "fix": finding.fix,
                }
            )
            continue
        glyph, colour = _mark(finding)
        fix = f"  → {finding.fix}" if finding.fix and finding.ok is not True else ""
        context.say(
            Text.assemble(
                (f"{glyph} ", colour),
                f"{finding.area:12} {finding.name:24} {clean(finding.detail, 300)}",
                (clean(fix, 300), colour),
            )
        )


def _mark(finding: Finding) -> tuple[str, str]:
    if finding.ok is None:
        return "?", "yellow"
    if finding.ok:
        return "✓", "green"
    return ("✗", "red") if finding.blocks else ("!", "yellow")
