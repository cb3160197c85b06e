"""Chance that repeats: one seed, a stream of its own for everything that is drawn.

A stream is named by what draws from it, so adding an inject reshuffles no other.
"""

from __future__ import annotations

import hashlib
import random

from tabletop.scenario import Spread


class Chance:
    """Draws by name. ``Chance(4711).delay("ack:lead", Spread(360, 120))``."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def stream(self, name: str) -> random.Random:
        """The stream of that name, from its beginning."""
        return random.Random(hashlib.sha256(f"{self.seed}:{name}".encode()).digest())

    def delay(self, name: str, spread: Spread) -> float:
        """Seconds within the spread."""
        low, high = spread.middle - spread.spread, spread.middle + spread.spread
        return round(self.stream(name).uniform(low, high), 1)

    def happens(self, name: str, probability: float) -> bool:
        """Whether it comes to pass."""
        return self.stream(name).random() < probability
