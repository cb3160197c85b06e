"""The detections that ship, and a SIEM in memory: SQLite, as pySigma's backend speaks to it."""

from __future__ import annotations

import copy
import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from sigma.backends.sqlite import sqliteBackend
from sigma.collection import SigmaCollection
from sigma.processing.pipeline import ProcessingPipeline

DETECTIONS = Path(__file__).parents[3] / "playbooks" / "detections"
FOLDERS = sorted(file.parent.name for file in DETECTIONS.glob("*/rule.yml"))
SITE = yaml.safe_load((DETECTIONS / "site.yml").read_text())["vars"]
SPLUNK = yaml.safe_load((DETECTIONS / "splunk.yml").read_text())["transformations"][0]["mapping"]


@dataclass(frozen=True)
class Sample:
    """Events that belong together, and the rules that they set off."""

    name: str
    fires: frozenset[str]
    events: tuple[dict[str, Any], ...]


def documents(folder: str) -> list[dict[str, Any]]:
    """The rules of a folder, as they stand in its file."""
    return list(yaml.safe_load_all((DETECTIONS / folder / "rule.yml").read_text()))


def firing(folder: str) -> list[dict[str, Any]]:
    """Those that raise alerts: the correlations, or the rule where there is none."""
    found = documents(folder)
    return [rule for rule in found if "correlation" in rule] or found


def native(folder: str, rule: dict[str, Any], before: str, after: str) -> Path:
    """``splunk.spl``, or ``splunk.person.spl`` where a folder has several alerts."""
    kind = "." + rule["name"].rpartition("_")[2] if len(firing(folder)) > 1 else ""
    return DETECTIONS / folder / f"{before}{kind}.{after}"


def digest(folder: str) -> str:
    """SHA-256 of everything that a conversion is made of."""
    files = [DETECTIONS / folder / "rule.yml", DETECTIONS / "site.yml", DETECTIONS / "splunk.yml"]
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


@cache
def samples(file: Path) -> tuple[Sample, ...]:
    """What a file of samples holds, in its order."""
    found: dict[str, list[dict[str, Any]]] = {}
    for line in file.read_text().splitlines():
        row = json.loads(line)
        found.setdefault(row["sample"], []).append(row)
    return tuple(
        Sample(name, frozenset(rows[0]["fires"]), tuple(row["event"] for row in rows))
        for name, rows in found.items()
    )


def all_samples() -> list[Sample]:
    files = [*sorted(DETECTIONS.glob("*/samples.jsonl")), DETECTIONS / "benign.jsonl"]
    return [sample for file in files for sample in samples(file)]


def queries(rules: Sequence[dict[str, Any]]) -> dict[str, str]:
    """SQL by the name of each rule that raises alerts."""
    collection = SigmaCollection.from_dicts(copy.deepcopy(list(rules)))
    pipeline = ProcessingPipeline.from_yaml((DETECTIONS / "site.yml").read_text())
    made = sqliteBackend(pipeline, collate_nocase=True).convert(collection)
    names = [r["name"] for r in rules if "correlation" in r] or [r["name"] for r in rules]
    return dict(zip(names, made, strict=True))


class Siem:
    """A table of events. Whoever asks, learns which samples a rule's alerts are made of."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._db = sqlite3.connect(":memory:")
        rows = [(sample.name, dict(flat(event))) for sample in samples for event in sample.events]
        names = sorted({*_COLUMNS, *(name for _, row in rows for name in row)})
        columns = ", ".join(f'"{name}"' for name in ["sample", *names])
        self._db.execute(f"CREATE TABLE logs ({columns})")
        marks = ", ".join("?" * (len(names) + 1))
        self._db.executemany(
            f"INSERT INTO logs VALUES ({marks})",
            ([sample, *(row.get(name) for name in names)] for sample, row in rows),
        )

    def __enter__(self) -> Siem:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def events(self, sql: str) -> list[str]:
        """The sample of every event that the alerts rest on, once for each event."""
        cursor = self._db.execute(sql)
        names = [column[0] for column in cursor.description]
        found = [dict(zip(names, row, strict=True)) for row in cursor]
        if "event_ids" not in names:
            return [row["sample"] for row in found]
        ids = {eid.rpartition(":")[2] for row in found for eid in json.loads(row["event_ids"])}
        marks = ", ".join(ids)
        rows = self._db.execute(f"SELECT sample FROM logs WHERE rowid IN ({marks})")
        return [sample for (sample,) in rows]


def flat(event: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """``user.email`` for ``{"user": {"email": …}}``, and ``timestamp`` for ``@timestamp``."""
    for key, value in event.items():
        if isinstance(value, dict):
            yield from flat(value, f"{path}{key}.")
        else:
            yield ("timestamp" if key == "@timestamp" else f"{path}{key}"), value


def conditions(rule: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Part of the detection, field with its modifiers, and what it is compared with."""
    for part, fields in rule.get("detection", {}).items():
        if part != "condition":
            for field, value in fields.items():
                yield part, field, value


def fields_of(rules: Iterable[dict[str, Any]]) -> set[str]:
    """Every field that must be there for the rules to work."""
    found = set()
    for rule in rules:
        for _, field, value in conditions(rule):
            name, *modifiers = field.split("|")
            found |= {name, value} if "fieldref" in modifiers else {name}
        if correlation := rule.get("correlation"):
            found |= set(correlation["group-by"])
            found |= {correlation["condition"]["field"]} if _counts_values(rule) else set()
    return found


def _counts_values(rule: dict[str, Any]) -> bool:
    return rule["correlation"]["type"] == "value_count"


_COLUMNS = ["timestamp", *SPLUNK]
