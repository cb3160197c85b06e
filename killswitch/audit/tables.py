"""The tables behind cases: journal, signed heads, open cases, inbox, holds; and the alerts."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
)

_NUMBER = BigInteger().with_variant(Integer(), "sqlite")  # SQLite counts in INTEGER keys only

metadata = MetaData()

journal = Table(
    "journal",
    metadata,
    Column("seq", _NUMBER, primary_key=True, autoincrement=False),
    Column("at", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("case_id", Text, nullable=False, index=True),
    Column("key", Text, nullable=False, unique=True),
    Column("data", Text, nullable=False),  # canonical JSON: the very bytes that are hashed
    Column("prev", Text, nullable=False),
    Column("hash", Text, nullable=False),
)

heads = Table(
    "heads",
    metadata,
    Column("seq", _NUMBER, primary_key=True, autoincrement=False),
    Column("hash", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("signature", Text, nullable=False),  # the DSSE envelope
    Column("witnesses", Text, nullable=False),  # JSON: the names of those that took it
)

cases = Table(
    "cases",
    metadata,
    Column("id", Text, primary_key=True),
    Column("subject", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("open", Boolean, nullable=False),
    Column("opened_at", Text, nullable=False),
)
Index(
    "one_open_case",
    cases.c.subject,
    cases.c.mode,
    unique=True,
    sqlite_where=cases.c.open,
    postgresql_where=cases.c.open,
)

inbox = Table(
    "inbox",
    metadata,
    Column("id", _NUMBER, primary_key=True, autoincrement=True),
    Column("kind", Text, nullable=False),
    Column("case_id", Text, nullable=False),
    Column("payload", JSON, nullable=False),
    Column("at", Text, nullable=False),
    Column("taken_at", Text, nullable=True, index=True),
    sqlite_autoincrement=True,  # a number is never given twice, even after a delete
)

holds = Table(
    "holds",
    metadata,
    Column("target", Text, nullable=False),
    Column("case_id", Text, nullable=False),
    Column("change", Text, nullable=False),
    Column("before", JSON, nullable=True),
    Column("placed_at", Text, nullable=False),
    Column("lifted_at", Text, nullable=True),
    PrimaryKeyConstraint("target", "case_id"),
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", _NUMBER, primary_key=True, autoincrement=True),
    Column("source", Text, nullable=False),
    Column("delivery", Text, nullable=False, unique=True),  # source and digest of the bytes
    Column("sha256", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("headers", JSON, nullable=False),  # a few, none of them secret
    Column("body", LargeBinary, nullable=False),
    Column("received_at", Text, nullable=False),
    Column("deliveries", Integer, nullable=False),
    Column("last_at", Text, nullable=False),
    Column("decided_at", Text, nullable=True, index=True),
    Column("outcome", Text, nullable=False, server_default="", index=True),
    Column("why", Text, nullable=False, server_default=""),
    Column("rule", Text, nullable=False, server_default=""),
    Column("subject", Text, nullable=False, server_default=""),
    Column("alert_id", Text, nullable=False, server_default=""),  # the source's own
    Column("case_id", Text, nullable=False, server_default="", index=True),
    Column("history", JSON, nullable=False),  # every decision, with its rule's digest
    sqlite_autoincrement=True,
)
Index("alert_of_source", alerts.c.source, alerts.c.alert_id)
