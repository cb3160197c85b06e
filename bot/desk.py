"""The desk: carries out what was pressed by handing it to the API, and tells the person.

A press is on the disk before it is acknowledged, and stays open until it was carried out. What a
crash left open is taken up again at the next start; the API does nothing twice.
"""

from __future__ import annotations

import asyncio
from typing import Any

import structlog

from bot import alertcards, cards, modals
from bot.blocks import Block, said, section, told
from bot.naming import GateRef, StepRef, alert_number, title
from bot.people import People
from bot.presses import Press, Presses
from bot.queue import Queue
from bot.web import Web
from killswitch import playbooks
from killswitch.api import Killswitch, Person, Started
from killswitch.config import Config
from killswitch.model.case import Case, Request
from killswitch.model.errors import (
    KillswitchError,
    NotAllowed,
    Transient,
    VendorError,
)
from killswitch.model.plan import Mode
from killswitch.model.subject import Subject

log = structlog.get_logger()

KEEP_TRYING = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 60.0, 60.0)  # while Slack is silent
AFTER_ACK = 0.3  # seconds; the acknowledgement brings a view too, and ours must come after it


class Desk:
    """Takes presses, in the order in which they come, each on its own."""

    def __init__(
        self,
        api: Killswitch,
        config: Config,
        people: People,
        presses: Presses,
        web: Web,
        queue: Queue | None = None,
    ) -> None:
        self.api, self.config, self.queue = api, config, queue
        self.people, self.presses, self.web = people, presses, web
        self._again: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Take up what an earlier process left."""
        self._again = asyncio.create_task(self._left_over(), name="slack presses")

    async def stop(self) -> None:
        """Leave what is open for the next start."""
        if self._again:
            self._again.cancel()
            await asyncio.gather(self._again, return_exceptions=True)

    async def _left_over(self) -> None:
        for press in self.presses.open():
            log.info("a press is taken up again", kind=press.kind, press=press.id)
            await self.carry_out(press)

    async def carry_out(self, press: Press) -> None:
        """Do it, say what came of it, and note that."""
        for pause in (*KEEP_TRYING, None):
            try:
                shown = await self._do(press)
                outcome = "done"
            except Transient as error:
                if pause is None:
                    shown, outcome = told("Not taken", _sentence(error)), f"gave up: {error.why}"
                else:
                    await asyncio.sleep(pause)
                    continue
            except KillswitchError as error:
                shown, outcome = self._refusal(press, error), f"refused: {error.why}"
            await self.presses.done(press.id, outcome)
            await self.show(press, shown)
            return

    async def show(self, press: Press, view: Block) -> None:
        """In the form that was sent, or in private where that is closed by now."""
        try:
            if press.work.get("view"):
                await asyncio.sleep(AFTER_ACK)
                await self.web.call("views.update", view_id=press.work["view"], view=view)
                return
        except VendorError as error:
            log.info("a form is closed by now", why=error.why)
        try:
            await self.web.tell(press.user, press.channel, _text_of(view))
        except VendorError as error:
            log.warning("an answer could not be told", user=press.user, why=error.why)

    async def _do(self, press: Press) -> Block:
        person = await self.people.person(press.user)
        match press.kind:
            case "start":
                return await self._start(press, person)
            case "answer":
                return await self._answer(press, person)
            case "attest":
                return await self._attest(press, person)
            case "abort":
                return await self._abort(press, person)
            case "restore":
                return await self._restore(press, person)
            case alertcards.START | alertcards.DISMISS:
                return await self._alert(press, person)
        raise AssertionError(f"no such kind of press: {press.kind}")

    async def _start(self, press: Press, person: Person) -> Block:
        request = self.request(press.work, person)
        return _taken(await self.api.start(request, person, once=press.id))

    def request(self, work: dict[str, Any], person: Person) -> Request:
        """The request in a form. Raises SubjectNotFound, Invalid."""
        subject = Subject.parse(work["subject"])
        name = work.get("playbook") or playbooks.default(subject.kind)
        return playbooks.request(
            playbooks.load(name, policy=self.config),
            subject,
            mode=Mode.PLAN if work.get("dry_run") else self.config.mode,
            requester=person.email,
            door=person.door,
            assurance=person.assurance,
            severity=work.get("severity", "high"),
            reason=work.get("reason", ""),
            link=work.get("link", ""),
        )

    async def _answer(self, press: Press, person: Person) -> Block:
        ref = GateRef.parse(str(press.work.get("gate", "")))
        if ref is None:
            raise NotAllowed("that form is about no gate of ours")
        decision, reason = press.work["decision"], press.work.get("reason", "")
        if not self._said_before(ref, person, decision):
            await self.api.answer(
                ref.case, ref.gate, decision, person, reason=reason, digest=ref.digest
            )
        view = self.api.show(ref.case)
        word = "approved" if decision == "approve" else "denied"
        text = f"You {word} gate `{ref.gate}` of *{title(view)}*. Your answer is on record."
        return told("Taken", text)

    def _said_before(self, ref: GateRef, person: Person, decision: str) -> bool:
        """Whether this very answer is in the journal: a crash came between it and our note."""
        gate = self.api.show(ref.case).gates.get(ref.gate)
        return gate is not None and any(
            d["person"].lower() == person.email.lower()
            and d["decision"] == decision
            and d["digest"].startswith(ref.digest)
            and d["proof"] == person.proof
            for d in gate.decisions
        )

    async def _attest(self, press: Press, person: Person) -> Block:
        ref = StepRef.parse(str(press.work.get("step", "")))
        change = ref.find(self.api.show(ref.case)) if ref else None
        if ref is None or change is None:
            raise NotAllowed("that form is about no step of ours")
        await self.api.attest(ref.case, change.plan.id, person, press.work.get("reason", ""))
        text = f"You vouch for this step of *{title(self.api.show(ref.case))}*. It is on record."
        return told("Taken", text)

    async def _abort(self, press: Press, person: Person) -> Block:
        case = str(press.work["case"])
        await self.api.abort(case, person, press.work.get("reason", ""))
        return told("Taken", f"*{case}* is aborted. What was contained stays so.")

    async def _restore(self, press: Press, person: Person) -> Block:
        view = self.api.show(str(press.work["case"]))
        only = modals.chosen(view, list(press.work.get("only", [])))
        number, digest = await self.api.restore(
            view.id, person, press.work.get("reason", ""), only=only
        )
        text = f"Restore {number} of *{view.id}* waits for approval (`{digest[:12]}`)."
        return told("Taken", text)

    async def _alert(self, press: Press, person: Person) -> Block:
        """Start or dismiss, unless somebody else was quicker; one's own press may come again."""
        number = alert_number(str(press.work.get("alert", "")))
        if self.queue is None or not number:
            raise NotAllowed("that form is about no alert of ours")
        looked = await self.queue.look(number, person)
        again = looked.by.lower() == person.email.lower()
        if looked.ended and not again:
            return alertcards.ended(looked)
        reason = str(press.work.get("reason", ""))
        if press.kind == alertcards.START:
            subject = str(press.work.get("subject", ""))
            return _taken(await self.queue.start(number, person, subject, reason))
        if not looked.dismissed:
            await self.queue.dismiss(number, person, reason)
        return told("Taken", f"*{looked.alert.alert}* is off the list, with your reason.")

    def _refusal(self, press: Press, error: KillswitchError) -> Block:
        """Why not, what to do instead, and how things stand."""
        texts = [_sentence(error)]
        ref = GateRef.parse(str(press.work.get("gate", "")))
        view = self._case(ref.case) if ref else None
        gate = view.gates.get(ref.gate) if view and ref else None
        if view and gate and not gate.outcome and not cards.slack_suffices(gate):
            texts.append(cards.elsewhere(view, gate))
        if view and gate and gate.outcome:
            return {
                **modals.decided(view, gate),
                "blocks": [section(texts[0]), *modals.decided(view, gate)["blocks"]],
            }
        return told("Refused", *texts)

    def _case(self, case: str) -> Case | None:
        try:
            return self.api.show(case)
        except KillswitchError:
            return None


def _taken(started: Started) -> Block:
    verb = "You joined" if started.joined else "Queued:"
    what = "open for them already" if started.joined else "the plan comes next"
    text = f"{verb} *{started.case}*; {what}. Its private channel tells how it goes."
    return told("Taken", text)


def _sentence(error: KillswitchError) -> str:
    hint = f"\n_{said(error.hint, 300)}_" if error.hint else ""
    return f"Refused: {said(error.why, 500)}. Nothing was started.{hint}"


def _text_of(view: Block) -> str:
    """What a modal says, as text."""
    parts = [b["text"]["text"] for b in view["blocks"] if b["type"] in ("section", "header")]
    return "\n".join(parts)
