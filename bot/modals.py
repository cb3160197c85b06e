"""The forms: ask for a kill, review a gate, vouch for a step, abort, restore. Pure."""

from __future__ import annotations

import json

from bot.blocks import (
    Block,
    context,
    field,
    listed,
    modal,
    option,
    said,
    section,
    text_field,
)
from bot.cards import elsewhere, slack_suffices
from bot.grammar import SEVERITIES, Command
from bot.naming import GateRef, StepRef, mark, title
from bot.plancard import plan_blocks
from killswitch.model.case import Case, ChangeState, ChangeView, GateView
from killswitch.model.subject import Account
from killswitch.report import words

REQUEST, REVIEW, ABORT, RESTORE, ATTEST = "request", "review", "abort", "restore", "attest"
CHOICES = 100  # Slack's own limit
_BACK = {ChangeState.RESTORED, ChangeState.KEPT, ChangeState.REISSUE, ChangeState.RESTORING}


def request(
    command: Command,
    playbooks: tuple[str, ...],
    *,
    live: bool,
    link: str = "",
    found: list[Account] | None = None,
    open_case: str = "",
    status: str = "",
) -> Block:
    """Ask for a kill. ``found``: the accounts, once they were looked up."""
    blocks: list[Block] = []
    if command.note:
        blocks.append(context(said(command.note, 200)))
    if open_case:
        blocks.append(
            section(f":information_source: {open_case} is open for them: you will join it.")
        )
    if found is not None:
        lines = [
            f"• {said(a.connection, 40)}: {said(a.label, 80)} `{said(a.id, 60)}`"
            f"{' · *administrator*' if a.admin else ''}"
            for a in found
        ]
        blocks.append(listed("This is who was found", lines or ["nobody"], 10))
    elif status:
        blocks.append(context(status))
    blocks += [
        text_field("subject", "Who", command.subject.removeprefix("person:"), "jo@corp.example"),
        _choice("playbook", "Playbook", playbooks, command.playbook),
        _choice("severity", "Severity", SEVERITIES, command.severity),
        text_field("reason", "Why", command.reason, "kept in the journal", least=10, lines=True),
        _dry_run(command),
    ]
    if live:
        blocks.append(typed_again())
    private = json.dumps({"link": link} if link else {})
    name = "Kill agent access" if live else "Drill: kill access"
    return modal(REQUEST, name, blocks, submit="Build plan", private=private)


def typed_again() -> Block:
    """The field that a live kill is confirmed in."""
    return text_field("typed", "Type the address again: this is a LIVE kill", "", "", False)


def _dry_run(command: Command) -> Block:
    choice = option("Only make and show the plan", "dry_run")
    element: Block = {"type": "checkboxes", "options": [choice]}
    if command.dry_run:
        element["initial_options"] = [choice]
    return field("mode", "Mode", element, optional=True)


def review(case: Case, gate: GateView, *, deny: bool = False) -> Block:
    """The gate's whole plan, with a decision and a reason. Decided already: only that."""
    if gate.outcome or case.aborted:
        return decided(case, gate)
    assert case.plan is not None, "gates are opened only with a plan"
    blocks = [section(f"*{title(case)}* · gate `{gate.name}`")]
    if gate.purpose == "contain":
        blocks += plan_blocks(case.plan, 40)
    else:
        lines = [f"• {_change(c)}" for c in case.changes.values() if c.held]
        blocks.append(listed("Access that would be given back", lines, 40))
    choices = [option("Deny", "deny")]
    if slack_suffices(gate):
        choices.insert(0, option("Approve", "approve"))
    else:
        blocks.append(section(elsewhere(case, gate)))
    decision: Block = {"type": "radio_buttons", "options": choices}
    if deny or len(choices) == 1:
        decision["initial_option"] = choices[-1]
    blocks += [
        field("decision", "Your decision is final", decision),
        text_field("reason", "Why", "", "shown beside your name", least=3, lines=True),
    ]
    private = json.dumps({"gate": str(GateRef.of(case.id, gate))})
    return modal(REVIEW, f"Review {case.id}", blocks, submit="Decide", private=private)


def decided(case: Case, gate: GateView) -> Block:
    """There is nothing to decide any more: how it stands."""
    word = words.word(words.GATES, gate.outcome)
    lines = [
        f"• {said(d['person'])}: {words.word(words.DECISIONS, d['decision']).label}"
        for d in gate.decisions
    ]
    state = words.word(words.CASES, case.state)
    return modal(
        "told",
        f"Review {case.id}",
        [
            section(f"*{title(case)}*: the gate `{gate.name}` is {word.label}. {word.means}"),
            *([listed("Answers", lines)] if lines else []),
            context(f"The case: {state.glyph} {state.label}. {state.means}"),
        ],
    )


def abort(case: Case, reason: str = "") -> Block:
    """Stop a case: a reason, and what that means."""
    blocks = [
        section(f"*Abort {title(case)}?* Nothing more is started. What was contained stays so."),
        text_field("reason", "Why", reason, "kept in the journal", least=3, lines=True),
    ]
    private = json.dumps({"case": case.id})
    return modal(ABORT, f"Abort {case.id}", blocks, submit="Abort", private=private)


def attest(case: Case, change: ChangeView) -> Block:
    """Vouch that a step was done by hand. Where nothing is asked any more: only how it stands."""
    name = f"Step of {case.id}"
    word = words.word(words.CHANGES, change.state)
    head = section(f"*{word.glyph} {word.label}* · {_change(change)}")
    if change.state is not ChangeState.MANUAL:
        return modal("told", name, [head, section(f"Nothing is asked of you here. {word.means}")])
    if change.attested_by:
        vouched = section(f"{said(change.attested_by)} vouches for it: {said(change.detail, 400)}")
        return modal("told", name, [head, vouched])
    blocks = [
        head,
        section(f"*By hand:* {said(change.plan.manual, 600)}"),
        text_field("reason", "What was done", "", "where, and what you saw", least=10, lines=True),
        context("You vouch for it with your name. It counts as contained only once it reads so."),
    ]
    private = json.dumps({"step": str(StepRef.of(case.id, change.plan.id))})
    return modal(ATTEST, name, blocks, submit="I vouch for it", private=private)


def restore(case: Case, reason: str = "") -> Block:
    """Give access back: which, why, and that the cause is gone."""
    held = [c for c in case.changes.values() if c.held and c.state not in _BACK]
    able = [c for c in held if c.plan.undo_kind != "none"]
    never = [c for c in held if c.plan.undo_kind == "none"]
    if not held:
        return modal(
            "told",
            f"Restore {case.id}",
            [section(f"{title(case)}: there is nothing to give back.")],
        )
    blocks = [section(f"*Give access back · {title(case)}*\nAnother person approves it.")]
    if able:
        blocks.append(_which(able))
    if never:
        lines = [f"• {_change(c)}" for c in never]
        blocks.append(listed("Gone for good; somebody issues them anew", lines, 15))
    fixed = option("The cause is found and fixed", "fixed")
    blocks += [
        field("cause", "Before access returns", {"type": "checkboxes", "options": [fixed]}),
        text_field("reason", "Why", reason, "kept in the journal", least=10, lines=True),
    ]
    private = json.dumps({"case": case.id})
    return modal(RESTORE, f"Restore {case.id}", blocks, submit="Ask for approval", private=private)


def _which(able: list[ChangeView]) -> Block:
    """Change by change where Slack can list them, else action by action."""
    if len(able) <= CHOICES:
        choices = [option(_plain(c), mark(c.plan.id)) for c in able]
    else:
        choices = [option(a, mark(a)) for a in dict.fromkeys(c.plan.action for c in able)]
    element: Block = {
        "type": "multi_static_select",
        "options": choices[:CHOICES],
        "initial_options": choices[:CHOICES],
    }
    return field("only", "What", element)


def chosen(case: Case, values: list[str]) -> tuple[str, ...]:
    """The changes that those choices of ``restore`` mean; () for all of them."""
    held = [c for c in case.changes.values() if c.held and c.state not in _BACK]
    able = [c for c in held if c.plan.undo_kind != "none"]
    picked = {c.plan.id for c in able if mark(c.plan.id) in values or mark(c.plan.action) in values}
    if len(picked) == len(able):
        return ()
    return tuple(sorted(picked))


def _plain(change: ChangeView) -> str:
    return f"{change.plan.action}: {said(change.plan.label, 60)}"


def _change(change: ChangeView) -> str:
    before = words.UNDO[change.plan.undo_kind]
    return f"`{change.plan.action}` {said(change.plan.label, 80)} · {before}"


def _choice(name: str, label: str, values: tuple[str, ...], chosen: str) -> Block:
    choices = [option(v, v) for v in values[:CHOICES]]
    element: Block = {"type": "static_select", "options": choices}
    initial = next((c for c in choices if c["value"] == chosen), None)
    if initial:
        element["initial_option"] = initial
    return field(name, label, element)
