"""The renderings: one self-contained HTML file (no script, nothing fetched), Markdown, the form."""

from __future__ import annotations

import json
from typing import Any

from jinja2 import ChoiceLoader, PackageLoader
from jinja2.sandbox import ImmutableSandboxedEnvironment

from killswitch.report.pages import environment
from tabletop.aar.lanes import chart


def html(report: dict[str, Any], *, signed_by: str = "") -> str:
    """The page. ``report``: what ``data.after_action`` returned; ``signed_by``: the key's id."""
    page = _environment().get_template("drill.html.j2")
    return page.render(r=report, chart=chart(report["moments"]), signed_by=signed_by)


def markdown(report: dict[str, Any], *, signed_by: str = "") -> str:
    """For tickets and wikis."""
    return _environment().get_template("drill.md.j2").render(r=report, signed_by=signed_by)


def hot_wash(report: dict[str, Any]) -> str:
    """The form that is filled in right after the drill, as Markdown."""
    return _environment().get_template("hot-wash.md.j2").render(r=report)


def _environment() -> ImmutableSandboxedEnvironment:
    """That of the containment report, with our templates before its own."""
    pages = environment()
    assert pages.loader is not None, "it is made with one"
    pages.loader = ChoiceLoader([PackageLoader("tabletop.aar", "templates"), pages.loader])
    pages.filters["number"] = (
        json.dumps
    )  # as journal.json has it, for who reads the page by program
    return pages
