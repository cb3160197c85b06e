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
    and_,
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
    Column("received_at", Text, nullable=False),
    Column("deliveries", Integer, nullable=False),
    Column("last_at", Text, nullable=False),
    Column("origin", Text, nullable=False, server_default="push"),  # push, read or poll
    Column("parent", _NUMBER, nullable=True, index=True),  # the push that it stood in
    Column("vendor_id", Text, nullable=False, server_default=""),  # as the vendor itself has it
    Column("raised_at", Text, nullable=False, server_default=""),  # as the vendor tells it
    Column("confirmed_by", Text, nullable=False, server_default=""),  # read, hmac or ""
    Column("answer", Text, nullable=False, server_default=""),  # digest, in alert_answers
    Column("tries", Integer, nullable=False, server_default="0"),  # to read it at the vendor
    Column("tried_since", Text, nullable=True),
    Column("next_try_at", Text, nullable=True),
    Column("wait_until", Text, nullable=True),  # the end of its rule's window
    Column("decided_at", Text, nullable=True, index=True),
    Column("outcome", Text, nullable=False, server_default="", index=True),
    Column("why", Text, nullable=False, server_default=""),
    Column("rule", Text, nullable=False, server_default=""),
    Column("level", Text, nullable=False, server_default=""),  # at which it was acted on
    Column("subject", Text, nullable=False, server_default=""),
    Column("alert_id", Text, nullable=False, server_default=""),  # the source's own, by the rule
    Column("occurred", Text, nullable=False, server_default=""),
    Column("link", Text, nullable=False, server_default=""),
    Column("case_id", Text, nullable=False, server_default="", index=True),
    Column("shed_at", Text, nullable=True),  # when its text was deleted
    Column("history", JSON, nullable=False),  # every decision, with its rule's digest
    Column("confirmed", LargeBinary, nullable=True),  # the vendor's own, where it was pushed
    Column("body", LargeBinary, nullable=False),  # last: a look at the others reads one page
    sqlite_autoincrement=True,
)
Index("alert_of_source", alerts.c.source, alerts.c.alert_id)
Index(
    "one_alert_of_vendor",
    alerts.c.source,
    alerts.c.vendor_id,
    unique=True,
    sqlite_where=alerts.c.vendor_id != "",
    postgresql_where=alerts.c.vendor_id != "",
)
Index(
    "alert_to_shed",
    alerts.c.decided_at,
    sqlite_where=and_(alerts.c.shed_at.is_(None), alerts.c.case_id == ""),
    postgresql_where=and_(alerts.c.shed_at.is_(None), alerts.c.case_id == ""),
)

alert_answers = Table(
    "alert_answers",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("what", JSON, nullable=False),  # name, media type, query: see model.collector.Artifact
    Column("at", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),  # one answer can hold many alerts
)

alert_polls = Table(
    "alert_polls",
    metadata,
    Column("source", Text, primary_key=True),
    Column("since", Text, nullable=False),  # nothing raised before is asked for
    Column("upto", Text, nullable=False),  # everything raised before was seen
    Column("polled_at", Text, nullable=False, server_default=""),
    Column("found", Integer, nullable=False, server_default="0"),  # what no push had brought
)
