"""What can become of an alert, and the decision that says so."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """What became of an alert. ``triage`` and ``held`` wait for people."""

    START = "start"  # as judged; recorded as one of the next two
    STARTED = "started"
    JOINED = "joined"  # its subject has a case already; the alert is evidence in it
    OBSERVED = "observed"  # the rule only watches
    DUPLICATE = "duplicate"  # the source told us this very alert before
    SPLIT = "split"  # a push that stands for several alerts; each is one of its own
    TRIAGE = "triage"  # not clear enough to act on
    HELD = "held"  # clear, and over a cap
    DISMISSED = "dismissed"  # a person looked, and nothing is to be done


WAITING = (Outcome.TRIAGE, Outcome.HELD)  # for people


@dataclass(frozen=True)
class Decision:
    """The outcome and its reason.

    ``level``: at which it is acted on, which a cap may lower. ``cap``: the name of the cap that
    was reached. ``case``: the one that it belongs to already.
    """

    outcome: Outcome
    why: str
    rule: str = ""
    rule_digest: str = ""
    level: str = ""
    subject: str = ""
    alert_id: str = ""
    occurred: str = ""
    link: str = ""
    cap: str = ""
    case: str = ""


@dataclass(frozen=True)
class Decided:
    """A decision about one alert that is to be written down. ``by``: the person, if one did."""

    alert: int
    decision: Decision
    case: str = ""
    by: str = ""
