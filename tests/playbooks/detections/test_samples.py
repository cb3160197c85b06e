"""Each detection fires on its positive samples, and on nothing else."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.playbooks.detections.support import (
    DETECTIONS,
    FOLDERS,
    Sample,
    Siem,
    all_samples,
    conditions,
    documents,
    firing,
    queries,
    samples,
)

SQL = {name: sql for folder in FOLDERS for name, sql in queries(documents(folder)).items()}
OWN = [(f, s) for f in FOLDERS for s in samples(DETECTIONS / f / "samples.jsonl")]
BENIGN = [("benign", sample) for sample in samples(DETECTIONS / "benign.jsonl")]


@pytest.mark.parametrize("sample", [s for _, s in OWN + BENIGN], ids=lambda s: s.name)
def test_a_sample_sets_off_exactly_the_rules_that_it_names(sample: Sample) -> None:
    with Siem([sample]) as siem:
        assert {name for name, sql in SQL.items() if siem.events(sql)} == sample.fires


def test_among_all_other_events_the_same_samples_are_found() -> None:
    wanted = all_samples()
    with Siem(wanted) as siem:
        for rule, sql in SQL.items():
            assert set(siem.events(sql)) == {s.name for s in wanted if rule in s.fires}, rule


@pytest.mark.parametrize("folder", FOLDERS)
def test_there_are_samples_on_both_sides_of_every_rule(folder: str) -> None:
    rules = {rule["name"] for rule in firing(folder)}
    found = samples(DETECTIONS / folder / "samples.jsonl")
    assert all(sample.fires <= rules for sample in found)
    fired = Counter(rule for sample in found for rule in sample.fires)
    assert all(fired[rule] >= 2 for rule in rules)
    assert sum(not sample.fires for sample in found) >= 3


def test_samples_are_told_apart_and_their_events_too() -> None:
    found = all_samples()
    assert max(Counter(sample.name for sample in found).values()) == 1
    ids = [event["event"]["id"] for sample in found for event in sample.events]
    assert max(Counter(ids).values()) == 1


def test_only_the_calls_to_the_listed_repository_are_alerts() -> None:
    (three,) = (s for _, s in OWN if s.name.startswith("three calls"))
    with Siem([three]) as siem:
        assert len(siem.events(SQL["deny_listed_repo"])) == 2


# The samples bite: whatever is taken from a rule, some sample tells.

# Without a session there is no group, and SQLite counts none. Splunk and ES|QL keep the condition,
# so that such events are not even fetched.
NO_DIFFERENCE = {("sandbox_egress_off_list", "session.id|exists")}


def weakened(folder: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The rules of a folder with one condition missing, or one number a little off."""
    rules = documents(folder)
    for at, rule in enumerate(rules):
        for part, field, value in conditions(rule):
            if (rule["name"], field) in NO_DIFFERENCE:
                continue
            if isinstance(value, list):
                for one in value:
                    changed = copy.deepcopy(rules)
                    changed[at]["detection"][part][field].remove(one)
                    yield f"{rule['name']} without {one}", changed
            elif len(rule["detection"][part]) > 1:
                changed = copy.deepcopy(rules)
                del changed[at]["detection"][part][field]
                yield f"{rule['name']} without {field}", changed
            else:
                changed = copy.deepcopy(rules)
                changed[at]["detection"][part] = {"event.id": "nothing has this id"}
                yield f"{rule['name']} with {part} never true", changed
        if "correlation" in rule:
            for off in (-1, 1):
                changed = copy.deepcopy(rules)
                changed[at]["correlation"]["condition"]["gte"] += off
                yield f"{rule['name']} {off:+d}", changed
            for span in ("30s", "2h"):
                changed = copy.deepcopy(rules)
                changed[at]["correlation"]["timespan"] = span
                yield f"{rule['name']} within {span}", changed


WEAKENED = [pytest.param(rules, id=why) for f in FOLDERS for why, rules in weakened(f)]


@pytest.fixture(scope="module")
def everything() -> Iterator[Siem]:
    with Siem(all_samples()) as siem:
        yield siem


@pytest.mark.parametrize("rules", WEAKENED)
def test_a_weakened_rule_is_found_out_by_a_sample(
    rules: list[dict[str, Any]], everything: Siem
) -> None:
    fired = {rule: set(everything.events(sql)) for rule, sql in queries(rules).items()}
    right = {rule: {s.name for s in all_samples() if rule in s.fires} for rule in fired}
    assert fired != right
