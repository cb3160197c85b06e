"""The drill's clock: real time, and ahead of it by what waiting for people was cut short.

Machine time is never scaled: vendors' SDKs sleep by the real clock. Only while everything waits
for people may the drill's clock run ahead, in steps (``max``) or N times as fast. The engine
reads the lead from a file (``drill: {clock: …}`` in killswitch.yaml), so that gates expire by
the same clock.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path


class Clock:
    """``now()`` is what the engine's journal shows; ``t`` is seconds since the drill began."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.lead = 0.0
        self.skipped: list[tuple[float, float]] = []  # at which second, and how many were cut
        self._write()
        self.began = self.now()

    def now(self) -> datetime:
        """The drill's time, UTC."""
        return datetime.now(UTC) + timedelta(seconds=self.lead)

    @property
    def t(self) -> float:
        """Seconds of the drill's clock since it began."""
        return self.of(self.now())

    def of(self, moment: datetime) -> float:
        """Seconds from the drill's beginning to that moment of its clock."""
        return (moment - self.began).total_seconds()

    def ahead(self, seconds: float) -> None:
        """Skip that many seconds of waiting."""
        if seconds > 0:
            self.skipped.append((self.t, seconds))
            self.lead += seconds
            self._write()

    def _write(self) -> None:
        draft = self.file.with_suffix(".new")
        draft.write_text(f"{self.lead:.3f}")
        draft.replace(self.file)
