"""What was seen of a drill: everything that it can be measured by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from killswitch.engine.gate import subject_emails
from killswitch.model.case import Case, CaseState
from killswitch.model.event import Entry
from killswitch.model.plan import Mode
from tabletop.record import Truth


class NotMeasured(Exception):
    """It cannot be said from what was seen; the message says what is missing."""


@dataclass(frozen=True)
class Seen:
    """The journal of every case and what was found out beside it.

    Times that are numbers are seconds of the drill's clock since the drill began; ``of`` turns
    the journal's ISO 8601 times into them. What is None was not looked for.
    """

    entries: Sequence[Entry]  # of all cases, in the journal's order
    cases: Sequence[Case]  # the same, folded
    of: Callable[[str], float]
    suspects: Sequence[str]  # e-mail addresses
    alerts: Sequence[float] = ()  # when each alert reached the on-call
    skipped: Sequence[tuple[float, float]] = ()  # when waiting was cut short, and by how much
    truth: Sequence[Truth] | None = None
    collateral: Sequence[str] | None = None
    missed: Sequence[str] | None = None
    audit: Sequence[str] | None = None  # findings of `agent-kill audit verify`
    evidence: Sequence[str] | None = None  # findings of `agent-kill evidence verify`, all cases
    secrets: Sequence[str] | None = None  # secrets found in what the tool wrote, by name
    restarts: tuple[int, int] = (0, 0)  # crashes of the engine; those after which it went on

    def of_case(self, case: str) -> list[Entry]:
        """The entries of one case."""
        return [entry for entry in self.entries if entry.case == case]

    def real(self, t: float) -> float:
        """Seconds of the real clock at that second of the drill's: without what was skipped."""
        return t - sum(min(cut, max(0.0, t - since)) for since, cut in self.skipped)

    def killing(self) -> list[Case]:
        """The cases that were to change something: neither refused nor a plan only."""
        return [
            case
            for case in self.cases
            if case.state is not CaseState.REFUSED and case.request.mode is not Mode.PLAN
        ]

    def partial_to(self, case: Case) -> set[str]:
        """Who may not approve in the case: who asked for it, its subject, every suspect."""
        named = {case.request.requester, *subject_emails(case), *self.suspects}
        return {person.lower() for person in named}
