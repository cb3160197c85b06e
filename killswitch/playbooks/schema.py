"""The JSON Schema of a playbook, for editors: draft-07, with every action and collector."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import json
import re
from datetime import timedelta
from typing import Any

from pydantic import TypeAdapter

from killswitch import catalogue
from killswitch.model.playbook import LAYERS, Duration, Playbook

_ISO_DURATION = re.compile(r"P(?:[0-9]+D)?(?:T[0-9HMS]+)?")
_REFERENCE = "#/definitions/{model}"


def schema_text() -> str:
    """The schema as it stands in ``playbooks/schema.json``."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def json_schema() -> dict[str, Any]:
    """The schema. Steps are offered under their own layer, each with its own options."""
    schema = Playbook.model_json_schema(by_alias=True, ref_template=_REFERENCE)
    definitions: dict[str, Any] = schema.pop("$defs")
    plan, step, collect = (definitions.pop(n) for n in ("LayerPlan", "Step", "Collect"))
    layers: dict[str, Any] = {}
    for layer in LAYERS:
        entries = [
            entry
            for name in catalogue.action_names()
            if (action := catalogue.action(name)).layer is layer
            for entry in _entry(step, name, action, definitions)
        ]
        layers[layer.value] = copy.deepcopy(plan)
        layers[layer.value]["properties"]["steps"]["items"] = {"anyOf": entries}
    collectors = [
        entry
        for name in catalogue.collector_names()
        for entry in _entry(collect, name, catalogue.collector(name), definitions)
    ]
    definitions["Evidence"]["properties"]["collect"]["items"] = {"anyOf": collectors}
    schema["properties"]["layers"] = {
        "description": "What is changed, in this order.",
        "type": "object",
        "minProperties": 1,
        "additionalProperties": False,
        "properties": layers,
    }
    definitions.pop("Layer", None)
    whole = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        **schema,
        "definitions": dict(sorted(definitions.items())),
    }
    drafted: dict[str, Any] = _as_draft_07(whole)
    return drafted


def _entry(
    plain: dict[str, Any], name: str, kind: type[Any], definitions: dict[str, Any]
) -> list[dict[str, Any]]:
    """An entry as its bare name, and written out with its options."""
    said = inspect.cleandoc(kind.__doc__ or "").partition("\n\n")[0].replace("\n", " ")
    bare = {"const": name, "description": said}
    full = copy.deepcopy(plain)
    full["description"] = said
    full["properties"]["use"] = bare
    full["properties"]["with"] = _options(kind, definitions)
    return [bare, full]


def _options(kind: type[Any], definitions: dict[str, Any]) -> dict[str, Any]:
    if not (dataclasses.is_dataclass(kind) and dataclasses.fields(kind)):
        return {"type": "object", "maxProperties": 0, "description": "It has no options."}
    options = TypeAdapter(kind).json_schema(ref_template=_REFERENCE)
    definitions.update(options.pop("$defs", {}))
    options.pop("description", None)  # the entry says it already
    return {**options, "additionalProperties": False}


def _as_draft_07(value: Any) -> Any:
    """The same, as editors read it best.

    Nothing stands beside a ``$ref``, which hides it in draft-07; no titles made from the keys;
    durations as they are written in a playbook; mappings with named keys take no others.
    """
    if isinstance(value, list):
        return [_as_draft_07(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    plain = {k: _as_draft_07(v) for k, v in value.items() if k != "title" or isinstance(v, dict)}
    if "patternProperties" in plain:
        plain["additionalProperties"] = False
    if _ISO_DURATION.fullmatch(str(plain.get("default"))):
        length = TypeAdapter(timedelta).validate_python(plain["default"])
        plain["default"] = TypeAdapter(Duration).dump_python(length)
        plain["pattern"] = "^[0-9]{1,6}[smhd]$"
    if "$ref" in plain and len(plain) > 1:
        return {"allOf": [{"$ref": plain.pop("$ref")}], **plain}
    return plain
