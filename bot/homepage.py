"""App Home: what waits for me, what is going on, when the last drill was."""

from __future__ import annotations

from collections.abc import Sequence

from bot import alertcards
from bot.blocks import Block, actions, button, context, divider, header, said, section
from bot.naming import GateRef, title
from killswitch.alerts.people import Waiting
from killswitch.model.case import SETTLED, Case, GateView
from killswitch.model.plan import Mode
from killswitch.report import words


def home(
    waiting: Sequence[tuple[Case, GateView]],
    cases: Sequence[Case],
    *,
    operator: bool,
    alerts: Sequence[Waiting] | None = None,
) -> Block:
    """The page of one person: their open gates, and the cases that they may see.

    ``alerts``: those that wait for people; None for whom that does not concern.
    """
    blocks: list[Block] = [header("agent-kill")]
    if operator:
        blocks.append(actions(button("New kill", "home.new", "new", "danger")))
    blocks += [section("*Waits for you*"), *_gates(waiting), divider()]
    if alerts is not None:
        head = section("*Alerts that wait for people*")
        blocks += [head, *alertcards.rows(alerts, alertcards.SHOWN), divider()]
    blocks += [section("*Active cases*"), *_cases([c for c in cases if _active(c)]), divider()]
    drill = next((c for c in cases if c.request.mode is Mode.DRILL and c.settled_at), None)
    last = words.utc(drill.requested_at) if drill else "none is on record here"
    blocks.append(context(f"Last drill: {last}"))
    blocks.append(context("Slack down, or nobody answers? `agent-kill` at a terminal does it all; "
                          "`--break-glass` runs what can be undone without approval."))  # fmt: skip
    return {"type": "home", "callback_id": "home", "blocks": blocks[:100]}


def stranger(why: str) -> Block:
    """The page of somebody who may not press anything."""
    return {"type": "home", "callback_id": "home", "blocks": [section(said(why, 300))]}


def _gates(waiting: Sequence[tuple[Case, GateView]]) -> list[Block]:
    if not waiting:
        return [context("Nothing.")]
    return [
        section(
            f"{title(case)} · gate `{gate.name}` · until {words.clock(gate.expires_at)} UTC",
            accessory=button("Review", "gate.review", str(GateRef.of(case.id, gate)), "primary"),
        )
        for case, gate in waiting[:20]
    ]


def _cases(cases: Sequence[Case]) -> list[Block]:
    if not cases:
        return [context("None.")]
    return [
        section(_line(case), accessory=button("Status", "case.status", case.id))
        for case in cases[:20]
    ]


def _line(case: Case) -> str:
    word = words.word(words.CASES, case.state)
    return f"{word.glyph} {title(case)} · {said(case.request.subject)} · {word.label}"


def _active(case: Case) -> bool:
    return case.state not in SETTLED or not case.closed_at


def listing(cases: Sequence[Case]) -> str:
    """The newest cases, a line each, for a private answer."""
    if not cases:
        return "There is no case that you may see."
    return "\n".join(_line(c) for c in cases[:20])
