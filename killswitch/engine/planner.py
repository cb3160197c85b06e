"""Who the subject is everywhere, and everything that would happen. Reads only."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from killswitch import catalogue
from killswitch.engine import guard
from killswitch.engine.connections import Connection
from killswitch.engine.house import House
from killswitch.engine.people import holders_or_none
from killswitch.model.action import Action, Layer
from killswitch.model.case import Request
from killswitch.model.codec import dump, kinds, load, writable
from killswitch.model.errors import (
    Missing,
    Refused,
    SubjectNotFound,
    Transient,
    VendorError,
)
from killswitch.model.plan import (
    Blank,
    Change,
    Mode,
    Plan,
    PlannedAccount,
    PlannedGate,
    ResidualLine,
)
from killswitch.model.playbook import Escalate, Playbook, Step
from killswitch.model.subject import Account, Kind, Subject
from killswitch.playbooks.lookups import render


class NotReadable(Missing):
    """Everything that was listed is missing when it is looked at: gone, or not ours to see."""


@dataclass
class Found:
    """The subject's accounts by connection, and the connections that did not answer."""

    accounts: dict[str, list[Account]] = field(default_factory=dict)
    unreachable: dict[str, str] = field(default_factory=dict)

    def all(self) -> list[Account]:
        """Every account found."""
        return [a for accounts in self.accounts.values() for a in accounts]

    @property
    def emails(self) -> set[str]:
        """Every address that the subject is known by."""
        return {a.email.lower() for a in self.all() if a.email}


def make_action(use: str, options: dict[str, Any]) -> Action[Any, Any, Any]:
    """The action with the step's ``with:``."""
    return load(catalogue.action(use), options)


async def resolve(house: House, subject: Subject, case: str) -> Found:
    """The subject at every connection, by immutable id.

    Raises SubjectNotFound if no connection knows it, or if an identity provider knows more than
    one. A connection that is down, or where we may not look, is unreachable.
    """
    found = Found()
    connections = list(house.connections)
    answers = await asyncio.gather(*(_resolve_at(house, c, subject, case) for c in connections))
    for connection, answer in zip(connections, answers, strict=True):
        if isinstance(answer, str):
            found.unreachable[connection.name] = answer
        else:
            found.accounts[connection.name] = answer
            only_one(connection, subject, answer)
    if subject.kind is Kind.CREDENTIAL:
        await _add_owners(house, found, case)
    known = [a for a in found.all() if house.connections[a.connection].vendor.actions]
    if not known:
        raise SubjectNotFound(
            f"no connection knows {subject}"
            + "".join(f"; {name} did not answer" for name in found.unreachable),
            hint="check the spelling; `agent-kill doctor` tells which connections answer",
        )
    return found


def only_one(connection: Connection, subject: Subject, accounts: Sequence[Account]) -> None:
    """Refuse a name that an identity provider has twice. Raises SubjectNotFound."""
    if len(accounts) > 1 and connection.vendor.members is not None:
        raise SubjectNotFound(
            f"{subject.name} is more than one account at {connection.name}: "
            + ", ".join(f"{a.label} ({a.id})" for a in accounts),
            hint="name one of them by its exact login",
        )


async def _add_owners(house: House, found: Found, case: str) -> None:
    """Whose the credential is, at every connection: the key first, then its owner."""
    for email in sorted(found.emails):
        owner = Subject(Kind.PERSON, email)
        connections = [c for c in house.connections if c.name not in found.unreachable]
        answers = await asyncio.gather(*(_resolve_at(house, c, owner, case) for c in connections))
        for connection, answer in zip(connections, answers, strict=True):
            if isinstance(answer, str):
                found.unreachable[connection.name] = answer
            else:
                found.accounts[connection.name] += answer


async def _resolve_at(
    house: House, connection: Connection, subject: Subject, case: str
) -> list[Account] | str:
    try:
        accounts = await connection.steady(
            house.rules.patience,
            lambda: connection.vendor.resolve(connection.client(), subject),
        )
    except (VendorError, Refused) as error:
        return error.why
    return marked(accounts, connection.name, case)


def marked(accounts: Iterable[Account], connection: str, case: str) -> list[Account]:
    """The accounts as this case knows them: with its connection and its mark."""
    return [replace(a, connection=connection, mark=f"killswitch-{case}") for a in accounts]


async def make(house: House, case: str, request: Request, found: Found) -> Plan:
    """The plan: every step's targets located and captured, guards passed. No writes.

    Raises Refused (Protected, LastAdmins, TooWide, NotAllowed).
    """
    subject = Subject.parse(request.subject)
    playbook = render(Playbook.model_validate(request.playbook), subject, case)
    warnings = await guard.check_people(house, found.all())
    for name in list(found.accounts):
        await _guarded(house, found, name)
    parts = await asyncio.gather(
        *(
            _plan_step(house, found, number, layer, step, gate)
            for number, (layer, step, gate) in enumerate(playbook.steps())
        )
    )
    changes = _once([line for part in parts for line in part if isinstance(line, Change)])
    blanks = [line for part in parts for line in part if isinstance(line, Blank)]
    plan = Plan(
        case=case,
        mode=request.mode,
        subject=request.subject,
        requester=request.requester,
        reason=request.reason,
        severity=request.severity,
        made_at=house.now().isoformat(),
        playbook=playbook.playbook,
        playbook_version=playbook.version,
        playbook_digest=request.playbook_digest,
        accounts=tuple(
            PlannedAccount(
                connection=a.connection,
                vendor=a.vendor,
                data=dump(a),
            )
            for a in found.all()
        ),
        changes=tuple(changes),
        blanks=tuple(blanks + _missing_collectors(house, playbook, found)),
        gates=tuple(await _gates(house, playbook)),
        restore_gate=playbook.restore_gate,
        layers=playbook.layers,
        evidence_window=_seconds(playbook.evidence.window),
        evidence_deadline=_seconds(playbook.evidence.deadline),
        collect=playbook.evidence.collect,
        limits=playbook.limits,
        watch=playbook.watch,
        comms=playbook.comms,
        warnings=tuple(warnings),
        break_glass=request.break_glass,
        automatic=request.automatic,
        hosts={c.name: c.address for c in house.connections},
    )
    guard.check_width(plan)
    await guard.check_targets(house, plan)
    if not request.break_glass and request.mode is not Mode.EVIDENCE:
        guard.check_gates(plan, found.emails | {_email(request.subject)})
    return plan


async def _guarded(house: House, found: Found, name: str) -> None:
    """The guards at one connection. One that cannot tell is left for later, as if it were down."""
    try:
        await guard.check_accounts(house, found.accounts[name])
    except VendorError as error:
        found.unreachable[name] = error.why
        found.accounts[name] = []


def _once(changes: list[Change]) -> list[Change]:
    """Each object once, by the first step that hits it with that action."""
    first: dict[str, Change] = {}
    for change in changes:
        first.setdefault(change.id, change)
    return list(first.values())


async def _plan_step(
    house: House, found: Found, number: int, layer: Layer, step: Step, gate: str
) -> list[Change | Blank]:
    vendor = step.use.partition(".")[0]
    connections = house.connections.of(vendor)
    place: dict[str, Any] = {"use": step.use, "step": number, "layer": layer, "gate": gate}
    if not connections:
        return [Blank(connection=vendor, why="not connected", **place)]
    lines: list[Change | Blank] = []
    for connection in connections:
        about = {**place, "connection": connection.name}
        if why := found.unreachable.get(connection.name):
            lines.append(Blank(why=why, required=step.required, later=True, **about))
            continue
        accounts = found.accounts.get(connection.name, [])
        if not accounts:
            lines.append(Blank(why="the subject has no account there", **about))
            continue
        try:
            changes = [
                line
                for account in accounts
                for line in await locate(house, connection, account, number, step, gate)
            ]
        except Transient as error:
            lines.append(Blank(why=error.why, required=step.required, later=True, **about))
        except (VendorError, Refused) as error:
            lines.append(Blank(why=error.why, required=step.required, **about))
        else:
            lines += changes or [Blank(why="nothing there to change", empty=True, **about)]
    return lines


async def locate(
    house: House, connection: Connection, account: Account, number: int, step: Step, gate: str
) -> list[Change]:
    """One step's targets for one account, each with its state and goal.

    Raises VendorError; NotReadable where no target of several is there when looked at.
    """
    action = make_action(step.use, step.with_)
    client = connection.client()
    patience = house.rules.patience

    async def targets() -> list[Any]:
        return [t async for t in action.locate(client, account)]

    async def line(target: Any) -> Change | None:
        try:
            before = await connection.steady(patience, lambda: action.capture(client, target))
        except Missing:
            return None  # gone between the list and the look
        residual = action.residual
        return Change(
            id=f"{connection.name}/{action.name}/{target.id}",
            layer=action.layer,
            step=number,
            connection=connection.name,
            action=action.name,
            options=step.with_,
            target=dump(target),
            target_id=target.id,
            label=writable(target.label),
            before=dump(before),
            goal=dump(action.goal(target, before)),
            gate=gate,
            required=step.required,
            undo_kind=action.undo_kind,
            manual=target.manual,
            impact=writable(action.impact(target, before)),
            residual=ResidualLine(
                what=residual.what, seconds=residual.seconds, source=residual.source
            ),
            counts=target.counts,
        )

    located = await connection.steady(patience, targets)
    lines = [found for found in await asyncio.gather(*(line(t) for t in located)) if found]
    if located and not lines:
        raise NotReadable(f"{len(located)} listed, and each look at one is answered with 404")
    return lines


def thaw(change: Change) -> tuple[Action[Any, Any, Any], Any]:
    """The action and target of a plan's line, as objects again."""
    action = make_action(change.action, change.options)
    target, _ = kinds(type(action))
    return action, load(target, change.target)


def thaw_state(change: Change, data: Any) -> Any:
    """A state of a plan's line, as an object again."""
    _, state = kinds(catalogue.action(change.action))
    return load(state, data)


async def _gates(house: House, playbook: Playbook) -> list[PlannedGate]:
    used = {gate for _, _, gate in playbook.steps()} | {playbook.restore_gate}
    gates = []
    for name, policy in playbook.gates.items():
        if name not in used:
            continue
        escalation: tuple[str, ...] = ()
        if isinstance(policy.on_timeout, Escalate):
            escalation = await holders_or_none(house, policy.on_timeout.escalate)
        gates.append(
            PlannedGate(
                name=name,
                policy=policy,
                approvers=await holders_or_none(house, policy.approvers),
                escalation=escalation,
            )
        )
    return gates


def _missing_collectors(house: House, playbook: Playbook, found: Found) -> list[Blank]:
    """Evidence that will not be there: no such connection, or one that did not answer."""
    blanks: list[Blank] = []
    for entry in playbook.evidence.collect:
        vendor = entry.use.partition(".")[0]
        connections = house.connections.of(vendor)
        if not connections:
            blanks.append(Blank(use=entry.use, connection=vendor, why="not connected"))
        blanks += [
            Blank(use=entry.use, connection=c.name, why=found.unreachable[c.name])
            for c in connections
            if c.name in found.unreachable
        ]
    return blanks


def _seconds(duration: Any) -> str:
    return f"{int(duration.total_seconds())}s"


def _email(subject: str) -> str:
    parsed = Subject.parse(subject)
    return parsed.name if parsed.kind is Kind.PERSON else ""


def accounts_of(plan: Plan, connection: str) -> Iterable[Account]:
    """The planned accounts at one connection, as objects again."""
    return [load(Account, a.data) for a in plan.accounts if a.connection == connection]
