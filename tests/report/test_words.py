from __future__ import annotations

import subprocess
import sys

import pytest

from killswitch.model.action import Undo
from killswitch.model.case import CaseState, ChangeState
from killswitch.model.plan import Mode
from killswitch.model.playbook import Assurance
from killswitch.report import words

COLOURS = {"green", "yellow", "red", "blue", "cyan", "magenta", "dim"}


@pytest.mark.parametrize(
    ("names", "table"),
    [
        (ChangeState, words.CHANGES),
        (CaseState, words.CASES),
        (Mode, words.MODES),
        (Undo, words.UNDO),
        (Assurance, words.ASSURANCE),
    ],
)
def test_every_name_has_its_words(names, table):
    assert set(names) <= set(table)


def test_every_colour_is_known_and_no_glyph_is_missing():
    tables = (words.CHANGES, words.CASES, words.GATES, words.DECISIONS, words.MODES)
    every = [word for table in tables for word in table.values()]
    assert {word.colour for word in every} <= COLOURS
    assert all(len(word.glyph) == 1 and word.label and word.means for word in every)


def test_states_of_a_change_are_told_apart_by_label_and_by_glyph():
    assert len({word.label for word in words.CHANGES.values()}) == len(words.CHANGES)
    assert len({word.glyph for word in words.CHANGES.values()}) == len(words.CHANGES)


def test_a_state_from_the_future_is_shown_as_unknown():
    told = words.word(words.CHANGES, "teleported")
    assert (told.label, told.glyph, told.colour) == ("teleported", "?", "yellow")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "unknown"),
        (0, "0 s"),
        (0.01, "under 0.1 s"),
        (0.4, "0.4 s"),
        (9.97, "10 s"),
        (40, "40 s"),
        (59.6, "1 min"),
        (134, "2 min 14 s"),
        (3600, "1 h"),
        (3605, "1 h"),
        (3840, "1 h 4 min"),
        (266_400, "3 d 2 h"),
    ],
)
def test_durations(seconds, said):
    assert words.duration(seconds) == said


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 B"),
        (812, "812 B"),
        (1000, "1 kB"),
        (3400, "3.4 kB"),
        (999_600, "1 MB"),
        (120_000_000, "120 MB"),
        (5_000_000_000_000_000, "5000 TB"),
    ],
)
def test_sizes(count, said):
    assert words.size(count) == said


def test_times_are_told_in_utc_and_unknown_ones_say_so():
    assert words.utc("2026-03-14T10:12:04.5+01:00") == "2026-03-14 09:12:04 UTC"
    assert words.utc("2026-03-14T09:12:04") == "2026-03-14 09:12:04 UTC"
    assert words.clock("2026-03-14T09:12:04Z") == "09:12:04"
    assert words.utc("") == words.utc("yesterday") == "unknown"
    assert words.clock("", "not yet") == "not yet"


def test_time_that_runs_backwards_is_unknown():
    early, late = "2026-03-14T09:00:00Z", "2026-03-14T09:00:30Z"
    assert words.between(early, late) == 30
    assert words.between(late, early) is None
    assert words.between("", late) is None
    assert words.later(early, 30) == "2026-03-14T09:00:30+00:00"
    assert words.later("", 30) == ""


def test_lists_and_counts():
    assert words.listed([]) == ""
    assert words.listed(["a"]) == "a"
    assert words.listed(["a", "b", "a"]) == "a and b"
    assert words.listed("abcd") == "a, b, c and d"
    assert words.listed("abcdef") == "a, b, c and 3 more"
    assert words.counted(1, "change") == "1 change"
    assert words.counted(0, "person", "people") == "0 people"


def test_a_probe_that_got_through_shouts():
    assert "STILL WORKS" in words.probe({"refused": False, "how": ""})
    assert "refused" in words.probe({"refused": True, "how": ""})
    assert "could not" in words.probe({"refused": None, "how": ""})
    assert "not tried" in words.probe(None)


def test_only_the_standard_library_is_imported():
    code = (
        "import sys; import killswitch.report.words; "
        "print([m for m in sys.modules if m.split('.')[0] in ('pydantic', 'jinja2', 'dbos')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
