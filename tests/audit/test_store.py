"""The database: private, durable, one writer at a time, and never silently broken."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from killswitch.audit.store import Store
from killswitch.audit.tables import cases, holds, inbox
from killswitch.model.errors import Broken


def a_case(number: int, *, subject: str = "person:jo@corp.example", is_open: bool = True) -> dict:
    return {
        "id": f"K-{number}",
        "subject": subject,
        "mode": "drill",
        "state": "requested",
        "open": is_open,
        "opened_at": "2026-11-21T20:00:00.000000Z",
    }


def test_new_file_is_private(tmp_path: Path) -> None:
    path = tmp_path / "state" / "killswitch.db"
    old = os.umask(0)
    try:
        Store(path).close()
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_log_beside_the_file_is_private_too(store: Store) -> None:
    with store.begin() as tx:
        tx.execute(insert(cases), a_case(1))
    assert store.path is not None
    log = store.path.with_name(store.path.name + "-wal")
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_every_connection_is_durable(store: Store) -> None:
    with store.begin() as one, store.read() as two:
        for connection in (one, two):
            pragmas = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            found = [connection.exec_driver_sql(f"PRAGMA {p}").scalar() for p in pragmas]
            assert found == ["wal", 2, 1, 30000]


def test_what_is_committed_is_there_after_reopening(database: str) -> None:
    first = Store(database)
    with first.begin() as tx:
        tx.execute(insert(cases), a_case(1))
    first.close()
    second = Store(database)
    with second.read() as tx:
        assert tx.execute(select(cases.c.id)).scalars().all() == ["K-1"]
    second.close()


def test_an_error_rolls_everything_back(any_store: Store) -> None:
    with pytest.raises(ZeroDivisionError), any_store.begin() as tx:  # noqa: PT012  # what is rolled back
        tx.execute(insert(cases), a_case(1))
        raise ZeroDivisionError
    with any_store.read() as tx:
        assert tx.execute(select(cases)).all() == []


def test_case_numbers_rise_as_numbers(any_store: Store) -> None:
    for expected in range(1, 13):
        with any_store.begin() as tx:
            assert any_store.next_case_id(tx) == f"K-{expected}"
            tx.execute(insert(cases), a_case(expected, is_open=False))


def test_one_open_case_per_subject_and_mode(any_store: Store) -> None:
    with any_store.begin() as tx:
        tx.execute(insert(cases), a_case(1, is_open=False))
        tx.execute(insert(cases), a_case(2))
        tx.execute(insert(cases), a_case(3, subject="person:kim@corp.example"))
    with pytest.raises(IntegrityError), any_store.begin() as tx:
        tx.execute(insert(cases), a_case(4))
    with any_store.begin() as tx:
        tx.execute(update(cases).where(cases.c.id == "K-2").values(open=False))
        tx.execute(insert(cases), a_case(4))


def test_inbox_numbers_are_not_given_twice(any_store: Store) -> None:
    row = {"kind": "answer", "case_id": "K-1", "payload": {"a": [1]}, "at": "t", "taken_at": None}
    with any_store.begin() as tx:
        first = tx.execute(insert(inbox), row).inserted_primary_key
        tx.execute(inbox.delete())
        second = tx.execute(insert(inbox), row).inserted_primary_key
        assert first is not None
        assert second is not None
        assert second[0] > first[0]
        assert tx.execute(select(inbox.c.payload)).scalar() == {"a": [1]}


def test_a_case_holds_a_target_once(any_store: Store) -> None:
    row = {
        "target": "okta/okta.user/00u1",
        "case_id": "K-1",
        "change": "okta/okta.user.suspend/00u1",
        "before": {"status": "ACTIVE"},
        "placed_at": "t",
        "lifted_at": None,
    }
    with any_store.begin() as tx:
        tx.execute(insert(holds), row)
        tx.execute(insert(holds), {**row, "case_id": "K-2"})
    with pytest.raises(IntegrityError), any_store.begin() as tx:
        tx.execute(insert(holds), row)


def test_writers_come_one_after_the_other(any_store: Store) -> None:
    """The second reads what the first wrote, though both started before either had written."""
    inside = threading.Event()

    def first() -> None:
        with any_store.begin() as tx:
            inside.set()
            time.sleep(0.2)
            tx.execute(insert(cases), a_case(1, is_open=False))

    writer = threading.Thread(target=first)
    writer.start()
    assert inside.wait(5)
    with any_store.begin() as tx:
        assert any_store.next_case_id(tx) == "K-2"
    writer.join()


def test_readers_do_not_wait_for_the_writer(any_store: Store) -> None:
    with any_store.begin() as tx:
        tx.execute(insert(cases), a_case(1))
        with any_store.read() as view:
            assert view.execute(select(cases)).all() == []


def test_a_view_stays_as_it_was(any_store: Store) -> None:
    with any_store.read() as view:
        assert view.execute(select(cases)).all() == []
        with any_store.begin() as tx:
            tx.execute(insert(cases), a_case(1))
        assert view.execute(select(cases)).all() == []


def test_many_may_create_it_at_once(database: str) -> None:
    made: list[Store] = []
    failed: list[BaseException] = []

    def make() -> None:
        try:
            made.append(Store(database))
        except Broken as error:
            failed.append(error)

    threads = [threading.Thread(target=make) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for store in made:
        store.close()
    assert (len(made), failed) == (6, [])


def test_full(store: Store) -> None:
    with pytest.raises(Broken, match="is full") as caught, store.begin() as tx:  # noqa: PT012  # any row may
        tx.exec_driver_sql("PRAGMA max_page_count = 1")
        for number in range(1000):
            tx.execute(insert(cases), a_case(number, subject=f"person:p{number}@corp.example"))
    assert "disk space" in caught.value.hint
    with store.read() as tx:
        assert tx.execute(select(cases)).all() == []


def test_read_only(store: Store) -> None:
    with store.begin() as tx:
        tx.execute(insert(cases), a_case(1))
    frozen = Store(f"sqlite:///file:{store.path}?mode=ro&uri=true")
    with frozen.read() as tx:
        assert tx.execute(select(cases.c.id)).scalar() == "K-1"
    with pytest.raises(Broken, match="is read-only"), frozen.begin() as tx:
        tx.execute(insert(cases), a_case(2, is_open=False))
    frozen.close()


def test_not_a_database(tmp_path: Path) -> None:
    path = tmp_path / "killswitch.db"
    path.write_bytes(b"these are the notes of a meeting\n" * 400)
    with pytest.raises(Broken, match="is not a database"):
        Store(path)


def test_damaged_page(tmp_path: Path) -> None:
    path = tmp_path / "killswitch.db"
    store = Store(path)
    with store.begin() as tx:
        for number in range(400):
            tx.execute(insert(cases), a_case(number, is_open=False))
    store.close()
    raw = bytearray(path.read_bytes())
    for page in range(4096, len(raw), 4096):
        raw[page : page + 16] = b"\xff" * 16
    path.write_bytes(raw)
    with pytest.raises(Broken, match="is damaged"):  # noqa: PT012  # opening it may tell already
        reopened = Store(path)
        with reopened.read() as tx:
            tx.execute(select(cases)).all()


def test_held_by_another_too_long(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    assert store.path is not None
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    impatient = Store(f"sqlite:///{store.path}")
    monkeypatch.setattr("killswitch.audit.store.WAIT", 0.05)
    impatient.engine.dispose()
    with pytest.raises(Broken, match="is locked"), impatient.begin():
        pytest.fail("two writers at once")
    other.execute("ROLLBACK")
    other.close()
    impatient.close()


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_file_gone_while_in_use(store: Store, how: str) -> None:
    """Linux would go on writing to a file that nobody can ever open again."""
    assert store.path is not None
    store.path.unlink()
    if how == "replaced":
        Store(store.path).close()
    with pytest.raises(Broken, match="removed or replaced"), store.begin():
        pytest.fail("wrote into the void")
    with pytest.raises(Broken, match="removed or replaced"), store.read():
        pytest.fail("read from the void")


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    with pytest.raises(Broken, match="cannot be created"):
        Store(tmp_path / "state" / "killswitch.db")


def test_memory_is_refused() -> None:
    with pytest.raises(Broken, match="needs a file"):
        Store("sqlite://")


def test_no_password_in_messages() -> None:
    with pytest.raises(Broken) as caught:
        Store("postgresql://ks:not-a-real-password@127.0.0.1:1/ks")
    assert "not-a-real-password" not in str(caught.value)
    assert "127.0.0.1" in str(caught.value)
