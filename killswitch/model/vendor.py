"""What a vendor package exports: one value, ``VENDOR``, and nothing happens on import."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict

from killswitch.model.action import Action
from killswitch.model.alerts import AlertReader
from killswitch.model.collector import Collector
from killswitch.model.subject import Account, Subject


class Settings(BaseModel):
    """What killswitch.yaml says of one connection. Vendors subclass it.

    Secrets are ``pydantic.SecretStr`` and arrive resolved from their references.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str  # the vendor's address, or a simulator's
    rate: float = 10.0  # requests a second
    burst: int = 20
    concurrency: int = 8  # requests under way at once
    timeout: float = 20.0  # seconds for one request, connect to last byte
    settle: float = 0.05  # seconds between the two reads that must agree

    default_url: ClassVar[str] = ""


class Link(Protocol):
    """What the engine lends to a client: its name, its pace and the hosts that it may reach."""

    @property
    def connection(self) -> str:
        """The connection's name in killswitch.yaml."""

    def turn(self) -> AbstractAsyncContextManager[None]:
        """Hold one of the connection's slots for the length of one HTTP request."""

    def allow(self, url: str) -> None:
        """Raise Refused unless the URL's host is one that this connection may reach.

        Called before every request, redirects and links that the vendor returned included.
        """


@dataclass(frozen=True)
class Check:
    """One line of ``agent-kill doctor``. ``ok`` None: could not be told."""

    name: str
    ok: bool | None
    detail: str
    fix: str = ""


class Client(Protocol):
    """The least that the engine asks of a vendor's client."""

    async def aclose(self) -> None:
        """Close sockets. The client is not used afterwards."""


C = TypeVar("C", bound=Client)


@dataclass(frozen=True, kw_only=True)
class Vendor(Generic[C]):
    """One vendor: how to connect, whom the subject is there, and what can be done.

    ``resolve`` returns every account that is exactly the subject (matched on a verified
    attribute, never on a display name); none, if there is none. ``whoami`` returns the identity
    behind our own credential. ``admins`` lists the *enabled* administrators, for the guard that
    leaves at least two. ``members`` lists the e-mail addresses in a group, for roles.
    ``check`` tells ``doctor`` whether the connection answers and its scopes suffice. ``alerts``
    reads the alerts that the vendor raises, where it is a SIEM.
    """

    name: str
    title: str
    settings: type[Settings]
    connect: Callable[[Any, Link], C]  # no I/O; the SDK is imported on first use
    resolve: Callable[[C, Subject], Awaitable[Sequence[Account]]]
    whoami: Callable[[C], Awaitable[Account]]
    check: Callable[[C], Awaitable[Sequence[Check]]]
    admins: Callable[[C], Awaitable[Sequence[Account]]] | None = None
    members: Callable[[C, str], Awaitable[Sequence[str]]] | None = None
    actions: tuple[type[Action[Any, Any, Any]], ...] = ()
    collectors: tuple[type[Collector[Any]], ...] = ()
    alerts: AlertReader[Any] | None = None
