"""What the tool says of each thing that a suspect can or cannot do at the end.

Ground truth is found by trying (``Simulators.truth``); here it is held against the claims of the
cases. A claim is taken at its word: a case that is called contained claims that everything is
stopped which its suspect had at every vendor where it changed something. Only what the report of
the case names as living on, and the simulators try, is excused: almost every action names
something, and taking each for an excuse would leave nothing to be false.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from killswitch.engine.gate import subject_emails
from killswitch.model.case import Case, CaseState, ChangeState, ChangeView
from killswitch.model.subject import Kind, Subject
from tabletop.record import Truth
from tabletop.sims.base import Attempt

Claim = Literal["stopped", "open", "silent"]
_NAMED = 3  # so many changes stand behind a claim by name
# How the simulators' tries call what an action stops, where a try does not show its id.
_CALLED = {
    "aws.role_sessions.revoke": "of role/",
    "github.deploy_keys.delete": "deploy key",
    "github.pat_grants.revoke": "fine token",
    "github.sso_authorizations.revoke": "classic token",
}
# Action -> how tries call what outlives it, as its residual says, and what would end that too.
_OUTLIVING = {
    "aws.access_key.deactivate": ("of user/", "aws.user.deny_all"),
    "aws.access_keys.deactivate": ("of user/", "aws.user.deny_all"),
}
_WHOLE = {Kind.PERSON, Kind.GROUP}  # subjects of whom everything at a vendor is meant


def claims(
    suspect: str, before: Sequence[Attempt], after: Sequence[Attempt], cases: Iterable[Case]
) -> list[Truth]:
    """Everything that was tried for a suspect, with what the tool says of it.

    ``before`` and ``after``: the same person's tries, before the drill and at its end. What was
    there before and can't even be tried any more is told as something that does not work.
    """
    worked, works = _by_name(before), _by_name(after)
    theirs = [case for case in cases if suspect.lower() in subject_emails(case)]
    found = []
    for vendor, what in dict.fromkeys([*worked, *works]):
        claimed, because = _claim(theirs, vendor, what)
        found.append(
            Truth(
                suspect=suspect,
                vendor=vendor,
                what=what,
                works=works.get((vendor, what), False),
                before=worked.get((vendor, what)),
                claimed=claimed,
                because=because,
            )
        )
    return found


def _by_name(tries: Sequence[Attempt]) -> dict[tuple[str, str], bool]:
    """One answer for each thing: it works if any of the tries that are called so does."""
    found: dict[tuple[str, str], bool] = {}
    for attempt in tries:
        name = attempt.vendor, attempt.what
        found[name] = attempt.allowed or found.get(name, False)
    return found


def _claim(cases: Sequence[Case], vendor: str, what: str) -> tuple[Claim, str]:
    """The strongest claim of any case of the suspect, and what it rests on."""
    said = [_said(case, vendor, what) for case in cases]
    for claim in ("stopped", "open"):
        for claimed, because in said:
            if claimed == claim:
                return claimed, because
    return "silent", ""


def _said(case: Case, vendor: str, what: str) -> tuple[Claim, str]:
    """What one case says.

    Of a person or a group everything at the vendor is meant; of a credential, an agent or a
    session only what is called by the name of something that was changed.
    """
    here = [c for c in case.changes.values() if _vendor(case, c) == vendor]
    if outlived := _outlived(here, what):
        return "open", f"{case.id}: lives on after {_list(outlived)}"
    if Subject.parse(case.request.subject).kind not in _WHOLE:
        here = [c for c in here if _named(c, what)]
    if not here:
        return "silent", ""
    left = [c.plan.id for c in here if c.state is not ChangeState.CONTAINED]
    left += [
        f"{late['connection']}/{late['action']}"
        for late in case.not_swept
        if late["connection"] in {c.plan.connection for c in here}
    ]
    if case.state is not CaseState.CONTAINED:
        return "open", f"{case.id} is {case.state}" + (f": {_list(left)}" if left else "")
    if left:
        return "open", f"{case.id}: {_list(left)}"
    return "stopped", f"{case.id}: {_list([c.plan.id for c in here])}"


def _named(change: ChangeView, what: str) -> bool:
    called = _CALLED.get(change.plan.action)
    return change.plan.target_id in what or (called is not None and called in what)


def _outlived(changes: Sequence[ChangeView], what: str) -> list[str]:
    """The changes of which the report says that this lives on after them."""
    made = {change.plan.action for change in changes}
    return [
        change.plan.id
        for change in changes
        for called, ended_by in [_OUTLIVING.get(change.plan.action, ("", ""))]
        if called and called in what and ended_by not in made
    ]


def _vendor(case: Case, change: ChangeView) -> str:
    for account in case.plan.accounts if case.plan else ():
        if account.connection == change.plan.connection:
            return account.vendor
    return change.plan.action.partition(".")[0]


def _list(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
