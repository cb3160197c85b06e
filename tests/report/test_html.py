from __future__ import annotations

import re

import pytest

from killswitch.model.plan import Mode
from killswitch.report import html, words
from killswitch.report.data import containment
from tests.report import cases
from tests.report.journal import HEAD, NOW
from tests.report.page import Element, Page

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
EVERY = sorted(cases.ALL)


def drawn(case):
    report = containment(case, head=HEAD, now=NOW)
    text = html.render(report)
    return report, text, Page(text).root


@pytest.fixture(params=EVERY)
def every(request):
    return drawn(cases.ALL[request.param]())


def test_the_page_is_whole_and_titled(every):
    report, text, page = every
    assert text.startswith("<!doctype html>")
    assert page.one("html").attrs["lang"] == "en"
    assert report["case"] in page.one("head").one("title").words
    assert page.one("p", id="verdict").words == " ".join(report["verdict"]["sentence"].split())
    assert report["verdict"]["state"]["label"] in page.one("h1").words


def test_no_script_no_handler_and_nothing_from_elsewhere(every):
    _, text, page = every
    metas = page.all("meta", http_equiv="Content-Security-Policy")
    assert [meta.attrs["content"] for meta in metas] == [POLICY]
    forbidden = {"script", "iframe", "object", "embed", "link", "base", "form", "img", "image"}
    for element in page.all():
        assert element.tag not in forbidden
        for name, value in element.attrs.items():
            assert not name.startswith("on"), name
            assert name not in {"src", "srcset", "action", "formaction", "xlink:href"}
            if name == "href":
                assert element.tag == "a"
                assert value.startswith(("#residual-", "https://")), value
    assert "@import" not in text
    assert set(re.findall(r"url\(([^)]*)\)", text)) <= {
        "#weave-open",
        "#weave-waiting",
        "#weave-failed",
    }


def test_ids_are_unique_and_what_points_at_them_lands(every):
    _, _, page = every
    ids = [e.attrs["id"] for e in page.all() if "id" in e.attrs]
    assert len(ids) == len(set(ids))
    for element in page.all():
        if element.attrs.get("href", "").startswith("#"):
            assert element.attrs["href"][1:] in ids
        for wanted in element.attrs.get("aria-labelledby", "").split():
            assert wanted in ids


def test_every_change_has_its_row(every):
    report, _, page = every
    rows = [e for e in page.all("tr") if "data-change" in e.attrs]
    wanted = [c for layer in report["layers"] for c in layer["changes"]]
    assert [row.attrs["data-change"] for row in rows] == [c["id"] for c in wanted]
    for row, change in zip(rows, wanted, strict=True):
        assert row.attrs["data-state"] == change["state"]["name"]
        expected = [change["state"]["label"], change["action"], change["target"], change["gate"]]
        expected += [change["detail"], change["probe"], change["undo_words"], change["standing"]]
        expected += [words.clock(read) for read in change["reads"]]
        expected += [words.counted(change["attempts"], "attempt")]
        for difference in change["differences"]:
            expected += [difference["before"], difference["wanted"]]
        for text in expected:
            assert " ".join(text.split()) in row.words, text


def test_times_and_spans_are_those_of_the_data(every):
    report, _, page = every
    for time in report["times"]:
        item = page.one("li", data_time=time["name"])
        assert words.clock(time["at"], "not known") in item.words
        assert time["note"] in item.words
    for span in report["spans"]:
        item = page.one("li", data_span=f"{span['since']}-{span['until']}")
        assert words.duration(span["seconds"]) in item.words


def test_todo_gates_accounts_and_residual_are_all_there(every):
    report, _, page = every
    todo = [e for e in page.all("li") if "data-todo" in e.attrs]
    assert [e.attrs["data-todo"] for e in todo] == [t["kind"] for t in report["todo"]]
    gates = [e for e in page.all("div") if "data-gate" in e.attrs]
    for element, gate in zip(gates, report["gates"], strict=True):
        presses = element.all("li")
        assert len(presses) == len(gate["decisions"])
        for press, decision in zip(presses, gate["decisions"], strict=True):
            for text in (decision["person"], decision["word"]["label"], decision["reason"]):
                assert " ".join(text.split()) in press.words
    accounts = [e for e in page.all("tr") if "data-account" in e.attrs]
    assert [e.one("code").words for e in accounts] == [a["id"] for a in report["accounts"]]
    rows = [e for e in page.all("tr") if "data-residual" in e.attrs]
    assert len(rows) == len(report["residual"])
    for row, line in zip(rows, report["residual"], strict=True):
        assert words.utc(line["until"], "not known") in row.words
        assert [a.attrs["href"] for a in row.all("a")] == ([line["link"]] if line["link"] else [])


def body_rows(page: Element, name: str) -> list[Element]:
    return [row for table in page.all("table", id=name) for row in table.one("tbody").all("tr")]


def test_evidence_is_counted_and_every_digest_is_there(every):
    report, _, page = every
    evidence = report["evidence"]
    counted = f"{words.counted(evidence['count'], 'item')}, {words.size(evidence['bytes'])}"
    assert page.one("span", id="evidence-count").words == counted
    items = body_rows(page, "items-table")
    assert [row.all("code")[-1].words for row in items] == [
        i["sha256"] for i in evidence["artifacts"]
    ]
    marked = [[mark.words for mark in row.all("strong")] for row in items]
    assert [("late" in m, "cut short" in m) for m in marked] == [
        (i["late"], i["truncated"]) for i in evidence["artifacts"]
    ]
    assert sum(len(e.all("li")) for e in page.all("ul", id="gaps")) == len(evidence["gaps"])
    assert sum(len(e.all("li")) for e in page.all("ul", id="seals")) == len(evidence["seals"])
    assert len(body_rows(page, "sources-table")) == len(evidence["sources"])
    for names, where in ((evidence["late"], "late"), (evidence["truncated"], "truncated")):
        told = " ".join(e.words for e in page.all("p", id=where))
        assert all(" ".join(name.split()) in told for name in names)


def test_the_way_back(every):
    report, _, page = every
    restore = report["restore"]
    rows = body_rows(page, "restore-table")
    assert [r.attrs["data-restored"] for r in rows] == [
        o["state"]["name"] for o in restore["outcomes"]
    ]
    commands = [e.words for e in page.all("code", class_="command")]
    left = restore["exact"] or restore["rebuild"] or restore["never"]
    assert (restore["command"] in commands) is bool(left)
    assert commands[-2:] == report["journal"]["commands"]


def test_the_head_of_the_journal_is_told(every):
    report, _, page = every
    check = page.one("section", aria_labelledby="check").words
    assert f"ends at entry {report['journal']['last_seq']}" in check
    assert "entry 412, signed" in check
    assert report["journal"]["head_hash"] in check


def test_an_unknown_head_is_said_to_be_unknown():
    report = containment(cases.contained(), head=None, now=NOW)
    check = Page(html.render(report)).root.one("section", aria_labelledby="check").words
    assert "whether it was signed is not known" in check


def test_a_drill_is_marked_everywhere_in_words_and_colour():
    _, text, page = drawn(cases.contained(Mode.DRILL))
    assert page.one("head").one("title").words.startswith("DRILL")
    band = page.one("div", role="note")
    assert "DRILL" in band.words
    assert "c-magenta" in band.attrs["class"]
    for heading in [*page.all("h1"), *page.all("h2")]:
        assert "DRILL" in heading.words
    assert "DRILL" in page.one("footer").words
    assert '@top-center { content: "DRILL' in text


def test_a_live_report_never_says_drill():
    _, text, _ = drawn(cases.contained())
    assert "DRILL" not in text


def test_only_what_was_read_back_looks_done():
    report, _, page = drawn(cases.partial())
    proven = {c["id"]: c["proven"] for layer in report["layers"] for c in layer["changes"]}
    for row in (e for e in page.all("tr") if "data-change" in e.attrs):
        classes = row.all("div")[0].attrs["class"]
        assert ("proven" in classes.split()) is proven[row.attrs["data-change"]]


def test_hostile_text_stays_text():
    _, text, page = drawn(cases.hostile())
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "<script>alert(1)</script>" in page.one("p", id="verdict").text
    assert not any("javascript:" in e.attrs.get("href", "") for e in page.all())
    assert "\u202e" not in text
    assert "A" * 200 not in text
