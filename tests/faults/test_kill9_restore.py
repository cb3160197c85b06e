"""kill -9 before and after every write while access is given back."""

from __future__ import annotations

import asyncio

import pytest

from killswitch.model.event import What
from tests.drill import JO, LEE, RIA, SMALL
from tests.engine_process import Bomb
from tests.faults.crashing import Crashing, Tripwire, assert_given_back, together

SUSPEND = SMALL.replace(", claude.api_keys]", "]").partition("  credentials:")[0] + (
    "watch: {for: 1s, every: 1s}\n"
)
WRITES = [
    "inbox",
    "gate.opened",
    "gate.shut",
    "change.applying",
    "change.state",
    "holds",
    "restore.settled",
    "heads",
]


async def test_a_restore_survives_kill9_before_every_write(tmp_path):
    await together(_play, tmp_path, [Bomb("before", what) for what in WRITES])


@pytest.mark.slow_crash
async def test_a_restore_survives_kill9_after_every_write(tmp_path):
    await together(_play, tmp_path, [Bomb("after", what) for what in WRITES])


async def test_a_restore_survives_kill9_at_its_vendor_write(world, tmp_path):
    line = f"POST /api/v1/users/{world.id('00u', JO)}/lifecycle/unsuspend"
    await together(
        _play, tmp_path, [Tripwire(when, line) for when in ("before", "handled", "answered")]
    )


async def _play(folder, at):
    async with Crashing.of(folder) as drill:
        drill.run()
        case = await drill.start(playbook=SUSPEND)
        await drill.approve(case, LEE)
        await drill.closed(case)
        await drill.engine.close()
        restored = asyncio.create_task(drill.restore(case))
        await drill.dies(at)
        drill.run()
        view = await restored
        assert [r["state"] for r in view.restores] == ["restored"]
        gates = [e.data["gate"] for e in drill.journal(case, What.OPENED)]
        assert gates == ["lead", "restore-1/lead"]
        decided = [e.data["person"] for e in drill.journal(case, What.DECIDED)]
        assert decided in ([LEE, LEE], [LEE, LEE, RIA])
        await assert_given_back(drill, case)
