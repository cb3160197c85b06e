"""In a drill somebody must play the approvers: the viewer, or personas that always agree."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from killswitch.api import Killswitch, Person
from killswitch.cli.context import context
from killswitch.engine.gate import subject_emails
from killswitch.engine.guard import eligible
from killswitch.model.case import Case, GateView
from killswitch.model.errors import NotAllowed
from killswitch.model.playbook import Assurance


@dataclass(frozen=True)
class Play:
    """Answers gates as those who may. ``ask``: the viewer decides for each."""

    ask: bool

    async def answer(self, api: Killswitch, case_id: str, gate: str) -> None:
        """Answer the gate until it has what it needs or is denied."""
        case = api.show(case_id)
        shown = case.gates[gate]
        able = eligible(shown.approvers, case.request.requester, subject_emails(case))
        for email in able[: shown.quorum]:
            person = Person(email, Assurance.OS_LOGIN, "cli")
            yes = await asyncio.to_thread(_asked, case, shown, email) if self.ask else True
            try:
                await api.answer(
                    case_id,
                    gate,
                    "approve" if yes else "deny",
                    person,
                    reason="decided at the terminal" if self.ask else "looked at the plan; agreed",
                    digest=shown.digest,
                )
            except NotAllowed as refused:
                context.say(f"          {email}: {refused.why}")
            if not yes:
                return


def _asked(case: Case, gate: GateView, email: str) -> bool:
    changes = [c for c in case.changes.values() if c.plan.gate == gate.name]
    never = [c for c in changes if c.plan.undo_kind == "none"]
    context.say("")
    context.say(f"  You play {email}. Gate {gate.name!r} of {case.id} asks for your approval:")
    for change in changes:
        mark = "  CANNOT BE UNDONE" if change in never else ""
        context.say(f"    {change.plan.action:34} {change.plan.label}{mark}")
        if change.plan.impact:
            context.say(f"      breaks: {change.plan.impact}")
    answer = context.out.input("  Approve? [y/N] ", markup=False)
    context.say("")
    return answer.strip().lower() in ("y", "yes")
