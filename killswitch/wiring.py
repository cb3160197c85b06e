"""The only file that joins engine, vendors, evidence, audit and configuration."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import structlog

from killswitch import apart, catalogue, signatures
from killswitch.audit.journal import Journal
from killswitch.audit.store import Store
from killswitch.audit.witness import FileWitness, sign_head
from killswitch.clock import Clock, ahead, utc_now
from killswitch.config import Config
from killswitch.engine.connections import Connection, Connections
from killswitch.engine.house import House, Rules
from killswitch.engine.pace import Pace
from killswitch.evidence import keys, seal
from killswitch.evidence.vault import Vault
from killswitch.model.case import Case
from killswitch.model.errors import NotAllowed
from killswitch.model.plan import Mode

log = structlog.get_logger()
_DRILL_LOOK = 0.5  # seconds: a drill's clock may jump past a gate's end


def build(config: Config) -> House:
    """The house that this configuration describes. Opens the database; no vendor is called.

    Raises Broken when the state directory cannot be written or the key file is broken, Refused
    when one of them belongs to the other mode.
    """
    apart.claim(config)
    store = Store(config.state / "killswitch.db")
    now = _clock(config)
    journal = Journal(store, now=now)
    vault = Vault(config.state / "vault")
    witnesses = _witnesses(config)
    drill = config.mode is Mode.DRILL
    private = keys.private_key(config.signing_key, drill=drill)
    signing = cache(lambda: keys.signer(private))

    async def sealed(case: Case, which: str) -> dict[str, Any]:
        return await seal.seal_case(
            case,
            which,
            vault=vault,
            journal=journal,
            signer=signing(),
            tsa=config.written.tsa,
            now=now,
        )

    async def signed_head() -> None:
        signed = await asyncio.to_thread(sign_head, journal, signing(), witnesses, drill=drill)
        for witness, why in (signed.failed if signed else {}).items():
            log.warning("a witness did not take the journal's head", witness=witness, why=why)

    async def reported(case: Case) -> dict[str, str]:
        from killswitch.report import files

        last = journal.last()
        head = {"seq": last.seq, "hash": last.hash, "at": last.at} if last else None
        folder = config.state / "reports" / case.id
        try:
            return await asyncio.to_thread(files.write, case, folder, head=head, now=now())
        except OSError as error:  # the journal has it all; `agent-kill report` makes it anew
            log.warning("no report written", folder=str(folder), why=error.strerror)
            return {}

    def signed_by(text: bytes, signature: str) -> str:
        allowed = config.written.people.allowed_signers
        if allowed is None:
            raise NotAllowed("no allowed-signers file is configured")
        return signatures.signer(config.path(allowed), text, signature)

    return House(
        store=store,
        journal=journal,
        vault=vault,
        connections=connections(config),
        rules=rules(config),
        readings=config.state / "roles",
        seal=sealed,
        sign_head=signed_head,
        signed_by=signed_by,
        write_report=reported,
        now=now,
    )


def _clock(config: Config) -> Clock:
    """The machine's, or that of the drill which this configuration is for."""
    drill = config.written.drill
    if config.mode is not Mode.DRILL or drill is None or drill.clock is None:
        return utc_now
    return ahead(config.path(drill.clock))


def connections(config: Config) -> Connections:
    """A connection for each that is configured, with its guard and its pace. No I/O."""
    return Connections({name: _connection(config, name) for name in config.connections})


def _connection(config: Config, name: str) -> Connection:
    plain = config.plain_settings(name)
    return Connection(
        name=name,
        vendor=catalogue.vendor(config.connections[name]),
        address=plain.url,
        settle=plain.settle,
        link=Pace(name, plain.rate, plain.burst, plain.concurrency, config.guard(name).allow),
        settings=lambda: config.settings(name),
    )


def rules(config: Config) -> Rules:
    """What guards and gates read of the configuration."""
    written = config.written
    drill = written.drill
    return Rules(
        protected_people=written.protected.people,
        protected_groups=written.protected.groups,
        roles=written.roles,
        kills_per_hour=written.policy.kills_per_hour,
        automatic=bool(written.alerts and written.alerts.automatic),
        min_admins=written.policy.min_admins,
        watch_for=drill.watch_for if drill else None,
        watch_every=drill.watch_every if drill else None,
        gate_looks_every=_DRILL_LOOK if drill and drill.clock else 30.0,
    )


def _witnesses(config: Config) -> list[FileWitness]:
    if config.written.witness is None:
        return []
    file = config.path(config.written.witness.file)
    with suppress(OSError):  # a witness that is down is shown with each head, never fatal
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return [FileWitness(file)]


def engine_database(state: Path) -> str:
    """Where the engine keeps its own bookkeeping."""
    return f"sqlite:///{state / 'engine.db'}"
