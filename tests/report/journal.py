"""A journal written by hand: the changes that are planned, and what is recorded of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from killswitch.model.action import Layer, Undo
from killswitch.model.case import Case, fold
from killswitch.model.event import Entry, What
from killswitch.model.plan import Blank, Change, Mode, Plan, PlannedAccount, PlannedGate
from killswitch.model.playbook import Collect, Gate, LayerPlan, Limits, Step, Watch

START = datetime(2026, 3, 14, 9, 12, 4, tzinfo=UTC)
ID = "K-1127"
HEAD = {"seq": 412, "hash": "ab" * 32, "signature": "sig", "at": "2026-03-14T09:20:00+00:00"}
NOW = "2026-03-14T10:00:00+00:00"
SUBJECT = "person:jo@corp.example"
OKTA_DOC = "https://developer.okta.com/docs/guides/revoke-tokens/main/"


def at(seconds: float) -> str:
    """ISO 8601, so many seconds after the request."""
    return (START + timedelta(seconds=seconds)).isoformat()


def change(
    action: str,
    target_id: str,
    label: str,
    *,
    connection: str = "",
    layer: Layer = Layer.IDENTITY,
    step: int = 1,
    before: Any = None,
    goal: Any = None,
    seconds: int | None = 0,
    what: str = "",
    source: str = OKTA_DOC,
    **more: Any,
) -> Change:
    where = connection or action.split(".", maxsplit=1)[0]
    return Change(
        id=f"{where}/{action}/{target_id}",
        layer=layer,
        step=step,
        connection=where,
        action=action,
        options={},
        target={"id": target_id, "label": label},
        target_id=target_id,
        label=label,
        before={"status": "ACTIVE"} if before is None else before,
        goal={"status": "SUSPENDED"} if goal is None else goal,
        gate=more.pop("gate", "lead"),
        required=more.pop("required", True),
        undo_kind=more.pop("undo", Undo.EXACT),
        residual={"what": what, "seconds": seconds, "source": source},
        **more,
    )


TOKENS = "Access tokens that were issued before stay valid until they expire."
SUSPEND = change(
    "okta.user.suspend",
    "00u4fz2kQx",
    "Jo Marsh (jo@corp.example)",
    what=TOKENS,
    seconds=3600,
    impact="Jo cannot sign in anywhere.",
)
SESSIONS = change(
    "okta.sessions.revoke",
    "00u4fz2kQx",
    "Sessions of Jo Marsh",
    step=2,
    before={"since": None, "open": ["web", "cli"]},
    goal={"since": "now", "open": []},
    what=TOKENS,
    seconds=3600,
    undo=Undo.NONE,
    gate="dual",
)
KEYS = [
    change(
        "claude.api_keys.deactivate",
        f"apikey_01{n}",
        f"claude-code-jo key {n}",
        layer=Layer.CREDENTIALS,
        step=3,
        before={"status": "active"},
        goal={"status": "inactive"},
        what="Requests under way are finished.",
        seconds=None,
        source="measured against a simulator",
    )
    for n in (1, 2, 3)
]
LOCK = change(
    "github.ruleset.lock",
    "R_9021",
    "acme/payments",
    connection="github-acme",
    layer=Layer.REPOSITORIES,
    step=4,
    before={"rulesets": {"killswitch-K-1127": None}},
    goal={"rulesets": {"killswitch-K-1127": {"enforcement": "active"}}},
    impact="Nobody can push to any branch of acme/payments.",
)
SEAT = change(
    "cursor.seat.remove",
    "seat-7",
    "Cursor seat of Jo Marsh",
    layer=Layer.CREDENTIALS,
    step=3,
    manual="Remove the seat under Settings, Members.",
    required=True,
)


def plan(changes: list[Change], mode: Mode = Mode.LIVE, blanks: list[Blank] | None = None) -> Plan:
    lead = PlannedGate(
        name="lead",
        policy=Gate(approvers="eng-leads"),
        approvers=("lee@corp.example", "ria@corp.example"),
    )
    account = {"id": "00u4fz2kQx", "login": "jo@corp.example", "label": "Jo Marsh"}
    github = {"id": "583231", "login": "jo-marsh", "label": "Jo Marsh", "admin": True}
    github["aliases"] = ["claude-jo[bot]"]
    return Plan(
        case=ID,
        mode=mode,
        subject=SUBJECT,
        requester="dana@corp.example",
        reason="agent pushes secrets",
        severity="critical",
        made_at=at(6),
        playbook="agent-kill",
        playbook_version=3,
        playbook_digest="c0ffee" * 10,
        accounts=(
            PlannedAccount(connection="okta", vendor="okta", data=account),
            PlannedAccount(connection="github-acme", vendor="github", data=github),
        ),
        changes=tuple(changes),
        blanks=tuple(
            [Blank(use="entra.user.disable", connection="", why="not connected")]
            if blanks is None
            else blanks
        ),
        gates=(lead,),
        restore_gate="lead",
        layers={
            layer: LayerPlan(gate="lead", steps=(Step(use="okta.user.suspend"),)) for layer in Layer
        },
        evidence_window="7d",
        evidence_deadline="60s",
        collect=(Collect(use="okta.system_log"),),
        limits=Limits(),
        watch=Watch(),
        hosts={"okta": "acme.okta.example", "github-acme": "api.github.example"},
    )


class Story:
    """A journal being written. Every method adds what the product would record."""

    def __init__(self, mode: Mode = Mode.LIVE, **request: Any) -> None:
        self.entries: list[Entry] = []
        self.mode = mode
        asked = {
            "subject": SUBJECT,
            "playbook": {"playbook": "agent-kill", "version": 3},
            "playbook_digest": "c0ffee" * 10,
            "mode": mode,
            "requester": "dana@corp.example",
            "door": "cli",
            "severity": "critical",
            "reason": "agent pushes secrets",
            "detected_at": at(-95),
            **request,
        }
        self.add(What.REQUESTED, 0, request=asked)

    def add(self, what: What, seconds: float, **data: Any) -> Story:
        seq = len(self.entries) + 1
        self.entries.append(Entry(seq, at(seconds), what, ID, f"{seq}", data, "", ""))
        return self

    def planned(self, changes: list[Change], **more: Any) -> Story:
        made = plan(changes, self.mode, **more)
        accounts = [account.model_dump(mode="json") for account in made.accounts]
        self.add(What.RESOLVED, 3, accounts=accounts)
        self.digest = made.digest
        return self.add(
            What.PLANNED,
            6,
            plan=made.model_dump(mode="json", by_alias=True),
            digest=self.digest,
        )

    def evidence(self, start: float = 6.5) -> Story:
        where = {"connection": "okta", "collector": "okta.system_log"}
        self.add(What.COLLECTING, start, **where, volatile=False)
        self.add(What.STORED, start + 5, item=item("system-log-1.json", 48213, "okta", 11.5))
        self.add(What.COLLECTED, start + 8, **where, items=1)
        runs = {"connection": "claude", "collector": "claude.transcripts"}
        self.add(What.COLLECTING, start, **runs, volatile=True)
        cut = item("cc-7f31b2.jsonl", 1_204_000, "claude", 20, truncated=True, note="first 1 MB")
        self.add(What.STORED, start + 14, item=cut)
        self.add(What.COLLECTED, start + 15, **runs, items=1)
        return self.add(
            What.SEALED, start + 16, which="volatile", manifest="5e" * 32, items=2, gaps=0
        )

    def opened(self, gate: str = "lead", seconds: float = 6.5, quorum: int = 1) -> Story:
        return self.add(
            What.OPENED,
            seconds,
            gate=gate,
            digest=self.digest,
            purpose="contain",
            quorum=quorum,
            approvers=["lee@corp.example", "ria@corp.example"],
            expires_at=at(seconds + 900),
            assurance="slack",
        )

    def pressed(self, who: str, decision: str, seconds: float, gate: str = "lead") -> Story:
        return self.add(
            What.DECIDED,
            seconds,
            gate=gate,
            digest=self.digest,
            person=who,
            decision=decision,
            reason="seen the transcript",
            door="slack",
            assurance="slack",
        )

    def shut(self, outcome: str, seconds: float, gate: str = "lead") -> Story:
        return self.add(What.SHUT, seconds, gate=gate, outcome=outcome)

    def approved(self, seconds: float = 38) -> Story:
        self.opened()
        away = {"person": "dana@corp.example", "why": "the requester never approves"}
        self.add(What.TURNED_AWAY, 15, gate="lead", **away)
        return self.pressed("ria@corp.example", "approve", seconds).shut("approved", seconds)

    def layer(self, name: Layer, start: float, end: float, late: tuple[str, ...] = ()) -> Story:
        self.add(What.LAYER_STARTED, start, layer=name)
        self._finish = (end, name, late)
        return self

    def done(self) -> Story:
        end, name, late = self._finish
        return self.add(What.LAYER_FINISHED, end, layer=name, late=list(late))

    def applying(self, what: Change, seconds: float, undo: bool = False) -> Story:
        return self.add(What.APPLYING, seconds, change=what.id, attempt=1, undo=undo)

    def held(self, what: Change, seconds: float) -> Story:
        return self.add(What.HELD, seconds, change=what.id, before=what.before, owner=ID)

    def state(self, what: Change, state: str, seconds: float, **more: Any) -> Story:
        return self.add(What.STATE, seconds, change=what.id, state=state, **more)

    def contained(self, what: Change, start: float, end: float) -> Story:
        self.held(what, start).applying(what, start)
        probe = {"refused": True, "how": "sign-in answered 401"} if "suspend" in what.id else None
        return self.state(what, "contained", end, reads=[at(end - 2), at(end)], probe=probe)

    def settled(self, state: str, seconds: float, left: list[str] | None = None) -> Story:
        return self.add(What.SETTLED, seconds, state=state, open=left or [])

    def case(self) -> Case:
        return fold(self.entries)


def item(name: str, size: int, connection: str, seconds: float, **more: Any) -> dict[str, Any]:
    collector = {"okta": "okta.system_log", "claude": "claude.transcripts"}[connection]
    return {
        "sha256": f"{len(name):02x}" * 32,
        "size": size,
        "name": name,
        "media_type": "application/json",
        "collector": collector,
        "connection": connection,
        "volatile": connection == "claude",
        "collected_at": at(seconds),
        **more,
    }
