"""The cards of a case: headline, gate, reminder, outcome. Pure: a case in, a message out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.blocks import (
    Block,
    Message,
    actions,
    button,
    context,
    fields,
    header,
    message,
    said,
    section,
)
from bot.naming import GateRef, since, title
from killswitch.model.case import SETTLED, Case, ChangeView, GateView
from killswitch.model.playbook import Assurance
from killswitch.report import words


def headline(case: Case) -> Message:
    """The first message of a case, kept current."""
    word = words.word(words.CASES, case.state)
    request = case.request
    blocks = [
        header(title(case)),
        fields(
            [
                ("State", f"{word.glyph} {word.label}"),
                ("Subject", said(request.subject)),
                ("Asked by", f"{said(request.requester)} ({said(request.door, 40)})"),
                ("Severity", said(request.severity, 20)),
                ("Playbook", said(request.playbook.get("playbook", ""), 60)),
                ("Asked at", words.utc(case.requested_at)),
            ]
        ),
        section(f"*Why:* {said(request.reason, 600) or '_no reason given_'}"),
    ]
    if request.automatic and case.state not in SETTLED:
        blocks.append(section(f":warning: {words.GOES_AHEAD}"))
    if request.link:
        blocks.append(context(f"Alert: {said(request.link, 300)}"))
    if case.settled_at:
        blocks.append(context(f"{word.label} at {since(case, case.settled_at)}. {word.means}"))
    blocks.append(actions(*_headline_buttons(case)))
    return message(f"{title(case)}: {word.label}", blocks)


def _headline_buttons(case: Case) -> list[Block]:
    buttons = [button("Status", "case.status", case.id)]
    if case.state not in SETTLED:
        buttons.append(button("Abort", "case.abort", case.id, "danger"))
    elif any(c.held for c in case.changes.values()):
        buttons.append(button("Restore access", "case.restore", case.id))
    return buttons


def index_line(case: Case) -> Message:
    """One line for everybody: no name and no subject in it."""
    word = words.word(words.CASES, case.state)
    text = f"{word.glyph} {title(case)} · {said(case.request.severity, 20)} · {word.label}"
    return message(text, [section(text)])


def gate_card(case: Case, gate: GateView, may: tuple[str, ...]) -> Message:
    """The gate as it stands; buttons only while it is open. ``may``: who can still answer."""
    asked = _asked(case, gate)
    verb = "Approval needed" if not gate.outcome else f"Gate {_outcome(gate)}"
    what = "to give access back" if gate.purpose != "contain" else f"for {_count(asked)}"
    blocks = [header(f"{verb} · {title(case)}"), fields(_facts(case, gate, asked))]
    never = [c for c in asked if c.plan.undo_kind == "none"]
    if never and gate.purpose == "contain":
        blocks.append(section(f":warning: *{_count(never)} cannot be undone.*"))
    blocks += [context(line) for line in _decisions(gate)]
    if gate.outcome:
        blocks.append(context(f"Decided at {words.utc(gate.shut_at)}; nothing is left to press."))
    else:
        blocks += _open_gate(case, gate, may)
    blocks.append(context(f"plan `{gate.digest[:12]}` · gate `{gate.name}`"))
    return message(f"{title(case)}: {verb.lower()} {what}", blocks)


def _open_gate(case: Case, gate: GateView, may: tuple[str, ...]) -> list[Block]:
    who = words.listed([said(m) for m in may], 6) or "nobody any more"
    value = str(GateRef.of(case.id, gate))
    blocks = [section(f":warning: {words.GOES_AHEAD}")] if _goes_ahead(case, gate) else []
    blocks += [context(f"May decide: {who}. Never: who asked, and the subject.")]
    if not slack_suffices(gate):
        blocks.append(section(elsewhere(case, gate)))
    return [
        *blocks,
        actions(
            button("Review", "gate.review", value, "primary"),
            button("Deny", "gate.deny", value, "danger"),
        ),
    ]


def _goes_ahead(case: Case, gate: GateView) -> bool:
    """Whether something behind the gate is under way before anybody answers."""
    undoable = any(c.plan.undo_kind != "none" for c in _asked(case, gate))
    return case.request.automatic and gate.purpose == "contain" and undoable


def slack_suffices(gate: GateView) -> bool:
    """Whether a press in Slack is sure enough for this gate; the API judges it again."""
    order = list(Assurance)
    return order.index(Assurance(gate.assurance)) <= order.index(Assurance.SLACK)


def elsewhere(case: Case, gate: GateView) -> str:
    """Where to approve what asks for more than Slack can say."""
    key = " --sign ~/.ssh/id_ed25519" if gate.assurance == Assurance.SSH_SIGNATURE else ""
    command = f"agent-kill approve {case.id} {gate.name} --digest {gate.digest[:12]}{key}"
    wanted = words.ASSURANCE.get(gate.assurance, gate.assurance)
    return f"This gate asks for {wanted}. Approve at the command line:\n`{command}`"


def _facts(case: Case, gate: GateView, asked: list[ChangeView]) -> list[tuple[str, str]]:
    yes = len({d["person"].lower() for d in gate.decisions if d["decision"] == "approve"})
    layers = words.listed(dict.fromkeys(str(c.plan.layer) for c in asked))
    systems = words.listed([said(c.plan.connection, 40) for c in asked], 6)
    return [
        ("Subject", said(case.request.subject)),
        ("Approvals", f"{yes} of {gate.quorum}"),
        ("Layers", layers or "none"),
        ("Changes", f"{len(asked)} at {systems}" if asked else "none"),
        ("Expires", _slack_time(gate.expires_at)),
        ("Asked by", said(case.request.requester)),
    ]


def _asked(case: Case, gate: GateView) -> list[ChangeView]:
    """The changes that the gate is about."""
    if gate.purpose != "contain":
        return [c for c in case.changes.values() if c.held]
    return [c for c in case.changes.values() if c.plan.gate == gate.name]


def _decisions(gate: GateView) -> list[str]:
    lines = []
    for decision in gate.decisions:
        verb = words.word(words.DECISIONS, decision["decision"]).label
        why = f": {said(decision['reason'], 300)}" if decision["reason"] else ""
        lines.append(
            f"{said(decision['person'])} {verb} at {words.clock(decision['at'])} UTC "
            f"via {said(decision['door'], 20)} ({said(decision['assurance'], 20)}){why}"
        )
    return lines[-6:]


def _slack_time(at: str) -> str:
    """In the reader's own time zone where Slack can, in UTC where not."""
    try:
        seconds = int(datetime.fromisoformat(at).timestamp())
    except ValueError:
        return words.UNKNOWN
    return f"<!date^{seconds}^{{time_secs}}|{words.clock(at)} UTC>"


def _outcome(gate: GateView) -> str:
    return words.word(words.GATES, gate.outcome).label


def _count(changes: list[ChangeView]) -> str:
    return words.counted(len(changes), "change")


def reminder(case: Case, gate: GateView, percent: str) -> Message:
    """A direct message to somebody who has not answered yet."""
    value = str(GateRef.of(case.id, gate))
    text = f"{title(case)}: gate {gate.name} still waits for you"
    return message(
        text,
        [
            section(f"*{text}.* {percent} % of its time has gone; it ends "
                    f"{_slack_time(gate.expires_at)}."),
            actions(button("Review", "gate.review", value, "primary")),
        ],
    )  # fmt: skip


def decided(case: Case, gate: GateView) -> Message:
    """What the requester is told when a gate was answered."""
    text = f"{title(case)}: gate {gate.name} is {_outcome(gate)}"
    return message(text, [section(f"*{text}.*"), *(context(line) for line in _decisions(gate))])


def drafts(case: Case, names: Sequence[str]) -> Message:
    """That there are drafts of messages, and where. None was sent, and none is shown here."""
    text = f"{title(case)}: drafts of messages are written; nothing was sent"
    files = ", ".join(f"`reports/{case.id}/{name}`" for name in names)
    return message(
        text,
        [
            section(f"*{text}.* A person reads, completes and sends them."),
            context(f"In the state directory: {files}"),
        ],
    )


def alarm(case: Case, why: str) -> Message:
    """A direct message to operators, without details of the case."""
    text = f"{title(case)}: {why}"
    return message(text, [section(f":rotating_light: *{text}*")])
