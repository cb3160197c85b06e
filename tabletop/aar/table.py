"""The improvement plan as CSV, for a spreadsheet or a tracker."""

from __future__ import annotations

import csv
import io

from tabletop.aar.improvement import Item

COLUMNS = ("id", "gap", "evidence", "action", "owner", "start", "due", "status")
_FORMULA = tuple("=+-@＝＋－＠")


def render(items: list[Item]) -> str:
    """The text, with a head line. No cell is ever a formula to the program that opens it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    writer.writerow(COLUMNS)
    for item in items:
        row = dict(item)
        writer.writerow([_cell(str(row[column])) for column in COLUMNS])
    return out.getvalue()


def _cell(text: str) -> str:
    """A leading apostrophe makes text of what a spreadsheet would calculate."""
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text
