"""What came after containment: the sweep, the watch, what people must still do, the way back."""

from __future__ import annotations

from killswitch.model.action import Undo
from killswitch.model.case import SETTLED, Case, CaseState, ChangeState, ChangeView
from killswitch.report import words
from killswitch.report.changes import GIVEN_BACK, known_state, label_of, name_of
from killswitch.report.plain import label, line, named
from killswitch.report.rows import NotSwept, Outcome, Round, Todo, Wanted
from killswitch.report.shape import Restore, Sweep, Watch

_OPEN_ENDS = {
    ChangeState.FAILED: "make the change at the vendor by hand, or run the case again",
    ChangeState.UNVERIFIED: "look at the vendor whether it is so; until then treat it as open",
    ChangeState.REVERTED: "find out who or what undoes it; it is not contained",
    ChangeState.RETRYING: "wait for it, or make the change at the vendor by hand",
    ChangeState.APPLYING: "wait for it, or look at the vendor whether it is so",
    ChangeState.DRIFTED: "somebody else changed it: decide which state is right",
}


def sweep(case: Case) -> Sweep:
    """What appeared after the plan was made, contained or left alone."""
    return Sweep(
        found=[name_of(c) for c in case.changes.values() if c.plan.swept],
        refused=[
            NotSwept(
                layer=label(left.get("layer")),
                connection=label(left.get("connection")),
                action=label(left.get("action")),
                why=line(left.get("why")),
                at=left["at"],
            )
            for left in case.not_swept
        ],
    )


def watch(case: Case) -> Watch:
    """Every look that was taken afterwards."""
    rounds = [
        Round(
            number=int(look.get("round", number)),
            at=look["at"],
            ok=look.get("ok"),
            reverted=[label_of(case, change) for change in look.get("reverted", [])],
            unread=[label_of(case, change) for change in look.get("unread", [])],
        )
        for number, look in enumerate(case.rounds, start=1)
    ]
    planned = case.plan.watch.model_dump(mode="json", by_alias=True) if case.plan else {}
    return Watch(
        hold=planned.get("for", ""),
        every=planned.get("every", ""),
        rounds=rounds,
        reverts=sum(len(look["reverted"]) for look in rounds),
    )


def restore(case: Case) -> Restore:
    """How access comes back, or what came of asking for it."""
    made = [
        c
        for c in case.changes.values()
        if c.attempts and not c.plan.already and c.state not in GIVEN_BACK
    ]
    kinds = [change.plan.undo_kind for change in made]
    last = case.restores[-1]["state"] if case.restores else ""
    return Restore(
        state=(last or "asked") if case.restores else ("possible" if made else "none"),
        command=f"agent-kill restore {case.id}",
        gate=case.plan.restore_gate if case.plan else "",
        exact=kinds.count(Undo.EXACT),
        rebuild=kinds.count(Undo.REBUILD),
        never=kinds.count(Undo.NONE),
        asked=[
            Wanted(
                by=label(wanted.get("by")),
                at=wanted["at"],
                reason=line(wanted.get("reason")),
                only=[label_of(case, change) for change in wanted.get("only") or []],
                force=bool(wanted.get("force")),
                state=label(wanted["state"]),
                settled_at=wanted.get("settled_at", ""),
                open=[label_of(case, change) for change in wanted.get("open") or []],
            )
            for wanted in case.restores
        ],
        outcomes=[_outcome(c) for c in case.changes.values() if _answered(case, c)],
        reissue=[label_of(case, change) for change in case.reissue],
    )


def _answered(case: Case, change: ChangeView) -> bool:
    """Whether restore had something to say about it, a failure included."""
    if not case.restores:
        return False
    tried = change.changed_at >= case.restores[0]["at"]
    return change.state in GIVEN_BACK or (tried and known_state(change) != ChangeState.CONTAINED)


def _outcome(change: ChangeView) -> Outcome:
    by_hand = change.state is ChangeState.REISSUE
    return Outcome(
        label=label(change.plan.label),
        connection=label(change.plan.connection),
        action=change.plan.action,
        state=named(words.CHANGES, known_state(change)),
        why=line(change.detail),
        at=change.changed_at,
        who=f"an administrator of {label(change.plan.connection)}" if by_hand else "",
    )


def todo(case: Case) -> list[Todo]:
    """What a person must still do, the most urgent kind first."""
    found = [entry for change in case.changes.values() for entry in _left(case, change)]
    found += _not_connected(case)
    found += [
        Todo(
            kind="left alone",
            what=f"look at what {label(left.get('action'))} found at "
            f"{label(left.get('connection'))} after the plan was made",
            who="a responder",
            why=line(left.get("why")),
        )
        for left in case.not_swept
    ]
    found += [
        Todo(
            kind="evidence",
            what=f"collect {label(gap.get('collector'))} at {label(gap.get('connection'))} by hand",
            who="a responder",
            why=line(gap.get("why")),
        )
        for gap in case.gaps
        if not gap.get("volatile")
    ]
    known = {change.plan.id for change in case.changes.values()}
    found += [
        Todo(kind="reissue", what=line(thing), who="an administrator", why="cannot be given back")
        for thing in case.reissue
        if thing not in known
    ]
    if case.refusal.get("hint"):
        found.append(_one("next", line(case.refusal["hint"]), "the requester", ""))
    if case.request.break_glass:
        why = "the glass was broken: people did not approve beforehand"
        found.append(_one("review", "review this case within 24 hours", "a leader", why))
    if case.request.automatic:
        why = "a trigger went ahead with what can be undone: people did not approve beforehand"
        found.append(_one("review", "review this case within 24 hours", "a leader", why))
    return found


def _one(kind: str, what: str, who: str, why: str) -> Todo:
    return Todo(kind=kind, what=what, who=who, why=why)


def _left(case: Case, change: ChangeView) -> list[Todo]:
    state, who = known_state(change), f"an administrator of {label(change.plan.connection)}"
    named_change, detail = name_of(change), line(change.detail)
    if state == ChangeState.MANUAL:
        if not change.attested_by:
            what = line(change.plan.manual) or "make the change by hand"
            return [_one("by hand", f"{named_change}: {what}", who, detail or "there is no API")]
        why = f"{label(change.attested_by)} attests it; nothing was read back: {detail}"
        return [_one("confirm", f"{named_change}: check that it holds", who, why)]
    if state == ChangeState.REISSUE:
        return [_one("reissue", f"{named_change}: issue it anew", who, detail or "gone for good")]
    if state in _OPEN_ENDS:
        kind = words.CHANGES[state].label
        return [_one(kind, f"{named_change}: {_OPEN_ENDS[ChangeState(state)]}", who, detail)]
    stopped = case.state in SETTLED - {CaseState.PLANNED, CaseState.COLLECTED} and bool(case.layers)
    if stopped and change.open and state in (ChangeState.PLANNED, ChangeState.HELD):
        return [_one("not made", f"{named_change}: it was never made", "a responder", detail)]
    if change.open and state == ChangeState.SKIPPED:
        return [_one("skipped", f"{named_change}: decide whether it may stay", "a leader", detail)]
    return []


def _not_connected(case: Case) -> list[Todo]:
    if case.plan is None:
        return []
    return [
        _one(
            "not reached",
            f"{blank.use}: do by hand what it would have done",
            f"an administrator of {label(blank.connection) or blank.use.split('.')[0]}",
            line(blank.why),
        )
        for blank in case.plan.blanks
        if f"{blank.connection}/{blank.use}" in case.open
    ]
