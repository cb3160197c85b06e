"""No secret leaves memory: two whole kills of everything, and every byte they wrote is searched.

The canaries are the values that open something in the simulated corporation: everybody's tokens,
passwords, sessions and private keys, killswitch's own among them. Evidence is raw and kept apart,
so the vault's objects are the one place where they may be.
"""

from __future__ import annotations

import io
import logging
import re
import sqlite3
import traceback
from collections.abc import Iterable
from pathlib import Path

import pytest

from killswitch import playbooks
from killswitch.engine.pace import Pace
from killswitch.model.errors import KillswitchError
from killswitch.model.vendor import Vendor
from tabletop.sims.run import SIMS, Simulators
from tests.contract.conftest import SetStage
from tests.contract.walk import EMAIL, every_vendor
from tests.drill import Drill

SHORTEST = 12  # characters; what is shorter is found by chance


def canaries(sims: Simulators) -> set[str]:
    """What must be found nowhere; of a private key, a line, as its ends of line may be escaped."""
    values = {value for sim in sims.sims.values() for value in sim.secrets()}
    lines = {line for value in values for line in value.splitlines() if "-----" not in line}
    return {line for line in lines if len(line) >= SHORTEST}


def found_in(text: str, secrets: Iterable[str]) -> list[str]:
    """The secrets that are in it."""
    return [secret for secret in secrets if secret in text]


def rows(database: Path) -> str:
    """Every value of every table: a long one is scattered over the pages of the file."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as opened:
        tables = opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return "\n".join(
            str(row) for (name,) in tables for row in opened.execute(f'SELECT * FROM "{name}"')
        )


def written(folder: Path) -> dict[str, str]:
    """Every file as text, by path; of a database its rows as well."""
    files = [f for f in folder.rglob("*") if f.is_file() and "objects" not in f.parts]
    texts = {str(f): f.read_bytes().decode("utf-8", "surrogateescape") for f in files}
    for file in files:
        if file.suffix == ".db":
            texts[f"rows of {file}"] = rows(file)
    return texts


async def test_two_whole_kills_write_no_secret(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    async with Drill.of(tmp_path, vendors=tuple(SIMS)) as drill:
        for connection in drill.house.connections:  # nothing here is about pace
            connection.link = Pace(connection.name, 1000, 1000, 16, connection.link.allow)
        secrets = canaries(drill.sims)
        assert len(secrets) > 50
        await drill.sims.truth(EMAIL)
        for name, subject in [
            ("agent-kill", EMAIL),
            ("leaked-credential", drill.sims["github"].subjects()[-1]),
        ]:
            playbook = playbooks.load(name, policy=drill.config)
            case = await drill.kill(subject, playbook=playbook, gates=("lead", "dual"))
            assert case.changes
            case = await drill.closed(case.id)
            assert case.items, "evidence was taken"
            secrets |= canaries(drill.sims)
        await drill.restore(case.id)
    texts = written(tmp_path / "state")
    assert any(name.endswith(".html") for name in texts), "the reports are among them"
    assert any("rows of" in name and EMAIL in text for name, text in texts.items())
    said = capfd.readouterr()
    assert "botocore" in caplog.text, "the SDKs' own logs are among them"
    texts |= {"the log": caplog.text, "standard output": said.out, "standard error": said.err}
    leaks = {name: found_in(text, secrets) for name, text in texts.items()}
    assert {name: found for name, found in leaks.items() if found} == {}


async def test_the_search_would_find_one(tmp_path: Path) -> None:
    secret = "00fake-" + "x" * 6000
    with sqlite3.connect(tmp_path / "some.db") as database:
        database.execute("CREATE TABLE journal (entry)")
        database.execute("INSERT INTO journal VALUES (?)", (f"why: {secret}",))
    (tmp_path / "report.html").write_text(f"<p>{secret}</p>")
    texts = written(tmp_path)
    hits = {Path(name).name for name, text in texts.items() if found_in(text, [secret])}
    assert hits == {"some.db", "report.html"}


@every_vendor
async def test_neither_errors_nor_settings_show_a_secret(
    vendor: Vendor[object], stage_of: SetStage
) -> None:
    stage = stage_of(vendor.name)
    secrets = canaries(stage.sims)
    settings = stage.settings()
    shown = io.StringIO(f"{settings!r} {settings}")
    shown.seek(0, io.SEEK_END)
    for fault, status in (("status", 401), ("status", 500), ("status", 302), ("drop", 0)):
        stage.sim.heal()
        stage.sim.fault(fault, status=status)
        client = stage.connect()
        print(repr(client), file=shown)
        with pytest.raises(KillswitchError) as caught:
            await vendor.whoami(client)
        print(repr(caught.value), caught.value.hint, file=shown)
        traceback.print_exception(caught.value, file=shown)
    assert re.search(r"Traceback", shown.getvalue())
    assert found_in(shown.getvalue(), secrets) == []
