"""While it runs and when it is done: progress, proof, what lives on, what came undone."""

from __future__ import annotations

from bot.blocks import (
    Block,
    Message,
    actions,
    button,
    context,
    fields,
    header,
    listed,
    message,
    said,
    section,
)
from bot.naming import StepRef, since, title
from bot.plancard import residual_lines
from killswitch.model.case import SETTLED, Case, CaseState, ChangeState, ChangeView
from killswitch.model.plan import Mode
from killswitch.model.playbook import LAYERS
from killswitch.report import words

MOST = 12  # changes of one layer; then counts


def progress(case: Case, now: str) -> Message:
    """The one message that is edited while changes are made."""
    word = words.word(words.CASES, case.state)
    until = case.settled_at or now
    text = f"{title(case)}: {word.label}, {since(case, until)}"
    layers = [] if case.request.mode is Mode.EVIDENCE else _layers(case)  # none is ever begun
    blocks = [header(f"Progress · {title(case)}"), *layers]
    evidence = words.counted(len(case.items), "item")
    gaps = f", {words.counted(len(case.gaps), 'gap')}" if case.gaps else ""
    blocks.append(context(f"{word.glyph} {word.label} · {since(case, until)} · evidence: "
                          f"{evidence}{gaps}"))  # fmt: skip
    if case.state not in SETTLED:
        blocks.append(actions(button("Abort", "case.abort", case.id, "danger")))
    return message(text, blocks)


def _layers(case: Case) -> list[Block]:
    found = []
    for layer in LAYERS:
        mine = [c for c in case.changes.values() if c.plan.layer is layer]
        if not mine and layer not in case.layers:
            continue
        done = sum(c.state is ChangeState.CONTAINED for c in mine)
        ran = case.layers.get(layer, {})
        head = f"{_layer_glyph(ran)} {layer}: {done} of {len(mine)} contained"
        found.append(listed(head, _lines(mine), MOST + 1))
    return found


def _layer_glyph(ran: dict[str, str]) -> str:
    if ran.get("finished_at"):
        return "■"
    return "▶" if ran else "▫"


def _lines(changes: list[ChangeView]) -> list[str]:
    if len(changes) <= MOST:
        return [line(c) for c in changes]
    counts: dict[str, int] = {}
    for change in changes:
        counts[change.state] = counts.get(change.state, 0) + 1
    shown = [f"{words.word(words.CHANGES, s).glyph} {n} {words.word(words.CHANGES, s).label}"
             for s, n in counts.items()]  # fmt: skip
    wrong = [c for c in changes if c.state.final and c.state is not ChangeState.CONTAINED]
    return [*shown, *(line(c) for c in wrong[:6])]


def line(change: ChangeView) -> str:
    """One change: its state, what it is, and what is in the way."""
    word = words.word(words.CHANGES, change.state)
    tries = f" · try {change.attempts}" if change.attempts > 1 and change.open else ""
    detail = f" · {said(change.detail, 120)}" if change.detail and change.open else ""
    return (
        f"{word.glyph} {word.label} · `{change.plan.action}` {said(change.plan.label, 60)}"
        f"{tries}{detail}"
    )


def settled(case: Case) -> Message:
    """How it ended: when contained, with the matrix of what was read back and tried."""
    word = words.word(words.CASES, case.state)
    took = words.duration(words.between(case.requested_at, case.settled_at))
    text = f"{title(case)}: {word.label} after {took}"
    blocks = [header(f"{word.label} after {took} · {title(case)}"), section(word.means)]
    if case.state is CaseState.REFUSED:
        why, hint = said(case.refusal.get("why", ""), 500), said(case.refusal.get("hint", ""), 300)
        blocks.append(section(f"*Why:* {why}\n{hint}"))
    if case.aborted:
        blocks.append(section(f"Aborted by {said(case.aborted['by'])}: "
                              f"{said(case.aborted['reason'], 300)}"))  # fmt: skip
    if case.changes and case.state in (CaseState.CONTAINED, CaseState.PARTIAL):
        blocks += _matrix(case)
        blocks.append(fields(_spans(case)))
    if case.open:
        blocks.append(listed("Still open", [f"• {_named(case, o)}" for o in case.open], 12))
    if any(c.held for c in case.changes.values()):
        blocks.append(actions(button("Restore access", "case.restore", case.id)))
    return message(text, blocks)


def _matrix(case: Case) -> list[Block]:
    """Control by control: what it is now, how often that was read, and what trying it showed."""
    lines = []
    for change in case.changes.values():
        word = words.word(words.CHANGES, change.state)
        read = f"read back {len(change.reads)} times" if change.reads else "not read back"
        if change.reads:
            read += f", last at {words.clock(change.reads[-1])} UTC"
        tried = words.probe(change.probe).removesuffix(".").lower() if change.probe else "not tried"
        lines.append(
            f"{word.glyph} `{change.plan.action}` {said(change.plan.label, 60)}: {word.label}, "
            f"{read}; {tried}"
        )
    parts = [lines[i : i + 12] for i in range(0, min(len(lines), 120), 12)]
    blocks = [
        listed("Proof" if not n else "Proof, continued", part) for n, part in enumerate(parts)
    ]
    if len(lines) > 120:
        blocks.append(context(f"{len(lines) - 120} more are in the report"))
    return blocks


def _spans(case: Case) -> list[tuple[str, str]]:
    """From the request to the plan, to the last approval, to the last change read back."""
    times = case.times
    return [
        ("Asked → plan", words.duration(words.between(times["T1"], times["T2"]))),
        ("Plan → last approval", words.duration(words.between(times["T2"], times["T3"]))),
        ("Last approval → contained", words.duration(words.between(times["T3"], times["T4"]))),
        ("Asked → contained", words.duration(words.between(times["T1"], times["T4"]))),
    ]


def residual(case: Case) -> Message:
    """What may live on though all is contained; said on its own so that nobody overlooks it."""
    touched = tuple(c.plan for c in case.changes.values() if c.held)
    lines = residual_lines(touched)
    unread = [f"• {_named(case, c.plan.id)}: {words.word(words.CHANGES, c.state).label}"
              for c in case.changes.values() if c.open]  # fmt: skip
    blocks = [header(f"Residual risk · {title(case)}")]
    if unread:
        blocks.append(listed("Not proven", unread, 12))
    if lines:
        blocks.append(listed("What may live on, by the vendors' own figures", lines, 15))
    if not unread and not lines:
        blocks.append(section("No vendor names anything that lives on."))
    blocks.append(context("Local copies of repositories stay where they were cloned to."))
    return message(f"{title(case)}: what may live on", blocks)


def attention(case: Case, change_id: str) -> Message:
    """A change that needs a person: failed, by hand, or come undone."""
    change = case.changes[change_id]
    word = words.word(words.CHANGES, change.state)
    text = f"{title(case)}: {word.label}: {said(change.plan.label, 80)}"
    blocks = [section(f"*{word.glyph} {word.label}* · `{change.plan.action}` "
                      f"{said(change.plan.label, 80)}\n{word.means}")]  # fmt: skip
    if change.detail:
        blocks.append(context(said(change.detail, 300)))
    if change.state is ChangeState.MANUAL:
        blocks += _by_hand(case, change)
    return message(text, blocks)


def _by_hand(case: Case, change: ChangeView) -> list[Block]:
    """What to do, and the button to say that it is done; or who says so."""
    blocks = [section(f"*By hand:* {said(change.plan.manual, 400)}")]
    if change.attested_by:
        who = said(change.attested_by)
        return [*blocks, context(f"{who} vouches that it was done; it is not read back yet.")]
    value = str(StepRef.of(case.id, change.plan.id))
    blocks.append(actions(button("Mark done…", "step.done", value)))
    command = f"agent-kill attest {case.id} {said(change.plan.id, 120)}"
    return [*blocks, context(f"At a terminal: `{command}`")]


def restored(case: Case, number: int) -> Message:
    """What became of a restore."""
    state = case.restores[number - 1]["state"]
    text = f"{title(case)}: restore {number} is {said(state, 40)}"
    lines = [line(c) for c in case.changes.values() if c.held]
    blocks = [header(f"Restore {number}: {said(state, 40)} · {title(case)}")]
    if lines:
        blocks.append(listed("Now", lines, 15))
    if case.reissue:
        again = [f"• {_named(case, r)}" for r in case.reissue]
        blocks.append(listed("To be issued anew", again, 12))
    return message(text, blocks)


def _named(case: Case, change_id: str) -> str:
    change = case.changes.get(change_id)
    if change is None:
        return said(change_id, 100)
    where = said(change.plan.connection, 40)
    return f"{said(change.plan.label, 80)} at {where} (`{change.plan.action}`)"
