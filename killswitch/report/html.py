"""The containment report as one self-contained HTML file: no script, nothing fetched."""

from __future__ import annotations

from typing import Any

from killswitch.report.pages import environment
from killswitch.report.timeline import chart


def render(report: dict[str, Any]) -> str:
    """The page. ``report`` is what ``data.containment`` returned."""
    template = environment().get_template("report.html.j2")
    return template.render(r=report, chart=chart(report["timeline"]))
