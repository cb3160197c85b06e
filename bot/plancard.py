"""The plan as people see it before they approve: who and what is hit, and what cannot be undone."""

from __future__ import annotations

from collections.abc import Iterator

from bot.blocks import Block, Message, context, fields, header, listed, message, said, section
from bot.naming import title
from killswitch.model.case import Case
from killswitch.model.plan import Change, Plan
from killswitch.model.playbook import LAYERS
from killswitch.report import words

PER_LAYER = 12  # lines of one layer in a message; a form shows more
_NEVER = "none"  # the undo kind of what cannot be undone


def plan_card(case: Case) -> Message:
    """The plan as a message. The case has a plan."""
    plan = case.plan
    assert plan is not None, "shown only when the plan is made"
    text = f"{title(case)}: the plan has {words.counted(len(plan.changes), 'change')}"
    return message(text, [header(f"Plan · {title(case)}"), *plan_blocks(plan, PER_LAYER)])


def plan_blocks(plan: Plan, per_layer: int) -> list[Block]:
    """The plan, block by block."""
    ahead = [section(f":warning: {words.GOES_AHEAD}")] if plan.automatic else []
    return [
        *ahead,
        section(_who(plan)),
        fields(_reach(plan)),
        *_layers(plan, per_layer),
        *_notes(plan),
        context(_small_print(plan)),
    ]


def _who(plan: Plan) -> str:
    lines = [f"*Who is hit:* {said(plan.subject)}"]
    for account in plan.accounts[:12]:
        data = account.data
        lines.append(
            f"• {said(account.connection, 40)}: {said(data.get('label') or data.get('login'), 80)}"
            f" `{said(data.get('id'), 60)}`{' · *administrator*' if data.get('admin') else ''}"
        )
    return "\n".join(lines)


def _reach(plan: Plan) -> list[tuple[str, str]]:
    """The blast radius in numbers."""
    changes = [c for c in plan.changes if not c.already]
    credentials = sum(c.counts for c in changes if c.layer == "credentials")
    repositories = max(
        (
            sum(c.counts for c in changes if c.action == action)
            for action in {c.action for c in changes if c.layer == "repositories"}
        ),
        default=0,
    )
    never = sum(c.undo_kind == _NEVER for c in changes)
    return [
        ("Changes", str(len(changes))),
        ("Cannot be undone", str(never) if never else "none"),
        ("Accounts", str(len(plan.accounts))),
        ("Credentials", str(credentials)),
        ("Repositories", str(repositories)),
        ("Vendors", words.listed(sorted({said(c.connection, 40) for c in changes}), 6) or "none"),
    ]


def _layers(plan: Plan, most: int) -> Iterator[Block]:
    for layer in LAYERS:
        mine = [c for c in plan.changes if c.layer is layer]
        if mine:
            yield listed(f"Layer: {layer}", [_line(c) for c in mine], most)
    never = [c for c in plan.changes if c.undo_kind == _NEVER]
    if never:
        lines = [f"• {said(c.label, 80)} at {said(c.connection, 40)}" for c in never]
        yield listed(":warning: Cannot be undone; must be issued anew afterwards", lines, 8)


def _line(change: Change) -> str:
    by_hand = " · *by hand*" if change.manual else ""
    already = " · is so already" if change.already else ""
    undo = words.UNDO[change.undo_kind]
    return (
        f"• `{change.action}` {said(change.label, 80)} at {said(change.connection, 40)}"
        f" · {undo}{by_hand}{already}"
    )


def _notes(plan: Plan) -> Iterator[Block]:
    breaks = list(dict.fromkeys(c.impact for c in plan.changes if c.impact))
    if breaks:
        yield listed("What will break", [f"• {said(b, 200)}" for b in breaks], 8)
    gaps = [
        f"• {said(b.connection, 40)} `{said(b.use, 60)}`: {said(b.why, 160)}"
        for b in plan.blanks
        if not b.empty
    ]
    gaps += [f"• {said(w, 200)}" for w in plan.warnings]
    gaps += [f"• by hand: {said(c.manual, 200)}" for c in plan.changes if c.manual]
    if gaps:
        yield listed("Gaps", list(dict.fromkeys(gaps)), 10)
    lines = residual_lines(plan.changes)
    if lines:
        yield listed("What may live on, by the vendors' own figures", lines, 8)


def residual_lines(changes: tuple[Change, ...]) -> list[str]:
    """What may live on after success, each once, with how long."""
    found = {}
    for change in changes:
        left = change.residual
        if left.seconds != 0 and left.what:
            how_long = (
                "nobody says how long"
                if left.seconds is None
                else (f"up to {words.duration(left.seconds)}")
            )
            found[f"• {said(left.what, 200)} ({how_long}; {said(left.source, 120)})"] = True
    return list(found)


def _small_print(plan: Plan) -> str:
    approvals = ", ".join(
        f"{g.name}: {g.policy.quorum} of {g.policy.approvers}" for g in plan.gates
    )
    return f"plan `{plan.digest[:12]}` · {plan.playbook} {plan.playbook_version} · {approvals}"
