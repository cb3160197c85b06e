"""A journal entry as one line that a person reads while it happens."""

from __future__ import annotations

from typing import Any

from killswitch.model.case import Case
from killswitch.model.event import Entry, What
from killswitch.model.untrusted import clean
from killswitch.report import words


def line(entry: Entry, case: Case) -> str:
    """The line; "" for entries that only machines need."""
    tell = _TELL.get(entry.what)
    return tell(entry.data, case) if tell else ""


def stamped(entry: Entry, case: Case) -> str:
    """The line with its time since the request: ``T+0:03  …``."""
    text = line(entry, case)
    if not text:
        return ""
    return f"{since(case, entry.at):>8}  {text}"


def since(case: Case, at: str) -> str:
    """``T+1:04``: minutes and seconds since the request."""
    seconds = int(words.between(case.requested_at, at) or 0)
    return f"T+{seconds // 60}:{seconds % 60:02d}"


def _requested(data: dict[str, Any], case: Case) -> str:
    return f"{case.id} taken: {case.request.subject}, playbook {case.request.playbook['playbook']}"


def _resolved(data: dict[str, Any], case: Case) -> str:
    where = ", ".join(f"{a['connection']} {a['login']} ({a['id']})" for a in data["accounts"])
    down = "".join(f"; {n} does not answer" for n in data.get("unreachable", {}))
    return f"accounts: {clean(where, 400)}{down}"


def _planned(data: dict[str, Any], case: Case) -> str:
    changes = case.plan.changes if case.plan else ()
    never = sum(c.undo_kind == "none" for c in changes)
    return f"plan: {len(changes)} changes, {never} cannot be undone, digest {data['digest'][:12]}"


def _collected(data: dict[str, Any], case: Case) -> str:
    mine = [i for i in case.items if _same_source(i, data)]
    size = words.size(sum(i["size"] for i in mine))
    return f"evidence  {data['collector']:34} {words.counted(len(mine), 'item')}, {size}"


def _same_source(item: dict[str, Any], data: dict[str, Any]) -> bool:
    return (item["collector"], item["connection"]) == (data["collector"], data["connection"])


def _gap(data: dict[str, Any], case: Case) -> str:
    return f"evidence  {data['collector']:34} GAP: {clean(data['why'], 120)}"


def _sealed(data: dict[str, Any], case: Case) -> str:
    return f"sealed    {data['which']} evidence, manifest {data['manifest'][:12]}"


def _opened(data: dict[str, Any], case: Case) -> str:
    who = ", ".join(data["approvers"]) or "nobody"
    return f"gate      {data['gate']} asks {data['quorum']} of {who}; digest {data['digest'][:12]}"


def _decided(data: dict[str, Any], case: Case) -> str:
    verb = words.word(words.DECISIONS, data["decision"]).label
    why = f": {clean(data['reason'], 120)}" if data["reason"] else ""
    return f"gate      {data['gate']} {verb} by {data['person']} ({data['assurance']}){why}"


def _shut(data: dict[str, Any], case: Case) -> str:
    return f"gate      {data['gate']} is {words.word(words.GATES, data['outcome']).label}"


def _layer(data: dict[str, Any], case: Case) -> str:
    return f"layer     {data['layer']}"


def _layer_ends(data: dict[str, Any], case: Case) -> str:
    late = data.get("connections") or []
    return f"layer     {data['layer']}: goes on beside, late: {', '.join(late)}" if late else ""


def _found(data: dict[str, Any], case: Case) -> str:
    return f"sweep     found since the plan: {clean(data['change']['label'], 120)}"


def _not_swept(data: dict[str, Any], case: Case) -> str:
    return f"sweep     {data['connection']} {data['action']} not swept: {clean(data['why'], 120)}"


def _state(data: dict[str, Any], case: Case) -> str:
    change = case.changes[data["change"]].plan
    word = words.word(words.CHANGES, data["state"])
    proof = ""
    if data["state"] == "contained":
        proof = "  read back twice"
        if (data.get("probe") or {}).get("refused"):
            proof += ", old access refused"
    detail = f"  {clean(data['detail'], 160)}" if data.get("detail") else ""
    return (
        f"{word.glyph} {word.label:12} {change.action:34} {clean(change.label, 60)}{proof}{detail}"
    )


def _settled(data: dict[str, Any], case: Case) -> str:
    word = words.word(words.CASES, data["state"])
    left = f"; open: {words.listed(data['open'], 6)}" if data.get("open") else ""
    return f"{word.glyph} {word.label.upper()}: {word.means}{left}"


def _refused(data: dict[str, Any], case: Case) -> str:
    hint = f" ({data['hint']})" if data.get("hint") else ""
    return f"⊘ REFUSED: {clean(data['why'])}{hint}"


def _aborted(data: dict[str, Any], case: Case) -> str:
    return f"■ aborted by {data['by']}: {clean(data['reason'], 160)}"


def _watched(data: dict[str, Any], case: Case) -> str:
    if data["ok"]:
        return f"watch     round {data['round']}: still contained"
    undone = words.listed(data["reverted"]) or "nothing"
    return f"watch     round {data['round']}: came undone: {undone}"


def _restore(data: dict[str, Any], case: Case) -> str:
    return f"restore asked by {data['by']}: {clean(data['reason'], 120)}"


def _restored(data: dict[str, Any], case: Case) -> str:
    parts = [f"restore: {data['state']}"]
    for key, text in (("kept", "left as they are"), ("reissue", "to be issued anew")):
        if data.get(key):
            parts.append(f"{len(data[key])} {text}")
    if data.get("open"):
        parts.append(f"open: {words.listed(data['open'], 6)}")
    return "⟲ " + "; ".join(parts)


_TELL = {
    What.REQUESTED: _requested,
    What.RESOLVED: _resolved,
    What.PLANNED: _planned,
    What.COLLECTED: _collected,
    What.GAP: _gap,
    What.SEALED: _sealed,
    What.OPENED: _opened,
    What.DECIDED: _decided,
    What.SHUT: _shut,
    What.LAYER_STARTED: _layer,
    What.LAYER_FINISHED: _layer_ends,
    What.FOUND: _found,
    What.NOT_SWEPT: _not_swept,
    What.STATE: _state,
    What.SETTLED: _settled,
    What.REFUSED: _refused,
    What.ABORTED: _aborted,
    What.WATCHED: _watched,
    What.RESTORE_ASKED: _restore,
    What.RESTORED: _restored,
}
