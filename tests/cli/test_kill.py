"""``agent-kill SUBJECT``, ``plan``, ``status``, ``list``, ``report``: exit codes, both outputs."""

from __future__ import annotations

import os
import pty
import pwd
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from tests.cli.support import (
    ADA,
    CEO,
    DANA,
    JO,
    KIM,
    LEE,
    MAX,
    OURSELVES,
    RIA,
    SOL,
    Home,
    a_home,
    command,
    environment,
    run,
)


def test_a_kill_that_is_contained_is_0_and_says_what_comes_next(home: Home) -> None:
    done = home.run(JO, "--personas", "-r", "a test")
    assert done.code == 0, done
    assert "✓ contained" in done.out
    assert "agent-kill restore K-" in done.out
    assert "may live on" in done.out

    case = done.out.split("agent-kill restore ")[1].split()[0]
    (shown,) = home.run("status", case, "--json").lines
    assert shown["verdict"]["required"] == shown["verdict"]["contained"] == 1
    report = home.run("report", case)
    assert Path(report.out.strip()).is_file()
    assert home.run("report", case, "--format", "md").out.startswith("#")

    back = home.run("restore", case, "--personas", "-r", "a test")
    assert back.code == 0, back


def test_every_line_of_json_is_one_value_that_names_its_shape(home: Home) -> None:
    done = home.run("--json", KIM, "--personas")
    assert done.code == 0
    assert {line["schema"] for line in done.lines} == {"killswitch/event/1"}
    assert [line["seq"] for line in done.lines] == sorted(line["seq"] for line in done.lines)
    assert done.lines[0]["what"] == "case.requested"
    case = done.lines[0]["case"]
    listed = home.run("list", "--json").lines
    assert {"killswitch/case-line/1"} == {line["schema"] for line in listed}
    assert case in [line["case"] for line in listed]


def test_a_plan_is_0_and_changes_nothing(home: Home) -> None:
    before = len([e for e in home.sims["okta"].exchanges if e.wrote])
    done = home.run("plan", MAX)
    assert done.code == 0
    assert "okta.user.suspend" in done.out
    assert "digest " in done.out
    assert len([e for e in home.sims["okta"].exchanges if e.wrote]) == before


def test_nobody_waits_with_no_wait(home: Home) -> None:
    done = home.run(SOL, "--no-wait")
    assert done.code == 5
    assert "gate      lead asks 1 of" in done.out
    case = re.findall(r"K-\d+", done.out)[0]
    assert home.run("abort", case, "-r", "a test").code == 0
    assert home.run("status", case, "--watch").code == 6


def test_a_denied_kill_is_6(home: Home) -> None:
    case = home.open(LEE)
    assert home.run("deny", case, "lead", "--as", RIA, "-r", "wrong person").code == 0
    assert home.run("status", case, "--watch").code == 6


@pytest.mark.parametrize(
    ("subject", "says"),
    [
        (CEO, "protected"),
        (OURSELVES, "our own identity"),
        (ADA, "administrator"),
    ],
)
def test_what_policy_refuses_is_7_and_says_why(home: Home, subject: str, says: str) -> None:
    done = home.run(subject, "--personas")
    assert done.code == 7, done
    assert "REFUSED" in done.out
    assert says in done.out


@pytest.mark.parametrize(
    ("subject", "says"),
    [
        ("nobody@corp.example", "no connection knows"),
        ("j\N{CYRILLIC SMALL LETTER O}@corp.example", "U+043E"),
        ("planet:earth", "no kind of subject"),
        ("jo@corp", "no e-mail address"),
        ("agent:claude-code", "no playbook is the default"),
    ],
)
def test_an_unknown_subject_is_8_and_says_what_to_do(home: Home, subject: str, says: str) -> None:
    done = home.run("kill", subject, "--personas")
    assert done.code == 8, done
    assert says in done.out + done.err


@pytest.mark.parametrize("words", [["status"], ["approve", "lead"], ["abort"], ["restore"]])
def test_an_unknown_case_is_8(home: Home, words: list[str]) -> None:
    done = home.run(words[0], "K-9999", *words[1:])
    assert done.code == 8
    assert "there is no case K-9999" in done.err
    assert "agent-kill list" in done.err


def test_who_is_no_operator_may_not_start(home: Home) -> None:
    done = home.run(JO, "--as", KIM, "--no-wait")
    assert done.code == 7
    assert "does not hold the role secops" in done.err


def test_a_login_that_is_nobody_may_nothing(tmp_path: Path) -> None:
    file = tmp_path / "killswitch.yaml"
    file.write_text("mode: drill\nroles: {secops: [dana@corp.example]}\n")
    done = run("-c", str(file), "list")
    assert done.code == 0
    done = run("-c", str(file), "abort", "K-1")
    assert done.code == 7
    assert "people.os_logins" in done.err


# -- what goes wrong around it -------------------------------------------------------------------


def test_a_step_that_cannot_be_done_is_4_and_names_it(tmp_path: Path) -> None:
    with a_home(tmp_path / "home") as home:
        home.sims["okta"].fault("status", "POST .*/lifecycle/suspend", status=403)
        done = home.run(JO, "--personas")
        assert done.code == 4, done
        assert "PARTIAL" in done.out
        assert "✗ failed" in done.out
        status = home.run("status")
        assert status.code == 4
        assert "okta.user.suspend" in status.out


def test_a_vendor_that_denies_us_is_3_and_points_to_the_doctor(tmp_path: Path) -> None:
    with a_home(tmp_path / "home", engine=False) as home:
        home.sims["okta"].fault("status", "GET /api/v1/groups", status=403)
        done = home.run(JO, "--as", SOL)  # an operator by the group only, which cannot be read
        assert done.code == 3, done
        assert "agent-kill doctor" in done.err


def test_an_idp_that_is_down_does_not_disarm_who_is_named_in_the_file(tmp_path: Path) -> None:
    with a_home(tmp_path / "home") as home:
        home.sims["okta"].fault("status", "", status=503)
        done = home.run(JO, "--no-wait", "--json")
        assert done.lines[0]["what"] == "case.requested"


def test_a_store_that_is_no_database_is_75(tmp_path: Path) -> None:
    file = tmp_path / "killswitch.yaml"
    file.write_text("mode: drill\n")
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "killswitch.db").write_bytes(b"not a database" * 100)
    done = run("-c", str(file), "list")
    assert done.code == 75
    assert "is not a database" in done.err


def test_a_state_directory_that_cannot_be_made_is_75(tmp_path: Path) -> None:
    file = tmp_path / "killswitch.yaml"
    file.write_text("mode: drill\n")
    (tmp_path / "state").write_text("a file")
    done = run("-c", str(file), "list")
    assert done.code == 75
    assert "check `state:`" in done.err


def test_a_witness_that_is_down_stops_nothing(tmp_path: Path) -> None:
    file = tmp_path / "killswitch.yaml"
    file.write_text("mode: drill\nwitness: {file: nowhere/heads.jsonl}\n")
    (tmp_path / "nowhere").write_text("a file")
    assert run("-c", str(file), "list").code == 0


def test_a_wrong_configuration_is_10_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "killswitch.yaml"
    file.write_text("mode: drill\nroless: {}\n")
    done = run("-c", str(file), "list")
    assert done.code == 10
    assert f"{file}:2: " in done.err


# -- live ----------------------------------------------------------------------------------------


@pytest.fixture
def live(tmp_path: Path) -> Path:
    """A live configuration that is connected to nothing."""
    login = pwd.getpwuid(os.getuid()).pw_name
    file = tmp_path / "killswitch.yaml"
    roles = {"secops": [DANA], "eng-leads": [LEE, RIA], "duty-directors": [MAX]}
    file.write_text(yaml.safe_dump({"roles": roles, "people": {"os_logins": {login: DANA}}}))
    return file


def test_nobody_plays_a_part_in_live_mode(live: Path) -> None:
    for words in (["plan", JO, "--as", LEE], ["approve", "K-1", "lead", "--as", LEE]):
        done = run("-c", str(live), *words)
        assert done.code == 7
        assert "only a drill has parts" in done.err
    done = run("-c", str(live), JO, "--personas", "--confirm", JO)
    assert done.code == 7
    assert "only a drill has parts" in done.err


@pytest.mark.parametrize("words", [[], ["--no-input"], ["--confirm", KIM]])
def test_a_live_kill_names_its_subject_twice(live: Path, words: list[str]) -> None:
    done = run("-c", str(live), JO, *words)
    assert done.code == 7
    assert f"--confirm {JO}" in done.err
    assert run("-c", str(live), "list", "--json").out == ""


# -- colours -------------------------------------------------------------------------------------


@contextmanager
def a_terminal() -> Iterator[tuple[int, list[bytes]]]:
    """A terminal's other end, and what was shown on it."""
    ours, theirs = pty.openpty()
    shown: list[bytes] = []

    def read() -> None:
        try:
            while data := os.read(ours, 4096):
                shown.append(data)
        except OSError:  # the last writer is gone
            return

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield theirs, shown
    finally:
        os.close(theirs)
        reader.join(10)
        os.close(ours)


def colours(home: Home, *words: str, **more: str) -> bool:
    """Whether anything but text reaches a terminal."""
    with a_terminal() as (terminal, shown):
        subprocess.run(
            command("-c", str(home.file), "doctor", "--connection", "okta", *words),
            env=environment(home.folder, **{"TERM": "xterm-256color", **more}),
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            check=False,
        )
    text = b"".join(shown)
    assert b"credential" in text
    return b"\x1b[" in text


def test_colours_are_for_terminals_and_can_be_switched_off(home: Home) -> None:
    assert colours(home)
    assert not colours(home, "--plain")
    assert not colours(home, TERM="dumb")
    assert b"\x1b" not in home.run("doctor", "--connection", "okta").out.encode()


def test_no_color_leaves_no_colour(home: Home) -> None:
    with a_terminal() as (terminal, shown):
        subprocess.run(
            command("-c", str(home.file), "doctor", "--connection", "okta"),
            env=environment(home.folder, TERM="xterm-256color", NO_COLOR="1"),
            stdin=terminal,
            stdout=terminal,
            check=False,
        )
    assert b"\x1b[3" not in b"".join(shown)  # 30 to 37: a foreground colour
