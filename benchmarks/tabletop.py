"""The tabletop's figures: a simulation of the biggest scenario, and all atomics together.

Whole commands as they are typed, each with its process, engine, truth, score and signed report.
``python -m benchmarks.tabletop``.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

from benchmarks import simulators
from benchmarks.figures import Figure, machine

BIGGEST = "forty-one-agents"  # midsize world, five suspects


def main() -> None:
    """Print every figure."""
    print(machine())
    for figure in run():
        print(figure.line(), flush=True)


def run() -> Iterator[Figure]:
    """The figures, measured now."""
    yield from simulators.run()
    yield Figure(f"tabletop: {BIGGEST}, simulated", (_took(BIGGEST),), "s", 60.0)
    yield Figure("tabletop: all atomics together", (_took("atomics"),), "s", 90.0)


def _took(what: str) -> float:
    """Wall seconds. Raises CalledProcessError when a drill is not ready: its time says nothing."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "killswitch", "tabletop", "run", what, "--personas"]
        began = time.monotonic()
        subprocess.run([*command, "--out", folder], check=True, stdout=subprocess.DEVNULL)
        return time.monotonic() - began


if __name__ == "__main__":
    main()
