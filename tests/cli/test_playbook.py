"""``agent-kill playbook``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from killswitch import playbooks
from tests.cli.support import PLAYBOOK, run

GOOD = PLAYBOOK.format(name="mine", assurance="os-login")


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    """A playbook with two errors, on lines 7 and 10, and a gate that nothing waits for."""
    file = tmp_path / "mine.yaml"
    text = GOOD.replace("quorum: 1", "quorum: 9").replace("okta.user.suspend", "okta.user.suspnd")
    file.write_text(text)
    return file


def test_what_ships_is_listed_and_right(tmp_path: Path) -> None:
    done = run("playbook", "list", cwd=tmp_path)
    assert done.code == 0
    assert [line.split()[0] for line in done.out.splitlines()] == playbooks.names()
    done = run("playbook", "lint", cwd=tmp_path)
    assert (done.code, done.out) == (0, "")
    assert "no errors" in done.err
    assert "roles were not checked" in done.err


def test_lint_says_file_and_line_and_what_would_be_right(wrong: Path) -> None:
    done = run("playbook", "lint", str(wrong))
    assert done.code == 10
    assert done.out.startswith(f"{wrong}:7: ")
    assert "(expected " in done.out


def test_lint_checks_a_folder(wrong: Path) -> None:
    (wrong.parent / "good.yaml").write_text(GOOD)
    done = run("playbook", "lint", str(wrong.parent))
    assert done.code == 10
    assert "2 playbooks, 1 with errors" in done.err


def test_lint_of_no_such_file_is_10(tmp_path: Path) -> None:
    done = run("playbook", "lint", str(tmp_path / "none.yaml"))
    assert done.code == 10
    assert "there is no such file" in done.out


def test_lint_for_programs(wrong: Path) -> None:
    for words in (["--format", "json"], ["--json"]):
        done = run("playbook", "lint", str(wrong), *words)
        assert done.code == 10
        assert {line["level"] for line in done.lines} == {"error"}
        assert done.lines[0]["line"] == 7


def test_lint_for_github_escapes_what_would_end_the_command(tmp_path: Path) -> None:
    file = tmp_path / "a,b: c.yaml"
    file.write_text(GOOD.replace("version: 1", "version: 1\nfoo%0Abar: 1"))
    done = run("playbook", "lint", str(file), "--format", "github")
    assert done.code == 10
    (line,) = done.out.splitlines()
    assert line.startswith("::error file=")
    assert "a%2Cb%3A c.yaml" in line
    assert "%250A" in line


def test_lint_knows_the_roles_where_there_is_a_configuration(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(GOOD)
    config = tmp_path / "killswitch.yaml"
    config.write_text("mode: drill\nroles: {eng-lead: [lee@corp.example]}\n")
    done = run("-c", str(config), "playbook", "lint", str(tmp_path / "mine.yaml"))
    assert done.code == 10
    assert "did you mean 'eng-lead'" in done.out


def test_lint_of_an_unknown_format_is_refused(tmp_path: Path) -> None:
    done = run("playbook", "lint", "--format", "xml", cwd=tmp_path)
    assert done.code == 7
    assert "text, json, github" in done.err


def test_show_says_what_can_be_undone_and_what_may_live_on(tmp_path: Path) -> None:
    done = run("playbook", "show", "agent-kill", cwd=tmp_path)
    assert done.code == 0
    assert done.out.index("identity:") < done.out.index("credentials:")
    for said in ("okta.user.suspend", "can be restored exactly", "cannot be undone", "gate dual"):
        assert said in done.out
    assert "may live on: " in done.out
    assert "scopes: okta.users.manage" in done.out


def test_show_for_programs_has_the_same_digest_as_a_plan(tmp_path: Path) -> None:
    (shown,) = run("--json", "playbook", "show", "agent-kill", cwd=tmp_path).lines
    assert shown["digest"] == playbooks.digest(playbooks.load("agent-kill"))
    assert {step["undo"] for step in shown["steps"]} == {"exact", "rebuild", "none"}


def test_show_of_an_unknown_name_guesses(tmp_path: Path) -> None:
    done = run("playbook", "show", "agent-kil", cwd=tmp_path)
    assert done.code == 10
    assert "did you mean 'agent-kill'" in done.err


def test_the_schema_is_json(tmp_path: Path) -> None:
    done = run("playbook", "schema", cwd=tmp_path)
    assert done.code == 0
    assert json.loads(done.out)["$schema"] == "http://json-schema.org/draft-07/schema#"
