"""The whole kill at slow vendors: against its critical path, and against a plain script.

``python -m benchmarks.kill MORE PLAN`` runs it for a suspect with MORE further agents and keeps
its plan in the file PLAN; with ``script`` at the end, a script makes the changes of that plan.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

from benchmarks import critical
from benchmarks.home import LATENCY, Desk, Vendors, home, world_with
from killswitch import config as configuration
from killswitch import playbooks, wiring
from killswitch.engine import planner
from killswitch.model.case import SETTLED, Case
from killswitch.model.errors import Missing
from killswitch.model.event import What
from killswitch.model.plan import Plan
from tabletop.sims.world import World


async def ours(folder: Path, world: World) -> tuple[float, float, Plan]:
    """Seconds from the last approval to the last verified change, the critical path, the plan."""
    file = home(folder, world)
    with Vendors(file) as vendors, critical.named_steps():
        async with Desk.of(file) as desk:
            calls = critical.note_calls(desk.house)
            case = await desk.start(playbooks.load("agent-kill", policy=desk.config))
            await desk.until(case, lambda c: c.plan)
            await asyncio.to_thread(vendors.slow_down, *LATENCY)
            await desk.until(case, lambda c: {"lead", "dual"} <= set(c.gates) and c.seals)
            await desk.approve(case)
            view = await desk.until(case, lambda c: c.state in SETTLED, every=0.1)
            spent = _spent(desk, view)
            least = critical.path(view, calls, vendors.exchanges())
    assert view.plan is not None
    return spent, least, view.plan


def _spent(desk: Desk, view: Case) -> float:
    """From the writing of the last decision to the reading back of the last change."""
    entries = desk.house.journal.entries(case=view.id)
    decided = max(e.at for e in entries if e.what is What.DECIDED)
    verified = max(c.contained_at for c in view.changes.values())
    return (datetime.fromisoformat(verified) - datetime.fromisoformat(decided)).total_seconds()


async def plain(folder: Path, world: World, plan: Plan) -> float:
    """Seconds that a script takes: each change applied and read twice, one after another."""
    file = home(folder, world)
    connections = wiring.connections(configuration.load(file))
    with Vendors(file) as vendors:
        for connection in connections:
            if connection.vendor.actions:
                await connection.ourselves()  # the SDK is loaded and signed in before we time it
        await asyncio.to_thread(vendors.slow_down, *LATENCY)
        began = time.monotonic()
        for change in plan.changes:
            action, target = planner.thaw(change)
            client = connections[change.connection].client()
            if not change.manual:
                await action.apply(client, target, planner.thaw_state(change, change.before))
            for _ in range(2):
                with contextlib.suppress(Missing):  # what it deleted is gone
                    await action.capture(client, target)
        spent = time.monotonic() - began
        await connections.aclose()
    return spent


def main() -> None:
    world, kept = world_with(int(sys.argv[1])), Path(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        if "script" in sys.argv:
            plan = Plan.model_validate_json(kept.read_text())
            found = {"plain": asyncio.run(plain(Path(folder), world, plan))}
        else:
            spent, least, plan = asyncio.run(ours(Path(folder), world))
            kept.write_text(plan.model_dump_json(by_alias=True))
            found = {"ours": spent, "least": least, "changes": len(plan.changes)}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
