"""The action contract: read this before you write a vendor action.

An action is one kind of change at one vendor. Its author writes the small methods below; the
engine owns everything else. It plans (locate, capture, goal; no writes), journals the
before-state, calls ``apply``, reads back with ``capture`` until two reads equal the goal, asks
``probe`` whether the old access is really refused, and on restore calls ``undo`` and reads
until the state equals the before-state. So plan, verify and restore share one definition of
"done" and cannot disagree, and there is no dry-run flag anywhere in an action.

A subclass is a frozen dataclass; its fields are the step's ``with:`` in a playbook. ``Target``
and ``State`` subclasses are frozen dataclasses of plain JSON values. Secrets never enter them.
Errors: raise those of ``model/errors.py`` (the vendor's ``client.py`` already does).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Generic, TypeVar

from killswitch.model.subject import Account


class Layer(StrEnum):
    """The order of containment."""

    IDENTITY = "identity"
    CREDENTIALS = "credentials"
    REPOSITORIES = "repositories"


class Undo(StrEnum):
    """What restore can give back."""

    EXACT = "exact"  # the before-state, field for field
    REBUILD = "rebuild"  # an equivalent: a new id, a new place in a queue
    NONE = "none"  # gone for good: its gate asks two people


@dataclass(frozen=True)
class Residual:
    """What may live on after success: for how long (seconds; None: unknown), and says who."""

    what: str
    seconds: int | None
    source: str


@dataclass(frozen=True, kw_only=True)
class Target:
    """One concrete object that an action would hit, by immutable id.

    ``manual``: set where the vendor has no API for it; the words tell a person what to do.
    ``counts``: how many objects it stands for, against the playbook's limits: the number of
    repositories for a rule over a whole organisation.
    """

    id: str
    label: str
    manual: str = ""
    counts: int = 1


@dataclass(frozen=True)
class Probe:
    """Whether the old access is refused. ``refused`` None: it could not be tried."""

    refused: bool | None
    how: str


Client = TypeVar("Client")
T = TypeVar("T", bound=Target)
State = TypeVar("State")


class Action(ABC, Generic[Client, T, State]):
    """One kind of change at one vendor."""

    name: ClassVar[str]  # "okta.user.suspend": vendor, noun, verb; never renamed
    layer: ClassVar[Layer]
    undo_kind: ClassVar[Undo]
    scopes: ClassVar[frozenset[str]]  # least privilege, in the vendor's own words
    residual: ClassVar[Residual]
    doc_url: ClassVar[str]  # the vendor's page for the endpoint
    reissue: ClassVar[str] = ""  # not exact: who must do what to have it again, in one sentence

    @abstractmethod
    def locate(self, client: Client, account: Account) -> AsyncIterator[T]:
        """Every object this would hit, complete. Read only."""

    @abstractmethod
    async def capture(self, client: Client, target: T) -> State:
        """The fields that this action owns, read fresh. Read only. Missing if it is gone."""

    @abstractmethod
    def goal(self, target: T, before: State) -> State:
        """The state wanted. Pure; ``goal(goal(s)) == goal(s)``; equal to before: nothing to do."""

    @abstractmethod
    async def apply(self, client: Client, target: T, before: State) -> None:
        """Make it so. May run twice; "already so" is success."""

    @abstractmethod
    async def undo(self, client: Client, target: T, before: State) -> None:
        """Give ``before`` back. May run twice. Never called where ``undo_kind`` is none."""

    async def probe(self, client: Client, target: T) -> Probe | None:
        """Try the old access, harmlessly. None: there is no way to try at this vendor."""
        return None

    def impact(self, target: T, before: State) -> str:
        """What stops working for others, in one plain sentence, for the plan. "": nothing."""
        return ""
