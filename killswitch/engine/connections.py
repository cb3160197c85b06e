"""The configured vendor tenants, each with its client, made on first use."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import structlog

from killswitch.engine.pace import Pace
from killswitch.model.errors import Denied, Invalid, KillswitchError, Refused, Transient, Unexpected
from killswitch.model.subject import Account
from killswitch.model.vendor import Settings, Vendor

R = TypeVar("R")
log = structlog.get_logger()
_WAITS = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)  # seconds between tries where the vendor names none
_GLANCE = 0.5  # seconds between looks whether to stop waiting
_WHOAMI_KEPT = 600.0  # seconds


async def stopped_within(seconds: float, stop: Callable[[], bool]) -> bool:
    """Wait that long; True as soon as ``stop`` says so."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        await asyncio.sleep(min(left, _GLANCE))
        if stop():
            return True
    return False


@dataclass
class Connection:
    """One tenant. ``settings`` resolves secrets, so it is called only when connecting."""

    name: str
    vendor: Vendor[Any]
    address: str
    settle: float
    link: Pace
    settings: Callable[[], Settings]
    _client: Any = None
    _ourselves: tuple[float, Account] | None = None

    def client(self) -> Any:
        """The vendor's client. No I/O. Raises Denied where a secret of ours cannot be read."""
        if self._client is None:
            try:
                settings = self.settings()
            except Invalid as error:  # this connection's trouble, and no other's
                raise Denied(f"not usable as configured: {error}") from error
            self._client = self.vendor.connect(settings, self.link)
        return self._client

    async def ourselves(self) -> Account:
        """The identity behind our own credential, asked again after ten minutes."""
        if self._ourselves is None or time.monotonic() - self._ourselves[0] > _WHOAMI_KEPT:
            self._ourselves = (time.monotonic(), await self.vendor.whoami(self.client()))
        return self._ourselves[1]

    async def call(self, ask: Callable[[], Awaitable[R]]) -> R:
        """What ``ask`` returns.

        What nobody foresaw, such as an answer that breaks an SDK's models, becomes Unexpected:
        an error like any other, never a crash. A host that a guard refused is Refused, also
        where the SDK took it for a network that is down: trying again would change nothing.
        """
        try:
            return await ask()
        except Transient as error:
            if refusal := _refusal(error):
                raise refusal from error
            raise
        except KillswitchError:
            raise
        except Exception as error:
            log.exception("unforeseen", connection=self.name)
            raise Unexpected(f"unforeseen {type(error).__name__}: {error}"[:300]) from error

    async def steady(
        self,
        seconds: float,
        ask: Callable[[], Awaitable[R]],
        stop: Callable[[], bool] = lambda: False,
    ) -> R:
        """What ``ask`` returns, tried again on Transient errors for up to ``seconds``.

        For reads and for writes that may run twice. The last Transient is raised when time is up,
        or when ``stop`` says so.
        """
        until = time.monotonic() + seconds
        tries = 0
        while True:
            try:
                return await self.call(ask)
            except Transient as error:
                wait = self.wait_for(error, tries)
                if time.monotonic() + wait > until:
                    raise
                if await stopped_within(wait, stop):
                    raise
                tries += 1

    def wait_for(self, error: Transient, tries: int) -> float:
        """Seconds until the next try; where the vendor named them, the whole connection waits."""
        if error.retry_after is not None:
            self.link.pause(error.retry_after)
            return error.retry_after
        return _WAITS[min(tries, len(_WAITS) - 1)] * random.uniform(0.8, 1.2)  # noqa: S311  # jitter

    async def aclose(self) -> None:
        """Close the client, if there is one."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.aclose()


def _refusal(error: BaseException) -> Refused | None:
    """The refusal that an error came of, if it did."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, Refused):
        cause = cause.__cause__ or cause.__context__
    return cause


@dataclass
class Connections:
    """All of them, by name."""

    by_name: Mapping[str, Connection] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Connection:
        return self.by_name[name]

    def __iter__(self) -> Any:
        return iter(self.by_name.values())

    def of(self, vendor: str) -> list[Connection]:
        """The tenants of one vendor."""
        return [c for c in self.by_name.values() if c.vendor.name == vendor]

    async def aclose(self) -> None:
        """Close every client."""
        for connection in self:
            await connection.aclose()
