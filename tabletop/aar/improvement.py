"""The improvement plan: one row for each thing that a drill showed to be wrong or missing.

Rows come from the journal alone and carry the same id in every drill that shows the same gap, so
that quarters can be compared.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from typing_extensions import TypedDict  # pydantic reads typing's own only from Python 3.12

from killswitch.report import words
from killswitch.report.plain import line

SOON, LATER = 14, 45  # days until something is due: what is critical or untrue, and the rest
TO_BE_NAMED = "to be named in the hot wash"
_LISTED = 3
_LEFT_OPEN = ("unverified", "failed", "manual")
_ACTIONS = {
    "time_to_request": "Shorten the way from the alert to the request: who is paged, and what the "
    "alert says.",
    "time_to_plan": "Find which vendor was slow to answer while the plan was made.",
    "time_to_evidence": "Find which source of evidence was slow, or collect it continuously.",
    "time_to_approve": "Name more approvers or a shorter escalation, and rehearse the answer.",
    "time_to_identity": "Find what held up the identity layer, and who can act at the IdP by hand.",
    "time_to_contain": "Take the longest stretch of the timeline first, whoever it belongs to.",
    "time_to_restore": "Rehearse giving access back, and who approves it.",
    "machine_time": "Find the slowest vendor and the retries, and tune its limits.",
    "evidence_complete": "Close the gaps in evidence, or keep a copy out of containment's reach.",
    "rubber_stamped": "Let approvers say in a sentence what they saw before they approve.",
    "approvals_valid": "Find out why an approval counted that must not; stop using that gate until "
    "it is known.",
    "approved_by_suspect": "Find out why the decision counted; check who holds the role.",
    "secrets_written": "Have the secrets rotated, and find out what wrote them.",
}
_DEFAULT_ACTION = "Find the cause in the timeline, agree on a change, and drill it again."


class Item(TypedDict):
    """One row. ``anchor``: where in the report its evidence stands. Days are ISO 8601."""

    id: str
    kind: str
    gap: str
    evidence: str
    anchor: str
    action: str
    owner: str
    start: str
    due: str
    status: str


def items(journal: dict[str, Any]) -> list[Item]:
    """Every row, the gravest kinds first; each gap once. ``journal``: what ``to_json`` made."""
    found: dict[str, Item] = {}
    for one in (
        *_false_claims(journal),
        *_objectives(journal),
        *_still_possible(journal),
        *_listed(journal),
        *_left_open(journal),
        *_needs(journal),
    ):
        found.setdefault(one["id"], one)
    return list(found.values())


def _item(
    journal: dict[str, Any],
    kind: str,
    key: str,
    gap: str,
    evidence: str,
    anchor: str,
    action: str,
    days: int = LATER,
) -> Item:
    ended = words.moment(str(journal["ended_at"]))
    digest = hashlib.sha256(f"{kind}|{key}".encode()).hexdigest()
    return Item(
        id=f"DRILL-{digest[:8]}",
        kind=kind,
        gap=line(gap),
        evidence=line(evidence),
        anchor=anchor,
        action=action,
        owner=TO_BE_NAMED,
        start=ended.date().isoformat() if ended else "",
        due=(ended + timedelta(days=days)).date().isoformat() if ended else "",
        status="open",
    )


def _false_claims(journal: dict[str, Any]) -> Iterator[Item]:
    for number, row in enumerate(journal["truth"], start=1):
        if row["false_claim"]:
            where = f"{row['what']} at {row['vendor']}, {row['suspect']}"
            yield _item(
                journal,
                "false claim",
                f"{row['suspect']}|{row['vendor']}|{row['what']}",
                f"Called stopped and still works: {where}",
                f"ground truth {number}, claimed by {row['because'] or 'the case'}",
                f"truth-{number}",
                "Find out why it was called stopped. Until then, check it by hand in a real case.",
                SOON,
            )


def _objectives(journal: dict[str, Any]) -> Iterator[Item]:
    for row in journal["objectives"]:
        if row["rating"] in ("M", "U"):
            why = f": {row['why']}" if row["why"] else ""
            yield _item(
                journal,
                "objective",
                row["id"],
                f"{row['id']} {row['title']} was rated {row['rating']}{why}",
                f"objective {row['id']}, measure {row['measure']}, wanted {row['wanted']}",
                f"objective-{row['id']}",
                _ACTIONS.get(row["measure"], _DEFAULT_ACTION),
                SOON if row["critical"] else LATER,
            )


def _still_possible(journal: dict[str, Any]) -> Iterator[Item]:
    """One row for each vendor, not one for each of a hundred tries; what is missed comes later."""
    missed = " ".join(journal["missed"])
    groups: dict[tuple[str, str, str], list[tuple[int, str]]] = {}
    for number, row in enumerate(journal["truth"], start=1):
        told = row["claimed"] == "silent" and row["what"] in missed
        if row["works"] and not row["false_claim"] and row["before"] is not False and not told:
            key = row["suspect"], row["vendor"], row["claimed"]
            groups.setdefault(key, []).append((number, row["what"]))
    for (suspect, vendor, claimed), rows in groups.items():
        silent = claimed == "silent"
        yield _item(
            journal,
            "still possible",
            f"{suspect}|{vendor}|{claimed}",
            f"{words.counted(len(rows), 'thing')} still possible for {suspect} at {vendor}, "
            f"{'and the tool says nothing of it' if silent else 'as the tool says itself'}",
            f"ground truth {rows[0][0]}: {_some([what for _, what in rows])}",
            f"truth-{rows[0][0]}",
            "Add an action or a manual step to the playbook."
            if silent
            else "Decide who closes it, how, and within what time.",
            SOON if silent else LATER,
        )


def _listed(journal: dict[str, Any]) -> Iterator[Item]:
    """``jo@corp.example: okta: use session 1``: one row for what has the same beginning."""
    for where, things in _grouped(journal["missed"]):
        yield _item(
            journal,
            "missed",
            where,
            f"{where}: {words.counted(len(things), 'thing')} that works and that no plan named",
            f"missed, in the ground truth: {_some(things)}",
            "missed",
            "Let the playbook find it, list it as a manual step, or agree to leave it.",
            SOON,
        )
    for where, things in _grouped(journal["collateral"]):
        yield _item(
            journal,
            "collateral",
            where,
            f"{where}: {words.counted(len(things), 'thing')} changed that is nobody's of the "
            "suspects",
            f"collateral, in the ground truth: {_some(things)}",
            "collateral",
            "Narrow the action, or agree that it is the price and tell those who are hit.",
        )


def _grouped(things: list[str]) -> list[tuple[str, list[str]]]:
    groups: dict[str, list[str]] = {}
    for thing in things:
        where, _, what = thing.rpartition(": ")
        groups.setdefault(where or "all", []).append(what)
    return list(groups.items())


def _some(things: list[str]) -> str:
    more = f"; and {len(things) - _LISTED} more" if len(things) > _LISTED else ""
    return "; ".join(things[:_LISTED]) + more


def _left_open(journal: dict[str, Any]) -> Iterator[Item]:
    for case in journal["cases"]:
        for change in case.get("changes", ()):
            if change.get("state") in _LEFT_OPEN:
                name = str(change.get("label") or change.get("id", ""))
                yield _item(
                    journal,
                    "left open",
                    str(change.get("id", "")),
                    f"{name} ended {change['state']}",
                    f"case {case.get('id', '')}, change {change.get('id', '')}",
                    "cases",
                    "Name who does it at the vendor by hand, and how it is confirmed.",
                )


def _needs(journal: dict[str, Any]) -> Iterator[Item]:
    for need in journal["needs"]:
        yield _item(
            journal,
            "not played",
            need,
            f"Not rehearsed for want of: {need}",
            "needs, in the overview",
            "needs",
            "Rehearse it another way, or add what is missing to the simulation.",
        )
