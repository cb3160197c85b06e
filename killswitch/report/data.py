"""The containment report as one plain dict. Pure: the same case says the same, word for word.

Nothing is claimed that was not read back and journalled. A case is called contained only if the
journal says so and every required change has its two reads; whatever is not known is said to
be unknown.
"""

from __future__ import annotations

from typing import Any

from killswitch.model.case import Case, CaseState, ChangeState, ChangeView
from killswitch.report import afterwards, comms, timeline, words
from killswitch.report.changes import (
    GIVEN_BACK,
    known_state,
    layers,
    name_of,
    proven,
    residual,
    residual_note,
)
from killswitch.report.drills import rehearsed
from killswitch.report.evidence import evidence
from killswitch.report.people import asked, gates
from killswitch.report.plain import label, line, named
from killswitch.report.review import worth_reviewing
from killswitch.report.rows import Account, Blank, Span, Time
from killswitch.report.shape import FORMAT, Instructions, Journal, Report, Verdict

_TIMES = {
    "T0": "detected",
    "T1": "requested",
    "T2": "plan ready",
    "T3": "last approval",
    "T4": "last change verified",
}
_SPANS = (
    ("T0", "T1", "to notice and ask"),
    ("T1", "T2", "to find everything"),
    ("T2", "T3", "to approve"),
    ("T3", "T4", "to contain"),
    ("T1", "T4", "from the request to the last read"),
    ("T0", "T4", "from detection to the last read"),
)


def containment(case: Case, *, head: dict[str, Any] | None, now: str) -> dict[str, Any]:
    """Everything that the containment report says (``report.shape.Report``).

    ``head`` is the journal's latest signed head (seq, hash, signature), None if there is none;
    ``now`` is the time that the report is made at, ISO 8601.
    """
    lines, shared = residual(case, now)
    told, times = layers(case, lines, shared), _times(case)
    report = Report(
        format=FORMAT,
        made_at=now,
        case=case.id,
        subject=label(case.request.subject),
        mode=named(words.MODES, case.request.mode),
        drill=rehearsed(case),
        verdict=_verdict(case),
        asked=asked(case),
        playbook=_playbook(case),
        times=times,
        spans=_spans(times),
        accounts=_accounts(case),
        blanks=_blanks(case),
        layers=told,
        gates=gates(case),
        evidence=evidence(case),
        residual=lines,
        residual_note=residual_note(case, lines),
        todo=afterwards.todo(case),
        sweep=afterwards.sweep(case),
        watch=afterwards.watch(case),
        restore=afterwards.restore(case),
        drafts=[*comms.names(case), *(["review.md"] if worth_reviewing(case) else [])],
        journal=_journal(case, head),
        timeline=timeline.bars(case, times, now),
    )
    return dict(report)


def _verdict(case: Case) -> Verdict:
    required = [c for c in case.changes.values() if c.plan.required]
    left = [_open(c) for c in required if not proven(c)]
    known = {c.plan.id for c in required}
    left += [line(other) for other in case.open if other not in known]
    state = _state(case, bool(left))
    given_back = state in ("restoring", "part-restored", "restored")
    return Verdict(
        state=named(words.CASES, state),
        sentence=("DRILL: " if rehearsed(case) else "") + _sentence(case, state, left),
        required=len(required),
        contained=sum(proven(c) for c in required),
        open=[] if given_back else left,
        optional_open=[]
        if given_back
        else [_open(c) for c in case.changes.values() if not c.plan.required and not proven(c)],
    )


def _open(change: ChangeView) -> str:
    return f"{name_of(change)}: {words.CHANGES[known_state(change)].label}"


def _state(case: Case, anything_open: bool) -> str:
    """The journal's word, unless the proof for it is missing."""
    if case.state is CaseState.RESTORED:
        return CaseState.RESTORED
    if case.restores and any(c.state in GIVEN_BACK for c in case.changes.values()):
        return "restoring" if not case.restores[-1]["state"] else "part-restored"
    if case.state is CaseState.CONTAINED and anything_open:
        return CaseState.PARTIAL
    return case.state


def _sentence(case: Case, state: str, left: list[str]) -> str:
    subject = label(case.request.subject.removeprefix("person:"))
    required = [c for c in case.changes.values() if c.plan.required]
    done = sum(proven(c) for c in required)
    places = words.counted(len({c.plan.connection for c in required}), "connection")
    opened = "; ".join([*left[:3], *([f"and {len(left) - 3} more"] if len(left) > 3 else [])])
    match state:
        case "contained":
            if not required:
                return f"{subject} is contained: nothing was found that had to be changed."
            took = words.between(case.requested_at, _last_verified(case))
            return (
                f"{subject} is contained: {_all(len(required))} at {places} "
                f"{'was' if done == 1 else 'were'} read back twice, "
                f"{words.duration(took)} after the request."
            )
        case "partial":
            stopped = f" {_stopped(case)}" if case.aborted else ""
            return (
                f"{subject} is only partly contained: {done} of "
                f"{words.counted(len(required), 'required change')} read back."
                f"{stopped} Open: {opened or 'what was found did not need a change'}."
            )
        case "refused":
            return f"The case was refused and nothing was changed: {line(case.refusal.get('why'))}."
        case "denied":
            return f"{_refusers(case)} {subject}. {_made(case)}"
        case "aborted":
            return f"{_stopped(case)} {_made(case)}"
        case "planned":
            return f"A plan was made for {subject}. Nothing was changed."
        case "collected":
            items = words.counted(len(case.items), "item")
            gaps = words.counted(len(case.gaps), "gap")
            return f"Evidence was collected about {subject}: {items}, {gaps}. Nothing was changed."
        case "restored":
            return f"Access was given back to {subject}: {_given_back(case)}."
        case "part-restored":
            return f"Access was given back to {subject} in part: {_given_back(case)}."
        case "restoring":
            return f"Access is being given back to {subject}: {_given_back(case)}."
    return f"{subject} is not contained yet: {words.word(words.CASES, state).means} {_made(case)}"


def _refusers(case: Case) -> str:
    """Who said no, or that nobody answered."""
    said_no = [
        label(press.get("person"))
        for gate in case.gates.values()
        if gate.purpose == "contain"
        for press in gate.decisions
        if press["decision"] == "deny"
    ]
    if not said_no:
        return "Nobody approved in time what was planned for"
    return f"{words.listed(said_no)} denied what was planned for"


def _stopped(case: Case) -> str:
    by = label(case.aborted.get("by")) or words.UNKNOWN
    return f"It was aborted by {by} ({line(case.aborted.get('reason')) or 'no reason given'})."


def _all(count: int) -> str:
    return "the one required change" if count == 1 else f"all {count} required changes"


def _made(case: Case) -> str:
    """How much was changed all the same."""
    tried = [c for c in case.changes.values() if c.attempts]
    if not tried:
        return "No change was made."
    stay = sum(proven(c) for c in tried)
    return (
        f"{words.counted(len(tried), 'change')} had been sent; {stay} of them read back as "
        f"contained, and what was changed stays so until it is restored."
    )


def _given_back(case: Case) -> str:
    states = [c.state for c in case.changes.values()]
    counts = (
        (ChangeState.RESTORED, "restored"),
        (ChangeState.KEPT, "kept as it is"),
        (ChangeState.REISSUE, "to be reissued"),
        (ChangeState.DRIFTED, "waiting for a person to decide"),
        (ChangeState.RESTORING, "under way"),
    )
    told = [f"{n} {said}" for state, said in counts if (n := states.count(state))]
    others = sum(state not in GIVEN_BACK for state in states)
    return ", ".join([*told, *([f"{others} not given back"] if others else [])])


def _playbook(case: Case) -> Instructions:
    version = case.request.playbook.get("version")
    return Instructions(
        name=label(case.request.playbook.get("playbook")),
        version=version if isinstance(version, int) else None,
        digest=label(case.request.playbook_digest),
        plan_digest=label(case.digest),
    )


def _times(case: Case) -> list[Time]:
    """T0 to T4; T3 knows only the gates of containment, T4 only changes with their two reads."""
    approvals = [
        gate.shut_at
        for gate in case.gates.values()
        if gate.outcome == "approved" and gate.purpose == "contain"
    ]
    at = {
        "T0": case.request.detected_at,
        "T1": case.requested_at,
        "T2": case.planned_at,
        "T3": max(approvals, default=""),
        "T4": _last_verified(case),
    }
    notes = dict.fromkeys(_TIMES, "")
    notes["T0"] = "" if at["T0"] else "no alert said when"
    notes["T2"] = "" if at["T2"] else "no plan was made"
    notes["T3"] = "" if at["T3"] else "nothing was approved"
    notes["T4"] = _last_read(case, at["T4"])
    return [
        Time(name=name, label=said, at=line(at[name]), note=notes[name])
        for name, said in _TIMES.items()
    ]


def _last_verified(case: Case) -> str:
    """When the last change was contained, as far as that is what still stands or was given back."""
    stands = [c for c in case.changes.values() if proven(c) or c.state in GIVEN_BACK]
    return max((c.contained_at for c in stands), default="")


def _last_read(case: Case, at: str) -> str:
    if at and any(c.state in GIVEN_BACK for c in case.changes.values()):
        return "before access was given back"
    if not at:
        return "nothing was read back as contained"
    if any(look.get("reverted") for look in case.rounds):
        return "with what the watch contained again"
    return "so far" if any(c.open or not proven(c) for c in case.changes.values()) else ""


def _spans(times: list[Time]) -> list[Span]:
    at = {time["name"]: time["at"] for time in times}
    return [
        Span(since=a, until=b, label=said, seconds=words.between(at[a], at[b]))
        for a, b, said in _SPANS
    ]


def _accounts(case: Case) -> list[Account]:
    hosts = case.plan.hosts if case.plan else {}
    found = []
    for entry in case.accounts:
        account = {**entry, **entry.get("data", {})}
        connection = str(account.get("connection", ""))
        found.append(
            Account(
                connection=label(connection),
                vendor=label(account.get("vendor")),
                host=label(hosts.get(connection)),
                id=label(account.get("id")),
                login=label(account.get("login")),
                label=label(account.get("label")),
                admin=bool(account.get("admin")),
                enabled=bool(account.get("enabled", True)),
                aliases=[label(alias) for alias in account.get("aliases", ())],
            )
        )
    return found


def _blanks(case: Case) -> list[Blank]:
    return [
        Blank(
            use=label(blank.use),
            connection=label(blank.connection),
            why=line(blank.why),
            required=blank.required,
        )
        for blank in (case.plan.blanks if case.plan else ())
    ]


def _journal(case: Case, head: dict[str, Any] | None) -> Journal:
    seq = (head or {}).get("seq")
    return Journal(
        last_seq=case.last_seq,
        head_seq=seq if isinstance(seq, int) else None,
        head_hash=label((head or {}).get("hash")),
        head_at=line((head or {}).get("at")),
        signed=bool(head.get("signature")) if head else None,
        commands=[
            "agent-kill audit verify",
            f"agent-kill evidence verify {case.id}",
        ],
    )
