"""``make bench``: every figure, one line each, as a ratio or against a bound, in one run.

A figure over its bound is told and not asserted: a busy machine must not turn a build red. What
each figure means and how it is measured: docs/performance.md.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks import alerts, command, slack, tabletop
from benchmarks.figures import AT_LEAST, Figure, machine
from benchmarks.home import LATENCY, home

KILLS = 2  # repetitions of the whole kill
MORE_AGENTS = (0, 3)  # a suspect with two coding agents, and one with five
ENGINES = 3  # repetitions of the engine alone
COMMANDS = 2
PRESSES = {"serve runs": 2, "cold engine": 1}
GATES = 7


def main() -> None:
    began = time.monotonic()
    print(machine())
    print(f"{'what':<64} {'median':>12}  {'bound':<12} {'':<5} spread, note")
    over = 0
    for figures in (
        _commands,
        _presses,
        _engine,
        _wide,
        _gates,
        slack.run,
        _kills,
        alerts.run,
        tabletop.run,
    ):
        for figure in figures():
            print(figure.line(), flush=True)
            over += figure.ok is False
    print(f"{over or 'none'} over the bound; {time.monotonic() - began:.0f} s")


def _commands() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        file = home(Path(folder))
        for words in ("--help", "status"):
            heavy = command.loaded(file, words)
            yield Figure(
                f"SDKs and DBOS loaded by agent-kill {words}",
                (len(heavy),),
                bound=0,
                note=", ".join(heavy),
            )
            costs = tuple(command.cost(file, words) for _ in range(COMMANDS))
            yield Figure(f"CPU of agent-kill {words}", costs, "s")


def _presses() -> Iterator[Figure]:
    for what, times in PRESSES.items():
        serving = what == "serve runs"
        spent = []
        for _ in range(times):
            with tempfile.TemporaryDirectory() as folder:
                spent.append(command.press(Path(folder), serving=serving))
        bound = 1.0 if serving else None  # who wants it fast lets the engine run
        yield Figure(f"CPU from press to first vendor request, {what}", tuple(spent), "s", bound)


def _engine() -> Iterator[Figure]:
    runs = [_run("engine_cost", "100") for _ in range(ENGINES)]
    spent = tuple(1000 * run["cpu"] / run["changes"] for run in runs)
    yield Figure("engine CPU a change, 100 changes", spent, "ms", 15.0)


def _wide() -> Iterator[Figure]:
    run = _run("engine_cost", "1000")
    each = 1000 * run["wall"] / run["changes"]
    yield Figure("peak memory of the engine, 1,000 targets in a layer", (run["rss"],), "MiB", 300.0)
    yield Figure("wall time a target, 1,000 targets in a layer", (each,), "ms")
    cpu = 1000 * run["cpu"] / run["changes"]
    yield Figure("engine CPU a change, 1,000 changes", (cpu,), "ms", 15.0)


def _gates() -> Iterator[Figure]:
    found = _run("engine_cost", "1", str(GATES))
    spent = tuple(1000 * seconds for seconds in found["gates"])
    yield Figure("from a decision's entry to the shut gate's", spent, "ms", 250.0)


def _kills() -> Iterator[Figure]:
    """The whole kill of two persons, and the scripts that make the same changes."""
    low, high = (1000 * seconds for seconds in LATENCY)
    with tempfile.TemporaryDirectory() as folder:
        plans = {more: str(Path(folder) / f"{more}.json") for more in MORE_AGENTS}
        runs = {more: [_run("kill", str(more), plan)] for more, plan in plans.items()}
        runs[0] += [_run("kill", "0", plans[0]) for _ in range(KILLS - 1)]
        with ThreadPoolExecutor() as pool:  # a script only waits; two beside each other may
            scripts = dict(zip(plans, pool.map(_script, plans.items()), strict=True))
    about = f"{low:.0f}–{high:.0f} ms a call"
    for more, found in runs.items():
        yield Figure(
            f"last approval to last verified ÷ critical path, {found[0]['changes']} changes",
            tuple(run["ours"] / run["least"] for run in found),
            bound=1.15,
            note=f"{about}, the path {found[0]['least']:.1f} s",
        )
        yield Figure(
            f"script, one change after another ÷ ours, {found[0]['changes']} changes",
            tuple(scripts[more] / run["ours"] for run in found),
            bound=3.0,
            side=AT_LEAST,
            note=f"{about}, the script {scripts[more]:.1f} s, ours {found[0]['ours']:.1f} s",
        )


def _script(plan: tuple[int, str]) -> float:
    """Seconds that a plain script takes for the changes of that plan."""
    more, file = plan
    return float(_run("kill", str(more), file, "script")["plain"])


def _run(module: str, *words: str) -> Any:
    """What a benchmark in a process of its own has found."""
    command_line = [sys.executable, "-m", f"benchmarks.{module}", *words]
    done = subprocess.run(command_line, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.strip().rpartition("\n")[2])


if __name__ == "__main__":
    main()
