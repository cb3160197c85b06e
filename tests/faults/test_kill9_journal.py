"""kill -9 before and after every write of ours while a person is contained."""

from __future__ import annotations

import pytest

from tests.engine_process import Bomb
from tests.faults.crashing import Crashing, assert_given_back, assert_whole, together

PHASES = {
    "planning": ["inbox", "case.resolved", "case.planned"],
    "evidence": [
        "evidence.collecting",
        "evidence.stored",
        "evidence.collected",
        "evidence.sealed",
    ],
    "asking": ["gate.opened", "gate.shut", "heads"],
    "changing": ["holds", "change.held", "change.applying", "change.state"],
    "layers": ["layer.started", "layer.finished", "case.settled"],
    "closing": ["cases", "watch.checked", "case.closed"],
}


async def test_no_kind_of_write_is_forgotten(model):
    assert set(model.kinds) == {kind for kinds in PHASES.values() for kind in kinds}


@pytest.mark.parametrize("phase", PHASES)
async def test_a_case_survives_kill9_before_the_first_write_of_every_kind(phase, model, tmp_path):
    await together(_play(model), tmp_path, [Bomb("before", kind) for kind in PHASES[phase]])


@pytest.mark.parametrize(
    "phase",
    # Between these a vendor is changed. After the others there is on disk what there was before
    # the write that comes next.
    [p if p == "changing" else pytest.param(p, marks=pytest.mark.slow_crash) for p in PHASES],
)
async def test_a_case_survives_kill9_after_the_first_write_of_every_kind(phase, model, tmp_path):
    await together(_play(model), tmp_path, [Bomb("after", kind) for kind in PHASES[phase]])


@pytest.mark.slow_crash
@pytest.mark.timeout(600)
@pytest.mark.parametrize("phase", PHASES)
async def test_a_case_survives_kill9_at_every_later_write(phase, model, tmp_path):
    places = [
        Bomb(when, kind, number)
        for kind in PHASES[phase]
        for number in range(2, model.kinds[kind] + 1)
        for when in ("before", "after")
    ]
    await together(_play(model), tmp_path, places)


def _play(model):
    async def play(folder, at):
        async with Crashing.of(folder) as drill:
            case = await drill.crash(at)
            await assert_whole(drill, case, model)
            await drill.restore(case.id)
            await assert_given_back(drill, case.id)

    return play
