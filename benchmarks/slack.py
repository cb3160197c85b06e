"""The bot's three figures, with ``agent-kill serve`` as a process and the fake Slack here.

Press to acknowledgement while many press and many cases are open; press to the first request of
evidence; a decision at the terminal to the card that shows it. ``run()`` yields them; alone:
``python -m benchmarks.slack``.
"""

from __future__ import annotations

import asyncio
import itertools
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from benchmarks.figures import Figure
from killswitch.api import Person
from killswitch.model.event import What
from killswitch.model.playbook import Assurance
from tabletop.sims.slack import FakeSlack, Limits
from tabletop.sims.slack_press import Press
from tabletop.sims.world import Person as Somebody
from tabletop.sims.world import World
from tests.bot.office import buttons
from tests.bot.server import Server

CASES = 20  # open at the same time
A_SECOND = 50  # presses
SECONDS = 6
TIMES = 3
RESTED = 3.0  # seconds after which a connection's pace (10 a second, 20 at once) is full again
OPERATOR, LEAD = "dana@corp.example", "lee@corp.example"


def run() -> Iterator[Figure]:
    """The figures, measured now."""
    acks, evidence, cards = asyncio.run(_measure())
    acks.sort()
    p99 = 1000 * acks[int(len(acks) * 0.99) - 1]
    about = f"{len(acks)} presses, {A_SECOND} a second, {CASES} open cases"
    yield Figure("Slack: press → acknowledged, p99", (p99,), "ms", 300.0, note=about)
    rested = f"{RESTED:.0f} s after anything else was asked of the vendors"
    yield Figure("Slack: press → first evidence request", tuple(evidence), "s", 1.5, note=rested)
    yield Figure("Slack: decision at the terminal → card updated", tuple(cards), "s", 3.0)


async def _measure() -> tuple[list[float], list[float], list[float]]:
    with tempfile.TemporaryDirectory() as folder:
        world = _world()
        with FakeSlack(world, limits=Limits(scale=0)) as slack:
            async with Server(Path(folder) / "home", slack, world=world) as server:
                names = iter(_names())
                await server.ask(OPERATOR, next(names))  # loads the SDKs
                evidence = [await _press_to_evidence(server, n) for n in _some(names, TIMES)]
                for name in _some(names, CASES - TIMES - 1):
                    await server.ask(OPERATOR, name)
                await server.wait(lambda: server.card(f"K-{CASES}"), 60)
                acks = await _many_presses(server)
                cards = [await _decision_to_card(server, f"K-{n + 1}") for n in range(TIMES)]
    return acks, evidence, cards


def _names() -> list[str]:
    return [f"dev{n}@corp.example" for n in range(CASES)]


def _some(names: Iterator[str], count: int) -> list[str]:
    return list(itertools.islice(names, count))


def _world() -> World:
    world = World.named("small")
    for n, email in enumerate(_names()):
        world.people.append(Somebody(email, f"Dev {n}", groups=["everyone", "engineering"]))
    return world


async def _press_to_evidence(server: Server, name: str) -> float:
    """Seconds from sending the form to the first request that takes evidence.

    The form was looked at before it is sent, and no other kill uses up the vendor's pace.
    """
    await server.slack.slash(OPERATOR, name)
    await server.wait(lambda: server.shows(OPERATOR, "This is who was found"))
    await asyncio.sleep(RESTED)
    before = len(server.api.list(limit=1000))
    began = time.time()
    await server.fill(OPERATOR, name)
    await server.wait(lambda: len(server.api.list(limit=1000)) > before)
    case = server.api.list(limit=1)[0].id

    def collecting() -> list[float]:
        entries = server.api.house.journal.entries(case=case)
        return [_epoch(e.at) for e in entries if e.what is What.COLLECTING]

    found = await server.wait(collecting)
    return min(found) - began


async def _many_presses(server: Server) -> list[float]:
    """How long each took to be acknowledged."""
    presses: list[asyncio.Task[Press]] = []
    began = time.monotonic()
    for n in range(A_SECOND * SECONDS):
        await asyncio.sleep(max(0.0, began + n / A_SECOND - time.monotonic()))
        text = f"status K-{n % CASES + 1}"
        presses.append(asyncio.create_task(server.slack.slash(OPERATOR, text)))
    done = await asyncio.gather(*presses)
    assert not [p for p in done if p.error], "a press was not acknowledged"
    return [p.seconds for p in done]


async def _decision_to_card(server: Server, case: str) -> float:
    gate = server.case(case).gates["lead"]
    began = time.monotonic()
    lead = Person(LEAD, Assurance.OS_LOGIN, "cli")
    await server.api.answer(case, "lead", "deny", lead, reason="measured", digest=gate.digest)

    def shown() -> bool:
        card = server.card(case)
        return card is not None and not buttons(card)

    await server.wait(shown)
    return time.monotonic() - began


def _epoch(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()


if __name__ == "__main__":
    for figure in run():
        print(figure.line(), flush=True)
