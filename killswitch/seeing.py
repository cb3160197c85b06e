"""What people may see: the reading half of the API, and who an operator is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select

from killswitch.audit.tables import cases
from killswitch.engine import people
from killswitch.engine.gate import subject_emails
from killswitch.engine.guard import eligible
from killswitch.engine.house import House
from killswitch.model.case import Case, CaseState
from killswitch.model.errors import KillswitchError, NotAllowed
from killswitch.model.event import Entry
from killswitch.model.playbook import Assurance
from killswitch.model.subject import Account, Subject

OPERATORS = "secops"  # the role that may start, abort, restore, attest and hand over


@dataclass(frozen=True)
class Person:
    """Who is asking, and how sure we are of it. ``proof``: what shows it, such as a signature."""

    email: str
    assurance: Assurance
    door: str
    proof: str = ""


class NoSuchCase(KillswitchError):
    """There is no case of that id."""


class Seeing:
    """Cases, as far as somebody may see them."""

    def __init__(self, house: House) -> None:
        self.house = house

    # -- who sees what -------------------------------------------------------------------------

    async def view(self, case: str, person: Person) -> Case:
        """The case, if this person may see it. Raises NoSuchCase, NotAllowed.

        Operators, the requester and those who are asked may; the subject never.
        """
        view = self.show(case)
        if not await self.sees(view, person):
            raise NotAllowed(
                f"{case} is not yours to see", hint="operators and those who are asked see a case"
            )
        return view

    async def sees(self, view: Case, person: Person) -> bool:
        """Whether the person may see the case: need to know, and never the subject."""
        email = person.email.lower()
        if email in subject_emails(view):
            return False
        return _concerns(view, person) or email in await self.operators()

    async def seen(self, views: Iterable[Case], person: Person) -> list[Case]:
        """Those of the cases that the person may see, as ``sees`` tells them; asks roles once."""
        if person.email.lower() in await self.operators():
            return [v for v in views if person.email.lower() not in subject_emails(v)]
        return [v for v in views if _concerns(v, person)]

    async def must_operate(self, person: Person) -> None:
        """Raises NotAllowed unless the person is an operator."""
        await self._must_operate(person, max_age=timedelta(minutes=10))

    async def operators(self) -> tuple[str, ...]:
        """Who may start, abort and restore; as last read where the IdP does not answer."""
        try:
            return await people.holders(self.house, OPERATORS, max_age=timedelta(minutes=10))
        except KillswitchError:
            return people.named(self.house, OPERATORS)

    async def look_up(self, subject: str, person: Person) -> Sequence[Account]:
        """The accounts that a kill of this subject would look at. Reads only.

        Raises NotAllowed unless the person is an operator, SubjectNotFound, VendorError.
        """
        from killswitch.engine import planner

        await self.must_operate(person)
        return (await planner.resolve(self.house, Subject.parse(subject), "look-up")).all()

    def open_case(self, subject: str) -> str:
        """The open case for the subject in this or another mode; "" if there is none."""
        with self.house.store.read() as tx:
            found = tx.execute(select(cases.c.id).where(cases.c.subject == subject, cases.c.open))
            return str(found.scalar() or "")

    def may_answer(self, case: str, gate: str) -> tuple[str, ...]:
        """Who can still answer the gate: never the requester, the subject, or who did already."""
        view = self.show(case)
        shown = view.gates[gate]
        answered = {d["person"].lower() for d in shown.decisions}
        able = eligible(shown.approvers, view.request.requester, subject_emails(view))
        return tuple(a.lower() for a in able if a.lower() not in answered)

    def kept_out(self, case: str) -> frozenset[str]:
        """The addresses of the subject, who is told nothing."""
        return frozenset(subject_emails(self.show(case)))

    # -- showing -------------------------------------------------------------------------------

    def show(self, case: str) -> Case:
        """The case as it stands. Raises NoSuchCase."""
        with self.house.store.read() as tx:
            known = tx.execute(select(cases.c.id).where(cases.c.id == case)).scalar()
        if not known:
            raise NoSuchCase(f"there is no case {case}", hint="agent-kill list")
        return self.house.case(case)

    def list(self, *, limit: int = 20) -> list[Case]:
        """The newest cases first."""
        with self.house.store.read() as tx:
            ids = tx.execute(
                select(cases.c.id).order_by(cases.c.opened_at.desc()).limit(limit)
            ).scalars()
            found = [str(i) for i in ids]
        return [self.house.case(i) for i in found]

    def since(self, seq: int, limit: int = 500) -> Sequence[Entry]:
        """The journal's entries after that number, of every case."""
        return self.house.journal.entries(after=seq, limit=limit)

    async def follow(self, case: str, *, after: int = 0) -> AsyncIterator[Entry]:
        """The case's journal entries as they are written, without end."""
        while True:
            for entry in self.house.journal.entries(case=case, after=after):
                after = entry.seq
                yield entry
            await asyncio.sleep(0.1)

    async def _must_operate(self, person: Person, max_age: timedelta = timedelta()) -> None:
        email = person.email.lower()
        if email not in people.named(self.house, OPERATORS) and email not in await people.holders(
            self.house, OPERATORS, max_age=max_age
        ):
            raise NotAllowed(
                f"{person.email} does not hold the role {OPERATORS}",
                hint="members are listed under `roles:` in killswitch.yaml",
            )
        if stopped := self.stopped(email):
            raise NotAllowed(stopped)

    def stopped(self, email: str) -> str:
        """Why somebody who is stopped in a case has no say in any; "" for everybody else.

        A request alone bars nobody: else one operator could silence the others by asking.
        """
        for case in self.list(limit=_CASES_LOOKED_AT):
            changed = any(change.held for change in case.changes.values())
            if changed and case.state is not CaseState.RESTORED and email in subject_emails(case):
                return f"you are the subject of {case.id}; whoever is stopped has no say"
        return ""


_CASES_LOOKED_AT = 500  # the newest


def _concerns(view: Case, person: Person) -> bool:
    """Whether the person asked for it or is asked about it, and is not its subject."""
    email = person.email.lower()
    asked = {a.lower() for gate in view.gates.values() for a in gate.approvers}
    mine = email == view.request.requester.lower() or email in asked
    return mine and email not in subject_emails(view)
