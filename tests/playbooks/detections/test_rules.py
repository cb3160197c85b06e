"""The rules are whole: read by pySigma, told apart, and explained."""

from __future__ import annotations

import uuid

import pytest
from sigma.collection import SigmaCollection

from tests.playbooks.detections.support import (
    DETECTIONS,
    FOLDERS,
    SITE,
    SPLUNK,
    conditions,
    documents,
    fields_of,
    firing,
)

folders = pytest.mark.parametrize("folder", FOLDERS)


def test_the_five_patterns_ship() -> None:
    assert FOLDERS == [
        "deny-listed-repo",
        "failed-agent-sign-ins",
        "outside-agent-group",
        "sandbox-egress",
        "unreviewed-agent-merge",
    ]


@folders
def test_pysigma_reads_the_rules_without_a_complaint(folder: str) -> None:
    text = (DETECTIONS / folder / "rule.yml").read_text()
    collection = SigmaCollection.from_yaml(text)
    assert collection.errors == []
    assert [error for rule in collection.rules for error in rule.errors] == []
    assert len(collection.rules) == len(documents(folder))


@folders
def test_what_raises_alerts_says_all_that_a_responder_needs(folder: str) -> None:
    for rule in firing(folder):
        for key in ("title", "description", "status", "references", "falsepositives", "level"):
            assert rule[key], key
        tags = [tag.removeprefix("attack.") for tag in rule["tags"]]
        assert all(tag.startswith("attack.") for tag in rule["tags"])
        assert any(tag[:1] == "t" and tag[1:5].isdigit() for tag in tags)
        assert any("-" in tag or tag == "collection" for tag in tags)
    for rule in documents(folder):
        if "detection" in rule:
            assert rule["logsource"]["product"] == "agent"
            assert {"event.id", "user.email", "labels.agent"} <= set(rule["fields"])


def test_ids_names_and_titles_are_nobody_elses() -> None:
    rules = [rule for folder in FOLDERS for rule in documents(folder)]
    for key in ("id", "name", "title"):
        values = [rule[key] for rule in rules]
        assert len(set(values)) == len(values), key
    assert {uuid.UUID(rule["id"]).version for rule in rules} == {4}


@folders
def test_every_list_that_a_rule_leaves_open_is_the_sites_to_fill(folder: str) -> None:
    for rule in documents(folder):
        for _, field, value in conditions(rule):
            if "expand" in field:
                assert value.strip("%") in SITE


def test_no_list_is_kept_that_no_rule_asks_for() -> None:
    rules = [rule for folder in FOLDERS for rule in documents(folder)]
    asked = {v.strip("%") for r in rules for _, field, v in conditions(r) if "expand" in field}
    assert asked == set(SITE)


def test_every_field_has_a_name_in_splunk_and_none_is_left_over() -> None:
    rules = [rule for folder in FOLDERS for rule in documents(folder)]
    named = fields_of(rules) | {field for rule in rules for field in rule.get("fields", ())}
    assert named == set(SPLUNK)
    assert len(set(SPLUNK.values())) == len(SPLUNK)


@folders
def test_the_readme_says_what_it_sees_and_what_it_cannot(folder: str) -> None:
    text = (DETECTIONS / folder / "README.md").read_text()
    for part in ("**Sees**", "**A converter cannot express**", "**You fill in**"):
        assert part in text
    for rule in documents(folder):
        for _, field, value in conditions(rule):
            assert "expand" not in field or value.strip("%") in text
