"""Drill and live keep apart: each has a state directory, a key and a witness of its own.

From its first use on a state directory says in a file ``mode`` which of the two it is for, and
a key and a witness's heads that were made in a drill say so themselves. A configuration of the
other mode that names one of them, or anything inside such a directory, is refused: what was
rehearsed can then never stand as evidence, signature or history of what happened.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from killswitch.audit import witness
from killswitch.config import Config
from killswitch.evidence import keys
from killswitch.model.errors import Broken, Refused
from killswitch.model.plan import Mode

MARK = "mode"
_MODES = {f"{mode}\n": mode for mode in (Mode.DRILL, Mode.LIVE)}


@dataclass(frozen=True)
class Clash:
    """A key of killswitch.yaml that names what belongs to the other mode."""

    key: str
    path: Path
    of: Mode

    def __str__(self) -> str:
        used = "in a drill" if self.of is Mode.DRILL else "live"
        return f"`{self.key}:` {self.path} was used {used}"

    @property
    def fix(self) -> str:
        """What to change."""
        return f"give `{self.key}:` a place of its own: drill and live share nothing"


def claim(config: Config) -> None:
    """Make the state directory, and write into it which mode it is for. Once; then only checked.

    Raises Refused when state, vault, signing key or witness belong to the other mode; Broken
    when that cannot be told, or not be written down.
    """
    for clash in clashes(config):
        raise Refused(f"{clash}, and this is mode: {config.mode}", hint=clash.fix)
    mark, draft = config.state / MARK, config.state / f".{MARK}.{os.getpid()}"
    try:
        config.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not mark.exists():
            draft.write_text(f"{config.mode}\n")
            draft.replace(mark)
    except OSError as error:
        raise Broken(
            f"the state directory {config.state} cannot be made: {error.strerror}",
            hint="check `state:` in killswitch.yaml, and who owns the folder",
        ) from error


def clashes(config: Config) -> Iterator[Clash]:
    """Everything that the configuration names and that belongs to the other mode.

    Raises Broken when a mark cannot be read.
    """
    written, seen = config.written, set()
    for key, path, holds in (
        ("state", config.state, _cases_in),
        ("state", config.state / "vault", _nothing),
        ("state", config.state / "killswitch.db", _nothing),
        ("signing_key" if written.signing_key else "state", config.signing_key, _key),
        ("witness", config.path(written.witness.file) if written.witness else None, _heads),
    ):
        of = _marked(path.resolve()) or holds(path) if path else None
        if path and of not in (None, config.mode) and key not in seen:
            seen.add(key)
            yield Clash(key, path, of)


def _marked(path: Path) -> Mode | None:
    """The mode by the nearest mark: in the directory itself, or in one that it lies in."""
    for folder in (path, *path.parents):
        try:
            found = _MODES.get((folder / MARK).read_text())
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError, UnicodeDecodeError):
            continue  # there is none: something else may be called so
        except OSError as error:
            raise Broken(f"{folder / MARK} cannot be read: {error.strerror}") from error
        if found:
            return found
    return None


def _nothing(path: Path) -> Mode | None:
    """What lies there does not tell."""
    del path
    return None


def _key(path: Path) -> Mode | None:
    return Mode.DRILL if keys.of_a_drill(path) else None


def _heads(path: Path) -> Mode | None:
    return Mode.DRILL if witness.of_a_drill(path) else None


def _cases_in(state: Path) -> Mode | None:
    """The mode of the cases in a state directory without a mark."""
    database = state.resolve() / "killswitch.db"
    if not database.is_file():
        return None
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as db:
            row = db.execute("SELECT mode FROM cases WHERE mode <> 'plan' LIMIT 1").fetchone()
    except sqlite3.Error:  # damaged, or not ours yet: whoever opens it next says so
        return None
    return Mode(row[0]) if row else None
