"""How a vendor's alerts are read with our own credential: what a push says is only a hint.

A push can be forged, altered, cut short or lost. So an alert is read again by its id before
anything is started, and what was raised lately is asked for, to find what no push brought.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar

from killswitch.model.collector import Artifact, Window


@dataclass(frozen=True, kw_only=True)
class Found:
    """One alert as the vendor has it.

    ``id``: the vendor's own, unique in that tenant; the same whether it was read after a push or
    found by asking what is new. ``asked``: the reference that it answers, "" if it was found.
    ``body``: the alert in the shape in which this vendor's push brings one alert, so that one
    trigger rule serves both. ``raised_at`` is UTC. ``answer``: the response that it stands in,
    byte for byte, as evidence; alerts of one response share it.
    """

    id: str
    asked: str = ""
    body: Mapping[str, Any]
    raised_at: datetime
    answer: Artifact


Client = TypeVar("Client")


class AlertReader(ABC, Generic[Client]):
    """Reads alerts of one vendor. Reads only; never follows a link out of an alert."""

    scopes: ClassVar[frozenset[str]]
    doc_url: ClassVar[str]

    @abstractmethod
    def references(self, pushed: Mapping[str, Any]) -> Sequence[str]:
        """What the alerts of a pushed body are found by at the vendor; none if it names none.

        The body is a stranger's: whatever does not look exactly like such a reference is left
        out, and no part of it becomes a path, a query or a URL.
        """

    @abstractmethod
    async def read(self, client: Client, references: Sequence[str]) -> Sequence[Found]:
        """Every alert behind these references, now. Those that do not exist are not in it.

        Raises VendorError when the vendor could not be asked.
        """

    @abstractmethod
    def recent(self, client: Client, window: Window) -> AsyncIterator[Found]:
        """Every alert raised in the window, oldest first where the vendor can sort.

        Raises VendorError; what was yielded before is good. An answer that the vendor cut short
        raises Unexpected: an alert that is missing silently would be lost.
        """
