"""The page in a real browser: every lane is seen, nothing is complained of, nothing asked for."""

from __future__ import annotations

import json

import pytest

from tabletop.aar import render
from tabletop.aar.data import after_action
from tabletop.aar.lanes import LANES
from tests.report.page import Page
from tests.report.test_chromium import CHROMIUM, browse, served
from tests.tabletop.aar.records import bad, good

__all__ = ["served"]  # a fixture
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")


def test_every_lane_is_drawn_without_complaint_or_request(served, tmp_path):
    url, body, asked = served
    report = after_action(bad())
    body[0] = render.html(report).encode()
    dom, complaints = browse(url, str(tmp_path), "--dump-dom")
    assert complaints == []
    assert set(asked) - {"/favicon.ico"} == {"/report"}
    page = Page(dom).root
    lanes = [e for e in page.all("g") if "data-lane" in e.attrs]
    assert [e.attrs["data-lane"] for e in lanes] == list(LANES)
    assert len([e for e in page.all() if "data-moment" in e.attrs]) == len(report["moments"])


def test_every_lane_is_seen(served, tmp_path):
    """Their places are measured by a script of the test, which the page itself forbids."""
    url, body, _ = served
    measuring = """<script>
    const names = [...document.querySelectorAll("g[data-lane] > .lane")];
    document.body.dataset.boxes = JSON.stringify(names.map(e => {
      const box = e.getBoundingClientRect();
      return [e.closest("g").dataset.lane, box.x, box.y, box.width, box.height].map(
        v => typeof v === "number" ? Math.round(v) : v);
    }));
    </script></body>"""
    text = render.html(after_action(good())).replace("default-src 'none';", "")
    body[0] = text.replace("</body>", measuring).encode()
    dom, _ = browse(url, str(tmp_path), "--dump-dom", "--window-size=1000,4000")
    boxes = json.loads(Page(dom).root.one("body").attrs["data-boxes"])
    assert [box[0] for box in boxes] == list(LANES)
    for _, x, _, width, height in boxes:
        assert x >= 0
        assert x + width <= 1000
        assert width > 20
        assert height > 8
    tops = [box[2] for box in boxes]
    assert tops == sorted(set(tops))


def test_it_prints(served, tmp_path):
    url, body, _ = served
    body[0] = render.html(after_action(bad())).encode()
    paper = tmp_path / "report.pdf"
    browse(url, str(tmp_path / "profile"), f"--print-to-pdf={paper}")
    assert paper.read_bytes().startswith(b"%PDF")
