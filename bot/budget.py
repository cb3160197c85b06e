"""How often something is written to Slack: so much for one case, so much for all together.

Slack takes about fifty edits a minute from the whole app. What is ordinary, such as progress, may
use thirty of them; the rest is kept for what cannot wait, such as a gate that was answered.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

EVERY = 3.0  # seconds between two ordinary edits of one case's messages
A_MINUTE = 30.0  # ordinary edits in any minute, of all messages together
AT_ONCE = 8.0  # of those, so many may come in one burst
MOST = 46  # edits in any minute, also urgent ones
MINUTE = 60.0


class Budget:
    """A bucket that is refilled steadily: a burst and a minute's refill are ``a_minute``.

    ``now``: seconds on any clock that only goes forward.
    """

    def __init__(
        self,
        a_minute: float = A_MINUTE,
        every: float = EVERY,
        *,
        most: int = MOST,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.every, self.most, self.now = every, most, now
        self.at_once = min(AT_ONCE, a_minute / 2)
        self.a_second = (a_minute - self.at_once) / MINUTE
        self._left, self._at = self.at_once, now()
        self._last: dict[str, float] = {}
        self._taken: deque[float] = deque()

    def soon(self, name: str) -> bool:
        """Whether that case or person had one so lately that they may have no other yet."""
        return self.now() - self._last.get(name, -self.every) < self.every

    def may(self, name: str, *, urgent: bool = False) -> bool:
        """Take one for that case or person, if they may have one now. What is urgent goes first."""
        now = self.now()
        self._left = min(self.at_once, self._left + (now - self._at) * self.a_second)
        self._at = now
        while self._taken and self._taken[0] <= now - MINUTE:
            self._taken.popleft()
        if len(self._taken) >= self.most:
            return False
        if not urgent and (self._left < 1 or self.soon(name)):
            return False
        if not urgent:
            self._left -= 1
        self._last[name] = now
        self._taken.append(now)
        return True
