"""The plan: everything that would happen, frozen. People approve its digest.

A plan is plain data in canonical JSON (RFC 8785); its digest is the SHA-256 of that. It is the
input of the run, so editing a playbook or the configuration changes no running case.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from killswitch.model.action import Layer, Undo
from killswitch.model.codec import digest
from killswitch.model.playbook import Collect, Gate, LayerPlan, Limits, Watch


class Mode(StrEnum):
    """What is wanted, and where.

    ``plan`` stops after the plan, ``evidence`` after the evidence: neither changes anything at a
    vendor. ``drill`` reaches loopback only; ``live`` never does.
    """

    PLAN = "plan"
    EVIDENCE = "evidence"
    DRILL = "drill"
    LIVE = "live"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PlannedAccount(_Model):
    """The subject at one connection, as it was resolved."""

    connection: str
    vendor: str
    data: dict[str, Any]  # model.subject.Account as JSON


class ResidualLine(_Model):
    """What may live on after success, for how many seconds (None: unknown), and who says so."""

    what: str
    seconds: int | None
    source: str


class Change(_Model):
    """One line of a plan: an action on a target, with what is there before and what is wanted."""

    id: str  # connection/action/target id: the same in every plan of the same thing
    layer: Layer
    step: int  # place in the playbook, counted over all layers
    connection: str
    action: str
    options: dict[str, Any]
    target: dict[str, Any]
    target_id: str
    label: str
    before: Any
    goal: Any
    gate: str
    required: bool
    undo_kind: Undo
    manual: str = ""
    impact: str = ""
    residual: ResidualLine
    counts: int = 1
    swept: bool = False  # appeared after the plan was approved

    @property
    def already(self) -> bool:
        """Nothing to change: it was so before us. Restore leaves it so."""
        return bool(self.before == self.goal)


class Blank(_Model):
    """A playbook entry that does nothing here, and why: not connected, no account, unreadable."""

    use: str
    connection: str
    why: str
    required: bool = False
    empty: bool = False  # an account, but nothing to change: looked at again after the layer
    later: bool = False  # the connection did not answer: located and contained when it does
    step: int = -1
    layer: str = ""
    gate: str = ""


class PlannedGate(_Model):
    """A gate with its approvers frozen as they were when the plan was made."""

    name: str
    policy: Gate
    approvers: tuple[str, ...]
    escalation: tuple[str, ...] = ()


class Plan(_Model):
    """What people approve."""

    format: str = "killswitch/plan/1"
    case: str
    mode: Mode
    subject: str
    requester: str
    reason: str
    severity: str
    made_at: str
    playbook: str
    playbook_version: int
    playbook_digest: str
    accounts: tuple[PlannedAccount, ...]
    changes: tuple[Change, ...]
    blanks: tuple[Blank, ...] = ()
    gates: tuple[PlannedGate, ...]
    restore_gate: str
    layers: dict[Layer, LayerPlan]
    evidence_window: str
    evidence_deadline: str
    collect: tuple[Collect, ...]
    limits: Limits
    watch: Watch
    comms: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()  # what could not be checked
    break_glass: bool = False
    automatic: bool = False  # what can be undone waits for nobody
    hosts: dict[str, str] = Field(default_factory=dict)  # connection -> address it will speak to

    @property
    def digest(self) -> str:
        """SHA-256 over the canonical form: what an approval binds to."""
        return digest(self.model_dump(mode="json", by_alias=True))

    def gate(self, name: str) -> PlannedGate:
        """The gate of that name. Raises KeyError."""
        for gate in self.gates:
            if gate.name == name:
                return gate
        raise KeyError(name)

    def needs_people(self, gate: str) -> bool:
        """Whether something behind the gate cannot be undone."""
        return any(c.gate == gate and c.undo_kind is Undo.NONE for c in self.changes)

    def lines(self) -> list[Change | Blank]:
        """What a layer has to look at: changes, and blanks that may become changes."""
        return [*self.changes, *(b for b in self.blanks if b.later or b.empty)]

    def connections(self, layer: str) -> list[str]:
        """The connections that have something to do in a layer."""
        return sorted({line.connection for line in self.lines() if line.layer == layer})
