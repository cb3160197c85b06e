"""People: whether those that playbooks ask are there, and those that are protected are known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from killswitch import playbooks
from killswitch.api import OPERATORS
from killswitch.config import Config
from killswitch.doctor.finding import Finding, fix_of
from killswitch.engine import people
from killswitch.engine.connections import Connection
from killswitch.engine.house import House
from killswitch.model.errors import KillswitchError
from killswitch.model.playbook import Escalate
from killswitch.model.subject import Account, Kind, Subject
from killswitch.report.words import counted, listed


async def roles(house: House, config: Config) -> list[Finding]:
    """Every role, read now, against what the playbooks and the API ask of it."""
    asked, found = _asked(config)
    holders: dict[str, set[str]] = {}
    for role in config.written.roles:
        try:
            holders[role] = set(await people.holders(house, role))
        except KillswitchError as error:
            fix = fix_of(error) or "is the group there, and may our credential read it?"
            found.append(Finding("roles", role, ok=False, detail=error.why, fix=fix))
    for role in [OPERATORS, *(r for r in asked if r != OPERATORS)]:
        if role not in config.written.roles:
            detail = "nobody: the role is not defined"
            fix = f"define {role} under `roles:` in killswitch.yaml"
            found.append(Finding("roles", role, ok=False, detail=detail, fix=fix))
    operators = holders.get(OPERATORS, set())
    for role, held in holders.items():
        found.append(_enough(role, held, asked.get(role, 0), operators))
    return found


def _asked(config: Config) -> tuple[dict[str, int], list[Finding]]:
    """The most people that a gate of any playbook asks of a role; and playbooks that are wrong."""
    asked: dict[str, int] = {}
    found = []
    for name in playbooks.names(policy=config):
        lint = playbooks.lint(name, policy=config)
        if lint.playbook is None:
            first = lint.errors[0]
            fix = f"agent-kill playbook lint {lint.file}"
            found.append(Finding("playbooks", name, ok=False, detail=str(first), fix=fix))
            continue
        found.append(Finding("playbooks", name, ok=True, detail=lint.playbook.summary))
        for gate in lint.playbook.gates.values():
            asked[gate.approvers] = max(asked.get(gate.approvers, 0), gate.quorum)
            if isinstance(gate.on_timeout, Escalate):
                asked.setdefault(gate.on_timeout.escalate, 1)
    return asked, found


def _enough(role: str, held: set[str], quorum: int, operators: set[str]) -> Finding:
    """Enough for the gates, and still enough when one of them is the one who asks."""
    who = f"{counted(len(held), 'person', 'people')}: {listed(sorted(held), 6) or 'nobody'}"
    needed = quorum if role != OPERATORS else max(quorum, 1)
    if len(held) < needed:
        fix = f"a gate asks {needed} of them: add people to the role"
        return Finding("roles", role, ok=False, detail=who, fix=fix)
    if quorum and len(held) == needed and held & operators:
        fix = "whoever asks for a kill does not approve it: add somebody who is no operator"
        return Finding("roles", role, ok=False, detail=who, fix=fix, blocks=False)
    return Finding("roles", role, ok=True, detail=who)


async def protected(house: House, config: Config) -> list[Finding]:
    """Whether the protected list means somebody: a name that is misspelt protects nobody."""
    written = config.written.protected
    providers = [c for c in house.connections if c.vendor.members is not None]
    found = [await _resolves(email, providers) for email in written.people]
    for reference in written.groups:
        try:
            members = await people.group(house, reference)
        except KillswitchError as error:
            fix = "every kill is refused until it can be read: correct it under `protected:`"
            found.append(Finding("protected", reference, ok=False, detail=error.why, fix=fix))
        else:
            detail = counted(len(members), "person", "people")
            fix = "" if members else "nobody is in it: is it the right group?"
            found.append(
                Finding("protected", reference, bool(members), detail, fix=fix, blocks=False)
            )
    if not (written.people or written.groups):
        detail = "nobody is protected"
        fix = "list those who must never be stopped under `protected:`"
        found.append(Finding("protected", "list", ok=False, detail=detail, fix=fix, blocks=False))
    return found


async def _resolves(email: str, providers: Iterable[Connection]) -> Finding:
    subject = Subject(Kind.PERSON, email)
    known, unknown = [], []
    for connection in providers:
        try:
            accounts = await _accounts(connection, subject)
        except KillswitchError as error:
            unknown.append(f"{connection.name}: {error.why}")
            continue
        known += [f"{a.label} ({a.id}) at {connection.name}" for a in accounts]
    if known:
        return Finding("protected", email, ok=True, detail=", ".join(known))
    if unknown:
        return Finding("protected", email, None, "; ".join(unknown), "see the connection above")
    detail = "no identity provider knows this address"
    fix = "a misspelt address protects nobody: correct it under `protected:`"
    return Finding("protected", email, ok=False, detail=detail, fix=fix, blocks=False)


async def _accounts(connection: Connection, subject: Subject) -> Sequence[Account]:
    return await connection.call(lambda: connection.vendor.resolve(connection.client(), subject))
