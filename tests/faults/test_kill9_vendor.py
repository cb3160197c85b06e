"""kill -9 around every write to a vendor: not arrived, done but not answered, answered."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.faults.crashing import Crashing, Tripwire, assert_given_back, assert_whole, together


@pytest.mark.parametrize(
    "when", ["before", "handled", pytest.param("answered", marks=pytest.mark.slow_crash)]
)
async def test_a_case_survives_kill9_at_every_vendor_write(when, model, tmp_path):
    async def play(folder, at):
        async with Crashing.of(folder) as drill:
            case = await drill.crash(at)
            writes = Counter(f"{e.method} {e.path}" for e in drill.vendor_writes())
            await assert_whole(drill, case, model)
            assert set(writes) == set(model.vendor_writes)
            assert 2 == writes[at.line] >= max(writes.values())
            await drill.restore(case.id)
            await assert_given_back(drill, case.id)

    assert len(model.vendor_writes) == len(set(model.vendor_writes)) == 5
    await together(play, tmp_path, [Tripwire(when, line) for line in model.vendor_writes])
