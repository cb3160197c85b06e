"""What is found out when a drill is over: cases, truth, harm to others, secrets, findings."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from killswitch.audit.verify import verify
from killswitch.engine.gate import subject_emails
from killswitch.evidence import keys, seal
from killswitch.model.action import Layer
from killswitch.model.case import Case
from killswitch.model.subject import Kind, Subject
from killswitch.report import words
from tabletop import moments
from tabletop.company import Troupe
from tabletop.record import Moment, Truth
from tabletop.scenario import Scenario
from tabletop.seen import Seen
from tabletop.sims.base import Attempt
from tabletop.truth import claims

if TYPE_CHECKING:
    from tabletop.exercise import Exercise

Tries = dict[str, list[Attempt]]


def seen(drill: Exercise, after: Tries) -> Seen:
    """Everything that the drill can be measured by."""
    journal = drill.api.house.journal
    entries = journal.entries()
    cases = sorted(drill.api.list(limit=1000), key=lambda c: c.requested_at)
    truth = [
        row
        for email in drill.scenario.suspects
        for row in claims(email, drill.before[email], after[email], cases)
    ]
    alerts = [m.t for m in drill.director.moments if m.key in _alerts(drill.scenario)]
    return Seen(
        entries=entries,
        cases=cases,
        of=moments.seconds(drill.clock.began),
        suspects=drill.scenario.suspects,
        alerts=alerts,
        skipped=drill.clock.skipped,
        truth=truth,
        collateral=_collateral(drill, after, cases),
        missed=_missed(truth, cases),
        audit=_audit(drill),
        evidence=_evidence(drill, cases),
        secrets=_secrets(drill),
        restarts=(drill.engine.crashes, drill.troupe.survived),
    )


def _alerts(scenario: Scenario) -> set[str]:
    return {f"inject:{i.id}" for i in scenario.timeline if i.inject == "alert"}


def _collateral(drill: Exercise, after: Tries, cases: Sequence[Case]) -> list[str]:
    """What worked for others before and does not now, and no plan said that it would break.

    A locked repository refuses everybody's push and merge: the plan that locks it says so.
    """
    locked = {
        change.plan.action.partition(".")[0]
        for case in cases
        for change in case.changes.values()
        if change.plan.layer is Layer.REPOSITORIES and change.held
    }
    repositories = {repository.name for repository in drill.sims.world.repositories}
    harmed = []
    for email in drill.before:
        if email in drill.scenario.suspects:
            continue
        now = {(a.vendor, a.what): a.allowed for a in after[email]}
        for attempt in drill.before[email]:
            lost = attempt.allowed and not now.get((attempt.vendor, attempt.what), False)
            words_ = {word.partition("#")[0] for word in attempt.what.split()}
            if lost and not (attempt.vendor in locked and words_ & repositories):
                harmed.append(f"{email}: {attempt.vendor}: {attempt.what}")
    return harmed


def _missed(truth: Iterable[Truth], cases: Iterable[Case]) -> list[str]:
    """What still works of somebody who was to be stopped whole, and no case says a word of it."""
    whole = {
        email
        for case in cases
        if Subject.parse(case.request.subject).kind is Kind.PERSON and case.plan
        for email in subject_emails(case)
    }
    return [
        f"{t.suspect}: {t.vendor}: {t.what}"
        for t in truth
        if t.works and t.claimed == "silent" and t.suspect.lower() in whole
    ]


def _audit(drill: Exercise) -> list[str]:
    """What ``agent-kill audit verify`` finds in the drill's journal."""
    house = drill.api.house
    if house.journal.last() is None:
        return []
    public = keys.load_or_create(drill.config.signing_key).public_key
    witness = drill.config.written.witness
    files = [drill.config.path(witness.file)] if witness else []
    return [finding.says for finding in verify(house.journal, [public], files).found]


def _evidence(drill: Exercise, cases: Iterable[Case]) -> list[str]:
    """What ``agent-kill evidence verify`` finds in any case."""
    public = [keys.load_or_create(drill.config.signing_key).public_key]
    vault = drill.api.house.vault
    return [
        f"{case.id}: {problem.where}: {problem.says}"
        for case in cases
        for made in case.seals
        for problem in seal.verify(made["manifest"], vault, public)
    ]


def _secrets(drill: Exercise) -> list[str]:
    """Secrets of the simulated world that stand in anything which the tool wrote.

    The drill's own killswitch.yaml and world file hold them on purpose and are left out.
    """
    values = {s for sim in drill.sims.sims.values() for s in sim.secrets()}
    written = [f for f in drill.config.state.rglob("*") if f.is_file()] + [drill.engine.log]
    return secrets_in([file for file in written if file.exists()], values)


def secrets_in(files: Iterable[Path], values: Collection[str]) -> list[str]:
    """Which of the values stand in which file, each masked."""
    sought = [(value, value.encode()) for value in sorted(values)]
    return [
        f"{_masked(value)} in {file.name}"
        for file in files
        for raw in [file.read_bytes()]
        for value, encoded in sought
        if encoded in raw
    ]


def _masked(value: str) -> str:
    return f"{value[:4]}… ({len(value)} characters)"


# -- plain data for the record ---------------------------------------------------------------------


def scenario_of(scenario: Scenario) -> dict[str, Any]:
    """The scenario as the report shows it."""
    data = scenario.model_dump(mode="json")
    keep = (
        "title", "version", "difficulty", "kind", "duration", "needs", "situation",
        "facilitator", "discussion", "maps", "grade", "suspects",
    )  # fmt: skip
    return {
        "id": scenario.scenario,
        "digest": scenario.digest,
        "world": scenario.world.base,
        **{key: data[key] for key in keep},
    }


def playbooks_of(cases: Iterable[Case]) -> dict[str, str]:
    """Name -> digest of every playbook that a case ran."""
    return {c.request.playbook["playbook"]: c.request.playbook_digest for c in cases}


def case_of(case: Case) -> dict[str, Any]:
    """A case, and how each of its changes ended."""
    return {
        "id": case.id,
        "subject": case.request.subject,
        "playbook": case.request.playbook["playbook"],
        "requester": case.request.requester,
        "state": str(case.state),
        "break_glass": case.request.break_glass,
        "why": case.refusal.get("why", ""),
        "changes": [
            {
                "id": change.plan.id,
                "layer": str(change.plan.layer),
                "action": change.plan.action,
                "label": change.plan.label,
                "state": str(change.state),
                "required": change.plan.required,
            }
            for _, change in sorted(case.changes.items())
        ],
        "gaps": [f"{g['collector']} at {g['connection']}: {g['why']}" for g in case.gaps],
        "restores": [r["state"] for r in case.restores],
    }


def approvals_of(seen: Seen) -> list[dict[str, Any]]:
    """Every press at every gate, those that did not count included."""
    return [
        {
            "case": case.id,
            "gate": name,
            "person": decision["person"],
            "decision": decision.get("decision", ""),
            "door": decision.get("door", ""),
            "assurance": str(decision.get("assurance", "")),
            "t": seen.of(decision["at"]),
            "reason": decision.get("reason") or decision.get("why", ""),
            "counted": counted,
        }
        for case in seen.cases
        for name, gate in case.gates.items()
        for counted, presses in ((True, gate.decisions), (False, gate.turned_away))
        for decision in presses
    ]


def faults_of(troupe: Troupe) -> list[dict[str, Any]]:
    """Every fault that was set, and how often a vendor's struck."""
    return [
        {
            "id": fault.id,
            "target": fault.target,
            "kind": fault.kind,
            "title": fault.title,
            "struck": made.struck if (made := troupe.struck.get(fault.id)) else None,
        }
        for fault in troupe.broken
    ]


def moments_of(drill: Exercise, seen: Seen) -> list[Moment]:
    """The director's and the journal's, in the order of the drill's clock."""
    told = moments.told(seen.entries, seen.of)
    return sorted([*drill.director.moments, *told], key=lambda m: (m.t, m.lane, m.key))


def residual_of(cases: Iterable[Case]) -> list[str]:
    """What may live on, as the cases themselves say."""
    return list(
        dict.fromkeys(
            f"{change.plan.connection}: {change.plan.residual.what}"
            + (f", up to {words.duration(s)}" if (s := change.plan.residual.seconds) else "")
            for case in cases
            for change in case.changes.values()
            if change.held and change.plan.residual.seconds != 0
        )
    )
