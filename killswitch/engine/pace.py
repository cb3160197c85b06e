"""How fast, how wide and whereto one connection may speak: the link lent to a vendor's client."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import ContextVar

# Set by what can wait: evidence that stays. It leaves half of everything to the changes.
background: ContextVar[bool] = ContextVar("background", default=False)


class Pace:
    """A token bucket with a limit on requests under way, and the guard of its hosts.

    ``pause`` is called when a vendor says "later": every request on the connection waits, so that
    one Retry-After is honoured by all branches and other connections are not slowed.
    """

    def __init__(
        self,
        connection: str,
        rate: float,
        burst: int,
        concurrency: int,
        allow: Callable[[str], None],
    ) -> None:
        self.connection = connection
        self.allow = allow
        self._rate, self._burst = rate, float(burst)
        self._tokens, self._filled = float(burst), time.monotonic()
        self._slots = asyncio.Semaphore(concurrency)
        self._back_slots = asyncio.Semaphore(max(1, concurrency // 2))
        self._paused_until = 0.0
        self.requests = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Hold a slot; first wait for a pause to end and for a token."""
        async with AsyncExitStack() as held:
            if background.get():
                await held.enter_async_context(self._back_slots)
                await self._token(leave=self._burst / 2)
                await held.enter_async_context(self._slots)
            else:
                await held.enter_async_context(self._slots)
                await self._token()
            self.requests += 1
            yield

    def pause(self, seconds: float) -> None:
        """Nothing is sent for that long."""
        self._paused_until = max(self._paused_until, time.monotonic() + seconds)

    async def _token(self, leave: float = 0.0) -> None:
        while True:
            now = time.monotonic()
            if now < self._paused_until:
                await asyncio.sleep(self._paused_until - now)
                continue
            self._tokens = min(self._burst, self._tokens + (now - self._filled) * self._rate)
            self._filled = now
            if self._tokens >= 1 + leave:
                self._tokens -= 1
                return
            await asyncio.sleep((1 + leave - self._tokens) / self._rate)
