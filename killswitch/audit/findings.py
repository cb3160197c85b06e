"""What an audit says: findings in plain sentences, worst things named by entry number."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Severity(StrEnum):
    """``broken``: the record cannot be trusted there. ``warning``: it can, but look."""

    BROKEN = "broken"
    WARNING = "warning"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong. ``where``: the number of the entry, 0 if it is about no entry."""

    what: str  # changed, missing, cut, rewritten, signature, head, approval, evidence, …
    where: int
    severity: Severity
    says: str


@dataclass
class Findings:
    """The result of an audit.

    ``unanchored``: how many of the newest entries no witness holds a signed head over; whoever
    owns the database could still cut those unseen.
    """

    found: list[Finding] = field(default_factory=list)
    entries: int = 0
    heads: int = 0
    unanchored: int = 0

    @property
    def sound(self) -> bool:
        """Whether nothing is broken."""
        return all(f.severity is not Severity.BROKEN for f in self.found)

    def broken(self, what: str, where: int, says: str) -> None:
        """Add a finding that takes away trust."""
        self.found.append(Finding(what, where, Severity.BROKEN, says))

    def warn(self, what: str, where: int, says: str) -> None:
        """Add a finding that is worth a look."""
        self.found.append(Finding(what, where, Severity.WARNING, says))
