"""``agent-kill tabletop``, as it is typed: a drill is played, reported, compared and touched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tabletop import scenario
from tests.cli.support import Done, run

# One vendor's worth of work, so that what is tried is the command line.
SMALL = (
    Path(__file__)
    .parents[2]
    .joinpath("tabletop/template.yaml")
    .read_text()
    .replace("the-template", "small-one")
)


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder in which one drill was played for real."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "small-one.yaml").write_text(SMALL)
    done = run("tabletop", "run", "small-one.yaml", "--personas", cwd=folder)
    (folder / "out.txt").write_text(done.out)
    assert done.code == 0, done.out + done.err
    return folder


def drill(place: Path) -> Path:
    (folder,) = [f.parent for f in place.glob("drills/*/journal.json")]
    return folder


def test_every_scenario_is_listed_and_right(tmp_path):
    done = run("tabletop", "list", cwd=tmp_path)
    assert done.code == 0
    assert [line.split()[0] for line in done.out.splitlines()] == scenario.names()
    done = run("tabletop", "lint", cwd=tmp_path)
    assert (done.code, done.err) == (0, "")


def test_players_are_not_told_what_the_facilitator_knows(tmp_path):
    name = scenario.names("scenario")[0]
    known = scenario.load(name)
    players = run("tabletop", "show", name, cwd=tmp_path).out
    facilitator = run("tabletop", "show", name, "--facilitator", cwd=tmp_path).out
    assert known.situation.strip() in players
    assert known.facilitator.strip() not in players
    assert known.facilitator.strip() in facilitator
    hidden = {inject.title for inject in known.timeline}
    assert not [title for title in hidden if title in players]
    assert all(title in facilitator for title in hidden)
    as_data = json.loads(run("--json", "tabletop", "show", name, cwd=tmp_path).out)
    assert "facilitator" not in as_data
    assert "timeline" not in as_data


def test_a_new_scenario_is_right_as_it_is_written(tmp_path):
    assert run("tabletop", "new", "our-worst-day", cwd=tmp_path).code == 0
    assert run("tabletop", "lint", "our-worst-day.yaml", cwd=tmp_path).code == 0
    assert run("tabletop", "new", "our-worst-day", cwd=tmp_path).code == 10


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("measure: time_to_contain", "no measure 'time_to_reign'"),
        ("act: github.push", "no act 'github.shove'"),
        ("role: github-owner", "no role 'nobody'"),
        ("owasp_agentic: [ASI03]", "'ASI99' is not in owasp_agentic"),
        ("to: alert,", "which is no inject"),
        ("persona: slow", "persona"),
    ],
)
def test_lint_names_file_line_and_what_is_known(tmp_path, wrong, says):
    swapped = {
        "measure: time_to_contain": "measure: time_to_reign",
        "act: github.push": "act: github.shove",
        "role: github-owner": "role: nobody",
        "owasp_agentic: [ASI03]": "owasp_agentic: [ASI99]",
        "to: alert,": "to: alarm,",
        "persona: slow": "persona: sleepy",
    }
    (tmp_path / "small-one.yaml").write_text(SMALL.replace(wrong, swapped[wrong]))
    done = run("tabletop", "lint", "small-one.yaml", cwd=tmp_path)
    assert done.code == 10
    assert "small-one.yaml:" in done.err
    assert says in done.err


@pytest.mark.parametrize(
    "words",
    [
        ["nothing-of-that-name"],
        ["small-one.yaml", "--speed", "fast"],
        ["small-one.yaml", "--speed", "0"],
        ["small-one.yaml", "--play", "emperor"],
        ["atomics", "--play", "oncall"],
    ],
)
def test_what_cannot_be_played_is_said_before_anything_starts(place, words):
    done = run("tabletop", "run", *words, cwd=place)
    assert done.code == 10
    assert done.err
    assert not list(place.glob("drills/.*"))


def test_a_drill_is_told_judged_and_kept(place):
    told = (place / "out.txt").read_text()
    assert told.startswith("DRILL")
    assert "Okta answers 500 twice" in told
    assert "100 of 100: ready" in told
    assert str(drill(place) / "report.html") in told.replace("drills", str(place / "drills"))
    kept = {f.name for f in drill(place).iterdir()}
    assert {"report.html", "report.md", "journal.json", "improvement-plan.csv"} <= kept
    assert {"hot-wash.md", "drill.sig.json", "home"} <= kept
    assert (place / "drills" / "drill-signing-key.pem").stat().st_mode & 0o077 == 0


def test_the_report_is_shown_and_compared(place):
    shown = run("tabletop", "report", "--format", "md", cwd=place)
    assert shown.code == 0
    assert "DRILL" in shown.out
    same = run("tabletop", "compare", str(drill(place)), str(drill(place)), cwd=place)
    assert same.code == 0, same.err
    assert "small-one" in same.out
    data = run("--json", "tabletop", "compare", str(drill(place)), str(drill(place)), cwd=place)
    assert json.loads(data.out)
    other = place / "other.json"
    journal = json.loads((drill(place) / "journal.json").read_text())
    journal["scenario"]["version"] = 2
    other.write_text(json.dumps(journal))
    refused = run("tabletop", "compare", str(drill(place)), str(other), cwd=place)
    assert refused.code == 10
    assert "version" in refused.err


def test_a_report_that_was_touched_is_found_out(place, tmp_path):
    touched = place / "drills" / "touched"
    subprocess.run(["cp", "-r", str(drill(place)), str(touched)], check=True)
    try:
        plan = touched / "improvement-plan.csv"
        plan.write_text(plan.read_text() + "nothing,to,improve\n")
        done = run("tabletop", "report", str(touched), cwd=place)
        assert done.code == 9
        assert "improvement-plan.csv" in done.err
    finally:
        subprocess.run(["rm", "-r", str(touched)], check=True)


def test_people_play_at_the_keyboard_and_end_it_with_the_stop_word(place, tmp_path):
    """Typed all at once: the on-call, a note, an inject, a role taken and left, and the stop."""
    (tmp_path / "small-one.yaml").write_text(SMALL)
    typed = "who\nnext\nnote we were slow\ntake eng-lead\nleave eng-lead\nbogus\n"
    typed += (
        "kill jo@corp.example seen in a gist\ninject pushes-again\ninject nothing\nstop enough\n"
    )
    done = _piped(tmp_path, typed, "--play", "oncall")
    assert done.code == 11, done.out + done.err
    for said in (
        "oncall           dana@corp.example            YOU",
        "pushes-again (when layer.finished.identity)",
        "noted",
        "a person plays eng-lead",
        "a persona plays eng-lead",
        "bogus: not known here",
        "taken: K-1",
        "The agent pushes once more",
        "there is no inject 'nothing'",
        "the drill ends early: enough",
    ):
        assert said in done.out, said
    (journal,) = tmp_path.glob("drills/*/journal.json")
    record = json.loads(journal.read_text())
    assert (record["mode"], record["status"], record["verdict"]) == (
        "drill",
        "stopped",
        "not ready",
    )
    assert "we were slow" in record["notes"][0]
    assert {p["role"]: p["by"] for p in record["people"]}["oncall"] == "person"


def _piped(folder: Path, typed: str, *words: str) -> Done:
    command = [sys.executable, "-m", "killswitch", "tabletop", "run", "small-one.yaml", *words]
    done = subprocess.run(
        command,
        cwd=folder,
        input=typed,
        text=True,
        capture_output=True,
        timeout=120,
        env={**os.environ, "TERM": "dumb"},
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)
