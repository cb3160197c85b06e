"""One engine for one state directory, a clean end, and nothing from its database is believed."""

from __future__ import annotations

import asyncio
import base64
import os
import pickle
import signal
import sqlite3
from contextlib import closing, contextmanager

import pytest

from killswitch.api import Killswitch
from killswitch.cli import engine_process
from killswitch.engine.durable import ENGINE_VERSION
from killswitch.model.case import CaseState
from tests.drill import DANA, KIM, LEE, person
from tests.faults.crashing import Crashing, assert_whole, so


async def test_a_second_engine_on_the_same_state_is_refused(tmp_path):
    async with Crashing.of(tmp_path / "drill") as drill:
        first = drill.run()
        await so(lambda: engine_process.running(drill.config.state) == first.pid)
        second = drill.run()
        assert await second.ended() != 0
        assert f"an engine runs already for {drill.config.state}" in second.log.read_text()
        assert engine_process.running(drill.config.state) == first.pid
        assert first.alive


async def test_a_dead_engine_holds_no_state_directory(tmp_path):
    async with Crashing.of(tmp_path / "drill") as drill:
        await drill.run().close()
        assert engine_process.running(drill.config.state) is None


async def test_ten_presses_at_once_are_one_case(model, tmp_path):
    async with Crashing.of(tmp_path / "drill") as drill:
        request = drill.request()
        doors = [Killswitch(drill.house) for _ in range(10)]
        started = await asyncio.gather(*(d.start(request, person(DANA)) for d in doors))
        assert {s.case for s in started} == {"K-1"}
        assert sorted(s.joined for s in started) == [False] + [True] * 9
        drill.run()
        await drill.approve("K-1", LEE)
        view = await drill.closed("K-1")
        assert len(view.joined) == 9
        await assert_whole(drill, view, model)


async def test_sigterm_while_people_decide_ends_cleanly(model, tmp_path):
    async with Crashing.of(tmp_path / "drill") as drill:
        engine = drill.run()
        case = await drill.start()
        await drill.until(case, lambda c: bool(c.gates) and len(c.seals) == 1)
        engine.send(signal.SIGTERM)
        assert await engine.ended(within=5) == 0
        drill.run()
        await drill.approve(case, LEE)
        await assert_whole(drill, await drill.closed(case), model)


async def test_sigterm_while_a_vendor_is_slow_loses_nothing(model, tmp_path):
    async with Crashing.of(tmp_path / "drill") as drill:
        slow = drill.sims["okta"].fault("late", "lifecycle/suspend", seconds=1.0, times=1)
        engine = drill.run()
        case = await drill.start()
        await drill.approve(case, LEE)
        await so(lambda: not slow.times)
        engine.send(signal.SIGTERM)
        assert await engine.ended(within=10) == 0
        drill.run()
        await assert_whole(drill, await drill.closed(case), model)


async def test_every_run_is_of_the_one_engine_version(tmp_path):
    """A version made from the source would leave every open run behind at the next deploy."""
    async with Crashing.of(tmp_path / "drill") as drill:
        case = (await drill.undisturbed()).id
        with _engine_db(drill) as db:
            runs = db.execute("SELECT workflow_uuid, application_version FROM workflow_status")
            versions = dict(runs.fetchall())
        assert {case, f"{case}/gate/contain/lead", f"{case}/watch"} <= set(versions)
        assert set(versions.values()) == {ENGINE_VERSION} == {"killswitch-engine-1"}


class _Planted:
    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return os.mkdir, (str(self.file),)


PLACES = {
    "what a run was given": "UPDATE workflow_input SET inputs = ? WHERE workflow_uuid = 'K-1'",
    "what a step returned": "UPDATE operation_outputs SET output = ?, serialization = 'py_pickle'"
    " WHERE workflow_uuid = 'K-1'",
    "what a run is sent": "INSERT INTO notifications"
    " (destination_uuid, topic, message, serialization, message_uuid)"
    " VALUES ('K-1/gate/contain/lead', 'press', ?, 'py_pickle', 'planted')",
}


@pytest.mark.parametrize("place", PLACES)
async def test_a_planted_pickle_is_refused_and_not_executed(place, tmp_path):
    made = tmp_path / "made by the pickle"
    planted = base64.b64encode(pickle.dumps(_Planted(made))).decode()
    async with Crashing.of(tmp_path / "drill") as drill:
        drill.run()
        case = await drill.start()
        await drill.until(case, lambda c: bool(c.gates) and len(c.seals) == 1)
        await drill.engine.close()
        with _engine_db(drill) as db:
            assert db.execute(PLACES[place], [planted]).rowcount > 0
            if place == "what a run was given":
                db.execute(
                    "UPDATE workflow_status SET serialization = 'py_pickle'"
                    " WHERE workflow_uuid = 'K-1'"
                )
        drill.run()
        await drill.api.answer(case, "lead", "approve", person(LEE))
        other = await drill.start(KIM)
        await drill.approve(other, LEE)
        view = await drill.settled(other)
        assert view.state is CaseState.CONTAINED, "a planted row stops nobody else's case"
        assert not made.exists()
        pickle.loads(base64.b64decode(planted))  # it does work
        assert made.exists()


@contextmanager
def _engine_db(drill):
    with closing(sqlite3.connect(drill.config.state / "engine.db")) as db, db:
        yield db
