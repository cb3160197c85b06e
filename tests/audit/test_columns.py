"""A database of an older version gets what its tables lack, and keeps what is in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Column, Text, inspect, select

from killswitch.audit import tables
from killswitch.audit.columns import lacking
from killswitch.audit.journal import Journal
from killswitch.audit.store import Store
from killswitch.model.errors import Broken
from killswitch.model.event import Event, What

# As the first version that took alerts made it.
OLDER = """
CREATE TABLE alerts (
  id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, source TEXT NOT NULL,
  delivery TEXT NOT NULL UNIQUE, sha256 TEXT NOT NULL, size INTEGER NOT NULL,
  media_type TEXT NOT NULL, headers JSON NOT NULL, body BLOB NOT NULL,
  received_at TEXT NOT NULL, deliveries INTEGER NOT NULL, last_at TEXT NOT NULL,
  decided_at TEXT, outcome TEXT DEFAULT '' NOT NULL, why TEXT DEFAULT '' NOT NULL,
  rule TEXT DEFAULT '' NOT NULL, subject TEXT DEFAULT '' NOT NULL,
  alert_id TEXT DEFAULT '' NOT NULL, case_id TEXT DEFAULT '' NOT NULL, history JSON NOT NULL)
"""
ROW = """
INSERT INTO alerts (source, delivery, sha256, size, media_type, headers, body, received_at,
  deliveries, last_at, history)
VALUES ('splunk', 'splunk:x', 'x', 2, '', '{}', '{}', '2026-11-21T10:00:00', 1, '', '[]')
"""


def test_an_older_table_grows_and_keeps_its_rows_and_the_journal(tmp_path: Path) -> None:
    path = tmp_path / "killswitch.db"
    store = Store(path)
    Journal(store).append(Event(What.HEAD, "", "kept"))
    with store.begin() as tx:
        tx.exec_driver_sql("DROP TABLE alerts")
        tx.exec_driver_sql(OLDER)
        tx.exec_driver_sql(ROW)
    store.close()

    store = Store(path)
    with store.read() as tx:
        (row,) = tx.execute(select(tables.alerts)).mappings()
        assert (row["source"], row["origin"], row["confirmed_by"]) == ("splunk", "push", "")
        assert (row["tries"], row["wait_until"], row["shed_at"]) == (0, None, None)
        assert lacking(tx) == []
        names = {index["name"] for index in inspect(tx).get_indexes("alerts")}
        assert {"one_alert_of_vendor", "alert_to_shed"} <= names
    assert [entry.key for entry in Journal(store).entries()] == ["kept"]
    store.close()


def test_a_column_that_no_row_can_be_without_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Store(tmp_path / "killswitch.db").close()
    newer = tables.holds.to_metadata(tables.MetaData())
    newer.append_column(Column("reason", Text, nullable=False))
    monkeypatch.setattr(tables, "metadata", newer.metadata)
    with pytest.raises(Broken, match=r"lacks holds\.reason"):
        Store(tmp_path / "killswitch.db")
