"""The JSON Schema of ``journal.json``, drawn from the record itself.

``python -m tabletop.aar.schema`` writes ``drill-v1.schema.json`` anew; a test fails where the
file says something else than the record.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from killswitch.model.errors import Invalid
from tabletop.record import SCHEMA, Record

FILE = Path(__file__).with_name("drill-v1.schema.json")


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12). A field that it does not name is an error."""
    drawn = TypeAdapter(Record).json_schema(mode="serialization")
    for shape in (drawn, *drawn["$defs"].values()):
        shape["additionalProperties"] = False
        shape["required"] = list(shape["properties"])
    _add(drawn["$defs"]["Times"], "total", {"type": "number", "title": "Total"})
    _add(drawn["$defs"]["Truth"], "false_claim", {"type": "boolean", "title": "False claim"})
    _add(drawn, "schema", {"const": SCHEMA})
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA, **drawn}


def read(journal: Any) -> Record:
    """The record that ``to_json`` wrote out. Raises Invalid where it is none of this format."""
    if not isinstance(journal, dict) or journal.get("schema") != SCHEMA:
        raise Invalid("that is no journal of a drill", expected=f"schema {SCHEMA}")
    data = {name: value for name, value in journal.items() if name != "schema"}
    try:
        data["times"] = _without(data["times"], "total")
        data["truth"] = [_without(row, "false_claim") for row in data["truth"]]
        return TypeAdapter(Record).validate_python(data)
    except (ValidationError, KeyError, TypeError, AttributeError) as error:
        raise Invalid(f"the journal does not keep to its schema: {error}") from error


def _without(row: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != name}


def _add(shape: dict[str, Any], name: str, what: dict[str, Any]) -> None:
    """What ``to_json`` writes out though the record works it out."""
    shape["properties"][name] = what
    shape["required"].append(name)


def text() -> str:
    """The file's content."""
    return json.dumps(schema(), indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    FILE.write_text(text())
