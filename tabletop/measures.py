"""What a drill is measured by: one function for each name that an objective may use."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from killswitch.model.case import Case, CaseState, ChangeState
from killswitch.model.event import What
from killswitch.report.changes import proven
from tabletop import conduct, timing
from tabletop.seen import NotMeasured, Seen
from tabletop.timing import times

__all__ = ["MEASURES", "Seen", "measure", "measure_all", "times", "unit", "why_not"]

# name -> what it means, for `tabletop lint`, the docs and the report
MEASURES: dict[str, str] = {
    "time_to_request": "first alert to the first kill asked for, seconds",
    "time_to_plan": "kill asked for to the plan, seconds",
    "time_to_evidence": "kill asked for to the first evidence sealed, seconds",
    "time_to_approve": "gate opened to gate shut, the longest, seconds",
    "time_to_identity": "last approval to the identity layer's end, seconds",
    "time_to_contain": "first alert to the last change read back (T0 to T4), seconds",
    "time_to_restore": "restore asked for to the last thing given back, seconds",
    "machine_time": "seconds spent by the tool and the vendors, real time",
    "evidence_before_change": "evidence was sealed before the first change at a vendor",
    "evidence_complete": "planned evidence that was collected, percent",
    "evidence_verifies": "seals and files of every case are whole",
    "order_held": "evidence, identity, credentials, repositories, in that order",
    "approvals_valid": "nobody approved who asked, is the suspect, or was too late",
    "approved_by_suspect": "decisions by a suspect or the requester that counted",
    "rubber_stamped": "approvals given within five seconds of the question",
    "false_contained": "things called stopped that still work",
    "still_possible": "things the suspects could do before and still can",
    "unverified": "changes that ended unverified, failed or manual",
    "collateral": "things changed that are nobody's of the suspects",
    "missed": "things of the suspects that no plan named",
    "people_suspended": "people whose sign-in was suspended at the end",
    "case_contained": "every case ended contained",
    "case_honest": "no case was called contained while something worked",
    "restored": "what was to be given back was given back",
    "audit_verifies": "the journal's chain and its signed heads are whole",
    "engine_restarts_survived": "crashes after which the case went on",
    "secrets_written": "secrets of the world found in anything that the tool wrote",
    "runs_joined": "second presses that joined the open case instead of opening another",
    "denied_stayed_denied": "after a denial nothing was changed",
    "planned_only": "nothing was changed at any vendor",
}

Value = float | bool
_LEFT_OPEN = {ChangeState.UNVERIFIED, ChangeState.FAILED, ChangeState.MANUAL}
_SIGN_IN = (".user.suspend", ".user.disable")  # how the IdPs call it


def measure(name: str, seen: Seen) -> Value | None:
    """The measure's value; None where it cannot be said: nothing is guessed. Raises KeyError."""
    try:
        return _FUNCTIONS[name](seen)
    except NotMeasured:
        return None


def why_not(name: str, seen: Seen) -> str:
    """What is missing for the measure, in one sentence; "" where nothing is. Raises KeyError."""
    try:
        _FUNCTIONS[name](seen)
    except NotMeasured as missing:
        return str(missing)
    return ""


def measure_all(seen: Seen) -> dict[str, Value | None]:
    """Every measure."""
    return {name: measure(name, seen) for name in MEASURES}


def unit(name: str) -> str:
    """``seconds``, ``percent``, ``yes/no`` or ``count``. Raises KeyError."""
    means = MEASURES[name]
    if name.startswith("time_to_") or name == "machine_time":
        return "seconds"
    return "percent" if means.endswith("percent") else "yes/no" if name in _YES_NO else "count"


# -- what still works ------------------------------------------------------------------------------


def _false_contained(seen: Seen) -> float:
    if not seen.truth:
        raise NotMeasured("nothing was tried at the end")
    return float(sum(row.false_claim for row in seen.truth))


def _still_possible(seen: Seen) -> float:
    """What came into being during the drill counts: it could be used before it was stopped."""
    if not seen.truth:
        raise NotMeasured("nothing was tried at the end")
    return float(sum(row.works and row.before is not False for row in seen.truth))


def _case_honest(seen: Seen) -> bool:
    """Neither contained while something works, nor without the two reads behind it."""
    if not seen.truth:
        raise NotMeasured("nothing was tried at the end")
    contained = [case for case in seen.cases if case.state is CaseState.CONTAINED]
    unproven = [
        change
        for case in contained
        for change in case.changes.values()
        if change.open or (change.state is ChangeState.CONTAINED and not proven(change))
    ]
    return not unproven and not any(row.false_claim for row in seen.truth)


# -- what was changed ------------------------------------------------------------------------------


def _unverified(seen: Seen) -> float:
    planned = [case for case in seen.cases if case.plan]
    if not planned:
        raise NotMeasured("no case was planned")
    return float(sum(c.state in _LEFT_OPEN for case in planned for c in case.changes.values()))


def _people_suspended(seen: Seen) -> float:
    """People, not accounts: one who is suspended at two identity providers counts once."""
    if not seen.cases:
        raise NotMeasured("nobody asked for a kill")
    return float(
        len(
            {
                _whose(case, change.plan.connection, change.plan.target_id)
                for case in seen.cases
                for change in case.changes.values()
                if change.state is ChangeState.CONTAINED and change.plan.action.endswith(_SIGN_IN)
            }
        )
    )


def _whose(case: Case, connection: str, target: str) -> str:
    """The address of the account that the target is; the target's id where it has none."""
    for account in case.accounts:
        data = {**account, **account.get("data", {})}
        if (data.get("connection"), data.get("id")) == (connection, target) and data.get("email"):
            return str(data["email"]).lower()
    return f"{connection}/{target}"


def _case_contained(seen: Seen) -> bool:
    """Also what was given back afterwards, if it had been contained."""
    if not seen.cases:
        raise NotMeasured("nobody asked for a kill")
    return all(_last_verdict(seen, case) == CaseState.CONTAINED for case in seen.cases)


def _last_verdict(seen: Seen, case: Case) -> str:
    said = [e.data["state"] for e in seen.of_case(case.id) if e.what is What.SETTLED]
    return str(said[-1]) if said else ""


def _restored(seen: Seen) -> bool:
    asked = [wanted for case in seen.cases for wanted in case.restores]
    if not asked:
        raise NotMeasured("nobody asked for access back")
    return all(wanted["state"] == "restored" for wanted in asked)


def _runs_joined(seen: Seen) -> float:
    if not seen.cases:
        raise NotMeasured("nobody asked for a kill")
    return float(sum(len(case.joined) for case in seen.cases))


# -- what others found out -------------------------------------------------------------------------


def _survived(seen: Seen) -> float:
    done, survived = seen.restarts
    if not done:
        raise NotMeasured("the engine never crashed")
    return float(survived)


def _looked(found: Sequence[str] | None, what: str) -> Sequence[str]:
    if found is None:
        raise NotMeasured(f"{what} was not looked for")
    return found


_YES_NO: dict[str, Callable[[Seen], bool]] = {
    "evidence_before_change": conduct.evidence_before_change,
    "evidence_verifies": lambda seen: not _looked(seen.evidence, "damage to the evidence"),
    "order_held": conduct.order_held,
    "approvals_valid": conduct.approvals_valid,
    "case_contained": _case_contained,
    "case_honest": _case_honest,
    "restored": _restored,
    "audit_verifies": lambda seen: not _looked(seen.audit, "damage to the journal"),
    "denied_stayed_denied": conduct.denied_stayed_denied,
    "planned_only": conduct.planned_only,
}
_FUNCTIONS: dict[str, Callable[[Seen], Value]] = {
    "time_to_request": timing.time_to_request,
    "time_to_plan": timing.time_to_plan,
    "time_to_evidence": timing.time_to_evidence,
    "time_to_approve": timing.time_to_approve,
    "time_to_identity": timing.time_to_identity,
    "time_to_contain": timing.time_to_contain,
    "time_to_restore": timing.time_to_restore,
    "machine_time": timing.machine_time,
    "evidence_complete": conduct.evidence_complete,
    "approved_by_suspect": conduct.approved_by_suspect,
    "rubber_stamped": conduct.rubber_stamped,
    "false_contained": _false_contained,
    "still_possible": _still_possible,
    "unverified": _unverified,
    "collateral": lambda seen: float(len(_looked(seen.collateral, "collateral"))),
    "missed": lambda seen: float(len(_looked(seen.missed, "what no plan named"))),
    "people_suspended": _people_suspended,
    "engine_restarts_survived": _survived,
    "secrets_written": lambda seen: float(len(_looked(seen.secrets, "a secret"))),
    "runs_joined": _runs_joined,
    **_YES_NO,
}
