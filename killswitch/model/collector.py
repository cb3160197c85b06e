"""The collector contract: one kind of evidence at one vendor, read only.

Artifacts are the raw bytes of the vendor's answers, never re-serialised SDK models: models drop
ids, nulls and values that they do not know.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Generic, TypeVar

from killswitch.model.subject import Account


@dataclass(frozen=True)
class Window:
    """The time that is asked for, UTC, ``since`` inclusive."""

    since: datetime
    until: datetime


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """One answer, as it came.

    ``name`` is the vendor's or ours, shown in the manifest only: files are named by digest.
    ``truncated``: the vendor or a limit cut it short; ``note`` says how. ``body`` may be given
    in chunks where it can be large.
    """

    name: str
    body: bytes | AsyncIterator[bytes]
    media_type: str = "application/json"
    source: str = ""  # method and path, or file
    query: str = ""  # the search that was asked, verbatim
    request_id: str = ""
    truncated: bool = False
    note: str = ""


Client = TypeVar("Client")


class Collector(ABC, Generic[Client]):
    """A frozen dataclass; its fields are the entry's ``with:`` in a playbook."""

    name: ClassVar[str]  # "github.pull_requests"
    volatile: ClassVar[bool]  # containment destroys it: must be sealed before the first change
    scopes: ClassVar[frozenset[str]]
    doc_url: ClassVar[str]

    @abstractmethod
    def collect(self, client: Client, account: Account, window: Window) -> AsyncIterator[Artifact]:
        """Yield artifacts as they come; what was yielded before an error is kept."""
