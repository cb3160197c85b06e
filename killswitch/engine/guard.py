"""What must never be hit, checked when the plan is made and again right before each change."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from killswitch.engine.house import House
from killswitch.engine.people import group
from killswitch.model.action import Layer
from killswitch.model.errors import (
    LastAdmins,
    NotAllowed,
    Protected,
    TooWide,
    Transient,
    VendorError,
)
from killswitch.model.plan import Change, Plan
from killswitch.model.subject import Account, Kind

RECENT = timedelta(minutes=1)  # a reading of a group's members that is not asked for again


async def check_people(
    house: House, accounts: Sequence[Account], *, max_age: timedelta = timedelta()
) -> list[str]:
    """Refuse protected people.

    Compared by the vendor's immutable ids and by every address and alias of the accounts that
    were found, so an alias of a protected person is protected too. Returns warnings: what could
    not be checked because a connection is down. Raises Protected.
    """
    names = {
        name.lower()
        for a in accounts
        for name in (a.email, a.login, *a.aliases, f"{a.connection}:{a.id}")
        if name
    }
    return await _not_protected(house, names, max_age)


async def check_accounts(house: House, accounts: Sequence[Account]) -> None:
    """Refuse our own service identities and the last administrators.

    Raises Protected, LastAdmins; VendorError where the connection does not tell who they are.
    """
    for account in accounts:
        connection = house.connections[account.connection]
        ourselves = await connection.steady(house.rules.patience, connection.ourselves)
        if account.id == ourselves.id:
            raise Protected(
                f"{account.label} is our own identity at {connection.name}",
                hint="killswitch does not suspend itself",
            )
        await _admins_left(house, account)


async def _not_protected(house: House, names: set[str], max_age: timedelta) -> list[str]:
    listed = names & {p.lower() for p in house.rules.protected_people}
    if listed:
        raise Protected(
            f"{', '.join(sorted(listed))} is protected",
            hint="protected people are listed under `protected:` in killswitch.yaml",
        )
    warnings = []
    for reference in house.rules.protected_groups:
        try:
            members = set(await group(house, reference, max_age=max_age))
        except Transient as error:
            warnings.append(f"not checked against the protected group {reference}: {error.why}")
            continue
        except VendorError as error:
            raise Protected(
                f"who is in the protected group {reference} cannot be read: {error.why}",
                hint="`agent-kill doctor` tells what the connection lacks",
            ) from error
        if names & members:
            raise Protected(f"the subject is in the protected group {reference}")
    return warnings


async def _admins_left(house: House, account: Account) -> None:
    connection = house.connections[account.connection]
    admins = connection.vendor.admins
    if not account.admin or admins is None:
        return
    enabled = await connection.steady(house.rules.patience, lambda: admins(connection.client()))
    left = [a for a in enabled if a.id != account.id and a.enabled]
    if len(left) < house.rules.min_admins:
        raise LastAdmins(
            f"{account.label} is an administrator at {connection.name} and only "
            f"{len(left)} other enabled one(s) would be left",
            hint="enable another administrator first",
        )


def check_width(plan: Plan) -> None:
    """Refuse a plan that is wider than its limits. Raises TooWide."""
    changes = plan.changes
    people = {a.data.get("email") for a in plan.accounts} - {"", None}
    found = {
        # A person may have several addresses; a credential's owners are told apart by theirs.
        "people": 1 if plan.subject.startswith(Kind.PERSON) else len(people),
        "credentials": sum(c.counts for c in changes if c.layer is Layer.CREDENTIALS),
        "repositories": max(
            (
                sum(c.counts for c in changes if c.action == action)
                for action in {c.action for c in changes if c.layer is Layer.REPOSITORIES}
            ),
            default=0,
        ),
    }
    for what, count in found.items():
        most = getattr(plan.limits, what)
        if count > most:
            raise TooWide(
                f"the plan hits {count} {what}; the limit is {most}",
                hint="raise `limits:` in the playbook if this is meant, by the usual review",
            )


async def check_again(house: House, change: Change, accounts: Sequence[Account]) -> None:
    """The guards once more, right before a change: somebody may have been protected since.

    Group readings of the last minute will do. Raises Protected, LastAdmins; VendorError where
    it cannot be told now.
    """
    await check_target(house, change)
    await check_people(house, accounts, max_age=RECENT)
    for account in accounts:
        await _admins_left(house, account)


async def check_targets(house: House, plan: Plan) -> None:
    """Refuse a plan that would hit our own identity as a target. Raises Protected."""
    for change in plan.changes:
        await check_target(house, change)


async def check_target(house: House, change: Change) -> None:
    """The same for one change; asked again right before it is applied."""
    connection = house.connections[change.connection]
    ourselves = await connection.call(connection.ourselves)
    if change.target_id in (ourselves.id, f"{connection.name}/{ourselves.id}"):
        raise Protected(f"{change.label} is our own identity at {connection.name}")


def check_gates(plan: Plan, subject_emails: set[str]) -> None:
    """Refuse a plan whose gates nobody could open. Raises NotAllowed."""
    used = {c.gate for c in plan.changes}
    for gate in plan.gates:
        asked = dict.fromkeys((*gate.approvers, *gate.escalation))
        able = eligible(tuple(asked), plan.requester, subject_emails)
        if gate.name in used and len(able) < gate.policy.quorum:
            raise NotAllowed(
                f"gate {gate.name!r} needs {gate.policy.quorum} approver(s) from "
                f"{gate.policy.approvers!r} and {len(able)} may answer",
                hint="the requester and the subject never count; add people to the role",
            )


def eligible(approvers: Sequence[str], requester: str, subject_emails: set[str]) -> tuple[str, ...]:
    """Who of the approvers may answer: neither the requester nor the subject."""
    barred = {requester.lower(), *(e.lower() for e in subject_emails)}
    return tuple(a for a in approvers if a.lower() not in barred)
