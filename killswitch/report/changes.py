"""The changes of a case: what was there, what is wanted, how each is known, what lives on."""

from __future__ import annotations

from killswitch.model.case import Case, ChangeState, ChangeView
from killswitch.model.playbook import LAYERS
from killswitch.report import words
from killswitch.report.plain import differences, exact, label, line, link, named
from killswitch.report.rows import Change, Layer, Residual

GIVEN_BACK = frozenset(
    {
        ChangeState.RESTORING,
        ChangeState.RESTORED,
        ChangeState.KEPT,
        ChangeState.REISSUE,
        ChangeState.DRIFTED,
    }
)
_UNTOUCHED = frozenset({ChangeState.PLANNED, ChangeState.HELD, ChangeState.SKIPPED})


def proven(change: ChangeView) -> bool:
    """Whether it is contained by two reads, and nothing that was tried speaks against it."""
    still_works = (change.probe or {}).get("refused") is False
    return change.state is ChangeState.CONTAINED and len(change.reads) >= 2 and not still_works


def layers(case: Case, lines: list[Residual], shared: dict[str, int]) -> list[Layer]:
    """Every layer that was planned or begun, in order, with its changes."""
    found = []
    for name in LAYERS:
        mine = [c for c in case.changes.values() if c.plan.layer is name]
        ran = case.layers.get(name, {})
        if not mine and not ran:
            continue
        started, finished = ran.get("started_at", ""), ran.get("finished_at", "")
        found.append(
            Layer(
                name=name,
                started_at=started,
                finished_at=finished,
                seconds=words.between(started, finished),
                late=[label_of(case, change) for change in ran.get("late", [])],
                changes=[
                    _row(case, c, lines, shared) for c in sorted(mine, key=lambda c: c.plan.step)
                ],
            )
        )
    return found


def label_of(case: Case, change_id: str) -> str:
    """A change by name: ``Jo Marsh at okta (okta.user.suspend)``; what is no change, as it is."""
    if change := case.changes.get(change_id):
        return name_of(change)
    return line(change_id)


def name_of(change: ChangeView) -> str:
    """``Jo Marsh at okta (okta.user.suspend)``."""
    return f"{label(change.plan.label)} at {change.plan.connection} ({change.plan.action})"


def _row(case: Case, change: ChangeView, lines: list[Residual], shared: dict[str, int]) -> Change:
    plan, number = change.plan, shared.get(change.plan.id)
    seconds = lines[number - 1]["seconds"] if number else None
    return Change(
        id=exact(plan.id),
        layer=plan.layer,
        connection=label(plan.connection),
        action=plan.action,
        target=exact(plan.target_id),
        label=label(plan.label),
        state=named(words.CHANGES, known_state(change)),
        proven=proven(change),
        required=plan.required,
        swept=plan.swept,
        given_back=change.state in GIVEN_BACK,
        already=plan.already,
        detail=_detail(change),
        manual=line(plan.manual),
        impact=line(plan.impact),
        differences=differences(change.before, change.goal),
        standing=_standing(change),
        reads=[line(read) for read in change.reads],
        probe=_probe(change),
        probe_how=line((change.probe or {}).get("how")),
        attempts=change.attempts,
        changed_at=change.changed_at,
        gate=plan.gate,
        undo=plan.undo_kind,
        undo_words=words.UNDO[plan.undo_kind],
        owner=label(change.owner) if change.owner != case.id else "",
        attested_by=label(change.attested_by),
        residual=number,
        residual_until=_until(change, seconds),
    )


def known_state(change: ChangeView) -> str:
    """The recorded state, except that ``contained`` without its proof is only ``unverified``."""
    if change.state is ChangeState.CONTAINED and not proven(change):
        return ChangeState.UNVERIFIED
    return change.state


def _detail(change: ChangeView) -> str:
    said = line(change.detail)
    if known_state(change) == change.state:
        return said
    if len(change.reads) < 2:
        doubt = "Recorded as contained, but two reads are not on record."
    else:
        doubt = "Recorded as contained, but the old access still works."
    return f"{doubt} {said}".strip()


def _probe(change: ChangeView) -> str:
    return words.probe(change.probe)


def _standing(change: ChangeView) -> str:
    if change.plan.already:
        return "was so before us"
    if proven(change):
        return "read back twice"
    if change.state is ChangeState.RESTORED:
        return "given back since"
    if change.state in GIVEN_BACK:
        return "wanted; its state says what became of it"
    return "wanted, not read back"


def residual(case: Case, now: str) -> tuple[list[Residual], dict[str, int]]:
    """What may live on, each sentence once; and which line (from 1) belongs to which change."""
    groups: dict[tuple[str, int | None, str], list[ChangeView]] = {}
    for change in case.changes.values():
        says = change.plan.residual
        touched = change.state not in _UNTOUCHED | GIVEN_BACK
        if touched and says.what and change.plan.layer in case.layers:
            groups.setdefault((says.what, says.seconds, says.source), []).append(change)
    lines, shared = [], {}
    for number, members in enumerate(groups.values(), start=1):
        lines.append(_line(number, members, now))
        shared.update({member.plan.id: number for member in members})
    return lines, shared


def residual_note(case: Case, lines: list[Residual]) -> str:
    """What the list of residual risks means, or why it is empty."""
    if lines:
        return (
            "Vendors keep some access alive for a while after it is blocked. "
            "The clock starts with the second read."
        )
    if any(change.state in GIVEN_BACK for change in case.changes.values()):
        return "Access was given back, or is being given back."
    if any(proven(change) for change in case.changes.values()):
        return "No action here leaves anything alive, by its vendor's word."
    return "Nothing was contained that could leave a rest."


def _line(number: int, members: list[ChangeView], now: str) -> Residual:
    says = members[0].plan.residual
    ends = [end for member in members if (end := _until(member, says.seconds))]
    waiting = sum(not proven(member) for member in members)
    until = max(ends, default="")
    return Residual(
        number=number,
        what=line(says.what),
        seconds=says.seconds,
        source=line(says.source),
        link=link(says.source),
        connections=[label(m.plan.connection) for m in _unique(members, "connection")],
        actions=[m.plan.action for m in _unique(members, "action")],
        changes=len(members),
        until=until,
        passed=words.between(until, now) is not None if until and not waiting else None,
        waiting=waiting,
    )


def _unique(members: list[ChangeView], field: str) -> list[ChangeView]:
    return list({getattr(member.plan, field): member for member in members}.values())


def _until(change: ChangeView, seconds: int | None) -> str:
    """The end of the residual window: so long after the second read."""
    if seconds is None or not proven(change):
        return ""
    return words.later(change.reads[1], seconds)
