"""``agent-kill doctor``: what is well, what blocks, what could not be told."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from tests.cli.support import Done, Home, a_home, run


@pytest.fixture(scope="module")
def tidy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home in which nothing runs and nothing was asked yet."""
    with a_home(tmp_path_factory.mktemp("doctor") / "home", engine=False) as made:
        yield made


@pytest.fixture(autouse=True)
def healed(tidy: Home) -> Iterator[None]:
    yield
    tidy.sims["okta"].heal()
    tidy.sims["okta"].granted = None


def checks(done: Done) -> dict[tuple[str, str], dict[str, Any]]:
    assert {line["schema"] for line in done.lines} == {"killswitch/check/1"}
    return {(line["area"], line["check"]): line for line in done.lines}


def test_a_home_that_is_well(tidy: Home) -> None:
    done = tidy.run("doctor", "--json")
    found = checks(done)
    assert done.code == 0, [line for line in done.lines if line["blocks"]]
    assert found["okta", "who we are"]["detail"].startswith("killswitch Service")
    assert found["okta", "administrators"]["detail"] == "2 enabled besides ourselves"
    assert found["roles", "eng-leads"]["detail"].startswith("2 people: lee@")
    assert "Nia Okafor" in found["protected", "ceo@corp.example"]["detail"]
    for name in ("journal", "vault", "witness", "disk", "engine", "you", "cases"):
        assert found["machine", name]["ok"] is True, name


def test_a_clock_that_differs_blocks_and_one_that_is_not_told_is_unknown(tidy: Home) -> None:
    found = checks(tidy.run("doctor", "--connection", "okta", "--json"))
    assert found["okta", "clock"]["ok"] is True
    okta = tidy.sims["okta"]
    later = formatdate(time.time() + 600, usegmt=True)
    okta.fault("status", "HEAD", status=404, headers={"date": later}, times=1)
    done = tidy.run("doctor", "--connection", "okta", "--json")
    told = checks(done)["okta", "clock"]
    assert (done.code, told["ok"], told["blocks"]) == (12, False, True)
    assert re.fullmatch(r"differs by \+(600|59\d) s", told["detail"])
    okta.fault("status", "HEAD", status=404, headers={"date": "soon"}, times=1)
    found = checks(tidy.run("doctor", "--connection", "okta", "--json"))
    assert found["okta", "clock"]["ok"] is None


def test_what_cannot_be_told_is_not_shown_as_well(tidy: Home) -> None:
    done = tidy.run("doctor", "--connection", "okta")
    (line,) = [line for line in done.out.splitlines() if "okta.users.manage" in line]
    assert line.startswith("? ")
    assert "1 could not be told" in done.out
    found = checks(tidy.run("doctor", "--connection", "okta", "--json"))
    assert found["okta", "okta.users.manage"]["ok"] is None


def test_probing_leaves_nothing_behind(tidy: Home) -> None:
    before = len([e for e in tidy.sims["okta"].exchanges if e.wrote])
    tidy.run("doctor")
    assert tidy.run("audit", "show", "--json").out == ""
    vault = tidy.folder / "state" / "vault"
    assert [p for p in vault.rglob("*") if p.is_file()] == []
    assert (tidy.folder / "witness" / "heads.jsonl").read_bytes() == b""
    assert len([e for e in tidy.sims["okta"].exchanges if e.wrote]) == before


def test_a_missing_scope_blocks_and_says_which(tidy: Home) -> None:
    tidy.sims["okta"].granted = {"okta.users.read", "okta.groups.read", "okta.roles.read"}
    done = tidy.run("doctor", "--connection", "okta")
    assert done.code == 12
    (line,) = [line for line in done.out.splitlines() if "okta.logs.read" in line]
    assert line.startswith("✗ ")
    assert "→ grant okta.logs.read" in line


def test_a_connection_that_does_not_answer_is_given_up_in_time(tidy: Home) -> None:
    tidy.sims["okta"].fault("late", "", seconds=30)
    found = checks(done := tidy.run("doctor", "--connection", "okta", "--limit", "1", "--json"))
    assert done.code == 12
    assert "not done within 1 s" in found["okta", "answers"]["detail"]


def test_an_unknown_connection_is_7(tidy: Home) -> None:
    done = tidy.run("doctor", "--connection", "octa")
    assert done.code == 7
    assert "did you mean 'okta'" in done.err


def test_people_that_are_missing(tmp_path: Path) -> None:
    how: dict[str, Any] = {
        "roles": {"eng-leads": ["lee@corp.example"], "duty-directors": []},
        "protected": {"people": ["cheo@corp.example"], "groups": ["okta:bored"]},
    }
    with a_home(tmp_path / "home", engine=False, **how) as home:
        two = (home.folder / "playbooks" / "agent-kill.yaml").read_text()
        (home.folder / "playbooks" / "agent-kill.yaml").write_text(
            two.replace("quorum: 1", "quorum: 2")
        )
        found = checks(done := home.run("doctor", "--json"))
    assert done.code == 12
    assert found["roles", "eng-leads"]["blocks"]
    assert "asks 2 of them" in found["roles", "eng-leads"]["fix"]
    misspelt = found["protected", "cheo@corp.example"]
    assert (misspelt["ok"], misspelt["blocks"]) == (False, False)
    assert found["protected", "okta:bored"]["blocks"]
    assert "every kill is refused" in found["protected", "okta:bored"]["fix"]


def test_a_signing_key_that_others_can_read_blocks(tidy: Home, tmp_path: Path) -> None:
    tidy.run("list")
    home = tidy.copy(tmp_path / "copy")
    key = home.folder / "state" / "signing-key.pem"
    key.chmod(0o644)
    done = home.run("doctor")
    assert done.code == 12
    assert f"chmod 600 {key}" in done.out
    assert stat.S_IMODE(key.stat().st_mode) == 0o644  # told, not mended


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_vault_that_cannot_be_written_blocks(tidy: Home, tmp_path: Path) -> None:
    home = tidy.copy(tmp_path / "copy")
    (home.folder / "state" / "vault" / "incoming").chmod(0o500)
    done = home.run("doctor")
    assert done.code == 12
    assert "cannot be written" in done.out


def test_a_witness_that_cannot_be_appended_to_blocks(tidy: Home, tmp_path: Path) -> None:
    tidy.run("list")
    home = tidy.copy(tmp_path / "copy")
    heads = home.folder / "witness" / "heads.jsonl"
    heads.unlink(missing_ok=True)
    heads.mkdir()
    done = home.run("doctor")
    assert done.code == 12
    (line,) = [line for line in done.out.splitlines() if " witness " in line]
    assert line.startswith("✗ ")


def test_a_wrong_configuration_is_10_and_all_of_it_is_said(tmp_path: Path) -> None:
    file = tmp_path / "killswitch.yaml"
    file.write_text("mode: nonsense\nroless: {}\n")
    done = run("-c", str(file), "doctor")
    assert done.code == 10
    assert f"{file}:1: " in done.err
    assert f"{file}:2: " in done.err


def test_no_connection_at_all_blocks(tmp_path: Path) -> None:
    file = tmp_path / "killswitch.yaml"
    file.write_text("mode: drill\nroles: {secops: [dana@corp.example]}\n")
    done = run("-c", str(file), "doctor")
    assert done.code == 12
    assert "add one under `connections:`" in done.out
