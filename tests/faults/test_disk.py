"""A disk that is full, read-only or gone: the engine stops, says why, and goes on afterwards."""

from __future__ import annotations

import asyncio
import resource
import socket
from contextlib import closing

import httpx
import pytest

from killswitch.model.case import CaseState
from killswitch.model.errors import Broken
from tests.drill import DANA, LEE, person
from tests.engine_process import JOURNAL_FULL, JOURNAL_READ_ONLY, VAULT_FULL
from tests.faults.crashing import Crashing, assert_whole, so

NO_BYTE_MORE = (1, resource.RLIM_INFINITY)
NO_LIMIT = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


class _Disk:
    """Ways in which the disk goes bad under a running engine, and is mended."""

    def __init__(self, drill):
        self.drill = drill
        self.signs = drill.file.parent
        self.database = drill.config.state / "killswitch.db"
        self.moved = drill.config.state / "moved.db"

    def journal_full(self):
        (self.signs / JOURNAL_FULL).touch()

    def journal_read_only(self):
        (self.signs / JOURNAL_READ_ONLY).touch()

    def vault_full(self):
        (self.signs / VAULT_FULL).touch()

    def database_removed(self):
        self.database.rename(self.moved)

    def whole_disk_full(self):
        """Journal, engine.db, vault, reports and log: no file takes another byte."""
        resource.prlimit(self.drill.engine.pid, resource.RLIMIT_FSIZE, NO_BYTE_MORE)

    def mend(self):
        for sign in (JOURNAL_FULL, JOURNAL_READ_ONLY, VAULT_FULL):
            (self.signs / sign).unlink(missing_ok=True)
        if self.moved.exists():
            self.moved.rename(self.database)
        if self.drill.engines:
            resource.prlimit(self.drill.engine.pid, resource.RLIMIT_FSIZE, NO_LIMIT)


SAYS = {
    "journal_full": "killswitch.db is full",
    "journal_read_only": "killswitch.db is read-only",
    "database_removed": "killswitch.db was removed or replaced while in use",
    "whole_disk_full": "cannot be read or written",
}


@pytest.mark.parametrize("trouble", SAYS)
async def test_no_vendor_is_written_to_while_the_journal_cannot_be(trouble, model, tmp_path):
    async with Crashing.of(tmp_path / "drill") as drill:
        disk, port = _Disk(drill), _free_port()
        slow = drill.sims["okta"].fault("late", "lifecycle/suspend", seconds=0.5, times=1)
        drill.run(port=port)
        case = await drill.start()
        await drill.approve(case, LEE)
        await so(lambda: not slow.times)
        getattr(disk, trouble)()
        assert SAYS[trouble] in await _health_says(port, 503)
        written = drill.vendor_writes()
        await asyncio.sleep(1.5)
        assert drill.vendor_writes() == written
        disk.mend()
        view = await drill.closed(case)
        await assert_whole(drill, view, model)
        assert await _health_says(port, 200) == ""


@pytest.mark.parametrize("trouble", ["journal_read_only", "whole_disk_full"])
async def test_nothing_is_changed_when_the_gate_cannot_be_shut(trouble, model, tmp_path):
    async with Crashing.of(tmp_path / "drill") as drill:
        disk, port = _Disk(drill), _free_port()
        drill.run(port=port)
        case = await drill.start()
        await drill.until(case, lambda c: bool(c.gates) and len(c.seals) == 1)
        getattr(disk, trouble)()
        await drill.api.answer(case, "lead", "approve", person(LEE))
        assert SAYS[trouble] in await _health_says(port, 503)
        await asyncio.sleep(1.0)
        assert drill.vendor_writes() == []
        disk.mend()
        await assert_whole(drill, await drill.closed(case), model)


async def test_a_press_that_cannot_be_written_is_not_answered_as_if_it_were(tmp_path):
    async with Crashing.of(tmp_path / "drill") as drill:
        case = await drill.start()
        disk = _Disk(drill)
        disk.database_removed()
        with pytest.raises(Broken, match="was removed or replaced"):
            await drill.api.start(drill.request(), person(DANA))
        disk.mend()
        assert drill.api.show(case).joined == []


async def test_a_full_vault_is_a_gap_and_stops_no_kill(model, tmp_path):
    async with Crashing.of(tmp_path / "drill") as drill:
        _Disk(drill).vault_full()
        drill.run()
        case = await drill.start()
        await drill.approve(case, LEE)
        view = await drill.closed(case)
        assert view.state is CaseState.CONTAINED
        assert await drill.allowed() == model.allowed
        assert view.items == view.seals == []
        assert {g["collector"] for g in view.gaps if "no room" in g["why"]} >= {
            "okta.user",
            "claude.api_keys",
        }
        assert drill.findings() == []


async def test_a_vault_that_has_room_again_is_used_again(tmp_path):
    async with Crashing.of(tmp_path / "drill") as drill:
        disk = _Disk(drill)
        disk.vault_full()
        drill.run()
        case = await drill.start()
        await drill.until(case, lambda c: bool(c.gates) and len(c.gaps) >= 2)
        disk.mend()
        await drill.approve(case, LEE)
        view = await drill.closed(case)
        assert view.state is CaseState.CONTAINED
        assert [s["which"] for s in view.seals][-1] == "final"
        assert view.seals[-1]["gaps"] == len(view.gaps) >= 2
        assert drill.findings() == []


@pytest.mark.parametrize("folder", ["reports", "roles"])
async def test_a_folder_that_cannot_be_made_stops_no_kill(folder, model, tmp_path):
    async with Crashing.of(tmp_path / "drill") as drill:
        (drill.config.state / folder).touch()  # a file is in the way
        case = await drill.undisturbed()
        await assert_whole(drill, case, model)


async def _health_says(port, status):
    """The reason that the health endpoint gives, as soon as it answers with that status."""
    async with asyncio.timeout(20), httpx.AsyncClient(trust_env=False) as http:
        while True:
            answer = await http.get(f"http://127.0.0.1:{port}/healthz")
            if answer.status_code == status:
                return answer.json()["why"]
            await asyncio.sleep(0.05)


def _free_port():
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
