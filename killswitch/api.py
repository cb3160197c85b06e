"""The one API: start, answer, abort, restore, attest, hand over; ``seeing.py`` is its other half.

CLI, bot, console and alerts call it.
Authorisation is decided here and nowhere else. Whatever is asked is written into the journal,
together with the engine's inbox, before it is answered; the engine finds it there (it may be
another process, and may be down at the moment).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, insert, select

from killswitch import signatures
from killswitch.audit.tables import cases, inbox
from killswitch.engine import handover, people
from killswitch.engine.gate import STRENGTH, subject_emails
from killswitch.engine.guard import eligible
from killswitch.engine.restore import chosen, restore_digest
from killswitch.model.case import SETTLED, Case, CaseState, ChangeState, GateView, Request
from killswitch.model.errors import NotAllowed, Refused, Storm
from killswitch.model.event import Event, What
from killswitch.model.evidence import Item
from killswitch.model.plan import Mode
from killswitch.model.playbook import Assurance, Escalate
from killswitch.model.subject import Subject
from killswitch.seeing import OPERATORS, NoSuchCase, Person, Seeing


@dataclass(frozen=True)
class Started:
    """The case that was opened, or the open one that the request joined."""

    case: str
    joined: bool


class Killswitch(Seeing):
    """The product, as its doors see it."""

    # -- starting ------------------------------------------------------------------------------

    async def start(self, request: Request, person: Person, *, once: str = "") -> Started:
        """Open a case, or join the one that is open for the same subject in the same mode.

        Durable when it returns. ``once``: an id of the asking itself, such as a press of a
        button; asked again with it, also after a restart, the first answer is given again.
        Raises NotAllowed unless the person is an operator, Storm over the limit of kills per
        hour, SubjectNotFound for a name that can be nobody.
        """
        subject = str(Subject.parse(request.subject))
        request = request.model_copy(update={"subject": subject, "assurance": person.assurance})
        await self._must_operate(person, max_age=timedelta(minutes=10))
        if request.break_glass and not request.reason.strip():
            raise NotAllowed("break-glass needs a reason", hint="add --reason")
        self._must_be_a_trigger(request, person)
        now = self.house.now()
        with self.house.store.begin() as tx:
            if once and (before := self._started_by(tx, once)):
                return before
            open_case = tx.execute(
                select(cases.c.id).where(
                    cases.c.subject == request.subject,
                    cases.c.mode == request.mode,
                    cases.c.open,
                )
            ).scalar()
            if open_case:
                self._join(tx, open_case, request, person, once)
                return Started(open_case, joined=True)
            self._calm(tx, request, now)
            case = self.house.store.next_case_id(tx)
            tx.execute(
                insert(cases).values(
                    id=case,
                    subject=request.subject,
                    mode=request.mode,
                    state="requested",
                    open=True,
                    opened_at=now.isoformat(),
                )
            )
            data = {"request": request.model_dump(mode="json")}
            event = Event(What.REQUESTED, case, f"{case}:requested", data)
            self._record(tx, event, "kill", {"once": once} if once else {})
        return Started(case, joined=False)

    def _must_be_a_trigger(self, request: Request, person: Person) -> None:
        """Only a trigger may go ahead without people, and only where the configuration lets it."""
        if not request.automatic:
            return
        if person.assurance is not Assurance.SERVICE or not request.door.startswith("alert:"):
            raise NotAllowed("only a trigger of level reversible goes ahead without approval")
        if not self.house.rules.automatic:
            raise NotAllowed(
                "no case goes ahead without approval here",
                hint="alerts: automatic: true in killswitch.yaml allows it to triggers",
            )

    def _join(self, tx: Connection, case: str, request: Request, person: Person, once: str) -> None:
        data = {"by": person.email, "door": request.door, "reason": request.reason}
        key = f"{case}:joined:{person.email}:{self.house.now().isoformat()}"
        event = Event(What.JOINED, case, key, data)
        if once:
            self._record(tx, event, "join", {"once": once})  # remembered; the engine skips it
        else:
            self.house.journal.append(event, tx=tx)

    def _started_by(self, tx: Connection, once: str) -> Started | None:
        """What the same asking came to before."""
        asked = inbox.c.payload["once"].as_string() == once
        row = tx.execute(select(inbox.c.case_id, inbox.c.kind).where(asked)).first()
        return Started(row.case_id, joined=row.kind == "join") if row else None

    def _calm(self, tx: Connection, request: Request, now: datetime) -> None:
        """Plans and mere evidence change nothing and are not counted."""
        if request.mode in (Mode.PLAN, Mode.EVIDENCE):
            return
        recent = tx.execute(
            select(func.count())
            .select_from(cases)
            .where(
                cases.c.mode == request.mode,
                cases.c.opened_at > (now - timedelta(hours=1)).isoformat(),
            )
        ).scalar_one()
        most = self.house.rules.kills_per_hour
        if recent >= most:
            raise Storm(
                f"{recent} kills were started within the hour; the limit is {most}",
                hint="if they are meant, raise policy.kills_per_hour in killswitch.yaml",
            )

    # -- deciding ------------------------------------------------------------------------------

    async def answer(
        self,
        case: str,
        gate: str,
        decision: str,
        person: Person,
        *,
        reason: str = "",
        digest: str = "",
    ) -> GateView:
        """Approve or deny (``approve`` | ``deny``). The first answer of a person is final.

        The decision binds to case, gate, plan digest and person. ``digest``: what the person was
        shown (a prefix of twelve or more will do); another plan is refused. Raises NotAllowed
        with the one reason why the answer does not count; that is journalled too.
        """
        if decision not in ("approve", "deny"):
            raise NotAllowed(f"{decision!r} is no decision", hint="approve or deny")
        view = self.show(case)
        shown = view.gates.get(gate)
        if shown is None:
            raise NotAllowed(
                f"{case} asks nothing at a gate {gate!r}",
                hint=f"open gates: {', '.join(_open_gates(view)) or 'none'}",
            )
        if person.assurance is Assurance.SERVICE:
            raise NotAllowed("a service asks for a kill; it does not decide about one")
        approvers = await self._approvers(view, shown)
        with self.house.store.begin() as tx:
            view = self.show(case)
            shown = view.gates[gate]
            if why := self._why_not(view, shown, approvers, person, decision, digest):
                refused = NotAllowed(why)
            else:
                data = {
                    "gate": gate,
                    "digest": shown.digest,
                    "person": person.email,
                    "decision": decision,
                    "reason": reason,
                    "door": person.door,
                    "assurance": person.assurance,
                    "proof": person.proof,
                }
                key = f"{case}:gate:{gate}:{shown.digest[:16]}:{person.email}"
                event = Event(What.DECIDED, case, key, data)
                self._record(tx, event, "press", {"gate": gate})
                return shown
        await self.house.note(
            What.TURNED_AWAY,
            case,
            f"gate:{gate}:away:{person.email}:{self.house.now().isoformat()}",
            gate=gate,
            person=person.email,
            why=refused.why,
        )
        raise refused

    async def _approvers(self, view: Case, gate: GateView) -> tuple[str, ...]:
        """Whom the gate asks and who still hold the role; all of them where the IdP is down."""
        assert view.plan is not None, "gates are opened only with a plan"
        planned = view.plan.gate(gate.name.rpartition("/")[2])
        roles = [planned.policy.approvers]
        escalated = set(planned.escalation) <= set(gate.approvers)
        if escalated and isinstance(planned.policy.on_timeout, Escalate):
            roles.append(planned.policy.on_timeout.escalate)
        now: set[str] = set()
        for role in roles:
            now.update(await people.holders(self.house, role, fallback=gate.approvers))
        return tuple(p for p in gate.approvers if p.lower() in now)

    def _why_not(
        self,
        view: Case,
        gate: GateView,
        approvers: tuple[str, ...],
        person: Person,
        decision: str,
        digest: str,
    ) -> str:
        """Why this answer does not count; "" if it does."""
        email = person.email.lower()
        assert view.plan is not None, "gates are opened only with a plan"
        planned = view.plan.gate(gate.name.rpartition("/")[2])
        mine = next((d for d in gate.decisions if d["person"].lower() == email), None)
        if view.aborted:
            return f"{view.id} was aborted by {view.aborted['by']}"
        if gate.outcome:
            return f"the gate {gate.name} is {gate.outcome} already"
        if mine:
            return f"you answered already: {mine['decision']} at {mine['at'][11:19]} UTC"
        if email in subject_emails(view):
            return "the subject of a case does not decide in it"
        if stopped := self.stopped(email):
            return stopped
        if email == view.request.requester.lower():
            return "who asked for a kill does not approve it"
        if email not in {a.lower() for a in eligible(approvers, view.request.requester, set())}:
            asked = email in {a.lower() for a in gate.approvers}
            when = " any more" if asked else ", or did not when the plan was made"
            return f"{person.email} does not hold the role {planned.policy.approvers}{when}"
        if self.house.now() >= datetime.fromisoformat(gate.expires_at):
            return f"the gate {gate.name} expired at {gate.expires_at[11:19]} UTC"
        if digest and not (len(digest) >= 12 and gate.digest.startswith(digest)):
            return "the plan is another one than you were shown; look at it again"
        if person.assurance is Assurance.SSH_SIGNATURE and not self._signed(
            view.id, gate, decision, person
        ):
            return "that is no signature of yours over this decision"
        if decision == "approve" and (
            STRENGTH[person.assurance] < STRENGTH[planned.policy.assurance]
        ):
            return (
                f"this gate asks for {planned.policy.assurance}; "
                f"you are known by {person.assurance} only"
            )
        return ""

    def _signed(self, case: str, gate: GateView, decision: str, person: Person) -> bool:
        text = signatures.message(case, gate.name, gate.digest, decision)
        try:
            return self.house.signed_by(text, person.proof) == person.email.lower()
        except NotAllowed:
            return False

    # -- stopping, going back -------------------------------------------------------------------

    async def abort(self, case: str, person: Person, reason: str) -> None:
        """Start nothing more. What was contained stays so. Open to every operator but the subject.

        Raises NotAllowed, and Refused where there is nothing to stop.
        """
        await self._must_operate(person)
        view = self.show(case)
        if person.email.lower() in subject_emails(view):
            raise NotAllowed("the subject of a case does not stop it")
        if view.state in SETTLED and not _open_gates(view) and not self._goes_on(view):
            raise Refused(
                f"{case} is {view.state} already; there is nothing to stop",
                hint=f"agent-kill restore {case} gives access back",
            )
        data = {"by": person.email, "reason": reason}
        with self.house.store.begin() as tx:
            self._record(tx, Event(What.ABORTED, case, f"{case}:aborted", data), "abort", {})

    def _goes_on(self, view: Case) -> bool:
        """Whether a case that is partial so far is still being contained in the background."""
        with self.house.store.read() as tx:
            still_open = tx.execute(select(cases.c.open).where(cases.c.id == view.id)).scalar()
        return bool(still_open) and view.state is CaseState.PARTIAL

    async def restore(
        self,
        case: str,
        person: Person,
        reason: str,
        *,
        only: tuple[str, ...] = (),
        force: bool = False,
    ) -> tuple[int, str]:
        """Ask for access to be given back; its gate opens next. Returns number and digest.

        ``only``: parts of change ids. ``force``: also where somebody changed the object since.
        """
        await self._must_operate(person)
        with self.house.store.begin() as tx:
            view = self.show(case)
            if not any(c.held for c in view.changes.values()):
                raise Refused(f"{case} changed nothing; there is nothing to give back")
            if view.restores and not view.restores[-1]["state"]:
                raise Refused(
                    f"{case} is being restored already",
                    hint=f"agent-kill status {case}",
                )
            if not chosen(view, only):
                raise Refused("nothing in this case matches --only")
            number = len(view.restores) + 1
            data = {
                "by": person.email,
                "reason": reason,
                "only": list(only),
                "force": force,
                "number": number,
            }
            event = Event(What.RESTORE_ASKED, case, f"{case}:restore-{number}:asked", data)
            self._record(tx, event, "restore", {"number": number})
        return number, restore_digest(self.show(case), number)

    async def attest(self, case: str, change: str, person: Person, reason: str) -> None:
        """A person vouches that a manual step was done. It stays ``manual``, with their name.

        Raises NotAllowed unless the person is an operator and not the subject, Refused where that
        is no open manual step.
        """
        await self._must_operate(person)
        view = self.show(case)
        if person.email.lower() in subject_emails(view):
            raise NotAllowed("the subject of a case vouches for nothing in it")
        found = view.changes.get(change)
        if found is None or found.state is not ChangeState.MANUAL:
            raise Refused(f"{change!r} is no open manual step of {case}")
        await self.house.note(
            What.ATTESTED,
            case,
            f"attested:{change}:{person.email}",
            change=change,
            by=person.email,
            reason=reason,
        )

    async def hand_over(self, case: str, paths: Iterable[Path], person: Person) -> list[Item]:
        """Take files into the case's evidence, such as transcripts from somebody's laptop.

        Each is kept in the vault and journalled as an item of the collector ``handed-over``,
        with who handed it over; the same content twice is one item. A case that is sealed
        already is sealed again, so that the new items are covered. Raises NotAllowed, NoSuchCase,
        Invalid for a file that cannot be read, VaultFull, Broken.
        """
        await self._must_operate(person)
        self.show(case)
        note = f"handed over by {person.email}, known by {person.assurance}"
        items = [await handover.take(self.house, case, path, note) for path in paths]
        await handover.seal_again(self.house, case)
        return items

    def _record(self, tx: Connection, event: Event, kind: str, payload: dict[str, Any]) -> None:
        """Journal and inbox in one transaction."""
        self.house.journal.append(event, tx=tx)
        tx.execute(
            insert(inbox).values(
                kind=kind,
                case_id=event.case,
                payload=payload,
                at=self.house.now().isoformat(),
            )
        )


def _open_gates(view: Case) -> list[str]:
    return [g.name for g in view.gates.values() if not g.outcome]


__all__ = ["OPERATORS", "Killswitch", "NoSuchCase", "Person", "Started"]
