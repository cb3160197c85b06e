"""What one act of the adversary is, and what all of them share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

import httpx

from killswitch.model.errors import Invalid
from tabletop.sims.run import Simulators
from tabletop.sims.world import Person

Options = dict[str, Any]


@dataclass(frozen=True)
class Act:
    """What was tried and whether it worked. ``says``: one line for the timeline."""

    name: str
    worked: bool
    says: str


Doing = Callable[[httpx.AsyncClient, Simulators, Person, Options], Awaitable[Act]]


@dataclass(frozen=True)
class Outcome:
    """How a request ended. ``why``: the vendor's status or code; else why it was not answered."""

    worked: bool
    why: str
    answer: httpx.Response | None = None


NOTHING = Outcome(False, "nothing to try it with")


async def outcome(request: Awaitable[httpx.Response]) -> Outcome:
    """How the request ended; a vendor that does not answer has not let anybody in."""
    try:
        answer = await request
    except httpx.HTTPError:
        return Outcome(False, "no answer")
    return Outcome(answer.is_success, str(answer.status_code), answer)


async def until_let_in(tries: Iterable[Awaitable[Outcome]]) -> Outcome:
    """The first that works; if none does, how the first one ended. ``tries`` is walked lazily."""
    first = NOTHING
    for one in tries:
        ended = await one
        if ended.worked:
            return ended
        first = ended if first is NOTHING else first
    return first


def told(name: str, what: str, ended: Outcome) -> Act:
    """``git push to payments worked``, ``… was refused (403)``, ``… failed: no answer``."""
    if ended.worked:
        return Act(name, True, f"{what} worked")
    how = f"was refused ({ended.why})" if ended.answer is not None else f"failed: {ended.why}"
    return Act(name, False, f"{what} {how}")


def known(options: Options, *names: str) -> None:
    """Raises Invalid for an option that the act does not have."""
    if stray := sorted(options.keys() - set(names)):
        allowed = ", ".join(names) or "none"
        raise Invalid(f"the act has no option {stray[0]!r}; it has: {allowed}")
