"""A database of an older version: what its tables lack, and how they get it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, Connection, DefaultClause, inspect

from killswitch.audit import tables
from killswitch.model.errors import Broken


def lacking(connection: Connection) -> list[Column[Any]]:
    """The columns that this version writes and the database does not have."""
    there = inspect(connection)
    known = set(there.get_table_names())
    return [
        column
        for table in tables.metadata.sorted_tables
        for column in table.columns
        if table.name not in known
        or column.name not in {c["name"] for c in there.get_columns(table.name)}
    ]


def add(connection: Connection, columns: Sequence[Column[Any]]) -> None:
    """Give older tables columns that their rows can do without, and the indexes over them.

    Raises Broken for a column that a row cannot be without.
    """
    for column in columns:
        place = f"{column.table.name} ADD COLUMN {column.name}"
        kind = column.type.compile(connection.dialect)
        connection.exec_driver_sql(f"ALTER TABLE {place} {kind}{_rest(column)}")
    for table in {column.table for column in columns}:
        for index in table.indexes:
            index.create(connection, checkfirst=True)


def _rest(column: Column[Any]) -> str:
    if column.nullable:
        return ""
    if isinstance(column.server_default, DefaultClause):
        return f" NOT NULL DEFAULT '{column.server_default.arg}'"
    raise Broken(
        f"the journal's database lacks {column.table.name}.{column.name}",
        hint="it was written by another version of killswitch",
    )
