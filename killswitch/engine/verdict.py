"""What a case comes to: a pure function of it, so that it can be asked again at any time."""

from __future__ import annotations

from killswitch.engine.gate import ABORTED, APPROVED, DENIED, EXPIRED
from killswitch.model.case import Case, CaseState


def verdict(view: Case) -> CaseState:
    """What the changes add up to. Never contained unless every required one is.

    Denied and aborted are said of a case in which nothing was changed; one in which something
    was is partial, and names what is open.
    """
    touched = [c for c in view.changes.values() if c.held]
    outcomes = {g.outcome for g in view.gates.values() if g.purpose == "contain"}
    if not touched and view.aborted:
        return CaseState.ABORTED
    if not touched and view.changes and outcomes & {DENIED, EXPIRED} and APPROVED not in outcomes:
        return CaseState.DENIED
    if view.aborted or ABORTED in outcomes:
        return CaseState.PARTIAL
    return CaseState.PARTIAL if open_ends(view) or not view.changes else CaseState.CONTAINED


def open_ends(view: Case) -> list[str]:
    """The required changes that are not contained, and the required steps that are not done.

    A step is not done where its vendor could not be asked, or not be asked what is new.
    """
    plan = view.plan
    assert plan is not None, "only a planned case has ends"
    swept = {(c.plan.connection, c.plan.step) for c in view.changes.values() if not c.open}
    required = {step.use for layer in plan.layers.values() for step in layer.steps if step.required}
    changes = [c.plan.id for c in view.changes.values() if c.open]
    blanks = [
        f"{b.connection}/{b.use}"
        for b in plan.blanks
        if b.required and not (b.later and (b.connection, b.step) in swept)
    ]
    unswept = [
        f"{n['connection']}/{n['action']}" for n in view.not_swept if n["action"] in required
    ]
    return list(dict.fromkeys(changes + blanks + unswept))
