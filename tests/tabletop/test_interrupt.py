"""A real case while a drill runs is noticed; the live database is read and nothing else."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert

from killswitch.audit.journal import Journal
from killswitch.audit.store import Store
from killswitch.audit.tables import cases
from killswitch.model.errors import Broken, Invalid, Refused
from killswitch.model.event import Event, What
from tabletop import interrupt
from tabletop.interrupt import live_watch


class Live:
    """A live installation: a configuration and, once something happened, a database."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.file = folder / "killswitch.yaml"
        self.file.write_text("mode: live\nstate: state\n")
        self.database = folder / "state" / "killswitch.db"
        self.store: Store | None = None

    def opens(self, case: str, mode: str = "live", what: What = What.REQUESTED) -> None:
        """A case is opened; or, as ``case.joined``, asked for once more."""
        self.store = self.store or Store(self.database)
        with self.store.begin() as tx:
            if what is What.REQUESTED:
                row = {"subject": case, "state": "requested", "open": True, "opened_at": ""}
                tx.execute(insert(cases).values(id=case, mode=mode, **row))
            key = f"{case}:{what}:{hashlib.sha256(case.encode()).hexdigest()}"
            Journal(self.store).append(Event(what, case, key, {}), tx=tx)


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Live]:
    monkeypatch.setattr(interrupt, "EVERY", 0.0)
    made = Live(tmp_path / "live")
    yield made
    if made.store:
        made.store.close()


def test_a_live_case_that_opens_during_the_drill_is_named(live: Live) -> None:
    live.opens("K-1")
    look = live_watch(live.file)
    assert look() == "", "it was there before"
    live.opens("K-2", mode="plan")
    assert look() == "", "a plan touches nothing"
    live.opens("K-3")
    assert look() == "K-3"
    live.opens("K-4")
    assert look() == "K-3", "the first one is what paused it"


def test_a_second_alert_for_a_case_that_was_open_counts(live: Live) -> None:
    live.opens("K-1")
    look = live_watch(live.file)
    live.opens("K-1", what=What.ABORTED)
    assert look() == ""
    live.opens("K-1", what=What.JOINED)
    assert look() == "K-1"


def test_a_database_that_comes_later_is_found(live: Live) -> None:
    look = live_watch(live.file)
    assert look() == ""
    assert not live.database.parent.exists(), "nothing was made there"
    live.opens("K-1")
    assert look() == "K-1"


def test_it_looks_once_a_second(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    look = live_watch(live.file)
    monkeypatch.setattr(interrupt, "EVERY", 1000.0)
    live.opens("K-1")
    assert look() == ""
    monkeypatch.setattr(interrupt, "EVERY", 0.0)
    assert look() == "K-1"


def test_it_reads_beside_a_writer_and_hinders_nobody(live: Live) -> None:
    live.opens("K-1")
    look = live_watch(live.file)
    with sqlite3.connect(live.database, isolation_level=None, timeout=0) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert look() == ""
        writer.execute("UPDATE cases SET state = 'waiting'")
        assert look() == ""
        writer.execute("COMMIT")
    writer.close()
    live.opens("K-2")
    assert look() == "K-2"


def test_a_database_that_is_away_for_a_moment_is_looked_for_again(live: Live) -> None:
    live.opens("K-1")
    look = live_watch(live.file)
    away = live.database.with_suffix(".away")
    live.database.rename(away)
    live.database.write_bytes(b"half of a copy")
    assert look() == ""
    away.rename(live.database)
    live.opens("K-2")
    assert look() == "K-2"


def test_nothing_is_changed_at_the_live_installation(live: Live) -> None:
    live.opens("K-1")
    assert live.store
    live.store.close()
    before = {p.name: p.read_bytes() for p in live.database.parent.iterdir() if p.suffix == ".db"}
    look = live_watch(live.file)
    assert look() == ""
    assert before == {
        p.name: p.read_bytes() for p in live.database.parent.iterdir() if p.suffix == ".db"
    }


def test_what_cannot_be_watched_is_refused_at_the_start(live: Live, tmp_path: Path) -> None:
    drill = tmp_path / "drill.yaml"
    drill.write_text("mode: drill\n")
    with pytest.raises(Refused, match="only live cases"):
        live_watch(drill)
    with pytest.raises(Invalid):
        live_watch(tmp_path / "nowhere.yaml")
    live.database.parent.mkdir()
    live.database.write_text("this is no database, it is a text that is long enough to be read")
    with pytest.raises(Broken, match="cannot be read"):
        live_watch(live.file)
