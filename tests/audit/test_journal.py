"""The chain: in order, once each, on the disk when it says so."""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
import sys
import textwrap
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import text

from killswitch.audit.journal import GENESIS, Journal, entry_hash
from killswitch.audit.store import Store
from killswitch.model.codec import canonical
from killswitch.model.errors import Broken
from killswitch.model.event import Event, What


def a_fact(key: str, case: str = "K-1", **data: object) -> Event:
    return Event(What.STATE, case, key, data)


def test_entries_are_chained(any_store: Store) -> None:
    journal = Journal(any_store)
    one, two = journal.append(a_fact("a", x=1), a_fact("b", x=[None, "ß", 1.5]))
    (three,) = journal.append(a_fact("c", "K-2"))
    assert [e.seq for e in (one, two, three)] == [1, 2, 3]
    assert [e.prev for e in (one, two, three)] == [GENESIS, one.hash, two.hash]
    assert journal.entries() == [one, two, three]
    assert journal.last() == three


def test_hash_is_the_documented_one(journal: Journal) -> None:
    (entry,) = journal.append(a_fact("a", z=1, ä="\u2028", b={"c": []}))
    whole = {
        "seq": entry.seq,
        "at": entry.at,
        "what": entry.what.value,
        "case": entry.case,
        "key": entry.key,
        "data": entry.data,
        "prev": entry.prev,
    }
    assert entry.hash == hashlib.sha256(canonical(whole)).hexdigest()


text_without_surrogates = st.text(st.characters(exclude_categories=["Cs"]))
plain_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | text_without_surrogates,
    lambda inner: st.lists(inner) | st.dictionaries(text_without_surrogates, inner),
)


@settings(max_examples=50, deadline=None)
@given(
    data=st.dictionaries(text_without_surrogates, plain_json),
    key=text_without_surrogates,
    case=text_without_surrogates,
)
def test_hash_covers_the_canonical_form(data: dict, key: str, case: str) -> None:
    row = {"seq": 7, "at": "t", "what": "w", "key": key, "prev": GENESIS}
    whole = canonical({**row, "case": case, "data": data})
    stored = {**row, "case_id": case, "data": canonical(data).decode()}
    assert entry_hash(stored) == hashlib.sha256(whole).hexdigest()


def test_a_key_is_recorded_once(any_store: Store) -> None:
    journal = Journal(any_store)
    (first,) = journal.append(a_fact("a", x=1))
    again, new, twice = journal.append(a_fact("a", x=2), a_fact("b"), a_fact("b", x=3))
    assert again == first
    assert new == twice
    assert len(journal.entries()) == 2


def test_keys_beyond_one_statement(journal: Journal) -> None:
    facts = [a_fact(f"k{number}") for number in range(1201)]
    first = journal.append(*facts)
    assert journal.append(*facts) == first
    assert len(journal.entries()) == 1201


def test_data_comes_back_as_it_was_recorded(any_store: Store) -> None:
    journal = Journal(any_store)
    data = {"tuple": (1, 2), "null": None, "text": "a\x00b\u2028<!channel>\U0001f600", "f": 2.0}
    (entry,) = journal.append(a_fact("a", **data))
    assert entry.data == {**data, "tuple": [1, 2]}
    assert journal.entries() == [entry]


@pytest.mark.parametrize("data", [{"x": object()}, {"x": float("nan")}, {"x": "\ud800"}, {1: 2}])
async def test_what_is_no_json_is_refused_before_anything_is_written(
    journal: Journal, data: dict
) -> None:
    bad = Event(What.STATE, "K-1", "bad", data)
    with pytest.raises(ValueError):
        journal.append(a_fact("good"), bad)
    with pytest.raises(ValueError):
        await journal.write(a_fact("good"), bad)
    assert journal.entries() == []


def test_a_clock_that_is_set_back_moves_nothing_back(store: Store) -> None:
    clock = iter([datetime(2026, 1, 1, 12, tzinfo=UTC) + timedelta(hours=h) for h in (0, -2, 1)])
    journal = Journal(store, now=lambda: next(clock))
    times = [e.at for e in journal.append(a_fact("a"), a_fact("b"), a_fact("c"))]
    assert times == [
        "2026-01-01T12:00:00.000000+00:00",
        "2026-01-01T12:00:00.000000+00:00",
        "2026-01-01T13:00:00.000000+00:00",
    ]


def test_times_are_utc_whatever_the_clock_says(store: Store) -> None:
    east = datetime.fromisoformat("2026-01-01T02:00:00+05:00")
    (entry,) = Journal(store, now=lambda: east).append(a_fact("a"))
    assert entry.at == "2025-12-31T21:00:00.000000+00:00"


def test_entries_of_a_case_and_after_a_number(journal: Journal) -> None:
    journal.append(*(a_fact(f"k{n}", f"K-{n % 2 + 1}") for n in range(10)))
    assert [e.seq for e in journal.entries(case="K-2")] == [2, 4, 6, 8, 10]
    assert [e.seq for e in journal.entries(after=7)] == [8, 9, 10]
    assert [e.seq for e in journal.entries("K-1", after=2, limit=2)] == [3, 5]
    assert journal.entries("K-9") == []


def test_no_last_entry_at_first(journal: Journal) -> None:
    assert journal.last() is None


def test_with_a_transaction_it_stands_or_falls_with_it(any_store: Store) -> None:
    journal = Journal(any_store)
    with pytest.raises(ZeroDivisionError), any_store.begin() as tx:  # noqa: PT012  # what is rolled back
        journal.append(a_fact("a"), tx=tx)
        raise ZeroDivisionError
    assert journal.entries() == []
    with any_store.begin() as tx:
        (one,) = journal.append(a_fact("a"), tx=tx)
        (two,) = journal.append(a_fact("b"), tx=tx)
    assert journal.entries() == [one, two]
    assert two.prev == one.hash


async def test_callers_at_the_same_time_share_a_commit(any_store: Store) -> None:
    journal = Journal(any_store)
    commits: list[int] = []
    sqlalchemy_event.listen(any_store.engine, "commit", lambda _: commits.append(1))
    with any_store.begin():  # the writer waits here, and the callers gather
        tasks = [asyncio.create_task(journal.write(a_fact(f"k{n}"))) for n in range(100)]
        await asyncio.sleep(0.05)
    answers = await asyncio.gather(*tasks)
    assert [entry.key for (entry,) in answers] == [f"k{n}" for n in range(100)]
    assert [entry.seq for (entry,) in answers] == list(range(1, 101))
    assert len(commits) <= 4  # our own, the first caller's, the group's, and one to spare


async def test_each_caller_gets_its_own_entries(journal: Journal) -> None:
    answers = await asyncio.gather(
        journal.write(a_fact("a"), a_fact("b")),
        journal.write(),
        journal.write(a_fact("c")),
        journal.write(a_fact("a", other=1)),
    )
    assert [[e.key for e in answer] for answer in answers] == [["a", "b"], [], ["c"], ["a"]]
    assert len(journal.entries()) == 3


async def test_written_means_committed(journal: Journal) -> None:
    (entry,) = await journal.write(a_fact("a"))
    assert journal.store.path is not None
    other = Store(journal.store.path)
    assert Journal(other).entries() == [entry]
    other.close()


def test_several_loops_at_once(any_store: Store) -> None:
    journal = Journal(any_store)

    def run(name: str) -> None:
        async def many() -> None:
            await asyncio.gather(*(journal.write(a_fact(f"{name}{n}")) for n in range(40)))

        asyncio.run(many())

    threads = [threading.Thread(target=run, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    _is_sound(journal, 120)


async def test_a_cancelled_caller_takes_nobody_along(journal: Journal) -> None:
    with journal.store.begin():
        first = asyncio.create_task(journal.write(a_fact("a")))
        second = asyncio.create_task(journal.write(a_fact("b")))
        await asyncio.sleep(0.05)
        first.cancel()
    assert [e.key for e in await second] == ["b"]
    with pytest.raises(asyncio.CancelledError):
        await first
    assert {e.key for e in journal.entries()} == {"a", "b"}


async def test_an_error_reaches_every_waiting_caller_and_none_later(journal: Journal) -> None:
    journal.append(a_fact("before"))
    with journal.store.begin() as tx:
        tx.execute(text("UPDATE journal SET data = '{}', hash = 'x'"))
    answers = await asyncio.gather(
        *(journal.write(a_fact(f"k{n}")) for n in range(20)), return_exceptions=True
    )
    assert {type(answer) for answer in answers} == {Broken}
    with journal.store.begin() as tx:
        tx.execute(text("DELETE FROM journal"))
    assert len(await journal.write(a_fact("after"))) == 1


async def test_disk_full_fails_closed(journal: Journal) -> None:
    await journal.write(a_fact("a"))
    engine = journal.store.engine

    def limit(connection: object, *_: object) -> None:
        connection.execute("PRAGMA max_page_count = 1")

    sqlalchemy_event.listen(engine, "checkout", limit)
    with pytest.raises(Broken, match="is full"):
        await journal.write(a_fact("b", text="x" * 100_000))
    sqlalchemy_event.remove(engine, "checkout", limit)
    assert [e.key for e in journal.entries()] == ["a"]


async def test_read_only_fails_closed(journal: Journal) -> None:
    (entry,) = await journal.write(a_fact("a"))
    frozen = Journal(Store(f"sqlite:///file:{journal.store.path}?mode=ro&uri=true"))
    assert frozen.entries() == [entry]
    with pytest.raises(Broken, match="is read-only"):
        await frozen.write(a_fact("b"))
    with pytest.raises(Broken, match="is read-only"):
        frozen.append(a_fact("b"))
    frozen.store.close()


@pytest.mark.parametrize(
    "change",
    [
        "data = '{\"x\":2}'",
        "data = '{\"x\": 1}'",
        "at = '2026-01-01'",
        "what = 'case.closed'",
        "key = 'other'",
        "data = CAST(x'ff' AS TEXT)",
        "data = x'7b7d'",
        "prev = NULL",
    ],
)
def test_a_changed_entry_is_never_handed_out(journal: Journal, change: str) -> None:
    journal.append(a_fact("a", x=1))
    with journal.store.begin() as tx:
        if "NULL" in change:
            _allow_null(tx)
        tx.exec_driver_sql(f"UPDATE journal SET {change}")
    with pytest.raises(Broken, match="entry 1"):
        journal.entries()
    with pytest.raises(Broken, match="entry 1"):
        journal.last()
    with pytest.raises(Broken, match="entry 1"):
        journal.append(a_fact("b"))


def _allow_null(tx: object) -> None:
    """As a flipped byte in the file would leave it: the schema does not stand in its way."""
    tx.exec_driver_sql("PRAGMA writable_schema = ON")
    tx.exec_driver_sql("CREATE TABLE loose AS SELECT * FROM journal")
    tx.exec_driver_sql("DROP TABLE journal")
    tx.exec_driver_sql("ALTER TABLE loose RENAME TO journal")


def test_a_kind_from_the_future_is_said_so(journal: Journal) -> None:
    row = {"seq": 1, "at": "t", "what": "case.beamed-up", "case_id": "K-1", "key": "a"}
    row |= {"data": "{}", "prev": GENESIS}
    with journal.store.begin() as tx:
        tx.execute(
            text("INSERT INTO journal VALUES (:seq, :at, :what, :case_id, :key, :data, :prev, :h)"),
            {**row, "h": entry_hash(row)},
        )
    with pytest.raises(Broken, match="cannot be read") as caught:
        journal.entries()
    assert "newer" in caught.value.hint


WRITER = """
    import asyncio, sys
    from killswitch.audit.journal import Journal
    from killswitch.audit.store import Store
    from killswitch.model.event import Event, What

    async def main(address, name):
        journal = Journal(Store(address))
        for round in range(10):
            facts = [Event(What.STATE, "K-1", f"{name}{round}.{n}", {}) for n in range(10)]
            shared = Event(What.STATE, "K-1", f"shared{round}", {"by": name})
            answers = await asyncio.gather(*(journal.write(f) for f in [*facts, shared]))
            for (entry,) in answers:
                print(entry.key, entry.hash, flush=True)

    asyncio.run(main(*sys.argv[1:]))
"""


def test_two_processes(database: str) -> None:
    Store(database).close()
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(WRITER), database, name],
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("a", "b")
    ]
    told = [process.communicate(timeout=60)[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    store = Store(database)
    entries = _is_sound(Journal(store), 210)
    known = {e.key: e.hash for e in entries}
    for words in told:
        answered = dict(zip(words[::2], words[1::2], strict=True))
        assert len(answered) == 110
        assert answered.items() <= known.items()
    store.close()


def test_killed_while_writing_loses_nothing_that_was_answered(database: str) -> None:
    Store(database).close()
    endless = textwrap.dedent(WRITER).replace("range(10):", "range(10**6):")
    with subprocess.Popen(
        [sys.executable, "-c", endless, database, "a"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(60)]
        process.kill()
        lines += process.stdout.read().splitlines()
    store = Store(database)
    known = {e.key: e.hash for e in _is_sound(Journal(store))}
    whole = [line.split() for line in lines if len(line.split()) == 2 and len(line) > 64]
    assert len(whole) >= 59
    assert all(known[key] == answered for key, answered in whole[:-1])
    store.close()


def test_five_thousand_entries_are_read_quickly(journal: Journal) -> None:
    detail = {"change": "okta/okta.user.suspend/00u1", "state": "contained", "reads": ["t"] * 2}
    journal.append(*(a_fact(f"k{n}", **detail) for n in range(5000)))
    began = time.process_time()
    assert len(journal.entries(case="K-1")) == 5000
    assert time.process_time() - began < 1.0  # 0.06–0.1 s where it was measured


def _is_sound(journal: Journal, length: int | None = None) -> list:
    entries = journal.entries()
    assert [e.seq for e in entries] == list(range(1, len(entries) + 1))
    assert [e.prev for e in entries] == [GENESIS, *(e.hash for e in entries[:-1])]
    assert [e.at for e in entries] == sorted(e.at for e in entries)
    assert length is None or len(entries) == length
    return entries
