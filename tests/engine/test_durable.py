"""Workflows that survive: steps run once, waits end, and a journal that is stuck stops them."""

from __future__ import annotations

import asyncio
import pickle
import sqlite3

import pytest
from dbos import _serialization

from killswitch.engine import durable as module
from killswitch.engine.durable import Durable
from killswitch.model.case import CaseState
from killswitch.model.errors import Broken
from tests.drill import JO, LEE, Drill, person, recipe


@pytest.fixture
def database(tmp_path):
    return f"sqlite:///{tmp_path / 'engine.db'}"


class Running:
    """A started Durable with one workflow."""

    def __init__(self, database, work, **others):
        self.durable = Durable(database)
        self.durable.workflow("work", lambda *args: work(self.durable, *args))
        for name, other in others.items():
            self.durable.workflow(name, lambda *args, other=other: other(self.durable, *args))

    async def __aenter__(self):
        await self.durable.launch()
        return self.durable

    async def __aexit__(self, *_):
        await self.durable.shut()


async def test_a_step_runs_once_and_the_same_id_is_the_same_run(database):
    ran = []

    async def step(value):
        ran.append(value)
        return {"value": value}

    async def work(durable, value):
        return await durable.step("step", step, value)

    async with Running(database, work) as durable:
        first = await durable.result(await durable.start("work", "run-1", 7))
        again = await durable.result(await durable.start("work", "run-1", 8))
        assert first == again == {"value": 7}
        assert ran == [7]
        assert await durable.unfinished() == []


async def test_branches_side_by_side_have_steps_of_their_own(database):
    async def double(value):
        await asyncio.sleep(0.01 * (3 - value))  # the last one ends first
        return 2 * value

    async def work(durable):
        steps = durable.reserve(3)
        return await asyncio.gather(
            *(step.run(f"double {n}", double, n) for n, step in enumerate(steps))
        )

    async with Running(database, work) as durable:
        assert await durable.result(await durable.start("work", "run")) == [0, 2, 4]


async def test_what_is_late_is_left_and_can_be_waited_for_later(database):
    gate = asyncio.Event()

    async def slow(_durable):
        await gate.wait()
        return "slow"

    async def quick(_durable):
        return "quick"

    async def work(durable):
        handles = [await durable.start("slow", "slow"), await durable.start("quick", "quick")]
        ended, late = await durable.wait(handles, 1.0)
        gate.set()
        return [ended, late, await durable.result(handles[0])]

    async with Running(database, work, slow=slow, quick=quick) as durable:
        assert await durable.result(await durable.start("work", "run")) == [[1], [0], "slow"]


async def test_a_message_is_received_once_for_each_key_and_a_wait_ends(database):
    async def work(durable):
        return [await durable.receive("press", 30.0), await durable.receive("press", 0.2)]

    async with Running(database, work) as durable:
        handle = await durable.start("work", "run")
        await durable.send("run", {"gate": "lead"}, "press", "key-1")
        await durable.send("run", {"gate": "lead"}, "press", "key-1")
        assert await durable.result(handle) == [{"gate": "lead"}, None]


async def test_an_engine_that_never_started_leaves_the_next_one_its_own_database(
    database, tmp_path
):
    async def work(durable):
        return "done"

    Durable(f"sqlite:///{tmp_path / 'another.db'}")
    async with Running(database, work) as durable:
        assert await durable.result(await durable.start("work", "run")) == "done"
    with sqlite3.connect(tmp_path / "engine.db") as own:
        assert own.execute("select workflow_uuid from workflow_status").fetchall() == [("run",)]
    own.close()


async def test_a_run_that_nobody_is_at_is_started_again_and_one_at_work_is_left_alone(database):
    begun, at_it, go = [], {}, asyncio.Event()
    past = {"lost": asyncio.Event(), "kept": asyncio.Event()}

    async def first(name):
        begun.append(name)

    async def work(durable, name):
        at_it.setdefault(name, asyncio.current_task())
        await durable.step("first", first, name)
        past[name].set()
        await go.wait()
        return name

    async with Running(database, work) as durable:
        await durable.start("work", "lost", "lost")
        kept = await durable.start("work", "kept", "kept")
        for event in past.values():
            await event.wait()
        at_it["lost"].cancel()
        await asyncio.wait([at_it["lost"]])
        assert await durable.revive() == []  # it may have been on its way
        assert await durable.revive() == ["lost"]
        go.set()
        assert await durable.result(await durable.handle("lost")) == "lost"
        assert await durable.result(kept) == "kept"
        assert sorted(begun) == ["kept", "lost"]  # what was recorded did not run again
        assert await durable.revive() == await durable.revive() == []


async def test_a_run_that_had_hardly_begun_when_the_engine_stops_is_stopped_too(database):
    ended = []

    async def work(durable):
        await asyncio.sleep(30)
        ended.append(True)

    running = Running(database, work)
    async with running as durable:
        before = asyncio.all_tasks()
        for n in range(5):
            await durable.start("work", f"run-{n}")
    left = [t for t in asyncio.all_tasks() - before if t is not asyncio.current_task()]
    assert left == []
    assert ended == []


async def test_a_journal_that_cannot_be_written_holds_everything_and_gives_up_nothing(
    database, monkeypatch
):
    monkeypatch.setattr(module, "_JOURNAL_RETRY", (0.01,))
    tries, said = [], []

    async def step():
        tries.append(1)
        if len(tries) < 4:
            raise Broken("the journal cannot be written: disk full", hint="make room")
        return "written"

    async def work(durable):
        watching = asyncio.create_task(_watch(durable, said))
        result = await durable.step("step", step)
        watching.cancel()
        return result

    async with Running(database, work) as durable:
        assert await durable.result(await durable.start("work", "run")) == "written"
        assert durable.stuck == ""
    assert len(tries) == 4
    assert any(why.startswith("the journal cannot be written: disk full") for why in said)


async def _watch(durable, said):
    while True:
        said.append(durable.stuck)
        await asyncio.sleep(0.001)


async def test_a_pickled_value_is_refused_and_the_database_is_plain_json_in_wal(tmp_path, database):
    async def work(durable, value):
        return await durable.step("step", _same, value)

    async with Running(database, work) as durable:
        await durable.result(await durable.start("work", "run", {"email": JO}))
        with pytest.raises(Broken, match="pickled value"):
            _serialization.DefaultSerializer().deserialize(pickle.dumps("code").hex())
    file = sqlite3.connect(database.removeprefix("sqlite:///"))
    try:
        assert file.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    finally:
        file.close()
    written = b"".join(f.read_bytes() for f in tmp_path.iterdir())
    assert JO.encode() in written
    assert b"gASV" not in written  # how the base64 of every pickle begins


async def _same(value):
    return value


async def test_a_deploy_in_the_middle_of_a_case_loses_nothing(tmp_path):
    """The gate is answered while no engine runs; the next engine finds that and goes on."""
    async with Drill.of(tmp_path) as drill:
        case = await drill.start(playbook=recipe(collect="okta.user"))
        view = await drill.until(case, lambda c: "lead" in c.gates and bool(c.seals))
        await drill.engine.stop()
        await drill.api.answer(case, "lead", "approve", person(LEE), digest=view.digest)
        joined = await drill.api.start(drill.request(), person("sol@corp.example"))
        assert (joined.case, joined.joined) == (case, True)
        await asyncio.sleep(0.3)
        assert drill.wrote() == []
        await drill.start_engine()
        view = await drill.closed(case)
        assert view.state is CaseState.CONTAINED
        assert len(view.gates["lead"].decisions) == 1
        suspends = [line for line in drill.wrote() if "lifecycle/suspend" in line]
        assert len(suspends) == 1

        later = await drill.api.start(
            drill.request("kim@corp.example"), person("dana@corp.example")
        )
        await drill.restart()
        await drill.approve(later.case)
        assert (await drill.settled(later.case)).state is CaseState.CONTAINED
        assert await drill.engine.idle() is False
        assert drill.engine.health == {"ok": True, "why": ""}
        await drill.closed(later.case)


async def test_a_person_who_was_told_no_is_in_the_journal_after_a_restart_too(tmp_path):
    async with Drill.of(tmp_path) as drill:
        case = await drill.start()
        await drill.until(case, lambda c: "lead" in c.gates)
        await drill.engine.stop()
        await drill.api.abort(case, person("sol@corp.example"), "the wrong Jo")
        await drill.start_engine()
        view = await drill.closed(case)
        assert view.state is CaseState.ABORTED
        assert drill.wrote() == []
