"""A playbook as typed data: which actions and collectors, in which layer, behind which gate.

The strict loader is ``killswitch/playbooks/``. Values are literals or look-ups such as
``${{ subject.email }}``; there are no expressions, URLs, secrets or lists of people.
"""

from __future__ import annotations

import re
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from killswitch.model.action import Layer
from killswitch.model.subject import Kind

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
LAYERS = (Layer.IDENTITY, Layer.CREDENTIALS, Layer.REPOSITORIES)


def _seconds(value: Any) -> Any:
    if isinstance(value, str) and (found := re.fullmatch(r"(\d{1,6})([smhd])", value)):
        return timedelta(seconds=int(found[1]) * _UNITS[found[2]])
    if isinstance(value, timedelta):
        return value
    raise ValueError("a duration such as 90s, 15m, 24h or 7d")


def _text(value: timedelta) -> str:
    total = int(value.total_seconds())
    for unit in "dhm":
        if total and total % _UNITS[unit] == 0:
            return f"{total // _UNITS[unit]}{unit}"
    return f"{total}s"


Duration = Annotated[
    timedelta,
    BeforeValidator(_seconds, json_schema_input_type=str),
    PlainSerializer(_text, return_type=str),
]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")]
Entry = Annotated[str, Field(pattern=r"^[a-z]+(\.[a-z_]+)+$")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Limits(_Model):
    """How wide a plan may be. A plan that is wider is refused."""

    people: int = Field(1, ge=1)
    repositories: int = Field(200, ge=0)
    credentials: int = Field(100, ge=0)


class Assurance(StrEnum):
    """How sure we are who it was, weakest first. A service asks; it never approves."""

    SERVICE = "service"
    OS_LOGIN = "os-login"
    SLACK = "slack"
    OIDC = "oidc"
    SSH_SIGNATURE = "ssh-signature"


OfAPerson = Literal[Assurance.OS_LOGIN, Assurance.SLACK, Assurance.OIDC, Assurance.SSH_SIGNATURE]


class Escalate(_Model):
    """On time-out, ask another role, for as long again; then deny."""

    escalate: Name


class Gate(_Model):
    """Who must approve, how many, and what happens when nobody answers."""

    approvers: Name
    quorum: int = Field(1, ge=1, le=5)
    timeout: Duration = timedelta(minutes=15)
    on_timeout: Literal["deny", "reversible_only"] | Escalate = "deny"
    assurance: OfAPerson = Assurance.OS_LOGIN


class Step(_Model):
    """One action. ``required`` false: the case can be contained without it."""

    use: Entry
    with_: dict[str, Any] = Field(default_factory=dict, alias="with")
    gate: Name | None = None
    required: bool = True


class Collect(_Model):
    """One collector."""

    use: Entry
    with_: dict[str, Any] = Field(default_factory=dict, alias="with")


class Evidence(_Model):
    """What is collected, over which time, and how long the first change waits for it."""

    window: Duration = timedelta(days=7)
    deadline: Duration = timedelta(seconds=60)
    collect: tuple[Collect, ...] = ()


class LayerPlan(_Model):
    """One layer's steps.

    After ``deadline`` the next layer starts; what is left goes on for ``keep_trying``.
    """

    gate: Name
    deadline: Duration = timedelta(seconds=90)
    keep_trying: Duration = timedelta(minutes=30)
    steps: tuple[Step, ...] = ()


class Watch(_Model):
    """How long, and how often, containment is verified again afterwards."""

    for_: Duration = Field(timedelta(hours=24), alias="for")
    every: Duration = timedelta(minutes=5)


class Playbook(_Model):
    """The whole file. ``subject`` says what kind of subject it is for."""

    playbook: Name
    version: int = Field(ge=1)
    summary: str = Field(max_length=300)
    subject: Kind
    limits: Limits = Limits()
    gates: dict[Name, Gate]
    evidence: Evidence = Evidence()
    layers: dict[Layer, LayerPlan]
    watch: Watch = Watch()
    restore: Name | None = None  # the gate that restoring waits for; default: the first layer's
    comms: tuple[Name, ...] = ()

    def steps(self) -> list[tuple[Layer, Step, str]]:
        """Every step with its layer and gate, in the order in which it runs."""
        return [
            (layer, step, step.gate or self.layers[layer].gate)
            for layer in LAYERS
            if layer in self.layers
            for step in self.layers[layer].steps
        ]

    @property
    def restore_gate(self) -> str:
        """The gate that a restore waits for."""
        if self.restore:
            return self.restore
        return next(self.layers[layer].gate for layer in LAYERS if layer in self.layers)
