"""Which messages a case calls for: the journal tells it, entry by entry. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from bot import cards, plancard, progress
from bot.blocks import Message
from bot.outbox import INDEX, THERE, Intent, Post
from killswitch.model.case import SETTLED, Case, CaseState
from killswitch.model.event import Entry, What
from killswitch.model.plan import Mode
from killswitch.report import comms

WITH_BUTTONS = ("gate", "gate-dm", "reminder", "attention")  # kept current by editing, at once
CURRENT = ("progress", "headline", "index")  # kept current as often as Slack allows
_NEEDS_PEOPLE = {"failed", "manual", "reverted"}
_PROVEN = {CaseState.CONTAINED, CaseState.PARTIAL}

May = Callable[[str, str], tuple[str, ...]]  # case, gate -> who can still answer


def due(entry: Entry, case: Case, may: May, told: frozenset[str]) -> Iterator[Intent]:
    """The messages that this entry calls for. ``told``: who may get direct messages at all."""
    data = entry.data
    if case.request.mode is Mode.EVIDENCE:
        yield from _collected(entry, case)
        return
    match entry.what:
        case What.REQUESTED | What.RESOLVED:
            yield from _begun(case)
        case What.PLANNED:
            yield Intent(case.id, "plan")
        case What.OPENED:
            yield from _asked(case, data["gate"], may)
        case What.ESCALATED:
            yield from _asked(case, data["gate"], may, again="escalated")
        case What.SHUT if case.request.requester.lower() in told:
            yield Intent(case.id, "decided", data["gate"], to=case.request.requester.lower())
        case What.LAYER_STARTED:
            yield Intent(case.id, "progress")
        case What.STATE if _needs_people(data, case):
            yield Intent(case.id, "attention", data["change"], again=data["state"])
        case What.REFUSED:
            yield from _begun(case)
            yield Intent(case.id, "settled", CaseState.REFUSED)
        case What.SETTLED:
            yield Intent(case.id, "settled", data["state"])
            if data["state"] in _PROVEN:
                yield Intent(case.id, "residual", data["state"])
        case What.RESTORED:
            yield Intent(case.id, "restored", str(len(case.restores)))
        case What.SEALED if data["which"] == "final":
            yield Intent(case.id, "drafts")  # they are written next
        case What.CLOSED:
            yield Intent(case.id, "drafts")
            yield Intent(case.id, "report")


def _collected(entry: Entry, case: Case) -> Iterator[Intent]:
    """Where only evidence is wanted nobody is asked: a line at the end, no channel, no messages."""
    if entry.what in (What.SETTLED, What.REFUSED):
        yield Intent(case.id, "index", to=INDEX)


def _begun(case: Case) -> Iterator[Intent]:
    """As soon as it is known who must be kept out: at once for a person, else when resolved."""
    if case.request.subject.startswith("person:") or case.accounts or case.refusal:
        yield Intent(case.id, "index", to=INDEX)
        yield Intent(case.id, "headline")
        yield Intent(case.id, "pin")


def _asked(case: Case, gate: str, may: May, again: str = "") -> Iterator[Intent]:
    yield Intent(case.id, "gate", gate, again=again)
    for email in may(case.id, gate):
        yield Intent(case.id, "gate-dm", gate, to=email, again=again)


def _needs_people(data: dict[str, Any], case: Case) -> bool:
    return data["state"] in _NEEDS_PEOPLE and case.changes[data["change"]].plan.required


def render(post: Post, case: Case, may: May, now: str) -> Message | None:
    """The message as the case stands now; None where there is nothing to say any more."""
    match post.kind:
        case "headline":
            return cards.headline(case)
        case "index":
            return cards.index_line(case)
        case "plan":
            return plancard.plan_card(case)
        case "gate" | "gate-dm":
            gate = case.gates[post.about]
            if gate.outcome and post.kind == "gate-dm" and post.state != THERE:
                return None
            return cards.gate_card(case, gate, may(case.id, gate.name))
        case "reminder":
            name, _, percent = post.about.rpartition("@")
            gate = case.gates[name]
            if gate.outcome:
                return cards.decided(case, gate) if post.state == THERE else None
            return cards.reminder(case, gate, percent)
        case "decided":
            return cards.decided(case, case.gates[post.about])
        case "progress":
            return progress.progress(case, now)
        case "attention":
            return progress.attention(case, post.about)
        case "settled":
            return progress.settled(case)
        case "residual":
            return progress.residual(case)
        case "restored":
            return progress.restored(case, int(post.about))
        case "drafts":
            return cards.drafts(case, comms.names(case)) if comms.names(case) else None
        case "alarm":
            return cards.alarm(case, post.about)
    raise AssertionError(f"no such kind of message: {post.kind}")


def worth_keeping_current(case: Case) -> bool:
    """Whether anything of the case can still change."""
    return (
        case.state not in SETTLED
        or not case.closed_at
        or bool(case.restores and not case.restores[-1]["state"])
    )
