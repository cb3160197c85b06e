"""How long it took, and whom it waited for.

An instant is human time when a gate is unanswered and no layer is running, or when an alert was
raised and nobody has asked for a kill yet; whatever else passes between request and last read is
the tool's and the vendors'. Human time is read off the drill's clock, machine time off the real
one: no figure is scaled.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from killswitch.model.action import Layer
from killswitch.model.case import Case, ChangeState, ChangeView, GateView
from tabletop.record import Times
from tabletop.seen import NotMeasured, Seen

if TYPE_CHECKING:  # it imports the measures' names
    from tabletop.scenario import Objective

Stretch = tuple[float, float]
CONTAIN = "contain"


def time_to_request(seen: Seen) -> float:
    """The first alert to the first request; 0 where somebody asked before any alert."""
    if not seen.alerts:
        raise NotMeasured("no alert was raised")
    if not seen.cases:
        raise NotMeasured("nobody asked for a kill")
    asked = min(seen.of(case.requested_at) for case in seen.cases)
    return round(max(0.0, asked - min(seen.alerts)), 3)


def time_to_plan(seen: Seen) -> float:
    """Request to plan, of the slowest case."""
    planned = [case for case in seen.cases if not case.refusal]
    return _longest(
        "a case was planned",
        [_took(seen, c.requested_at, c.planned_at, f"{c.id} has no plan") for c in planned],
    )


def time_to_evidence(seen: Seen) -> float:
    """Request to the first seal, of the slowest case."""
    sealed = [(c, c.seals[0]["at"] if c.seals else "") for c in seen.killing()]
    return _longest(
        "a case collected evidence",
        [_took(seen, c.requested_at, at, f"nothing was sealed in {c.id}") for c, at in sealed],
    )


def time_to_approve(seen: Seen) -> float:
    """A gate's opening to its end, of the slowest gate of any containment."""
    gates = [(c, g) for c in seen.cases for g in c.gates.values() if g.purpose == CONTAIN]
    return _longest(
        "a gate was opened",
        [_took(seen, g.opened_at, g.shut_at, f"{g.name} of {c.id} is open") for c, g in gates],
    )


def time_to_identity(seen: Seen) -> float:
    """The identity gate's end to the layer's, late changes included, of the slowest case."""
    found = []
    for case in seen.killing():
        if Layer.IDENTITY not in case.layers or case.plan is None:
            continue
        gate = case.gates.get(case.plan.layers[Layer.IDENTITY].gate)
        if gate is None or not gate.shut_at:
            raise NotMeasured(f"the identity layer of {case.id} waited for no answer")
        mine = [c for c in case.changes.values() if c.plan.layer is Layer.IDENTITY]
        _all_read_back(case, mine)
        ends = [case.layers[Layer.IDENTITY]["finished_at"], *(c.contained_at for c in mine)]
        missing = f"the identity layer of {case.id} has not ended"
        found.append(_took(seen, gate.shut_at, max(ends), missing))
    return _longest("an identity layer ran", found)


def time_to_contain(seen: Seen) -> float:
    """The first alert to the last read (T0 to T4), once every required change has its own."""
    cases = [case for case in seen.killing() if case.layers]
    if not cases:
        raise NotMeasured("nothing was contained")
    for case in cases:
        _all_read_back(case, case.changes.values())
    ends = [c.contained_at for case in cases for c in case.changes.values() if c.contained_at]
    if not ends:
        raise NotMeasured("nothing was read back as contained")
    detected = [seen.of(case.times["T0"]) for case in cases]
    return round(max(map(seen.of, ends)) - min([*seen.alerts, *detected]), 3)


def time_to_restore(seen: Seen) -> float:
    """The request for access to the last thing given back, of the slowest."""
    asked = [(case, wanted) for case in seen.cases for wanted in case.restores]
    for case, wanted in asked:
        if wanted["state"] != "restored":
            raise NotMeasured(f"{case.id} was not restored in full")
    return _longest(
        "access was asked back",
        [_took(seen, w["at"], w["settled_at"], f"{c.id} is not restored") for c, w in asked],
    )


def machine_time(seen: Seen) -> float:
    """Seconds of the real clock that the tool and the vendors took."""
    if not seen.cases:
        raise NotMeasured("nobody asked for a kill")
    return times(seen).machine


def times(seen: Seen, objectives: Sequence[Objective] = ()) -> Times:
    """Human and machine time from T0 to T4, and how far beyond the objectives' aims each went.

    People are late by what noticing and approving took beyond their aims; the tool by what
    planning and the identity layer, or all its work together, took beyond theirs. What a missed
    aim for the whole containment leaves over is shared as human and machine time are.
    """
    waiting, working = _stretches(seen)
    human = round(sum(end - start for start, end in waiting), 3)
    machine = round(sum(seen.real(end) - seen.real(start) for start, end in working), 3)
    over = {o.measure: _beyond(seen, o, machine) for o in objectives if o.at_most is not None}
    people = over.get("time_to_request", 0.0) + over.get("time_to_approve", 0.0)
    tool = over.get("time_to_plan", 0.0) + over.get("time_to_identity", 0.0)
    tool = max(tool, over.get("machine_time", 0.0), over.get("time_to_evidence", 0.0))
    left = max(0.0, over.get("time_to_contain", 0.0) - people - tool)
    share = human / (human + machine) if human + machine else 0.0
    people, tool = people + left * share, tool + left * (1 - share)
    return Times(human, machine, round(people, 3), round(tool, 3))


_AIMS = {
    "time_to_request": time_to_request,
    "time_to_plan": time_to_plan,
    "time_to_evidence": time_to_evidence,
    "time_to_approve": time_to_approve,
    "time_to_identity": time_to_identity,
    "time_to_contain": time_to_contain,
}


def _beyond(seen: Seen, objective: Objective, machine: float) -> float:
    """Seconds beyond what was aimed at; 0 where it is no time, or cannot be measured."""
    aim = objective.at_most
    seconds = aim.total_seconds() if isinstance(aim, timedelta) else float(aim or 0)
    if objective.measure == "machine_time":
        return max(0.0, machine - seconds)
    try:
        return max(0.0, _AIMS[objective.measure](seen) - seconds)
    except (KeyError, NotMeasured):
        return 0.0


def _stretches(seen: Seen) -> tuple[list[Stretch], list[Stretch]]:
    """When everything waited for people, and when the tool was at work."""
    asking: list[Stretch] = []
    open_gates: list[Stretch] = []
    running: list[Stretch] = []
    active: list[Stretch] = []
    if seen.alerts and seen.cases:
        asking.append((min(seen.alerts), min(seen.of(c.requested_at) for c in seen.cases)))
    for case in seen.cases:
        requested, end = seen.of(case.requested_at), _end(seen, case)
        active.append((requested, end))
        if case.request.detected_at:
            asking.append((seen.of(case.request.detected_at), requested))
        for gate in case.gates.values():
            if gate.purpose == CONTAIN:
                answered = _answered(gate)
                until = min(seen.of(answered), end) if answered else end
                open_gates.append((seen.of(gate.opened_at), until))
        for layer in case.layers.values():
            done = seen.of(layer["finished_at"]) if layer["finished_at"] else end
            running.append((seen.of(layer["started_at"]), done))
    waiting = _union([*asking, *_without(_union(open_gates), _union(running))])
    return waiting, _without(_union(active), waiting)


def _answered(gate: GateView) -> str:
    """When people had said what ended the gate; what the engine took to notice is its own."""
    yes = sorted(d["at"] for d in gate.decisions if d["decision"] == "approve")
    no = sorted(d["at"] for d in gate.decisions if d["decision"] == "deny")
    if gate.outcome == "approved" and len(yes) >= gate.quorum:
        return str(yes[gate.quorum - 1])
    return str(no[0]) if gate.outcome == "denied" and no else gate.shut_at


def _end(seen: Seen, case: Case) -> float:
    """T4; the verdict where nothing was contained; else the last that is known."""
    contained = [c.contained_at for c in case.changes.values() if c.contained_at]
    if contained or case.settled_at:
        return seen.of(max(contained, default=case.settled_at))
    return max(seen.of(entry.at) for entry in seen.of_case(case.id))


def _union(stretches: Iterable[Stretch]) -> list[Stretch]:
    found: list[Stretch] = []
    for start, end in sorted(s for s in stretches if s[1] > s[0]):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def _without(stretches: list[Stretch], cut: list[Stretch]) -> list[Stretch]:
    for start, end in cut:
        stretches = [
            piece
            for a, b in stretches
            for piece in ((a, min(b, start)), (max(a, end), b))
            if piece[1] > piece[0]
        ]
    return stretches


def _took(seen: Seen, start: str, end: str, missing: str) -> float:
    if not end:
        raise NotMeasured(missing)
    return seen.of(end) - seen.of(start)


def _longest(what: str, found: list[float]) -> float:
    if not found:
        raise NotMeasured(f"it never came to it that {what}")
    return round(max(found), 3)


def _all_read_back(case: Case, changes: Iterable[ChangeView]) -> None:
    """Raises NotMeasured while a required change was never contained, or came undone."""
    missing = [
        change.plan.id
        for change in changes
        if change.plan.required
        and (not change.contained_at or change.state is ChangeState.REVERTED)
    ]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise NotMeasured(f"in {case.id}, {missing[0]}{more} is not contained")
