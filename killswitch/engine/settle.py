"""Act, then read back until two reads agree: the heart of contain, watch and restore.

Apply always acts, because a stale read may say that it is done already. What a time-out or a 500
left behind is unknown, and only reading tells. Nothing is called contained that was not read.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import structlog

from killswitch.engine.connections import Connection, stopped_within
from killswitch.engine.house import House
from killswitch.model.action import Action, Probe
from killswitch.model.case import ChangeState
from killswitch.model.codec import dump, same
from killswitch.model.errors import (
    Already,
    Broken,
    Denied,
    KillswitchError,
    Missing,
    Transient,
    VendorError,
)

log = structlog.get_logger()

_LOOKS = 6  # reads that may disagree before we act again
_LOOK_WAIT = 0.3  # seconds after the first disagreeing read; doubles


@dataclass
class Outcome:
    """How a change came out."""

    state: ChangeState
    detail: str = ""
    reads: list[str] = field(default_factory=list)
    probe: Probe | None = None

    def data(self) -> dict[str, Any]:
        """As plain JSON, for the journal."""
        return {
            "state": self.state,
            "detail": self.detail,
            "reads": self.reads,
            "probe": dump(self.probe) if self.probe else None,
        }


@dataclass
class Settle:
    """One target, brought to a state. ``act`` is the action's apply or undo."""

    house: House
    connection: Connection
    action: Action[Any, Any, Any]
    target: Any
    want: Any
    act: Callable[[], Awaitable[None]]
    applying: Callable[[int], Awaitable[None]]  # journals the intent before each act
    retrying: Callable[[str], Awaitable[None]]  # journals that the layer went on without us
    probe: bool
    deadline: float  # seconds for the layer
    keep_trying: float  # seconds in all
    stop: Callable[[], bool] = lambda: False
    _maybe_done: bool = False  # an act may have had its effect, and no read says that it had not
    seen: Callable[[], None] = lambda: None  # told at the first read that agrees

    async def run(self) -> Outcome:
        """Act and read back, again and again until it is so, is refused, or time is up."""
        began = time.monotonic()
        tries, told = 0, False
        while True:
            outcome, wait = await self._once(tries)
            if outcome.state is ChangeState.CONTAINED or wait is None:
                return outcome
            spent = time.monotonic() - began
            if spent + wait > self.keep_trying or self.stop():
                return outcome
            if spent + wait > self.deadline and not told:
                await self.retrying(outcome.detail)
                told = True
            if await stopped_within(wait, self.stop):
                return outcome
            tries += 1

    async def _once(self, tries: int) -> tuple[Outcome, float | None]:
        """One act and its read-back; seconds until the next try, None where it is no use."""
        await self.applying(tries + 1)
        failure: VendorError | None = None
        try:
            await self.connection.call(self.act)
        except Already:
            pass  # it is so already; the read-back says whether that is true
        except Transient as error:
            failure = error
            if not error.sent:
                return self._failed(error), self.connection.wait_for(error, tries)
        except VendorError as error:
            failure = error
        outcome = await self._read_back(patient=failure is None)
        taken = self._maybe_done or failure is None or isinstance(failure, Transient)
        self._maybe_done = taken and outcome.state is ChangeState.UNVERIFIED
        if outcome.state is ChangeState.CONTAINED or failure is None:
            again = self.connection.wait_for(Transient("not yet"), tries)
            return outcome, again
        if isinstance(failure, Transient):
            return self._failed(failure), self.connection.wait_for(failure, tries)
        return self._failed(failure), None

    async def _capture(self) -> Any:
        return await self.action.capture(self.connection.client(), self.target)

    async def _probe(self) -> Probe | None:
        return await self.action.probe(self.connection.client(), self.target)

    def _failed(self, error: VendorError) -> Outcome:
        detail = error.why
        if isinstance(error, Denied) and error.scope:
            detail += f" (our credential lacks {error.scope})"
        if self._maybe_done:
            return Outcome(ChangeState.UNVERIFIED, f"{detail}; could not be read back")
        return Outcome(ChangeState.FAILED, detail)

    async def _read_back(self, *, patient: bool) -> Outcome:
        """Contained only if two reads agree with what is wanted and no probe contradicts."""
        agreed: list[str] = []
        seen: Any = None
        wait = 0.0
        for look in range(_LOOKS if patient else 3):
            if look:
                await asyncio.sleep(wait)
            try:
                seen = await self.connection.call(self._capture)
            except Missing:
                seen = None
            except Transient as error:
                wait = min(self.connection.wait_for(error, look), 5.0)
                continue
            except VendorError as error:
                return Outcome(ChangeState.UNVERIFIED, f"cannot be read back: {error.why}")
            if seen is None or same(seen, self.want):
                agreed.append(self.house.now().isoformat())
                self.seen()
                if len(agreed) == 2:
                    return await self._probed(agreed, gone=seen is None)
                wait = self.connection.settle
            else:
                agreed.clear()
                wait = _LOOK_WAIT * 2**look if patient else _LOOK_WAIT
        if seen is not None and not same(seen, self.want):
            return Outcome(ChangeState.FAILED, "acted, but it does not read back as done")
        return Outcome(ChangeState.UNVERIFIED, "could not be read back twice")

    async def _probed(self, reads: list[str], *, gone: bool) -> Outcome:
        if gone:
            detail = "gone: it was there when planned, and two reads find nothing now"
            return Outcome(ChangeState.CONTAINED, detail, reads)
        if not self.probe:
            return Outcome(ChangeState.CONTAINED, "", reads)
        try:
            probe = await self.connection.call(self._probe)
        except VendorError as error:
            probe = Probe(None, f"could not be tried: {error.why}")
        if probe is not None and probe.refused is False:
            return Outcome(
                ChangeState.UNVERIFIED,
                f"read back as done, but the old access still works: {probe.how}",
                reads,
                probe,
            )
        return Outcome(ChangeState.CONTAINED, "", reads, probe)


async def safely(what: str, work: Callable[[], Awaitable[Outcome]]) -> Outcome:
    """``work``'s outcome; even a fault of our own becomes ``failed``, and its neighbours go on."""
    try:
        return await work()
    except Broken:
        raise
    except KillswitchError as error:
        return Outcome(ChangeState.FAILED, error.why)
    except Exception as error:  # see the docstring
        log.exception("unforeseen", change=what)
        return Outcome(ChangeState.FAILED, f"unforeseen {type(error).__name__}: {error}"[:300])
