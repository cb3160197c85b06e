"""Markdown, CSV, the form, the journal and its schema: the same facts as the page."""

from __future__ import annotations

import csv
import io
import json
import re
import stat

import jsonschema_rs
import pytest
from markdown_it import MarkdownIt

from killswitch.model.errors import Invalid
from tabletop.aar import files, render, schema, table
from tabletop.aar.data import after_action, shown
from tabletop.record import to_json
from tests.report.page import Page
from tests.report.test_renderings import unmarked
from tests.tabletop.aar.records import ALL, bad, good, hostile

EVERY = sorted(ALL)
FORMULA = tuple("=+-@\t\r＝＋－＠")


@pytest.mark.parametrize("name", EVERY)
def test_markdown_and_page_agree(name):
    report = after_action(ALL[name]())
    text = unmarked(render.markdown(report))
    page = Page(render.html(report)).root
    assert text.startswith("# DRILL · ")
    headings = [e.words.removesuffix("DRILL") for e in page.all("h2")]
    assert [h for h in headings if f"## {h}\n" in text] == headings
    assert report["result"]["sentence"] in text
    for row in report["result"]["objectives"]:
        assert f"| {row['wanted']} | {row['shown']} |" in text
    for item in report["plan"]:
        assert f"| {item['id']} | {item['gap']} | {item['action']} |" in text
    for row in report["truth"]["rows"]:
        assert f"| {row['number']} | {row['vendor']} | {row['what']} |" in text
    for said in (*report["strengths"], *report["discussion"], *report["result"]["because"]):
        assert said in text


@pytest.mark.parametrize("form", [render.markdown, render.hot_wash])
@pytest.mark.parametrize("name", EVERY)
def test_tables_in_markdown_keep_their_columns(form, name):
    wanted = 0
    for row in form(after_action(ALL[name]())).splitlines():
        if not row.startswith("|"):
            wanted = 0
            continue
        cells = len(re.findall(r"(?<!\\)\|", row))
        wanted = wanted or cells
        assert cells == wanted, row


@pytest.mark.parametrize("form", [render.markdown, render.hot_wash])
def test_hostile_text_makes_no_markup_in_markdown(form):
    text = form(after_action(hostile()))
    reader = MarkdownIt("commonmark", {"html": True}).enable("table")
    reader.validateLink = lambda url: True  # the text itself must hold, not the reader's caution
    page = Page(reader.render(text)).root
    assert {e.tag for e in page.all()} <= {
        *("h1", "h2", "p", "ul", "ol", "li", "strong", "code"),
        *("table", "thead", "tbody", "tr", "th", "td"),
    }
    assert len(page.all("h1")) == 1
    assert "\u202e" not in text


def test_the_form_names_who_played_what_is_asked_and_every_row_of_the_plan():
    report = after_action(bad())
    form = unmarked(render.hot_wash(report))
    assert form.startswith("# DRILL · Hot wash")
    assert "Who may revoke a deploy key at night?" in form
    assert "| | lead | persona:prompt |" in form
    for item in report["plan"]:
        assert f"| {item['id']} | {item['gap']} | | {item['due']} |" in form


@pytest.mark.parametrize("name", EVERY)
def test_the_plan_as_csv_holds_every_row_and_no_formula(name):
    report = after_action(ALL[name]())
    head, *rows = csv.reader(io.StringIO(table.render(report["plan"]), newline=""))
    assert head == ["id", "gap", "evidence", "action", "owner", "start", "due", "status"]
    assert [row[0] for row in rows] == [item["id"] for item in report["plan"]]
    for row, item in zip(rows, report["plan"], strict=True):
        assert row[1].removeprefix("'") == item["gap"]
        assert not any(cell.lstrip().startswith(FORMULA) for cell in row)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "  =1", "＝1"])
def test_what_a_spreadsheet_would_calculate_is_text(text):
    [item] = after_action(bad(truth=[], missed=[], collateral=[], cases=[], objectives=[]))["plan"]
    _, row = csv.reader(io.StringIO(table.render([{**item, "gap": text}]), newline=""))
    assert row[1] == f"'{text}"


@pytest.mark.parametrize("name", EVERY)
def test_the_journal_keeps_to_its_schema_and_can_be_read_again(name):
    record = ALL[name]()
    journal = json.loads(json.dumps(to_json(record)))
    jsonschema_rs.validator_for(json.loads(schema.FILE.read_text())).validate(journal)
    assert schema.read(journal) == record


def test_the_schema_file_is_that_of_the_record():
    assert schema.FILE.read_text() == schema.text(), "run python -m tabletop.aar.schema"


@pytest.mark.parametrize("where", ["", "times", "truth", "moments", "objectives", "people"])
def test_the_schema_refuses_what_it_does_not_name_and_what_is_missing(where):
    validator = jsonschema_rs.validator_for(schema.schema())
    journal = json.loads(json.dumps(to_json(good())))
    place = journal[where] if where else journal
    place = place[0] if isinstance(place, list) else place
    assert validator.is_valid(journal)
    place["surprise"] = 1
    assert not validator.is_valid(journal)
    del place["surprise"]
    del place[next(iter(place))]
    assert not validator.is_valid(journal)


@pytest.mark.parametrize("broken", [None, {}, {"schema": "x"}, {"schema": "killswitch.drill/v1"}])
def test_what_is_no_journal_is_refused(broken):
    with pytest.raises(Invalid, match="journal"):
        schema.read(broken)


def test_everything_is_written_for_its_owner_only(tmp_path):
    folder = tmp_path / "drills" / "one"
    written = files.write(bad(), folder)
    assert set(written) == {
        *("report.html", "report.md", "journal.json", "improvement-plan.csv", "hot-wash.md"),
    }
    assert sorted(p.name for p in folder.iterdir()) == sorted(written)
    for path in written.values():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(written["journal.json"].read_text()) == to_json(bad())


def test_a_form_that_was_filled_in_stays(tmp_path):
    written = files.write(good(), tmp_path)
    written["hot-wash.md"].write_text("we were tired")
    files.write(bad(), tmp_path)
    assert written["hot-wash.md"].read_text() == "we were tired"
    assert "not ready" in written["report.md"].read_text()


def test_the_same_record_says_the_same_word_for_word(tmp_path):
    first = {n: p.read_text() for n, p in files.write(bad(), tmp_path / "a").items()}
    again = {n: p.read_text() for n, p in files.write(bad(), tmp_path / "b").items()}
    assert first == again


@pytest.mark.parametrize(
    ("measure", "value", "said"),
    [
        ("time_to_contain", 614.25, "10 min 14 s"),
        ("evidence_complete", 87.5, "87.5 %"),
        ("rubber_stamped", 2.0, "2"),
        ("order_held", False, "no"),
        ("missed", None, "not measured"),
    ],
)
def test_values_are_said_in_their_unit(measure, value, said):
    assert shown(measure, value) == said
