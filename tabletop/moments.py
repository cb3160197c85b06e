"""What happened, told from the journal: names that injects wait for, and lines for the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime

from killswitch.model.event import Entry, What
from tabletop.record import Lane, Moment

LAYER_LANES: dict[str, Lane] = {
    "identity": "identity",
    "credentials": "credentials",
    "repositories": "repositories",
}


def names(entry: Entry) -> list[str]:
    """The names under which a scenario's ``when:`` knows this entry, the general one first."""
    data = entry.data
    match entry.what:
        case What.OPENED | What.SHUT:
            word = "gate.opened" if entry.what is What.OPENED else "gate.shut"
            return [word, f"{word}.{data['gate'].replace('/', '-')}"]
        case What.LAYER_STARTED | What.LAYER_FINISHED:
            word = "layer.started" if entry.what is What.LAYER_STARTED else "layer.finished"
            return [word, f"{word}.{data['layer']}"]
        case What.STATE:
            return [f"change.{data['state']}"]
        case _:
            return [str(entry.what)]


def told(entries: Iterable[Entry], at: Callable[[str], float]) -> list[Moment]:
    """The journal as moments; gates and layers with their ends. ``at``: ISO time to seconds."""
    entries = list(entries)
    layer_of = _layers(entries)
    ends = {_span(e): at(e.at) for e in entries if e.what in (What.SHUT, What.LAYER_FINISHED)}
    found = []
    seen: Counter[str] = Counter()
    for entry in entries:
        if entry.what in (What.LAYER_FINISHED, What.HELD, What.HEAD, What.COLLECTING):
            continue
        lane, says = _line(entry, layer_of)
        until = ends.get(_span(entry)) if entry.what in (What.OPENED, What.LAYER_STARTED) else None
        name = _name(entry)
        seen[name] += 1
        key = f"{name}:{seen[name]}"
        found.append(Moment(at(entry.at), lane, key, says, until, {"what": str(entry.what)}))
    return found


def seconds(since: datetime) -> Callable[[str], float]:
    """Turns the journal's times into seconds since then."""

    def at(text: str) -> float:
        return round((datetime.fromisoformat(text) - since).total_seconds(), 3)

    return at


def _name(entry: Entry) -> str:
    """What the entry is about. The journal's own keys hold process ids and times."""
    data = entry.data
    about = [data.get(key, "") for key in ("change", "gate", "layer", "collector", "connection")]
    if entry.what is What.FOUND:
        about = [data["change"]["id"]]
    if entry.what is What.STATE:
        about.append(data["state"])
    if entry.what in (What.DECIDED, What.TURNED_AWAY):
        about.append(data["person"])
    return ":".join([entry.case, str(entry.what), *(str(a) for a in about if a)])


def _span(entry: Entry) -> tuple[str, str, str]:
    name = entry.data.get("gate") or entry.data.get("layer") or ""
    return entry.case, "gate" if "gate" in entry.data else "layer", str(name)


def _layers(entries: Iterable[Entry]) -> dict[str, Lane]:
    """Change id -> its layer's lane, from the plans and what sweeps found."""
    found: dict[str, Lane] = {}
    for entry in entries:
        changes = []
        if entry.what is What.PLANNED:
            changes = entry.data["plan"]["changes"]
        elif entry.what is What.FOUND:
            changes = [entry.data["change"]]
        for change in changes:
            found[change["id"]] = LAYER_LANES[change["layer"]]
    return found


def _line(entry: Entry, layer_of: dict[str, Lane]) -> tuple[Lane, str]:
    """The lane that the entry belongs to, and one plain sentence."""
    data = entry.data
    match entry.what:
        case What.REQUESTED:
            request = data["request"]
            asked = f"{request['requester']} asks for {request['playbook']['playbook']}"
            return "person", f"{asked} of {request['subject']}"
        case What.JOINED:
            return "person", f"{data['by']} joins {entry.case}"
        case What.ABORTED:
            return "person", f"{data['by']} aborts {entry.case}"
        case What.DECIDED:
            return "person", f"{data['person']} {_PAST[data['decision']]} {data['gate']}"
        case What.TURNED_AWAY:
            return "person", f"{data['person']} is turned away at {data['gate']}: {data['why']}"
        case What.OPENED:
            return "person", f"gate {data['gate']} asks {', '.join(data['approvers']) or 'nobody'}"
        case What.ESCALATED:
            return "person", f"gate {data['gate']} is escalated to {data['role']}"
        case What.SHUT:
            return "person", f"gate {data['gate']}: {data['outcome']}"
        case What.ATTESTED:
            return "person", f"{data['by']} vouches for {data['change']}"
        case What.RESTORE_ASKED:
            return "person", f"{data['by']} asks for access back"
        case What.STORED:
            return "evidence", f"stored: {data['item']['title']}" if "title" in data.get(
                "item", {}
            ) else "an item is stored"
        case What.GAP:
            return "evidence", f"gap: {data['collector']} at {data['connection']}: {data['why']}"
        case What.COLLECTED:
            return "evidence", f"{data['collector']} at {data['connection']} is collected"
        case What.SEALED:
            return "evidence", f"sealed ({data['which']})"
        case What.LAYER_STARTED:
            return LAYER_LANES[data["layer"]], f"layer {data['layer']}"
        case What.FOUND:
            change = data["change"]
            return LAYER_LANES[change["layer"]], f"sweep found {change['label']}"
        case What.APPLYING:
            undoing = "giving back" if data.get("undo") else "stopping"
            return layer_of.get(data["change"], "tool"), f"{undoing} {data['change']}"
        case What.STATE:
            detail = f": {data['detail']}" if data.get("detail") else ""
            lane = layer_of.get(data["change"], "tool")
            return lane, f"{data['change']} {data['state']}{detail}"
        case What.SETTLED | What.RESTORED:
            return "tool", f"{entry.case} is {data['state']}"
        case What.REFUSED:
            return "tool", f"{entry.case} is refused: {data['why']}"
        case What.WATCHED:
            how = "as it was" if data["ok"] else "changed"
            return "tool", f"watched, round {data['round']}: {how}"
        case _:
            return "tool", _SAYS.get(entry.what, str(entry.what))


_PAST = {"approve": "approves", "deny": "denies"}
_SAYS = {
    What.RESOLVED: "the subject is resolved at every vendor",
    What.PLANNED: "the plan is made",
    What.CLOSED: "the case is closed",
    What.NOT_SWEPT: "a sweep was refused",
}
