"""The containment report as Markdown, for tickets and wikis."""

from __future__ import annotations

from typing import Any

from killswitch.report.pages import environment


def render(report: dict[str, Any]) -> str:
    """The text. ``report`` is what ``data.containment`` returned."""
    return environment().get_template("report.md.j2").render(r=report)
