"""A figure: what was measured, how often, and the bound it is held to. Printed, never asserted."""

from __future__ import annotations

import os
import platform
import statistics
from dataclasses import dataclass
from pathlib import Path

AT_MOST, AT_LEAST = "≤", "≥"


@dataclass(frozen=True)
class Figure:
    """Values of some repetitions and their bound. ``bound`` None: told for comparison only."""

    what: str
    values: tuple[float, ...]
    unit: str = ""
    bound: float | None = None
    side: str = AT_MOST
    note: str = ""

    @property
    def median(self) -> float:
        """The value that is held against the bound."""
        return statistics.median(self.values)

    @property
    def ok(self) -> bool | None:
        """Whether the median keeps the bound; None where there is none."""
        if self.bound is None:
            return None
        kept = self.median <= self.bound if self.side == AT_MOST else self.median >= self.bound
        return bool(kept)

    def line(self) -> str:
        """What, value, bound, ok or over, spread, note: one line."""
        value = f"{_short(self.median)} {self.unit}".rstrip()
        bound = "" if self.bound is None else f"{self.side} {_short(self.bound)} {self.unit}"
        verdict = {True: "ok", False: "OVER", None: "–"}[self.ok]
        spread = ""
        if len(self.values) > 1:
            spread = f"{_short(min(self.values))}–{_short(max(self.values))} of {len(self.values)}"
        about = "; ".join(part for part in (spread, self.note) if part)
        return f"{self.what:<64} {value:>12}  {bound.rstrip():<12} {verdict:<5} {about}".rstrip()


def machine() -> str:
    """The kind of machine, and how busy it is: what the figures must be read with."""
    busy = os.getloadavg()[0]
    return (
        f"{os.cpu_count()} × {_processor()}, Python {platform.python_version()}, "
        f"{platform.system()}; load {busy:.1f} before the run"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except FileNotFoundError:  # not Linux
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _short(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
