"""One drill from its first second to its record: the real engine against simulated vendors.

A functional exercise (NIST SP 800-84). The home of a drill is a folder of its own with its own
state, keys, journal and evidence; nothing in it can reach past loopback or satisfy a live gate.
"""

from __future__ import annotations

import contextlib
import random
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import structlog

from killswitch import __version__, playbooks, wiring
from killswitch import config as configuration
from killswitch.api import Killswitch
from killswitch.config import Config
from killswitch.model.errors import Invalid
from tabletop import found
from tabletop.chance import Chance
from tabletop.clock import Clock
from tabletop.company import Troupe
from tabletop.director import Director, Facilitator, Stopped
from tabletop.engine import Engine
from tabletop.hands import AtTheTerminal, Hands, InSlack
from tabletop.home import prepare
from tabletop.measures import measure_all
from tabletop.people import People
from tabletop.record import Record
from tabletop.scenario import Scenario, ScenarioWorld
from tabletop.score import judged, score
from tabletop.sims.base import Attempt
from tabletop.sims.run import USUAL, Simulators
from tabletop.sims.world import World
from tabletop.timing import times

if TYPE_CHECKING:
    from tabletop.sims.slack import FakeSlack

Mode = Literal["sim", "drill"]
SIM_WITHIN = 180.0  # seconds of real time for a drill without people
DRILL_TIMES = 4  # a drill with people ends after so many times its planned duration
WATCH = {"watch_for": "1s", "watch_every": "1s"}
BYSTANDERS = {"scenario": 4, "atomic": 1}  # others whose access is tried before and after
FORBIDDEN = ("mode", "state", "connections", "drill", "signing_key", "slack")

log = structlog.get_logger()


@dataclass(frozen=True)
class Options:
    """How a scenario is played. ``speed``: None is as fast as the machine allows."""

    folder: Path
    speed: float | None = None
    play: frozenset[str] = frozenset()
    people: bool = False  # whether somebody is about: a drill rather than a simulation
    seed: int | None = None
    slack: bool = False  # a simulated one, in which personas press the buttons
    slack_settings: dict[str, Any] | None = None  # a real one's `slack:`, where people press
    key: Path | None = None  # what signs journal and report; made when it is not there
    facilitator: Facilitator | None = None
    program: tuple[str, ...] = ("killswitch",)  # the engine that is drilled

    @property
    def mode(self) -> Mode:
        """``drill`` where people play, ``sim`` where only personas do."""
        return "drill" if self.play or self.people else "sim"


@dataclass
class Exercise:
    """A drill that is set up. ``record`` is made when it is over."""

    scenario: Scenario
    options: Options
    config: Config
    sims: Simulators
    clock: Clock
    api: Killswitch
    engine: Engine
    director: Director
    people: People
    troupe: Troupe
    slack: FakeSlack | None = None
    before: dict[str, list[Attempt]] = field(default_factory=dict)
    started_at: str = ""

    async def play(self) -> Record:
        """Play it to its end, whatever that is, and find out the truth."""
        self.started_at = datetime.now(UTC).isoformat(timespec="seconds")
        watched = [*self.scenario.suspects, *self._bystanders()]
        self.before = {email: await self.sims.truth(email) for email in watched}
        self.clock.began = self.clock.now()
        status: Literal["completed", "stopped", "aborted", "failed"] = "completed"
        try:
            await self.director.run(self.troupe, within=self._within())
        except Stopped as stopped:
            status = stopped.status
            self.director.tell("tool", "stopped", f"the drill ends early: {stopped}")
        await self.troupe.over()
        await self.engine.end()  # its last signed head is written then
        for sim in self.sims.sims.values():
            sim.heal()
        return await self._record(status)

    def _within(self) -> float:
        if self.options.mode == "sim":
            return SIM_WITHIN
        return DRILL_TIMES * self.scenario.duration.total_seconds()

    def _bystanders(self) -> list[str]:
        """Others with agents, drawn from the seed, who must not be harmed."""
        own = {email.lower() for email in self.scenario.suspects}
        others = sorted({a.owner for a in self.sims.world.agents} - own)
        stream = random.Random(f"{self.director.chance.seed}:bystanders")
        return sorted(stream.sample(others, min(BYSTANDERS[self.scenario.kind], len(others))))

    async def _record(self, status: Literal["completed", "stopped", "aborted", "failed"]) -> Record:
        after = {email: await self.sims.truth(email) for email in self.before}
        seen = found.seen(self, after)
        cases = list(seen.cases)
        record = Record(
            id=f"drill-{self.started_at[:10]}-{self.scenario.scenario}-{self.director.chance.seed}",
            scenario=found.scenario_of(self.scenario),
            playbooks=found.playbooks_of(cases),
            tool=__version__,
            mode=self.options.mode,
            seed=self.director.chance.seed,
            speed="max" if self.options.speed is None else f"{self.options.speed:g}",
            started_at=self.started_at,
            ended_at=datetime.now(UTC).isoformat(timespec="seconds"),
            status=status,
            people=self.people.record(),
            suspects=list(self.scenario.suspects),
            moments=found.moments_of(self, seen),
            cases=[found.case_of(case) for case in cases],
            approvals=found.approvals_of(seen),
            faults=found.faults_of(self.troupe),
            truth=list(seen.truth or ()),
            collateral=list(seen.collateral or ()),
            missed=list(seen.missed or ()),
            times=times(seen, self.scenario.objectives),
            measures=measure_all(seen),
            objectives=judged(self.scenario.objectives, seen),
            residual=found.residual_of(cases),
            needs=list(self.scenario.needs),
        )
        result = score(record)
        record.score, record.verdict = result.points, result.verdict
        return record


async def run(scenario: Scenario, options: Options) -> Record:
    """Play the scenario in a new home; the record, which is not written anywhere yet.

    Raises Invalid for a scenario that cannot be set up, DrillFailed when the drill's own parts
    do not work.
    """
    async with staged(scenario, options) as exercise:
        return await exercise.play()


@contextlib.asynccontextmanager
async def staged(scenario: Scenario, options: Options) -> AsyncIterator[Exercise]:
    """The drill with simulators and engine running, and everything ended afterwards."""
    seed = scenario.seed if options.seed is None else options.seed
    home = options.folder / "home"
    if home.exists():
        shutil.rmtree(home)
    world = _world(scenario.world)
    with contextlib.ExitStack() as stack:
        slack = stack.enter_context(_slack(world)) if options.slack else None
        more = _more(scenario, options, slack)
        (home).mkdir(parents=True)
        clock = Clock(home / "clock")
        vendors = scenario.vendors or USUAL
        unpaced = options.mode == "sim"
        file, sims = prepare(home, world, vendors=vendors, unpaced=unpaced, **more)
        config = configuration.load(file)
        _check_playbooks(scenario, config)
        stack.enter_context(sims)
        house = wiring.build(config)
        stack.callback(house.store.close)
        api = Killswitch(house)
        engine = Engine(config, options.program)
        engine.begin()
        chance = Chance(seed)
        director = Director(
            scenario, chance, clock, api, speed=options.speed, facilitator=options.facilitator
        )
        terminal = AtTheTerminal(api, config)
        hands: Hands = InSlack(slack, terminal) if slack else terminal
        people = People(scenario, chance, api, hands, director, played=set(options.play))
        troupe = Troupe(people, director, sims, engine, scenario.suspects, slack)
        try:
            await engine.ready()
            if slack:
                await slack.connected(seconds=30)
            yield Exercise(
                scenario, options, config, sims, clock, api, engine, director, people, troupe, slack
            )
        finally:
            await engine.end()
            await house.connections.aclose()


def _world(wanted: ScenarioWorld) -> World:
    return World.named(wanted.base).with_changes(
        people=wanted.people, agents=wanted.agents, repositories=wanted.repositories
    )


def _slack(world: World) -> FakeSlack:
    from tabletop.sims.slack import FakeSlack  # aiohttp, which only this needs

    return FakeSlack(world)


def _more(scenario: Scenario, options: Options, slack: FakeSlack | None) -> dict[str, Any]:
    """What is laid over the drill's killswitch.yaml."""
    if wrong := [key for key in scenario.config if key in FORBIDDEN]:
        raise Invalid(f"a scenario's config may not set {wrong[0]!r}", expected="roles, policy …")
    more: dict[str, Any] = {**scenario.config, "drill": {"clock": "clock", **WATCH}}
    if options.key:
        more["signing_key"] = str(options.key.resolve())
    if options.slack_settings:
        more["slack"] = options.slack_settings
    if slack:
        more["slack"] = {k: v for k, v in slack.settings().items() if k != "domain"}
    return more


def _check_playbooks(scenario: Scenario, config: Config) -> None:
    """Every playbook that the scenario names is there and holds. Raises Invalid."""
    injected = (inject.playbook for inject in scenario.timeline)
    for name in {scenario.playbook, *injected, *(r.playbook for r in scenario.response)}:
        if name:
            playbooks.load(name, policy=config)
