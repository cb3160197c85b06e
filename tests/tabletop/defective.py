"""``agent-kill`` with a defect planted in its engine: what a drill must find out.

python -m tests.tabletop.defective DEFECT --config FILE serve
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from killswitch.cli.main import main
from killswitch.engine import gate
from killswitch.engine.contain import Contain
from killswitch.engine.kill import Kill
from killswitch.engine.settle import Outcome, Settle
from killswitch.model.case import ChangeState
from killswitch.vendors.claude.api_keys import DeactivateAll


def skip_the_sweep() -> None:
    """What appeared after the plan is not looked for."""

    async def _sweep(self: Contain, data: Any, number: int) -> Any:
        del self, data, number
        return []

    Contain._sweep = _sweep


def trust_the_204() -> None:
    """An answer that says success is taken for the effect."""

    async def _read_back(self: Settle, *, patient: bool) -> Outcome:
        del patient
        now = self.house.now().isoformat()
        self.seen()
        return Outcome(ChangeState.CONTAINED, "", [now, now])

    Settle._read_back = _read_back


def evidence_after_revoking() -> None:
    """Evidence is collected when everything is done."""
    collect, join = Kill._collect, Kill._join

    async def _collect(*_: Any) -> None:
        return None

    async def _join(self: Kill, case: str, running: Any) -> None:
        await collect(self, case, self._plan_of(case), running)
        await join(self, case, running)

    Kill._collect, Kill._join = _collect, _join


def let_the_requester_approve() -> None:
    """Everybody who holds the role may answer, also whoever asked; so must the API think."""

    def eligible(approvers: Any, requester: str, subject_emails: set[str]) -> tuple[str, ...]:
        del requester, subject_emails
        return tuple(approvers)

    gate.eligible = eligible


def forget_a_token() -> None:
    """The first of a person's API keys is not found."""
    locate = DeactivateAll.locate

    async def forgetful(self: Any, client: Any, account: Any) -> Any:
        first = True
        async for target in locate(self, client, account):
            if not first:
                yield target
            first = False

    DeactivateAll.locate = forgetful


DEFECTS: dict[str, Callable[[], None]] = {
    "none": lambda: None,
    "skip-the-sweep": skip_the_sweep,
    "trust-the-204": trust_the_204,
    "evidence-after-revoking": evidence_after_revoking,
    "let-the-requester-approve": let_the_requester_approve,
    "forget-a-token": forget_a_token,
}

if __name__ == "__main__":
    DEFECTS[sys.argv.pop(1)]()
    main()
