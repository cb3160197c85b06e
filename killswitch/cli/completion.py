"""What the shell offers on TAB where a case or a playbook is named. Cheap, and never an error."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import typer

from killswitch.cli.context import Context
from killswitch.config import Config
from killswitch.model.errors import Invalid

NEWEST = 30  # cases


def case_ids(ctx: typer.Context) -> Iterator[tuple[str, str]]:
    """The newest cases, each with its subject."""
    config = _config(ctx)
    if config is None:
        return
    file = config.state / "killswitch.db"
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as database:
            found = database.execute(
                "SELECT id, subject FROM cases ORDER BY opened_at DESC LIMIT ?", (NEWEST,)
            ).fetchall()
    except sqlite3.Error:  # no case yet, or no database: there is nothing to offer
        return
    yield from found


def playbook_names(ctx: typer.Context) -> Iterator[str]:
    """The playbooks that ``kill`` and ``playbook show`` know by name."""
    from killswitch import playbooks

    yield from playbooks.names(policy=_config(ctx))


def _config(ctx: typer.Context) -> Config | None:
    """The configuration that the command line being typed would use, if it can be read."""
    from killswitch import config

    given = ctx.find_root().params.get("config")
    try:
        return config.load(Context(config_file=Path(given) if given else None).find())
    except Invalid:
        return None
