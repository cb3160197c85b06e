"""How often messages are edited: Slack allows about fifty edits a minute, for the whole app."""

from __future__ import annotations

import time

EVERY = 3.0  # seconds between two edits of one case's progress
A_MINUTE = 40.0  # edits of all messages together


class Budget:
    """A bucket of edits, refilled steadily; what is urgent may overdraw it a little."""

    def __init__(self, a_minute: float = A_MINUTE, every: float = EVERY) -> None:
        self.a_minute, self.every = a_minute, every
        self._left, self._at = 10.0, time.monotonic()
        self._last: dict[str, float] = {}

    def may(self, case: str, *, urgent: bool = False) -> bool:
        """Take one edit for the case, if it may have one now."""
        now = time.monotonic()
        self._left = min(10.0, self._left + (now - self._at) * self.a_minute / 60)
        self._at = now
        if not urgent and (self._left < 1 or now - self._last.get(case, -self.every) < self.every):
            return False
        if urgent and self._left < -5:
            return False
        self._left -= 1
        self._last[case] = now
        return True
