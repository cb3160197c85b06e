"""Markdown, JSON and files: the same facts as the page, from the same dict."""

from __future__ import annotations

import json
import re
import stat

import jsonschema_rs
import pytest
from markdown_it import MarkdownIt

from killswitch.model.plan import Mode
from killswitch.report import files, html, markdown, pages, words
from killswitch.report import json as as_json
from killswitch.report.data import containment
from tests.report import cases
from tests.report.journal import HEAD, NOW
from tests.report.page import Page

EVERY = sorted(cases.ALL)


def told(case):
    return containment(case, head=HEAD, now=NOW)


def unmarked(text: str) -> str:
    """Markdown without its escapes, as a reader sees the words."""
    text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&#34;", '"')
    text = text.replace("&#39;", "'").replace("&amp;", "&")
    return re.sub(r"\\([\\`*_\[\]#|~!{}\-+=.:])", r"\1", text)


@pytest.mark.parametrize("name", EVERY)
def test_markdown_and_page_agree(name):
    report = told(cases.ALL[name]())
    text = unmarked(markdown.render(report))
    page = Page(html.render(report)).root
    assert report["verdict"]["sentence"] in text
    assert page.one("p", id="verdict").words in " ".join(text.split())
    for change in (c for layer in report["layers"] for c in layer["changes"]):
        assert change["label"] in text
        assert change["standing"] in text
        assert change["state"]["label"] in text
    for time in report["times"]:
        assert f"| {time['name']} | {time['label']} | {words.utc(time['at'], 'not known')}" in text
    for item in report["evidence"]["artifacts"]:
        assert f"`{item['sha256']}`" in text
    for entry in report["todo"]:
        assert entry["what"] in text
    for line in report["residual"]:
        assert line["what"] in text
        assert words.utc(line["until"], "not known") in text
    headings = [e.words for e in page.all("h2")]
    assert [h for h in headings if f"## {h}\n" in text] == headings


@pytest.mark.parametrize("name", EVERY)
def test_tables_in_markdown_keep_their_columns(name):
    wanted = 0
    for row in markdown.render(told(cases.ALL[name]())).splitlines():
        if not row.startswith("|"):
            wanted = 0
            continue
        cells = len(re.findall(r"(?<!\\)\|", row))
        wanted = wanted or cells
        assert cells == wanted, row


def test_hostile_text_makes_no_markup_in_markdown():
    text = markdown.render(told(cases.hostile()))
    reader = MarkdownIt("commonmark", {"html": True}).enable("table")
    reader.validateLink = lambda url: True  # the text itself must hold, not the reader's caution
    page = Page(reader.render(text)).root
    assert {e.tag for e in page.all()} <= {
        *("h1", "h2", "h3", "p", "ul", "li", "strong", "code", "br"),
        *("table", "thead", "tbody", "tr", "th", "td"),
    }
    assert len(page.all("h1")) == 1
    assert "<script>alert(1)</script> | `x` [a](javascript:alert(1))" in page.all("p")[0].words
    assert "\u202e" not in text


@pytest.mark.parametrize("text", ["- x", "# x", "1. x", "> x", "www.evil.example", "https://e.x"])
def test_what_begins_like_markup_is_escaped(text):
    shown = str(pages.environment().from_string("{{ t|md }}").render(t=text))
    assert shown != text
    assert unmarked(shown) == text


def test_a_drill_says_so_at_the_top_of_the_markdown():
    text = markdown.render(told(cases.contained(Mode.DRILL)))
    assert text.startswith("# DRILL")
    assert "DRILL" not in markdown.render(told(cases.contained()))


@pytest.mark.parametrize("name", EVERY)
def test_json_is_the_dict_and_keeps_to_its_schema(name):
    report = told(cases.ALL[name]())
    text = as_json.render(report)
    assert text.isascii()
    assert json.loads(text) == report
    jsonschema_rs.validator_for(as_json.schema()).validate(json.loads(text))


def test_the_schema_refuses_what_it_does_not_name():
    validator = jsonschema_rs.validator_for(as_json.schema())
    report = told(cases.contained())
    assert not validator.is_valid({**report, "surprise": 1})
    deep = json.loads(as_json.render(report))
    deep["layers"][0]["changes"][0]["surprise"] = 1
    assert not validator.is_valid(deep)
    assert not validator.is_valid({k: v for k, v in report.items() if k != "verdict"})


def test_templates_cannot_reach_out_and_a_misspelt_name_is_an_error():
    environment = pages.environment()
    for attempt in ("{{ ''.__class__.__mro__ }}", "{{ nobody }}", "{{ [].append(1) }}"):
        with pytest.raises(Exception, match=r"unsafe|undefined|not safely callable"):
            environment.from_string(attempt).render()
    assert environment.from_string("{{ t }}").render(t="<b>") == "&lt;b&gt;"


def test_no_template_switches_escaping_off():
    environment = pages.environment()
    assert environment.loader is not None
    for name in environment.loader.list_templates():
        source, _, _ = environment.loader.get_source(environment, name)
        assert "|safe" not in source.replace(" ", "")
        assert "autoescape" not in source


def test_files_are_written_whole_and_for_their_owner_only(tmp_path):
    folder = tmp_path / "reports" / "K-1127"
    first = files.write(cases.partial(), folder)
    written = files.write(cases.contained(), folder, head=HEAD)
    assert first == written
    assert set(written) - set(files.FORMATS) == {"review.json", "review.md"}
    assert sorted(p.name for p in folder.iterdir()) == [
        "containment.html",
        "containment.json",
        "containment.md",
        "review.json",
        "review.md",
    ]
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    report = json.loads((folder / "containment.json").read_text())
    assert report["verdict"]["state"]["name"] == "contained"
    assert report["journal"]["head_seq"] == 412


@pytest.mark.parametrize("form", sorted(files.FORMATS))
def test_a_report_can_be_had_as_text(form):
    assert "K-1127" in files.render(cases.contained(), form)
