"""What stops a containment that is under way: an abort, a restore, a denial."""

from __future__ import annotations

from killswitch.engine.gate import APPROVED, DENIED
from killswitch.model.case import Case
from killswitch.model.plan import Change


def stopped(view: Case) -> str:
    """Why nothing more is to be contained: aborted, or access is being given back. "": go on."""
    if view.aborted:
        return f"aborted by {view.aborted['by']}"
    restore = given_back(view)
    return f"access is given back by {restore}" if restore else ""


def said_no(view: Case, change: Change) -> str:
    """Why people do not want this change; "": nobody said no.

    In an automatic case it may be under way when they say it.
    """
    gate = view.gates.get(change.gate)
    return f"gate {change.gate} was denied" if gate and gate.outcome == DENIED else ""


def given_back(view: Case) -> str:
    """The last restore that was approved, such as ``restore-1``; "" if none was."""
    approved = [g for g in view.gates.values() if g.purpose != "contain" and g.outcome == APPROVED]
    return approved[-1].purpose if approved else ""
