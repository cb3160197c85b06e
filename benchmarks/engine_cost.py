"""What the engine itself costs: ``python -m benchmarks.engine_cost KEYS [CASES]``.

Engine, journal and DBOS over the vendor in memory, in a process of their own. Prints one JSON
object: seconds of CPU and of wall time from the last decision to the answer, for one kill of
KEYS changes; the most memory that the process ever had; and for CASES further kills of the same
kind how long it took from the decision's entry to the gate's.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

from benchmarks import memory
from benchmarks.home import LEADS, OPERATOR, PACE, Desk
from killswitch import playbooks
from killswitch.model.case import SETTLED, CaseState
from killswitch.model.event import What
from killswitch.model.playbook import Playbook
from tabletop.home import prepare
from tabletop.sims.world import World

PLAYBOOK = """
playbook: memory
version: 1
summary: Every key of a vendor in memory.
subject: person
limits: {people: 1, repositories: 1, credentials: 100000}
gates:
  lead: {approvers: eng-leads, quorum: 1, timeout: 5m, on_timeout: deny}
evidence: {window: 1d, deadline: 1s, collect: []}
layers:
  credentials:
    gate: lead
    deadline: 10m
    steps: [memory.keys.deactivate]
watch: {for: 1m, every: 1m}
"""


async def measure(folder: Path, keys: int, cases: int) -> dict[str, object]:
    """The figures of one engine."""
    connection = {"vendor": memory.NAME, "url": "http://127.0.0.1:9", "keys": keys, **PACE}
    file, _ = prepare(
        folder,
        World.named("small"),
        vendors=(),
        connections={memory.NAME: connection},
        protected={"groups": []},
        roles={"secops": [OPERATOR], "eng-leads": list(LEADS), "duty-directors": list(LEADS)},
    )
    text = folder / "memory.yaml"
    text.write_text(PLAYBOOK)
    async with Desk.of(file) as desk:
        playbook = playbooks.load(text, policy=desk.config)
        cpu, wall = await _one(desk, playbook, keys)
        gates = [await _gate(desk, playbook, number) for number in range(cases)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # KiB on Linux
    return {"changes": keys, "cpu": cpu, "wall": wall, "rss": peak, "gates": gates}


async def _one(desk: Desk, playbook: Playbook, keys: int) -> tuple[float, float]:
    """CPU and wall seconds from the decision to the answer."""
    case = await desk.start(playbook, "subject@corp.example")
    await desk.until(case, lambda c: c.gates and c.seals)
    cpu, wall = time.process_time(), time.monotonic()
    await desk.approve(case)
    view = await desk.until(case, lambda c: c.state in SETTLED, every=0.25)
    spent = time.process_time() - cpu, time.monotonic() - wall
    if view.state is not CaseState.CONTAINED or len(view.changes) != keys:
        raise RuntimeError(f"{view.state} with {len(view.changes)} changes")
    return spent


async def _gate(desk: Desk, playbook: Playbook, number: int) -> float:
    """Seconds from the decision's entry to the gate's."""
    case = await desk.start(playbook, f"person{number}@corp.example")
    await desk.until(case, lambda c: c.gates and c.seals)
    await desk.approve(case)
    await desk.until(case, lambda c: c.state in SETTLED)
    at = {e.what: datetime.fromisoformat(e.at) for e in desk.house.journal.entries(case=case)}
    return (at[What.SHUT] - at[What.DECIDED]).total_seconds()


def main() -> None:
    memory.register()
    keys, cases = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    # a thread of DBOS may still be closing its database
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        found = asyncio.run(measure(Path(folder), keys, cases))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
