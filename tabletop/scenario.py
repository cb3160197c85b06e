"""A scenario: what goes wrong, when, who answers, what is measured. Strict YAML, typed.

The file is the planner's: situation for the players, notes for the facilitator kept apart, the
list of injects (NIST SP 800-84 and HSEEP call it the MSEL), faults, objectives. Its digest is
recorded with every drill, so that only like is compared with like.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator

from killswitch import strictyaml, typed
from killswitch.model.codec import canonical
from killswitch.model.errors import Invalid
from killswitch.model.playbook import Duration, Name
from tabletop import maps
from tabletop.adversary import ACTS
from tabletop.measures import MEASURES
from tabletop.sims.faults import Kind as FaultKind
from tabletop.sims.run import SIMS

FOLDER = Path(__file__).parent / "scenarios"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Spread:
    """A time with its spread, in seconds: ``6m±2m`` is drawn evenly from 4 to 8 minutes."""

    middle: float
    spread: float = 0.0

    @classmethod
    def of(cls, value: Any) -> Spread:
        """From text such as ``90s`` or ``6m±2m``. Raises ValueError."""
        if isinstance(value, Spread):
            return value
        middle, _, spread = str(value).partition("±")
        try:
            made = cls(_seconds(middle), _seconds(spread) if spread else 0.0)
        except ValueError as error:
            raise ValueError("a duration such as 90s or 6m±2m") from error
        if made.spread > made.middle:
            raise ValueError("a spread no larger than the time itself")
        return made

    def __str__(self) -> str:
        return f"{self.middle:g}s" + (f"±{self.spread:g}s" if self.spread else "")


def _seconds(text: str) -> float:
    units = {"s": 1, "m": 60, "h": 3600}
    number, unit = text[:-1], text[-1:]
    return float(int(number) * units[unit]) if unit in units else float("nan") + int("x")


Delay = Annotated[
    Spread,
    BeforeValidator(Spread.of, json_schema_input_type=str),
    PlainSerializer(str, return_type=str),
]
Persona = Literal[
    "prompt",  # answers after ``ack``
    "slow",  # the same; the report says so
    "silent",  # never answers
    "denier",  # denies
    "questioner",  # asks first and answers after twice ``ack``
    "rubber-stamper",  # approves two seconds after it is asked
    "wrong-person",  # somebody who may not approve tries to
    "compromised",  # approves whatever is asked, also for the suspect
]
Role = Name
Moment = Annotated[str, Field(pattern=r"^[a-z]+\.[a-z_]+(\.[a-z_-]+)?$")]


class Person(_Model):
    """One role in the drill, and how it is played when nobody at the keyboard plays it."""

    plays: str = Field(description="e-mail address of a person of the world")
    persona: Persona = "prompt"
    ack: Delay = Spread(60.0)


class When(_Model):
    """The moment of an inject or a fault: by the clock, or some time after something happened.

    ``when`` names a moment of the journal: ``alert.raised``, ``case.requested``,
    ``case.planned``, ``gate.opened``, ``gate.shut``, ``evidence.sealed``,
    ``layer.started.identity``, ``layer.finished.identity``, ``case.settled``, ``case.closed``,
    ``restore.settled``. ``chance`` draws from the seed whether it happens at all.
    """

    at: Duration | None = None
    when: Moment | None = None
    after: Duration = timedelta(0)
    chance: float = Field(1.0, gt=0, le=1)

    @model_validator(mode="after")
    def _one_moment(self) -> When:
        if self.at is not None and self.when is not None:
            raise ValueError("either `at:` or `when:`, not both")
        return self


class Inject(When):
    """Something that happens to the players.

    Neither ``at`` nor ``when``: it waits for the facilitator's hand.
    ``alert``: the SIEM raises an alert and the on-call learns of it (``text``).
    ``message``: somebody is told something (``text``, ``to``).
    ``adversary``: the agent or the suspect acts (``act``, ``by``, ``options``).
    ``persona``: a role changes its persona from now on (``role``, ``persona``).
    ``kill``: a person asks for another kill (``role``, ``subject``, ``playbook``).
    ``abort``: a person aborts the newest case, of ``subject`` if one is named (``role``).
    ``restore``: the same, and asks for access back.
    ``by-hand``: a person does at the vendor what has no API (``role``, ``act``).
    """

    id: Name
    inject: Literal[
        "alert", "message", "adversary", "persona", "kill", "abort", "restore", "by-hand"
    ]
    title: str
    text: str = ""
    to: tuple[Role, ...] = ()
    act: str = ""
    by: str = Field("", description="whose access the adversary uses; the first suspect's if empty")
    options: dict[str, Any] = Field(default_factory=dict)
    role: Role = ""
    persona: Persona | None = None
    subject: str = ""
    playbook: Name | None = None

    @model_validator(mode="after")
    def _complete(self) -> Inject:
        needed = {
            "alert": ("text",), "message": ("text", "to"), "adversary": ("act",),
            "persona": ("role", "persona"), "kill": ("role", "subject"), "abort": ("role",),
            "restore": ("role",), "by-hand": ("role", "act"),
        }[self.inject]  # fmt: skip
        if missing := [key for key in needed if not getattr(self, key)]:
            raise ValueError(f"`{missing[0]}:` is missing for an inject of kind {self.inject}")
        if self.inject == "adversary" and self.act not in ACTS:
            raise ValueError(f"no act {self.act!r}; known: {', '.join(sorted(ACTS))}")
        return self


class ScenarioFault(When):
    """Something that fails: at a vendor's route, or in the tool's own house.

    ``target``: a vendor (``okta``), or ``engine`` (kind ``crash``: SIGKILL, started again after
    ``seconds``), ``disk`` (kind ``full``: no file takes another byte), ``slack`` (kind
    ``outage``), ``siem`` (kind ``lag``: events become searchable ``seconds`` later).
    Vendors take the kinds of ``tabletop/sims/faults.py`` and ``outage`` (every request 503),
    ``partial-page`` (lists end early and say that they are complete).
    ``lasts``: it heals by itself; otherwise after ``times`` requests, or never.
    """

    id: Name
    target: Name
    kind: str
    title: str = ""
    path: str = Field("", description="regular expression, searched in `METHOD /path?query`")
    times: int | None = Field(None, ge=1)
    skip: int = Field(0, ge=0)
    status: int = Field(500, ge=200, le=599)
    headers: dict[str, str] = Field(default_factory=dict)
    body: str = ""
    seconds: float = Field(0.0, ge=0)
    lasts: Duration | None = None

    @model_validator(mode="after")
    def _known(self) -> ScenarioFault:
        own = {"engine": {"crash"}, "disk": {"full"}, "slack": {"outage"}, "siem": {"lag"}}
        known = own.get(self.target, {*FaultKind, "outage", "partial-page"})
        if self.kind not in known:
            raise ValueError(f"{self.target} knows {', '.join(sorted(known))}; not {self.kind!r}")
        return self


class Objective(_Model):
    """What must be reached. Times are judged in four steps, everything else met or not.

    ``at_most``: performed (P) within it, with some challenges (S) within 1.5 times, with major
    challenges (M) within 3 times, else unable (U). ``critical``: not P or S caps the drill at 49.
    """

    id: Annotated[str, Field(pattern=r"^O[0-9]{1,2}$")]
    title: str
    measure: str
    at_most: Duration | float | None = None
    at_least: float | None = None
    equals: bool | None = None
    weight: int = Field(10, ge=1, le=100)
    critical: bool = False

    @model_validator(mode="after")
    def _measurable(self) -> Objective:
        if self.measure not in MEASURES:
            raise ValueError(f"no measure {self.measure!r}; known: {', '.join(sorted(MEASURES))}")
        if sum(x is not None for x in (self.at_most, self.at_least, self.equals)) != 1:
            raise ValueError("exactly one of `at_most:`, `at_least:`, `equals:`")
        return self


class Question(_Model):
    """What people grade, not the engine: 0 to 3 by a rubric."""

    id: Name
    question: str
    rubric: tuple[str, str, str, str]


class Response(_Model):
    """What the on-call does about an alert, when a persona plays the on-call.

    ``to``: the id of the inject that calls for it.
    """

    to: Name
    subject: str
    playbook: Name | None = None
    reason: str = Field(min_length=10, description="as the request form asks for it")
    role: Role = "oncall"
    only: bool = Field(False, description="plan only: look before anything is done")


class ScenarioWorld(_Model):
    """The world, and what is different in it.

    ``people``, ``agents``, ``repositories``: lists of mappings; one with the ``email``, ``id`` or
    ``name`` of an existing entry changes that entry, any other is added.
    """

    base: Name = "small"
    people: tuple[dict[str, Any], ...] = ()
    agents: tuple[dict[str, Any], ...] = ()
    repositories: tuple[dict[str, Any], ...] = ()


class Maps(_Model):
    """Framework identifiers; ``tabletop/maps.yaml`` has their editions and titles."""

    owasp_agentic: tuple[str, ...] = ()
    maestro: tuple[str, ...] = ()
    nist_ai_rmf: tuple[str, ...] = ()
    atlas: tuple[str, ...] = ()
    d3fend: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _known(self) -> Maps:
        for framework in type(self).model_fields:
            for one in getattr(self, framework):
                if one not in maps.titles(framework):
                    raise ValueError(f"{one!r} is not in {framework} ({maps.edition(framework)})")
        return self


class Scenario(_Model):
    """One exercise."""

    scenario: Name
    title: str
    version: int = Field(ge=1)
    seed: int = Field(ge=0)
    duration: Duration
    difficulty: int = Field(ge=1, le=5)
    kind: Literal["scenario", "atomic"] = "scenario"
    needs: tuple[str, ...] = Field(
        (), description="what it would take to play it in full and this project lacks"
    )
    situation: str
    facilitator: str
    world: ScenarioWorld = ScenarioWorld()
    vendors: tuple[Name, ...] = Field((), description="those that take part; all if empty")
    suspects: tuple[str, ...] = Field(min_length=1, description="e-mail addresses")
    playbook: Name = "agent-kill"
    config: dict[str, Any] = Field(
        default_factory=dict, description="laid over the drill's killswitch.yaml"
    )
    people: dict[Role, Person]
    response: tuple[Response, ...]
    timeline: tuple[Inject, ...] = Field(min_length=1)
    faults: tuple[ScenarioFault, ...] = ()
    objectives: tuple[Objective, ...] = Field(min_length=1)
    grade: tuple[Question, ...] = ()
    discussion: tuple[str, ...] = ()
    maps: Maps = Maps()

    @property
    def digest(self) -> str:
        """sha256 over the canonical form: comments and layout do not change it."""
        return hashlib.sha256(canonical(self.model_dump(mode="json"))).hexdigest()

    @model_validator(mode="after")
    def _joined(self) -> Scenario:
        injects = [i.id for i in self.timeline]
        every = [*injects, *(f.id for f in self.faults)]
        if twice := next((i for i in every if every.count(i) > 1), None):
            raise ValueError(f"the id {twice!r} stands twice")
        self._vendors()
        for response in self.response:
            if response.to not in injects:
                raise ValueError(f"response to {response.to!r}, which is no inject")
            self._role(response.role)
        for inject in self.timeline:
            for role in (*inject.to, *filter(None, [inject.role])):
                self._role(role)
        return self

    def _vendors(self) -> None:
        """Who acts or fails must be there."""
        known = sorted(SIMS)
        for vendor in self.vendors:
            if vendor not in known:
                raise ValueError(f"no simulated vendor {vendor!r}; known: {', '.join(known)}")
        there = {*(self.vendors or known), "engine", "disk", "slack"}
        there |= {"siem"} if "splunk" in there else set()
        wanted = [i.act.partition(".")[0] for i in self.timeline if i.act]
        for vendor in [*wanted, *(fault.target for fault in self.faults)]:
            if vendor not in there:
                raise ValueError(f"{vendor!r} acts or fails, and is not among the vendors")

    def _role(self, role: str) -> None:
        if role not in self.people:
            raise ValueError(f"no role {role!r} in people: {', '.join(self.people)}")


def names(kind: str = "") -> list[str]:
    """The scenarios that ship, by their file names; ``atomic`` ones stand in their own folder."""
    scenarios = sorted(f.stem for f in FOLDER.glob("*.yaml"))
    atomics = sorted(f.stem for f in (FOLDER / "atomics").glob("*.yaml"))
    return {"scenario": scenarios, "atomic": atomics}.get(kind, [*scenarios, *atomics])


def load(scenario: str | Path) -> Scenario:
    """A scenario by name or path. Raises Invalid with file, line and what was expected."""
    file = _file(scenario)
    document = strictyaml.read(file)
    found, errors = typed.validate(Scenario, document.data, document)
    if found is None:
        raise errors[0]
    return found


def lint(scenario: str | Path) -> list[Invalid]:
    """Everything that is wrong with it; empty when it can be played."""
    try:
        document = strictyaml.read(_file(scenario))
    except Invalid as error:
        return [error]
    found, errors = typed.validate(Scenario, document.data, document)
    if found and found.scenario != _file(scenario).stem:
        errors.append(
            document.invalid(
                ("scenario",),
                "the id differs from the file's name",
                f"scenario: {_file(scenario).stem}",
            )
        )
    return errors


def _file(scenario: str | Path) -> Path:
    if isinstance(scenario, Path) or str(scenario).endswith((".yaml", ".yml")):
        return Path(scenario)
    for file in (FOLDER / f"{scenario}.yaml", FOLDER / "atomics" / f"{scenario}.yaml"):
        if file.is_file():
            return file
    raise Invalid(
        f"there is no scenario {scenario!r}" + typed.did_you_mean(scenario, names()),
        expected="`agent-kill tabletop list` shows them; a path to a .yaml file works too",
    )
