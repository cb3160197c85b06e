"""A vendor that exists in memory only: what is left of a kill is the engine, nothing else.

Registered in the catalogue by the benchmark alone (``register``). The subject has as many keys
as its settings say; an answer takes no time and no socket.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from killswitch import catalogue
from killswitch.model.action import Action, Layer, Probe, Residual, Target, Undo
from killswitch.model.subject import Account, Subject
from killswitch.model.vendor import Check, Link, Settings, Vendor

NAME = "memory"


class MemorySettings(Settings):
    """How many keys the subject has."""

    keys: int = 100


@dataclass(frozen=True, kw_only=True)
class KeyTarget(Target):
    """One key."""


@dataclass(frozen=True)
class KeyState:
    """Whether it opens anything."""

    active: bool


class Memory:
    """All keys, by id."""

    def __init__(self, settings: MemorySettings, link: Link) -> None:
        self.keys = {f"key-{n:05}": True for n in range(settings.keys)}
        self._link = link

    async def read(self, key: str) -> bool:
        """One request."""
        async with self._link.turn():
            return self.keys[key]

    async def write(self, key: str, *, active: bool) -> None:
        """One request."""
        async with self._link.turn():
            self.keys[key] = active

    async def aclose(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True)
class Deactivate(Action[Memory, KeyTarget, KeyState]):
    """Set every key inactive."""

    name: ClassVar = "memory.keys.deactivate"
    layer: ClassVar = Layer.CREDENTIALS
    undo_kind: ClassVar = Undo.EXACT
    scopes: ClassVar = frozenset({"keys"})
    residual: ClassVar = Residual("nothing", 0, "memory")
    doc_url: ClassVar = "memory"

    async def locate(self, client: Memory, account: Account) -> AsyncIterator[KeyTarget]:
        """All keys."""
        for key in client.keys:
            yield KeyTarget(id=key, label=f"key {key}")

    async def capture(self, client: Memory, target: KeyTarget) -> KeyState:
        """One read."""
        return KeyState(await client.read(target.id))

    def goal(self, target: KeyTarget, before: KeyState) -> KeyState:
        """Inactive."""
        return KeyState(active=False)

    async def apply(self, client: Memory, target: KeyTarget, before: KeyState) -> None:
        """One write."""
        await client.write(target.id, active=False)

    async def undo(self, client: Memory, target: KeyTarget, before: KeyState) -> None:
        """One write."""
        await client.write(target.id, active=before.active)

    async def probe(self, client: Memory, target: KeyTarget) -> Probe:
        """One read."""
        return Probe(not await client.read(target.id), "the key was tried")


def _account(name: str) -> Account:
    return Account(connection="", vendor=NAME, id=name, login=name, label=name)


async def _resolve(client: Memory, subject: Subject) -> Sequence[Account]:
    del client
    return [_account(subject.name)]


async def _whoami(client: Memory) -> Account:
    del client
    return _account("ourselves")


async def _check(client: Memory) -> Sequence[Check]:
    del client
    return []


VENDOR = Vendor(
    name=NAME,
    title="Memory",
    settings=MemorySettings,
    connect=Memory,
    resolve=_resolve,
    whoami=_whoami,
    check=_check,
    actions=(Deactivate,),
)


def register() -> None:
    """Let this process's catalogue know of it."""
    catalogue.VENDORS[NAME] = __name__
