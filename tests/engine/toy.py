"""A vendor of the simplest kind: doors, badges and passes of a person, in memory.

For what no simulator offers at will: a probe that contradicts, a step that cannot be undone, a
step by hand, a vendor that raises something unforeseen. It keeps the contract of
``model/action.py`` like any other vendor.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from killswitch.model.action import Action, Layer, Probe, Residual, Target, Undo
from killswitch.model.errors import Missing
from killswitch.model.subject import Account, Subject
from killswitch.model.vendor import Check, Link, Settings, Vendor

WORDS = Residual("nothing", 0, "https://toy.example")


@dataclass
class Room:
    """One tenant. ``on``: what happens instead, or before, by the name of the call."""

    open: dict[str, bool | None] = field(default_factory=lambda: {"front": True, "back": True})
    ours: str = "janitor"
    works: bool = False  # whether the old access works in spite of everything
    by_hand: str = ""  # how a person must do it: then the vendor has no API for it
    calls: list[str] = field(default_factory=list)
    on: dict[str, Callable[[], None]] = field(default_factory=dict)

    def called(self, name: str) -> None:
        self.calls.append(name)
        if happens := self.on.get(name):
            happens()


ROOMS: dict[str, Room] = {}  # by address


class Client:
    def __init__(self, settings: Settings, link: Link) -> None:
        self.connection = link.connection
        self.room = ROOMS[settings.url]

    async def aclose(self) -> None:
        """Nothing to close."""


@dataclass(frozen=True, kw_only=True)
class Door(Target):
    """A door by its name."""


@dataclass(frozen=True)
class DoorState:
    """Whether it opens; None: ajar, which nobody of us leaves it."""

    open: bool | None


class _Lock(Action[Client, Door, DoorState]):
    layer: ClassVar[Layer] = Layer.CREDENTIALS
    scopes: ClassVar[frozenset[str]] = frozenset()
    residual: ClassVar[Residual] = WORDS
    doc_url: ClassVar[str] = "https://toy.example"

    async def locate(self, client: Client, account: Account) -> AsyncIterator[Door]:
        client.room.called("locate")
        for name in list(client.room.open):
            yield Door(id=name, label=f"door {name}", manual=client.room.by_hand)

    async def capture(self, client: Client, target: Door) -> DoorState:
        client.room.called("capture")
        if target.id not in client.room.open:
            raise Missing(f"there is no door {target.id}")
        return DoorState(client.room.open[target.id])

    def goal(self, target: Door, before: DoorState) -> DoorState:
        return DoorState(open=False)

    async def apply(self, client: Client, target: Door, before: DoorState) -> None:
        client.room.called("apply")
        client.room.open[target.id] = False

    async def undo(self, client: Client, target: Door, before: DoorState) -> None:
        client.room.called("undo")
        client.room.open[target.id] = before.open

    async def probe(self, client: Client, target: Door) -> Probe | None:
        client.room.called("probe")
        return Probe(not client.room.works, f"pulled at {target.id}")


@dataclass(frozen=True)
class Lock(_Lock):
    """Lock every door."""

    name: ClassVar[str] = "toy.door.lock"
    undo_kind: ClassVar[Undo] = Undo.EXACT


@dataclass(frozen=True)
class WallUp(_Lock):
    """Wall every door up, for good."""

    name: ClassVar[str] = "toy.door.wall_up"
    undo_kind: ClassVar[Undo] = Undo.NONE
    reissue: ClassVar[str] = "A mason must make a new door."


async def resolve(client: Client, subject: Subject) -> Sequence[Account]:
    client.room.called("resolve")
    return [
        Account(
            connection=client.connection,
            vendor="toy",
            id=subject.name,
            login=subject.name,
            label=subject.name,
            email=subject.name,
        )
    ]


async def whoami(client: Client) -> Account:
    client.room.called("whoami")
    ours = client.room.ours
    return Account(connection=client.connection, vendor="toy", id=ours, login=ours, label=ours)


async def check(client: Client) -> Sequence[Check]:
    return []


VENDOR = Vendor(
    name="toy",
    title="Toy",
    settings=Settings,
    connect=Client,
    resolve=resolve,
    whoami=whoami,
    check=check,
    actions=(Lock, WallUp),
)
