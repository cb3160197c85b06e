"""People who are not at a keyboard: each answers by the persona that the scenario gave them."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from functools import partial

from killswitch import playbooks
from killswitch.api import Killswitch
from killswitch.engine.gate import subject_emails
from killswitch.engine.guard import eligible
from killswitch.model.case import Case, GateView
from killswitch.model.errors import NotAllowed
from killswitch.model.subject import Kind, Subject
from tabletop.chance import Chance
from tabletop.director import Director, Do
from tabletop.hands import Hands
from tabletop.record import Played
from tabletop.scenario import Persona, Response, Scenario

STAMP = 2.0  # seconds until a rubber-stamper approves: nobody reads a plan in that time
AGREED = "looked at the plan; agreed"
DENIED = "not convinced; deny"


@dataclass
class People:
    """Everybody of a scenario. ``played``: the roles that somebody at a keyboard has taken."""

    scenario: Scenario
    chance: Chance
    api: Killswitch
    hands: Hands
    director: Director
    played: set[str] = field(default_factory=set)
    ever_played: set[str] = field(default_factory=set)
    persona: dict[str, Persona] = field(default_factory=dict)
    asked: set[tuple[str, str, str]] = field(default_factory=set)  # role, case, gate

    def __post_init__(self) -> None:
        self.persona = {role: person.persona for role, person in self.scenario.people.items()}
        self.ever_played |= self.played

    def email(self, role: str) -> str:
        """Whom the role plays."""
        return self.scenario.people[role].plays

    def take(self, role: str) -> None:
        """Somebody at the keyboard plays the role from now on. Raises KeyError."""
        self.email(role)
        self.played.add(role)
        self.ever_played.add(role)

    def leave(self, role: str) -> None:
        """The persona plays it again, and answers what is open."""
        self.played.discard(role)
        self.asked = {a for a in self.asked if a[0] != role}
        self.look()

    def become(self, role: str, persona: Persona) -> None:
        """The role changes its mind; open questions are answered the new way."""
        self.persona[role] = persona
        self.asked = {a for a in self.asked if a[0] != role}
        self.look()

    def record(self) -> list[Played]:
        """Who played what."""
        return [
            Played(
                role,
                person.plays,
                "person" if role in self.ever_played else f"persona:{self.persona[role]}",
            )
            for role, person in self.scenario.people.items()
        ]

    # -- answering -----------------------------------------------------------------------------

    def respond(self, inject: str) -> None:
        """The on-call's persona has heard of an alert: it acts after a while."""
        for number, response in enumerate(r for r in self.scenario.response if r.to == inject):
            role = response.role
            if role in self.played or self.persona[role] == "silent":
                continue
            wait = self.chance.delay(f"ack:{role}:{inject}", self.scenario.people[role].ack)
            self.director.at(
                self.director.clock.t + wait,
                f"{role} acts on {inject} ({number + 1})",
                partial(self._kill, response),
            )

    async def _kill(self, response: Response) -> None:
        if response.role in self.played:
            return
        await self.hands.kill(
            self.email(response.role),
            response.subject,
            response.playbook or self.playbook(response.subject),
            response.reason,
            "plan" if response.only else "drill",
        )

    def playbook(self, subject: str) -> str:
        """What is run for a subject: as the scenario has it for that one, else for its kind.

        Raises SubjectNotFound where it is of a kind that no playbook is the default for.
        """
        for response in self.scenario.response:
            if response.playbook and response.subject == subject:
                return response.playbook
        kind = Subject.parse(subject).kind
        return self.scenario.playbook if kind is Kind.PERSON else playbooks.default(kind)

    def look(self) -> None:
        """Whoever is asked at an open gate and has not begun to think about it begins now."""
        for case in self.api.list(limit=1000):
            for name, gate in case.gates.items():
                if not gate.outcome:
                    self._ask(case, name, gate)

    def open_for(self, role: str) -> list[tuple[Case, str]]:
        """The open gates that the role may answer and has not."""
        email = self.email(role)
        return [
            (case, name)
            for case in self.api.list(limit=1000)
            for name, gate in case.gates.items()
            if not gate.outcome
            and email in _may(case, gate)
            and email not in [d["person"] for d in gate.decisions]
        ]

    def _ask(self, case: Case, name: str, gate: GateView) -> None:
        may = _may(case, gate)
        for role, person in self.scenario.people.items():
            persona = self.persona[role]
            meddles = persona in ("wrong-person", "compromised")
            if (role, case.id, name) in self.asked or role in self.played:
                continue
            if persona == "silent" or not (person.plays in may or meddles):
                continue
            self.asked.add((role, case.id, name))
            drawn = self.chance.delay(f"ack:{role}:{name}:{case.request.subject}", person.ack)
            quick = persona in ("rubber-stamper", "compromised")
            wait = STAMP if quick else drawn
            if persona == "questioner":
                self._later(wait, f"{role} asks about {name}", partial(self._asks, role))
                wait *= 2
            self._later(
                wait,
                f"{role} answers {name} of {case.id}",
                partial(self._answer, role, case.id, name, persona),
            )

    def _later(self, wait: float, name: str, do: Do) -> None:
        self.director.at(self.director.clock.t + wait, name, do)

    async def _asks(self, role: str) -> None:
        key = f"asks:{role}:{len(self.director.moments)}"
        self.director.tell("person", key, f"{self.email(role)} asks: what will this break?")

    async def _answer(self, role: str, case: str, name: str, persona: Persona) -> None:
        """Press, unless it is settled, or the role has changed hands or its mind meanwhile."""
        gate = self.api.show(case).gates[name]
        if gate.outcome or role in self.played or self.persona[role] != persona:
            return
        decision = "deny" if persona == "denier" else "approve"
        reason = DENIED if decision == "deny" else AGREED
        with contextlib.suppress(NotAllowed):  # the journal says who was turned away, and why
            await self.hands.decide(self.email(role), case, name, decision, reason)


def _may(case: Case, gate: GateView) -> set[str]:
    return set(eligible(gate.approvers, case.request.requester, subject_emails(case)))
