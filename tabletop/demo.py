"""``make demo``: a coding agent goes wrong, and is stopped before your eyes.

The simulated corporation starts on loopback, Jo's agents push where they should not, and the
real ``agent-kill`` runs against it: the real engine, the real vendor SDKs. At a terminal you
play the approvers; without one, personas do. The ground truth beside it is found by trying.
With ``--show-slack`` a Slack on loopback is connected too, and what the bot posts is told.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from killswitch import config as configuration
from killswitch import wiring
from killswitch.api import Killswitch
from killswitch.model.case import CaseState
from killswitch.report import words
from tabletop.home import prepare
from tabletop.sims.base import Attempt
from tabletop.sims.run import Simulators
from tabletop.sims.world import World

HOME = Path("demo")
SUSPECT = "jo@corp.example"
REASON = "Claude Code of Jo pushes to payments and uploads .env files"
LOOK_EVERY = 1.5  # seconds between tries of the suspect's access
CLOSE_WITHIN = 60.0  # seconds for the short watch of a drill
SLACK_WITHIN = 15.0  # seconds after that, for the last message


class Suspect:
    """Jo's agents: they try everything they can, again and again, until they are ended."""

    def __init__(self, sims: Simulators) -> None:
        self.sims = sims
        self._stop = threading.Event()
        self._last = ""
        self._thread = threading.Thread(target=self._go_on, name="suspect", daemon=True)

    def __enter__(self) -> Suspect:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)

    def _go_on(self) -> None:
        while not self._stop.wait(LOOK_EVERY):
            tries = asyncio.run(self.sims.truth(SUSPECT))
            told = _told(tries)
            if told != self._last and self._last:
                _say(f"            Jo's agents, by trying: {told}")
            self._last = told


class Owner:
    """An owner of the GitHub organisation, who does by hand what has no API."""

    def __init__(self, sims: Simulators, api: Killswitch) -> None:
        self.sims, self.api = sims, api
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._help, name="owner", daemon=True)

    def __enter__(self) -> Owner:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def _help(self) -> None:
        """When a manual step is asked, do it where a person would: in the settings."""
        while not self._stop.wait(0.3):
            cases = self.api.list(limit=1)
            if not cases:
                continue
            for change in cases[0].changes.values():
                if change.state == "manual" and self._suspend(change.plan.target_id):
                    _say(f"            Ada, an owner at GitHub, does by hand: {change.plan.label}")

    def _suspend(self, installation: str) -> bool:
        for known in self.sims["github"].state["installations"]:
            if str(known["id"]) == installation and not known["suspended_at"]:
                known["suspended_at"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
                return True
        return False


class SlackSide:
    """A Slack on loopback with the bot in it: a line for every message, the rest in a file."""

    def __init__(self, world: World) -> None:
        from tabletop.sims.slack import FakeSlack  # aiohttp, which only this needs

        self.slack = FakeSlack(world)
        self._stop = threading.Event()
        self._told = 0
        self._thread = threading.Thread(target=self._tell, name="slack side", daemon=True)

    def __enter__(self) -> SlackSide:
        self.slack.start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        until = time.monotonic() + SLACK_WITHIN
        while not self.slack.files() and time.monotonic() < until:
            time.sleep(0.2)  # the report comes last
        self._stop.set()
        self._thread.join(5)
        file = HOME / "slack.txt"
        file.write_text(self.slack.transcript())
        self.slack.close()
        _say(f"All that was on the screens in Slack: {file}")

    def settings(self) -> dict[str, Any]:
        """``slack:`` in killswitch.yaml."""
        return {k: v for k, v in self.slack.settings().items() if k != "domain"}

    def _tell(self) -> None:
        while not self._stop.wait(0.3):
            calls = [c for c in self.slack.calls("chat.postMessage") if c.ok]
            for call in calls[self._told :]:
                where = "direct" if call.answer["channel"].startswith("D") else "channel"
                _say(f"            Slack, {where}: {call.args['text']}")
            self._told = len(calls)


def main() -> int:
    """Run the demo; 0 if the case is contained and the ground truth agrees."""
    shutil.rmtree(HOME, ignore_errors=True)
    world = World.named("small")
    if "--show-slack" not in sys.argv[1:]:
        return _play(world)
    with SlackSide(world) as slack:
        return _play(world, slack=slack.settings())


def _play(world: World, **more: Any) -> int:
    at_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    file, sims = prepare(HOME, world, **more)
    _say("A simulated corporation on 127.0.0.1: Okta, Claude, GitHub, AWS and Splunk.")
    with sims:
        before = asyncio.run(sims.truth(SUSPECT))
        _say(f"The agents of {SUSPECT} misbehave. By trying, they can now: {_told(before)}")
        command = ["--config", str(file), SUSPECT, "--reason", REASON]
        command.append("--play" if at_terminal else "--personas")
        _say(f'\n$ agent-kill {SUSPECT} --reason "{REASON}"\n')
        api = Killswitch(wiring.build(configuration.load(file)))
        with Suspect(sims), Owner(sims, api):
            done = subprocess.run(  # noqa: S603  # our own program
                [sys.executable, "-m", "killswitch", *command], check=False
            )
        case = api.list(limit=1)[0]
        after = asyncio.run(sims.truth(SUSPECT))
        _wait_for_close(api, case.id)
        api.house.store.close()
        sims.world.save(HOME / "world.json")
    return _conclude(api, case.id, done.returncode, after)


def _conclude(api: Killswitch, case_id: str, code: int, after: list[Attempt]) -> int:
    case = api.show(case_id)
    left = [a for a in after if a.allowed]
    word = words.word(words.CASES, case.state)
    contained = case.state is CaseState.CONTAINED and not left
    report = (HOME / "state" / "reports" / case_id / "containment.html").resolve()
    _say("")
    _say(f"Ground truth, by trying everything once more: {_told(after)}")
    for attempt in left:
        _say(f"  STILL POSSIBLE: {attempt.vendor}: {attempt.what}")
    took = words.between(case.times["T3"], case.times["T4"])
    _say(f"{word.glyph} {case_id} is {word.label.lower()}: {words.duration(took)} from the last")
    _say("  approval to the last change that was read back twice.")
    _say(f"  What may live on, and the vendors' figures, stand in the report: {report}")
    _say("")
    _say("Try next (the simulated vendors start again by themselves):")
    _say(f"  export KILLSWITCH_CONFIG={HOME}/killswitch.yaml PATH=.venv/bin:$PATH")
    for line in (
        f"agent-kill status {case_id}",
        f"agent-kill report {case_id} --format md",
        "agent-kill audit verify",
        f"agent-kill evidence verify {case_id}",
        f"agent-kill restore {case_id} --reason 'the key was rotated'",
    ):
        _say(f"  {line}")
    return 0 if contained and code == 0 else 1


def _wait_for_close(api: Killswitch, case: str) -> None:
    """A drill watches for seconds; let it end before the simulators do."""
    until = time.monotonic() + CLOSE_WITHIN
    while not api.show(case).closed_at and time.monotonic() < until:
        time.sleep(0.2)


def _told(tries: list[Attempt]) -> str:
    """``12 of 40 things (aws 2, github 10)``."""
    can = [a for a in tries if a.allowed]
    by_vendor = {v: sum(a.vendor == v for a in can) for v in sorted({a.vendor for a in can})}
    where = ", ".join(f"{vendor} {count}" for vendor, count in by_vendor.items())
    return f"{len(can)} of {len(tries)} things" + (f" ({where})" if where else "")


def _say(text: str) -> None:
    """Print a line; at a terminal over the moving foot of ``agent-kill``, which draws it anew."""
    print(("\r\x1b[2K" if sys.stdout.isatty() else "") + text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
