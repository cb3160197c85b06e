"""The Splunk and Elastic forms say what the rule says: same fields, values, numbers, windows.

No Splunk or Elasticsearch runs here. What is held is the text.
"""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.playbooks.detections import kibana
from tests.playbooks.detections.support import (
    DETECTIONS,
    FOLDERS,
    SITE,
    SPLUNK,
    conditions,
    digest,
    documents,
    fields_of,
    firing,
    native,
)

CONVERTED = json.loads((Path(__file__).parent / "converted.json").read_text())
ALERTS = [pytest.param(f, rule, id=rule["name"]) for f in FOLDERS for rule in firing(f)]
FORMS = [("splunk", "spl"), ("elastic", "esql")]

folders = pytest.mark.parametrize("folder", FOLDERS)
alerts = pytest.mark.parametrize(("folder", "rule"), ALERTS)
forms = pytest.mark.parametrize(("siem", "ending"), FORMS, ids=["splunk", "elastic"])


def read(folder: str, rule: dict[str, Any], siem: str, ending: str) -> tuple[str, str]:
    """Comment and query of a native form."""
    text = native(folder, rule, siem, ending).read_text()
    if ending == "spl":
        query, comment, _ = text.split("```")
        return " ".join(comment.split()), query.strip()
    lines = text.splitlines()
    said = [line.removeprefix("//").strip() for line in lines if line.startswith("//")]
    return " ".join(said), "\n".join(line for line in lines if not line.startswith("//"))


def needed(folder: str, rule: dict[str, Any]) -> list[dict[str, Any]]:
    """The rule and what it correlates."""
    names = rule.get("correlation", {}).get("rules", ())
    return [rule, *(other for other in documents(folder) if other["name"] in names)]


def literals(rules: list[dict[str, Any]]) -> Iterator[str]:
    """Every value that a field is compared with, but for the site's lists."""
    for rule in rules:
        for _, field, value in conditions(rule):
            if not {"exists", "fieldref", "expand"} & set(field.split("|")):
                for one in value if isinstance(value, list) else [value]:
                    yield str(one).lower() if isinstance(one, bool) else one


def quoted(query: str) -> set[str]:
    """Every text between quotation marks."""
    return set(re.findall(r'"([^"]*)"', query))


@alerts
@forms
def test_a_native_form_is_named_as_the_rule(
    folder: str, rule: dict[str, Any], siem: str, ending: str
) -> None:
    comment, _ = read(folder, rule, siem, ending)
    assert comment.startswith(rule["title"] + " ")


@alerts
def test_splunk_asks_for_every_field_under_its_name_there(
    folder: str, rule: dict[str, Any]
) -> None:
    _, query = read(folder, rule, "splunk", "spl")
    for field in fields_of(needed(folder, rule)) - _only_others_group_by(folder, rule):
        assert re.search(rf"(?<!\w){SPLUNK[field]}(?!\w)", query), field


@alerts
def test_elastic_asks_for_every_field(folder: str, rule: dict[str, Any]) -> None:
    _, query = read(folder, rule, "elastic", "esql")
    for field in fields_of(needed(folder, rule)) - _only_others_group_by(folder, rule):
        assert re.search(rf"(?<![\w.]){re.escape(field)}(?![\w.])", query), field


def _only_others_group_by(folder: str, rule: dict[str, Any]) -> set[str]:
    """What the folder's other correlations group by, and this one does not."""
    mine = fields_of(needed(folder, rule))
    others = [other for other in firing(folder) if other is not rule]
    return fields_of(others) - mine


@alerts
@forms
def test_every_value_is_in_the_native_form(
    folder: str, rule: dict[str, Any], siem: str, ending: str
) -> None:
    _, query = read(folder, rule, siem, ending)
    for value in literals(needed(folder, rule)):
        assert f'"{value}"' in query or f"== {value}" in query, value


@alerts
@forms
def test_no_value_is_asked_for_that_the_rule_does_not_have(
    folder: str, rule: dict[str, Any], siem: str, ending: str
) -> None:
    _, query = read(folder, rule, siem, ending)
    lists = {value for values in SITE.values() for value in values}
    assert quoted(query) - {""} <= {*literals(needed(folder, rule)), *lists}


@alerts
@forms
def test_thresholds_are_the_rules(
    folder: str, rule: dict[str, Any], siem: str, ending: str
) -> None:
    _, query = read(folder, rule, siem, ending)
    numbers = [int(number) for number in re.findall(r">=? *(\d+)", query)]
    correlation = rule.get("correlation")
    assert numbers == ([correlation["condition"]["gte"]] if correlation else [])


@alerts
def test_splunk_counts_over_the_rules_window(folder: str, rule: dict[str, Any]) -> None:
    comment, query = read(folder, rule, "splunk", "spl")
    spans = re.findall(r"time_window=(\w+)", query)
    if "correlation" not in rule:
        assert spans == []
        return
    correlation = rule["correlation"]
    assert spans == [correlation["timespan"]]
    by = ",".join(SPLUNK[field] for field in correlation["group-by"])
    assert re.search(rf"streamstats .* BY {by}$", query, re.MULTILINE)
    every, last = re.search(r"every (\d+) minutes over the last (\d+)", comment).groups()
    assert int(last) >= int(every) + int(correlation["timespan"].rstrip("m"))


@alerts
def test_splunk_tells_the_receiver_who_and_which(folder: str, rule: dict[str, Any]) -> None:
    _, query = read(folder, rule, "splunk", "spl")
    (table,) = re.findall(r"^\| table (.+)$", query, re.MULTILINE)
    columns = set(table.split())
    assert {"_time", "event_id", "action", "agent"} <= columns  # docs/detections.md
    names_one = "user.group.name" not in rule.get("correlation", {}).get("group-by", ())
    assert ("user" in columns) is names_one
    if "correlation" not in rule:
        assert {SPLUNK[field] for field in rule["fields"]} <= columns


@alerts
def test_elastic_tells_the_receiver_who_and_which(folder: str, rule: dict[str, Any]) -> None:
    _, query = read(folder, rule, "elastic", "esql")
    if "correlation" not in rule:
        (kept,) = re.findall(r"^\| KEEP (.+)$", query, re.MULTILINE)
        columns = {column.strip() for column in kept.split(",")}
        assert {"_id", "_index", "_version", "@timestamp", *rule["fields"]} <= columns
        return
    (counted,) = re.findall(r"^\| STATS (.+)$", query, re.MULTILINE)
    group = ", ".join(rule["correlation"]["group-by"])
    assert counted.endswith(f" BY {group}")
    named = set(re.findall(r"([\w.]+) = ", counted)) | {group}
    assert {"last_seen", "event.id", "labels.agent"} <= named
    assert ("user.email" in named) is (group != "user.group.name")


@pytest.mark.parametrize("name", SITE)
def test_the_sites_list_is_looked_up_or_stands_in_the_query_whole(name: str) -> None:
    folder, rule = _asking_for(name)
    _, splunk = read(folder, rule, "splunk", "spl")
    assert f"| lookup {name} " in splunk
    comment, elastic = read(folder, rule, "elastic", "esql")
    if name == "agent_group_members":  # long, and without wildcards
        assert "| LOOKUP JOIN agent-group-members ON user.email" in elastic
        return
    assert "put yours in" in comment
    assert set(SITE[name]) <= quoted(elastic)
    for value in SITE[name]:
        assert ("*" in value) is (f'LIKE "{value}"' in elastic)


def _asking_for(name: str) -> tuple[str, dict[str, Any]]:
    """The folder that needs a list of the site's, and its alert."""
    ((folder, rule),) = (
        (folder, firing(folder)[0])
        for folder in FOLDERS
        for rule in documents(folder)
        if any(value == f"%{name}%" for _, _, value in conditions(rule))
    )
    return folder, rule


@folders
def test_what_kibana_imports_is_the_rule_and_the_query_beside_it(folder: str) -> None:
    text = (DETECTIONS / folder / "elastic.ndjson").read_text()
    assert text == kibana.text(folder), "python -m tests.playbooks.detections.kibana"
    for line, rule in zip(text.splitlines(), firing(folder), strict=True):
        imported = json.loads(line)
        assert imported["name"] == rule["title"]
        assert imported["enabled"] is False
        assert imported["query"] == native(folder, rule, "elastic", "esql").read_text().strip()
        looks_back = int(re.fullmatch(r"now-(\d+)m", imported["from"])[1])
        span = int(rule.get("correlation", {"timespan": "0m"})["timespan"].rstrip("m"))
        assert looks_back > span + int(imported["interval"].rstrip("m")), "no burst is missed"


def test_the_sample_alert_of_elastic_is_of_a_rule_that_ships() -> None:
    shipped = {
        json.loads(line)["rule_id"]
        for folder in FOLDERS
        for line in (DETECTIONS / folder / "elastic.ndjson").read_text().splitlines()
    }
    assert len(shipped) == 6
    assert "killswitch-deny-listed-repo" in shipped


# Conversions


@folders
def test_the_conversions_are_of_these_rules(folder: str) -> None:
    assert CONVERTED["folders"][folder]["digest"] == digest(folder), "run convert.py again"


@alerts
@forms
def test_a_native_form_is_the_conversion_or_says_why_not(
    folder: str, rule: dict[str, Any], siem: str, ending: str
) -> None:
    comment, query = read(folder, rule, siem, ending)
    made = CONVERTED["folders"][folder][siem]
    converted = made["queries"][firing(folder).index(rule)] if "queries" in made else None
    if converted is not None and query.split() == converted.split():
        assert "Differs from the conversion" not in comment
        return
    why = comment.partition("Differs from the conversion: ")[2]
    assert len(why.split()) > 5
    assert ("there is none" in why) is (converted is None)
    for reason, seen in REASONS.items():
        assert (reason in why) <= seen(query, converted or ""), reason


def _buckets(converted: str) -> bool:
    return bool(re.search(r"bin _time|date_trunc", converted))


# What a comment may give as a reason, and how it shows in the two texts.
REASONS = {
    "the window slides": lambda query, made: "time_window=" in query and _buckets(made),
    "own look-back is the window": lambda query, made: "date_trunc" not in query and _buckets(made),
    "in lower case": lambda query, made: "lower(" in query.lower() and "lower(" not in made,
    "looked up": lambda query, made: "lookup" in query.lower() and "lookup" not in made,
    "lookup with": lambda query, made: "| lookup" in query and "lookup" not in made,
    "called users": lambda query, made: bool(re.search(r"users\b", query)) and "users" not in made,
    "would drop the row": lambda query, made: "COALESCE" in query and "coalesce" not in made,
}


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_is_given_somewhere(reason: str) -> None:
    said = [read(f, rule, *form)[0] for f in FOLDERS for rule in firing(f) for form in FORMS]
    assert fnmatch.filter(said, f"*Differs from the conversion: *{reason}*")
