"""docs/detections.md names every detection, field, list and window as it ships."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.playbooks.detections.support import (
    DETECTIONS,
    FOLDERS,
    SITE,
    SPLUNK,
    documents,
    firing,
    samples,
)

ROOT = DETECTIONS.parents[1]
PAGE = (ROOT / "docs" / "detections.md").read_text()


def test_every_link_leads_to_a_file() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", PAGE) if "://" not in link]
    assert len(links) > len(FOLDERS)
    # playbooks/triggers/ is the home of the rules that take these alerts
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_alert_stands_in_the_table_as_it_ships(folder: str) -> None:
    lines = (DETECTIONS / folder / "elastic.ndjson").read_text().splitlines()
    for rule, line in zip(firing(folder), lines, strict=True):
        (row,) = (r for r in PAGE.splitlines() if r.startswith(f"| [{rule['title']}]"))
        assert f"/{folder}/README.md" in row
        assert f"| {rule['level']} |" in row
        assert row.endswith(f"| `{json.loads(line)['rule_id']}` |")
        if correlation := rule.get("correlation"):
            threshold, minutes = correlation["condition"]["gte"], correlation["timespan"][:-1]
            assert re.search(rf"\| {threshold} .*in {minutes} minutes \|", row)


@pytest.mark.parametrize(("field", "splunk"), SPLUNK.items())
def test_every_field_is_explained_under_both_names(field: str, splunk: str) -> None:
    assert f"| `{field}` | `{splunk}` | " in PAGE


def test_every_action_that_a_rule_asks_for_is_named() -> None:
    rules = [rule for folder in FOLDERS for rule in documents(folder) if "detection" in rule]
    parts = [part for rule in rules for part in rule["detection"].values() if part != "condition"]
    asked = {part["event.action"] for part in parts if "event.action" in part}
    (row,) = (line for line in PAGE.splitlines() if line.startswith("| `event.action` |"))
    assert asked == set(re.findall(r"`([a-z_.]+)`", row.split("|")[3]))


def test_the_mapping_for_elastic_holds_every_field() -> None:
    (block,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert set(_mapped(json.loads(block)["template"]["mappings"])) == set(SPLUNK)


def _mapped(mapping: dict[str, Any], path: str = "") -> Iterator[str]:
    for name, field in mapping["properties"].items():
        if "properties" in field:
            yield from _mapped(field, f"{path}{name}.")
        else:
            assert field["type"] in ("keyword", "boolean", "ip", "long")
            yield f"{path}{name}"


@pytest.mark.parametrize("name", SITE)
def test_every_list_has_a_lookup_with_the_columns_that_the_search_reads(name: str) -> None:
    assert f"[{name}]\n" in PAGE
    searches = "\n".join(file.read_text() for file in DETECTIONS.glob("*/*.spl"))
    ((given, wanted),) = re.findall(rf"\| lookup {name} (\w+) OUTPUT (\w+)", searches)
    assert f"| `{name}` | `{given},{wanted}` |" in PAGE
    assert (f"match_type = WILDCARD({given})" in PAGE) is any("*" in v for v in SITE[name])


def test_the_windows_are_those_of_the_rules_for_kibana() -> None:
    lines = [
        line for file in DETECTIONS.glob("*/*.ndjson") for line in file.read_text().split("\n")
    ]
    windows = {json.loads(line)["from"] for line in lines if line}
    assert windows == {"now-12m", "now-17m"}
    assert "Look back 12 minutes, for egress 17" in PAGE


def test_samples_that_are_named_exist() -> None:
    names = {s.name for f in FOLDERS for s in samples(DETECTIONS / f / "samples.jsonl")}
    told = re.search(r"three more fire there, (.*?)\. As a rule", PAGE)
    assert told
    assert set(re.findall(r"\*([^*]+)\*", told[1])) <= names
