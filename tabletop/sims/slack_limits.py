"""How often Slack lets an app call: so many a minute by method, one message a second by channel."""

from __future__ import annotations

import math
import time
from collections import deque

TIER_1, TIER_2, TIER_3, TIER_4 = 1, 20, 50, 100
MESSAGES = 300  # chat.postMessage, all channels together
BURST = 10  # messages that one channel takes at once before one a second holds


class Limits:
    """Who may call when. ``scale`` multiplies every allowance, ``minute`` is its length in seconds.

    Slack says "50+ a minute" and forgives short bursts; here the figure is the limit.
    ``allowances["chat.update"] = 5`` makes one method scarcer. A scale of 0 takes all limits away.
    """

    def __init__(self, *, scale: float = 1.0, minute: float = 60.0) -> None:
        self.scale = scale
        self.minute = minute
        self.allowances: dict[str, int] = {}
        self._taken: dict[str, deque[float]] = {}
        self._buckets: dict[str, tuple[float, float]] = {}  # channel -> messages left, as of when

    def wait(self, method: str, allowance: int, channel: str = "") -> int:
        """Count a call; 0, or the whole seconds after which it may be tried again."""
        if not self.scale:
            return 0
        now = time.monotonic()
        taken = self._taken.setdefault(method, deque())
        while taken and taken[0] <= now - self.minute:
            taken.popleft()
        most = max(1, int(self.allowances.get(method, allowance) * self.scale))
        if len(taken) >= most:
            return max(1, math.ceil(taken[0] + self.minute - now))
        if method == "chat.postMessage" and (seconds := self._channel(channel, now)):
            return seconds
        taken.append(now)
        return 0

    def _channel(self, channel: str, now: float) -> int:
        a_second = 60 / self.minute * self.scale
        left, then = self._buckets.get(channel, (BURST * self.scale, now))
        left = min(BURST * self.scale, left + (now - then) * a_second)
        if left < 1:
            self._buckets[channel] = left, now
            return max(1, math.ceil((1 - left) / a_second))
        self._buckets[channel] = left - 1, now
        return 0
