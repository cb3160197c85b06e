"""The schema for editors: current, draft-07, and of one mind with the loader."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema_rs

from killswitch import catalogue, playbooks, strictyaml
from tests.playbooks.support import GOOD, SHIPPED
from tests.playbooks.test_checks import REFUSED

ROOT = Path(__file__).parents[2] / "playbooks"
WRONG_SHAPES = [
    "unknown key", "step key", "missing", "text number", "duration", "gate name", "action",
    "collector", "wrong layer", "unknown layer", "option", "option value", "no options",
]  # fmt: skip


def test_the_schema_is_current() -> None:
    file = ROOT / "schema.json"
    assert file.read_text() == playbooks.schema_text(), (
        "run: agent-kill playbook schema > playbooks/schema.json"
    )


def test_the_schema_is_draft_07_and_agrees_with_the_loader(tmp_path: Path) -> None:
    schema = playbooks.json_schema()
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert "$defs" not in json.dumps(schema)
    validator = jsonschema_rs.Draft7Validator(schema)
    validator.validate(strictyaml.parse(GOOD.encode(), "f").data)
    for name in SHIPPED:
        file = ROOT / f"{name}.yaml"
        validator.validate(strictyaml.read(file).data)
    for what in WRONG_SHAPES:
        old, new = next(r[1:3] for r in REFUSED if r[0] == what)
        data = strictyaml.parse(GOOD.replace(old, new, 1).encode(), "f").data
        assert not validator.is_valid(data), what


def test_the_schema_describes_every_entry() -> None:
    text = playbooks.schema_text()
    for name in [*catalogue.action_names(), *catalogue.collector_names()]:
        assert f'"const": "{name}"' in text
    suspend = catalogue.action("okta.user.suspend").__doc__ or ""
    assert suspend.splitlines()[0] in text
