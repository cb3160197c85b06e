"""Presses on the disk: each once, whatever Slack delivers, and nothing that opens anything."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from bot import tables
from bot.presses import Press, Presses
from killswitch.audit.store import Store
from killswitch.model.errors import Broken

BODY = {
    "type": "block_actions",
    "trigger_id": "123.456.abcdef-fake-trigger",
    "response_url": "https://hooks.slack.com/actions/fake",
    "token": "fake-verification-token",
    "user": {"id": "U1", "team_id": "T1"},
    "team": {"id": "T1"},
    "channel": {"id": "C1"},
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "killswitch.db")
    tables.create(made)
    return made


async def test_a_press_is_taken_once_also_when_many_come_together(store: Store) -> None:
    table = Presses(store)
    press = Press.of(BODY, "look", "socket")
    others = [Press.of({**BODY, "trigger_id": str(n)}, "look", "socket") for n in range(50)]
    taken = await asyncio.gather(*(table.take(p) for p in [press, press, *others, press]))
    assert taken.count(True) == 51
    assert sorted([taken[0], taken[1], taken[-1]]) == [False, False, True]
    store.close()


async def test_what_is_open_comes_back_after_a_restart_and_what_is_done_does_not(
    store: Store,
) -> None:
    first = Press.of(BODY, "answer", "http", gate="K-1|lead|0123456789ab", decision="approve")
    second = Press.of({**BODY, "trigger_id": "other"}, "start", "socket", subject="jo")
    looked = Press.of({**BODY, "trigger_id": "look"}, "look", "socket")
    table = Presses(store)
    await table.take(first)
    await table.take(second)
    await table.take(looked, outcome="shown")
    await table.done(second.id, "done")

    left = Presses(store).open()
    assert [p.id for p in left] == [first.id]
    assert left[0].work["decision"] == "approve"
    assert (left[0].user, left[0].team, left[0].via) == ("U1", "T1", "http")
    assert Presses(store).outcome(second.id) == "done"
    store.close()


async def test_neither_triggers_nor_addresses_nor_tokens_are_stored(store: Store) -> None:
    await Presses(store).take(Press.of(BODY, "answer", "socket", reason="because"))
    with store.read() as tx:
        rows = json.dumps([list(map(str, r)) for r in tx.execute(tables.presses.select())])
    for secret in (BODY["trigger_id"], BODY["response_url"], BODY["token"]):
        assert str(secret) not in rows
    store.close()


async def test_a_database_that_cannot_be_written_refuses_the_press(
    store: Store, tmp_path: Path
) -> None:
    table = Presses(store)
    (tmp_path / "killswitch.db").unlink()
    with pytest.raises(Broken):
        await table.take(Press.of(BODY, "answer", "socket"))
    store.close()
