"""Whether a case was rehearsed: what is said of it then says DRILL."""

from __future__ import annotations

from killswitch import hosts
from killswitch.model.case import Case
from killswitch.model.plan import Mode


def rehearsed(case: Case) -> bool:
    """A drill, or a plan or evidence that was made in one: live never speaks to loopback."""
    if case.request.mode in (Mode.PLAN, Mode.EVIDENCE) and case.plan is not None:
        return any(hosts.loopback(url) for url in case.plan.hosts.values())
    return case.request.mode is Mode.DRILL
