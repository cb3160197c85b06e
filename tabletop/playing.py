"""One drill from the command line: set up, told as it goes, kept, signed and concluded."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from killswitch import strictyaml
from killswitch.cli.context import context
from killswitch.evidence import keys
from killswitch.report import words
from tabletop.aar.files import write
from tabletop.console import Console
from tabletop.director import Director
from tabletop.exercise import Options, staged
from tabletop.interrupt import live_watch
from tabletop.record import Moment, Record
from tabletop.scenario import Scenario

if TYPE_CHECKING:  # it brings boto3 along
    from securesystemslib.signer import Signer

KEY = "drill-signing-key.pem"


@dataclass(frozen=True)
class Wanted:
    """How drills are to be played, as it was typed."""

    roles: frozenset[str]
    drill: bool  # people are about: a console, and real time unless asked otherwise
    speed: float | None
    seed: int | None
    slack: bool
    slack_from: Path | None
    out: Path
    live: Path | None


def play(found: Scenario, wanted: Wanted) -> Record:
    """Play the scenario; its folder holds the signed report afterwards."""
    context.say(f"DRILL  {found.title}", style="bold")
    for need in found.needs:
        context.say(f"       not played here: {need}", style="yellow")
    wanted.out.mkdir(parents=True, exist_ok=True)
    key = wanted.out / KEY
    signing = keys.private_key(key, drill=True)
    console = Console(say=_say, live=_watch(wanted.live)) if wanted.drill else None
    options = Options(
        folder=wanted.out / f".{found.scenario}",
        speed=wanted.speed,
        play=wanted.roles,
        people=wanted.drill,
        seed=wanted.seed,
        slack=wanted.slack,
        slack_settings=_slack_of(wanted.slack_from) if wanted.slack_from else None,
        key=key,
        facilitator=console or _Teller(),
    )
    record = asyncio.run(_played(found, options, console))
    record.notes += console.notes if console else []
    folder = _kept(wanted.out, record, options.folder)
    signer: Signer = keys.signer(signing)
    paths = write(record, folder, signer)
    _conclude(record, paths["report.html"])
    return record


async def _played(found: Scenario, options: Options, console: Console | None) -> Record:
    async with staged(found, options) as exercise:
        if console:
            console.people = exercise.people
            console.listen()
            context.say(f"\n{found.situation}\n\nType `help` for what you can do.\n")
        return await exercise.play()


def _slack_of(file: Path) -> dict[str, Any]:
    """``slack:`` of a killswitch.yaml, its files named in full. Raises Invalid."""
    document = strictyaml.read(file)
    found = document.data.get("slack")
    if not isinstance(found, dict):
        raise document.invalid((), "there is no `slack:` in it", "the bot's section; docs/slack.md")
    folder = file.resolve().parent
    return {
        key: {"file": str(folder / value["file"])}
        if isinstance(value, dict) and set(value) == {"file"}
        else value
        for key, value in found.items()
    }


def _say(text: str) -> None:
    context.say(text)


class _Teller:
    """Prints the drill's own moments as they come; the engine's many only with people about."""

    def told(self, moment: Moment) -> None:
        """Print it."""
        if moment.lane in ("inject", "fault", "person"):
            minutes, seconds = divmod(int(moment.t), 60)
            context.say(f"  T+{minutes:02}:{seconds:02}  {moment.lane:8} {moment.says}")

    async def orders(self, director: Director) -> None:
        """Nobody gives any."""


def _kept(out: Path, record: Record, played_in: Path) -> Path:
    """The drill's folder under its own name; a second one on a day gets a number."""
    folder, number = out / record.id, 2
    while folder.exists():
        folder, number = out / f"{record.id}-{number}", number + 1
    record.id = folder.name
    shutil.move(played_in, folder)
    return folder


def _watch(live: Path | None) -> Callable[[], str]:
    return live_watch(live) if live else lambda: ""


def _conclude(record: Record, report_path: Path) -> None:
    if context.as_json:
        context.emit(
            {
                "schema": "killswitch/drill-line/1",
                "drill": record.id,
                "scenario": record.scenario["id"],
                "status": record.status,
                "score": record.score,
                "verdict": record.verdict,
                "report": str(report_path),
            }
        )
        return
    colours = {"P": "green", "S": "green", "M": "yellow", "U": "red"}
    for objective in record.objectives:
        line = f"  {objective.rating}  {objective.title}"
        context.say(line + (f": {objective.why}" if objective.why else ""),
                    style=colours[objective.rating])  # fmt: skip
    false = [t for t in record.truth if t.false_claim]
    for truth in false:
        context.say(f"  ✗ called stopped, and works: {truth.vendor}: {truth.what}", style="red")
    human, machine = words.duration(record.times.human), words.duration(record.times.machine)
    context.say(f"  people {human}, tool and vendors {machine}")
    colour = {"ready": "green", "not ready": "red"}.get(record.verdict, "yellow")
    context.say(f"{record.score} of 100: {record.verdict}", style=f"bold {colour}")
    context.say(f"  {report_path}")
