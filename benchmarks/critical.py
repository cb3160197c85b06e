"""The critical path of a kill: how long it must take at the very least, at these vendors.

On one connection the steps of a layer run one after another, a step's targets side by side, and
what happens to one target (read, apply, read, read, probe) is a chain. Connections run side by
side; layers run one after another, each swept before the next: the steps' sweeps only read, so
they could all run side by side. So:

    path = Σ over layers of  max over connections of
             Σ over its steps of  max over targets of  chain(target)
             + max over its steps of  chain(sweep)

``chain`` is the longest sequence, by summed time, of calls that did not overlap. The time of a
call is the simulator's own, from the request's arrival to its answer; what our SDKs, sockets
and engine add is not in the path. The last layer's sweep comes after the last verified change
and counts on neither side.

Which call belongs to which target is known on our side only, so the calls are noted where they
leave (``Noted``, under the name of the durable step that makes them) and matched to the
simulator's record: per connection, in the order of the answers, within the time of the call.
"""

from __future__ import annotations

import bisect
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from killswitch.engine.durable import Durable, Reserved
from killswitch.engine.house import House
from killswitch.engine.pace import Pace
from killswitch.model.case import Case
from killswitch.model.plan import Change
from killswitch.model.playbook import LAYERS

Span = tuple[float, float]  # from, to; seconds of the monotonic clock
STRAYS = 0.05  # of the exchanges may fit no call, on a machine that is very busy
_step: ContextVar[str] = ContextVar("step", default="")


@dataclass(frozen=True)
class Call:
    """One request of ours: at which connection, in which durable step, from when to when."""

    connection: str
    step: str
    began: float
    ended: float


class Noted:
    """A connection's pace that notes every call that is let through."""

    def __init__(self, pace: Pace, calls: list[Call]) -> None:
        self._pace, self._calls = pace, calls
        self.connection, self.allow, self.pause = pace.connection, pace.allow, pace.pause

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """As the pace's, noted."""
        async with self._pace.turn():
            began = time.monotonic()
            try:
                yield
            finally:
                ended = time.monotonic()
                self._calls.append(Call(self.connection, _step.get(), began, ended))


def note_calls(house: House) -> list[Call]:
    """Where every call of this house will be noted. Before any client is made."""
    calls: list[Call] = []
    for connection in house.connections:
        connection.link = Noted(connection.link, calls)
    return calls


@contextmanager
def named_steps() -> Iterator[None]:
    """Within it, calls are noted under the name of the durable step that makes them."""
    step, run = Durable.step, Reserved.run

    async def named_step(self: Durable, name: str, *rest: Any) -> Any:
        _step.set(name)
        return await step(self, name, *rest)

    async def named_run(self: Reserved, name: str, *rest: Any) -> Any:
        _step.set(name)
        return await run(self, name, *rest)

    Durable.step, Reserved.run = named_step, named_run
    try:
        yield
    finally:
        Durable.step, Reserved.run = step, run


def path(view: Case, calls: Iterable[Call], exchanges: Iterable[tuple[str, float, float]]) -> float:
    """Seconds of the critical path, from the exchanges of that very run."""
    spans = matched(calls, exchanges)
    changes = [change.plan for change in view.changes.values()]
    layers = [layer for layer in LAYERS if any(c.layer == layer for c in changes)]
    total = 0.0
    for layer in layers:
        mine = [c for c in changes if c.layer == layer]
        total += max(
            _connection([c for c in mine if c.connection == name], spans, layer != layers[-1])
            for name in {c.connection for c in mine}
        )
    return total


def _connection(
    changes: list[Change], spans: dict[tuple[str, str], list[Span]], swept: bool
) -> float:
    """The least time of one layer's changes at one connection."""
    steps: dict[int, float] = defaultdict(float)
    sweep = 0.0
    for c in changes:
        target = sum(chain(spans[c.connection, f"{c.id}/{part}"]) for part in ("hold", "settle"))
        steps[c.step] = max(steps[c.step], target)
        sweep = max(sweep, chain(spans[c.connection, f"sweep:{c.step}"]))
    return sum(steps.values()) + (sweep if swept else 0.0)


def chain(spans: Iterable[Span]) -> float:
    """The longest sum of spans that do not overlap."""
    ordered = sorted(spans, key=lambda span: span[1])
    ends = [end for _, end in ordered]
    best = [0.0]
    for n, (begin, end) in enumerate(ordered):
        before = bisect.bisect_right(ends, begin, 0, n)
        best.append(max(best[-1], best[before] + end - begin))
    return best[-1]


def matched(
    calls: Iterable[Call], exchanges: Iterable[tuple[str, float, float]]
) -> dict[tuple[str, str], list[Span]]:
    """The simulators' spans by connection and durable step.

    A swap can happen only between two calls of one connection that were under way together. An
    exchange that fits no call is left out: the path gets shorter by it and our ratio worse.
    """
    found: dict[tuple[str, str], list[Span]] = defaultdict(list)
    waiting: dict[str, list[Call]] = defaultdict(list)
    for call in sorted(calls, key=lambda call: call.ended):
        waiting[call.connection].append(call)
    strays = known = 0
    for connection, came, went in sorted(exchanges, key=lambda exchange: exchange[2]):
        fits = (c for c in waiting[connection] if c.began <= came and went <= c.ended)
        call = next(fits, None)
        known += 1
        if call is None:
            strays += 1
            continue
        waiting[connection].remove(call)
        found[connection, call.step].append((came, went))
    if strays > STRAYS * known:
        raise RuntimeError(f"{strays} of {known} exchanges fit no call of ours")
    return found
