"""The containment report as JSON, for programs, and the schema that it keeps to."""

from __future__ import annotations

import json
from typing import Any

from pydantic import TypeAdapter

from killswitch.report.shape import Report


def render(report: dict[str, Any]) -> str:
    """The text, in ASCII. ``report`` is what ``data.containment`` returned."""
    return json.dumps(report, indent=2) + "\n"


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the report; a field that it does not name is an error."""
    drawn = TypeAdapter(Report).json_schema()
    for shape in (drawn, *drawn["$defs"].values()):
        shape["additionalProperties"] = False
    return drawn
