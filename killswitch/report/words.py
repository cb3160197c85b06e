"""The words that people read: one plain name, glyph and colour for each state, in one place.

The terminal, the chat and the report all take them from here, so that a state is called the
same everywhere. Only the standard library is imported. Colours are names that both ``rich``
and the report's style sheet know: green, yellow, red, blue, cyan, magenta, dim. A glyph always
stands beside its label: neither colour nor shape alone carries a meaning.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

UNKNOWN = "unknown"


class Word(NamedTuple):
    """A state as people see it; ``means`` is the same in one plain sentence."""

    label: str
    glyph: str
    colour: str
    means: str


CHANGES: dict[str, Word] = {
    "planned": Word("planned", "○", "dim", "Nothing was changed yet."),
    "held": Word("on hold", "◔", "dim", "Its before-state is kept; the change is not made yet."),
    "applying": Word("under way", "◐", "blue", "The change was sent and is not read back yet."),
    "retrying": Word("still trying", "↻", "yellow", "Past its layer's deadline; tried again."),
    "contained": Word("contained", "✓", "green", "Two reads agree that it is as wanted."),
    "unverified": Word("unverified", "?", "yellow", "It could not be read back: treat it as open."),
    "failed": Word("failed", "✗", "red", "It could not be made: the access is open."),
    "manual": Word("by hand", "✎", "magenta", "There is no API for it: a person must do it."),
    "skipped": Word("skipped", "–", "dim", "Left out on purpose; the reason is given."),
    "reverted": Word("came undone", "↺", "red", "It was contained and is no longer so."),
    "restoring": Word("being restored", "◑", "blue", "The before-state is being given back."),
    "restored": Word("restored", "⟲", "cyan", "The before-state was given back and read."),
    "kept": Word("kept", "■", "cyan", "Restore left it as it is; the reason is given."),
    "reissue": Word("to be reissued", "✉", "magenta", "Gone for good: issue a new one."),
    "drifted": Word("drifted", "≠", "yellow", "Somebody else changed it since: a person decides."),
}

CASES: dict[str, Word] = {
    "requested": Word("Requested", "○", "dim", "The request is recorded; nothing else has begun."),
    "resolved": Word("Resolved", "○", "dim", "The accounts are known; the plan is being made."),
    "waiting": Word("Waiting", "◔", "blue", "The plan waits for evidence and for people."),
    "containing": Word("Containing", "◐", "blue", "Changes are being made."),
    "contained": Word("Contained", "✓", "green", "Every required change was read back twice."),
    "partial": Word("Partial", "!", "yellow", "Some required changes are still open."),
    "refused": Word("Refused", "⊘", "dim", "Policy said no. Nothing was changed."),
    "denied": Word("Denied", "⊘", "dim", "The people who were asked did not approve."),
    "aborted": Word("Aborted", "■", "red", "Somebody stopped it."),
    "planned": Word("Planned only", "○", "dim", "A plan was wanted, and nothing else."),
    "collected": Word("Evidence only", "○", "dim", "Evidence was wanted, and nothing else."),
    "restoring": Word("Being restored", "◑", "blue", "Access is being given back."),
    "part-restored": Word("Partly restored", "◑", "yellow", "Some access was given back."),
    "restored": Word("Restored", "⟲", "cyan", "Access was given back."),
}

GATES: dict[str, Word] = {
    "": Word("open", "◔", "blue", "Not enough people have answered yet."),
    "approved": Word("approved", "✓", "green", "Enough people said yes."),
    "denied": Word("denied", "✗", "red", "Somebody said no."),
    "expired": Word("expired", "⌛", "yellow", "Nobody answered in time."),
    "reversible_only": Word(
        "reversible only", "◑", "yellow", "Nobody approved it; only what can be undone ran."
    ),
    "aborted": Word("aborted", "■", "dim", "The case was stopped while it was open."),
}

DECISIONS: dict[str, Word] = {
    "approve": Word("approved", "✓", "green", "Said yes."),
    "deny": Word("denied", "✗", "red", "Said no."),
    "turned-away": Word("turned away", "⊘", "yellow", "The press did not count."),
}

MODES: dict[str, Word] = {
    "live": Word("LIVE", "●", "red", "Real accounts at real vendors."),
    "drill": Word(
        "DRILL", "▲", "magenta", "Every vendor was simulated. No real account was touched."
    ),
    "plan": Word("PLAN ONLY", "○", "dim", "A plan was made. Nothing was changed."),
    "evidence": Word("EVIDENCE ONLY", "○", "dim", "Evidence was collected. Nothing was changed."),
}

GOES_AHEAD = (
    "What can be undone goes ahead without approval: a trigger asked, and the configuration allows "
    "it. A denial stops it."
)

UNDO: dict[str, str] = {
    "exact": "can be restored exactly",
    "rebuild": "can be rebuilt, with a new id",
    "none": "cannot be undone",
}

ASSURANCE: dict[str, str] = {
    "service": "the configuration: a trigger asked, not a person",
    "os-login": "the login name of the operating system",
    "slack": "a Slack account",
    "oidc": "a sign-in at the identity provider",
    "ssh-signature": "a signature with their own key",
}


def word(words: dict[str, Word], state: str) -> Word:
    """The words for a state. One that is not known is shown by its own name, as unknown."""
    return words.get(state) or Word(state or UNKNOWN, "?", "yellow", "This state is not known.")


def moment(text: str) -> datetime | None:
    """An ISO 8601 time as UTC; None where there is none or it cannot be read."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def utc(text: str, missing: str = UNKNOWN) -> str:
    """``2026-03-14 09:12:04 UTC``, or ``missing``."""
    at = moment(text)
    return at.strftime("%Y-%m-%d %H:%M:%S UTC") if at else missing


def clock(text: str, missing: str = UNKNOWN) -> str:
    """``09:12:04``, UTC, where the day is plain from what stands around it."""
    at = moment(text)
    return at.strftime("%H:%M:%S") if at else missing


def between(start: str, end: str) -> float | None:
    """Seconds from one time to another; None if either is unknown or they are out of order."""
    first, last = moment(start), moment(end)
    if first is None or last is None or last < first:
        return None
    return (last - first).total_seconds()


def later(text: str, seconds: float) -> str:
    """The time so many seconds later, ISO 8601; "" where the first is unknown."""
    at = moment(text)
    return (at + timedelta(seconds=seconds)).isoformat() if at else ""


def duration(seconds: float | None) -> str:
    """``0.4 s``, ``40 s``, ``2 min 14 s``, ``1 h 4 min``, ``3 d 2 h``; two units at most."""
    if seconds is None:
        return UNKNOWN
    if 0 < seconds < 9.95:
        tenths = f"{seconds:.1f}".removesuffix(".0")
        return "under 0.1 s" if tenths == "0" else f"{tenths} s"
    left = round(seconds)
    parts: list[str] = []
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, length)
        if count or parts:
            parts.append(f"{count} {unit}" if count else "")
        if len(parts) == 2:
            break
    return " ".join(part for part in parts if part) or "0 s"


def size(count: int) -> str:
    """``812 B``, ``3.4 kB``, ``120 MB``: powers of 1000."""
    units = ["B", "kB", "MB", "GB", "TB"]
    amount = float(count)
    while amount >= 999.5 and len(units) > 1:
        amount /= 1000
        units.pop(0)
    whole = units[0] == "B" or amount >= 99.5
    shown = f"{amount:.0f}" if whole else f"{amount:.1f}".removesuffix(".0")
    return f"{shown} {units[0]}"


def counted(count: int, noun: str, plural: str = "") -> str:
    """``1 change``, ``3 changes``, ``2 entries``."""
    return f"{count} {noun if count == 1 else plural or noun + 's'}"


def listed(names: Iterable[str], most: int = 4) -> str:
    """``a``, ``a and b``, ``a, b, c and 9 more``: each once, in the order given."""
    once = list(dict.fromkeys(names))
    if len(once) > most:
        once = [*once[: most - 1], f"{len(once) - most + 1} more"]
    return " and ".join(filter(None, [", ".join(once[:-1]), *once[-1:]]))


def probe(result: Mapping[str, object] | None) -> str:
    """What trying the old access showed; ``result`` is a Probe as JSON, or None: not tried."""
    if result is None:
        return "The old access was not tried."
    if result.get("refused") is True:
        return "The old access was tried and refused."
    if result.get("refused") is False:
        return "The old access was tried and STILL WORKS."
    return "The old access could not be tried."
