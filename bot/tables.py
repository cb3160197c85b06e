"""The bot's own tables, in the database of cases: presses, posts, channels, pages, a cursor."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Integer, MetaData, Table, Text

from killswitch.audit.store import Store

_NUMBER = BigInteger().with_variant(Integer(), "sqlite")

metadata = MetaData()

presses = Table(  # what people did, written before it is acknowledged
    "slack_presses",
    metadata,
    Column("id", Text, primary_key=True),  # of the interaction: a second delivery has the same
    Column("at", Text, nullable=False),
    Column("kind", Text, nullable=False),  # start, answer, alert-start, look, refused and so on
    Column("user", Text, nullable=False),
    Column("team", Text, nullable=False),
    Column("work", JSON, nullable=False),  # what is to be done; never a token or a trigger
    Column("sha256", Text, nullable=False),  # of the payload
    Column("via", Text, nullable=False),  # socket or http
    Column("retry", Integer, nullable=False),  # how often it was delivered again
    Column("outcome", Text, nullable=True, index=True),  # NULL until it is carried out
)

posts = Table(  # every message of ours that is there, or should be
    "slack_posts",
    metadata,
    Column("number", _NUMBER, primary_key=True, autoincrement=True),
    Column("key", Text, nullable=False, unique=True),
    Column("case_id", Text, nullable=False, index=True),  # "": the list of alerts
    Column("kind", Text, nullable=False),
    Column("about", Text, nullable=False),  # gate, change, percentage or rule
    Column("to", Text, nullable=False),  # "case", "index", or an address for a direct message
    Column("state", Text, nullable=False, index=True),  # due, sending, there, dropped
    Column("channel", Text, nullable=False),
    Column("ts", Text, nullable=False),
    Column("shown", Text, nullable=False),  # digest of what it shows
    Column("at", Text, nullable=False),
    sqlite_autoincrement=True,
)

channels = Table(
    "slack_channels",
    metadata,
    Column("case_id", Text, primary_key=True),
    Column("channel", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("turn", Integer, nullable=False),  # one more after each that was archived or lost
)

homes = Table(  # who has opened App Home
    "slack_homes",
    metadata,
    Column("user", Text, primary_key=True),
    Column("shown", Text, nullable=False),  # digest of their page, "" before the first
    Column("at", Text, nullable=False),
)

cursors = Table(
    "slack_cursors",
    metadata,
    Column("name", Text, primary_key=True),
    Column("seq", _NUMBER, nullable=False),
)


def create(store: Store) -> None:
    """Make the tables where they are not there yet. Raises Broken."""
    with store.begin() as tx:
        metadata.create_all(tx, checkfirst=True)
