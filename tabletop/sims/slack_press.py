"""What comes of pressing something in Slack: the app's acknowledgement and what the person saw."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Ack:
    """How the app took one delivery.

    ``error`` is empty, or what Slack shows the person: ``operation_timeout`` (no answer in time)
    or ``dispatch_failed`` (nobody there, or an HTTP status other than 200, then in ``status``).
    """

    error: str = ""
    payload: Json = field(default_factory=dict)
    text: str = ""  # the body, where it was not JSON
    seconds: float = 0.0
    status: int = 0
    retry: bool = True  # False: the app asked not to be sent this again


@dataclass
class Press:
    """One thing a person did (or an event), and what came of it.

    ``texts`` (private answers to this press) and ``views`` (opened or pushed with its trigger)
    grow for as long as the app uses the press's ``response_url`` and trigger; look again later.
    The text of an ack is shown for commands only: Slack ignores it for clicks, forms, shortcuts.
    ``errors`` are those shown beside a form's fields, by block: the form's own (required field,
    too short) when nothing was sent, the app's when it answered ``response_action: errors``.
    """

    kind: str  # slash_commands, interactive or events_api, as Slack's envelopes call it
    user: str
    payload: Json
    sent: bool = False
    acks: list[Ack] = field(default_factory=list)  # one for each delivery, the first one first
    texts: list[str] = field(default_factory=list)
    views: list[Json] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)
    shown: str = ""  # an error of ours: the app's answer was not one that Slack can show

    @property
    def ack(self) -> Json:
        """What the app answered with the first acknowledgement; ``{}`` for an empty one."""
        return self.acks[0].payload if self.acks else {}

    @property
    def error(self) -> str:
        """What went wrong for the person, or ``""``."""
        return self.shown or (self.acks[0].error if self.acks else "")

    @property
    def status(self) -> int:
        """The HTTP status of the first answer; 0 in Socket Mode."""
        return self.acks[0].status if self.acks else 0

    @property
    def seconds(self) -> float:
        """How long the app took to acknowledge."""
        return self.acks[0].seconds if self.acks else 0.0

    @property
    def view(self) -> Json | None:
        """The last view that was opened with this press's trigger."""
        return self.views[-1] if self.views else None
