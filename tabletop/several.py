"""Several simulations side by side, each in a process of its own; a line for each as it ends."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from killswitch.cli.context import context
from killswitch.evidence import keys
from tabletop.playing import KEY, Wanted
from tabletop.scenario import Scenario

LONGEST = 600.0  # seconds for one


def play_all(chosen: list[tuple[str | Path, Scenario]], wanted: Wanted, jobs: int) -> bool:
    """Play them, so many at a time; whether every one is ready."""
    wanted.out.mkdir(parents=True, exist_ok=True)
    keys.private_key(wanted.out / KEY, drill=True)  # before two of them would make it
    return asyncio.run(_all(chosen, wanted, jobs))


async def _all(chosen: list[tuple[str | Path, Scenario]], wanted: Wanted, jobs: int) -> bool:
    free = asyncio.Semaphore(jobs)

    async def one(asked: str | Path, scenario: Scenario) -> bool:
        async with free:
            line = await _in_a_process(asked, wanted)
        _tell(scenario, line)
        return str(line.get("verdict", "not ready")) != "not ready"

    return all(await asyncio.gather(*(one(*pair) for pair in chosen)))


async def _in_a_process(asked: str | Path, wanted: Wanted) -> dict[str, Any]:
    """The line that the drill ends with; one that says why where there is none."""
    command = [sys.executable, "-m", "killswitch", "--json", "tabletop", "run", str(asked)]
    command += ["--personas", "--out", str(wanted.out)]
    command += ["--speed", "max" if wanted.speed is None else f"{wanted.speed:g}"]
    command += ["--seed", str(wanted.seed)] if wanted.seed is not None else []
    command += ["--slack"] if wanted.slack else []
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        out, errors = await asyncio.wait_for(process.communicate(), LONGEST)
    except TimeoutError:
        process.kill()
        await process.wait()
        return {"why": f"it was not over after {LONGEST:.0f} s"}
    lines = out.decode().splitlines()
    if not lines:
        return {"why": errors.decode(errors="replace").strip()[-500:]}
    found: dict[str, Any] = json.loads(lines[-1])
    return found


def _tell(scenario: Scenario, line: dict[str, Any]) -> None:
    if context.as_json:
        context.emit({"scenario": scenario.scenario, **line})
        return
    verdict = line.get("verdict", "failed")
    glyph = {"ready": "✓", "ready with gaps": "~"}.get(verdict, "✗")
    colour = {"ready": "green", "ready with gaps": "yellow"}.get(verdict, "red")
    says = line.get("why") or line.get("report", "")
    score = line.get("score", "")
    context.say(f"{glyph} {score!s:>3}  {scenario.scenario:26} {verdict:16} {says}", style=colour)
