"""Alerts: a storm against ``agent-kill serve``, and one alert against an idle one.

10,000 alerts about 500 people in a minute, some delivered twice, a person's own kill in the
middle; then, with nothing else going on, from an alert's delivery to the first evidence of its
case. ``run()`` yields the figures; alone: ``python -m benchmarks.alerts [ALERTS]``.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import select

from benchmarks.figures import Figure, machine
from killswitch import config as configuration
from killswitch import wiring
from killswitch.alerts import doors
from killswitch.alerts.store import Alerts
from killswitch.api import Killswitch
from killswitch.audit.tables import alerts as table
from killswitch.model.event import What
from tabletop.home import OPERATOR, _free_port, prepare
from tabletop.sims.world import Person, World

ALERTS, PEOPLE, SECONDS = 10_000, 500, 60
TWICE = 0.02  # of the alerts are delivered again, as senders do that saw no answer
AT_ONCE = 32  # connections
CAP = 3  # people an hour
RESTED = 3.0  # seconds
IDLE = 5  # alerts, one after another
SECRET = "fake-secret-" + "a" * 32
SERVICE, SUSPECT = "svc-alerts@corp.example", "kim@corp.example"


@dataclass
class Storm:
    """What came of it."""

    acks: list[float]
    refused: int
    lost: int
    doubled: int
    started: int
    decided_after: float  # seconds from the last delivery to the last decision
    human: float  # seconds from the command to the engine's first entry of its case
    memory: float  # MiB


def run(alerts: int = ALERTS) -> Iterator[Figure]:
    """The figures, measured now."""
    storm = asyncio.run(_storm(alerts))
    acks = sorted(storm.acks)
    about = f"{alerts} alerts about {PEOPLE} people in {alerts * SECONDS / ALERTS:.0f} s"
    p99 = acks[int(len(acks) * 0.99) - 1]
    yield Figure("alerts: delivered → acknowledged, p99", (p99,), "s", 1.0, note=about)
    wrong = storm.lost + storm.doubled + storm.refused
    yield Figure("alerts: lost, doubled or turned away", (wrong,), bound=0)
    yield Figure("alerts: cases started", (storm.started,), bound=CAP)
    yield Figure("alerts: peak memory of serve", (storm.memory,), "MiB", 300.0)
    yield Figure("alerts: a person's command → the engine's first entry", (storm.human,), "s", 2.0)
    yield Figure("alerts: last delivery → last decision", (storm.decided_after,), "s")
    idle = tuple(asyncio.run(_idle()))
    yield Figure("alerts: delivered → first evidence request, idle, p50", idle, "s", 1.0)


# -- the storm -----------------------------------------------------------------------------------


async def _storm(count: int) -> Storm:
    async with _serving(cap=CAP, drill_of=PEOPLE) as home:
        sent = await _deliver(home, count)
        ended = time.monotonic()
        await home.until(lambda: home.alerts.waiting() == 0, 600)
        after = time.monotonic() - ended
        every = home.every()
        started = {row["case_id"] for row in every if row["outcome"] == "started"}
        kept = len(every)
        return Storm(
            acks=sent.acks,
            refused=sent.refused,
            lost=max(0, count - kept),
            doubled=max(0, kept - count),
            started=len(started),
            decided_after=after,
            human=sent.human,
            memory=home.peak(),
        )


@dataclass
class _Sent:
    acks: list[float]
    refused: int
    human: float


async def _deliver(home: _Home, count: int) -> _Sent:
    """By a process of its own, at an even pace; the person's command in the middle."""
    sender = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.alerts", "send", home.door, str(count),
        stdout=subprocess.PIPE,
    )  # fmt: skip
    await asyncio.sleep(count * SECONDS / ALERTS / 2)
    human = await home.kill(SUSPECT)
    out, _ = await sender.communicate()
    told = json.loads(out)
    return _Sent(told["acks"], told["refused"], human)


async def _send(door: str, count: int) -> dict[str, Any]:
    """What the sender found: the seconds to each acknowledgement, and how many were refused."""
    chosen = random.Random(7)
    bodies = [_alert(n, f"dev{chosen.randrange(PEOPLE)}@corp.example") for n in range(count)]
    again = chosen.sample(range(count), int(count * TWICE))
    plan = [(n, bodies[n]) for n in range(count)] + [(min(count, n + 50), bodies[n]) for n in again]
    plan.sort(key=lambda one: one[0])
    pace = ALERTS / SECONDS
    acks: list[float] = []
    refused = 0
    room = asyncio.Semaphore(AT_ONCE)
    async with httpx.AsyncClient(
        limits=httpx.Limits(max_connections=AT_ONCE), timeout=30, trust_env=False
    ) as http:

        async def post(body: bytes) -> None:
            nonlocal refused
            due = time.monotonic()
            async with room:
                answer = await http.post(door, content=body, headers=_signed(body))
            acks.append(time.monotonic() - due)
            refused += answer.status_code not in (200, 202)

        tasks = []
        began = time.monotonic()
        for place, (_, body) in enumerate(plan):
            await asyncio.sleep(max(0.0, began + place / pace - time.monotonic()))
            tasks.append(asyncio.create_task(post(body)))
        await asyncio.gather(*tasks)
    return {"acks": acks, "refused": refused}


# -- one alert, nothing else ---------------------------------------------------------------------


async def _idle() -> list[float]:
    async with _serving(cap=50, drill_of=IDLE + 1) as home:
        await _to_evidence(home, IDLE)  # loads the SDKs
        return [await _to_evidence(home, n) for n in range(IDLE)]


async def _to_evidence(home: _Home, number: int) -> float:
    await home.until(home.rests, 60)
    await asyncio.sleep(RESTED)  # the connections' pace is full again
    body = _alert(number, f"dev{number}@corp.example")
    known = len(home.api.list(limit=1000))
    began = time.time()
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.post(home.door, content=body, headers=_signed(body))
    assert answer.status_code == 202, answer.text
    await home.until(lambda: len(home.api.list(limit=1000)) > known, 30)
    case = home.api.list(limit=1)[0].id

    def collecting() -> list[float]:
        entries = home.api.house.journal.entries(case=case)
        return [_epoch(e.at) for e in entries if e.what is What.COLLECTING]

    await home.until(collecting, 30)
    return min(collecting()) - began


# -- the home ------------------------------------------------------------------------------------


@dataclass
class _Home:
    file: Path
    api: Killswitch
    alerts: Alerts
    serve: subprocess.Popen[bytes]
    port: int

    @property
    def door(self) -> str:
        return f"http://127.0.0.1:{self.port}/alerts/in-house"

    def every(self) -> list[dict[str, Any]]:
        """Outcome and case of every alert."""
        with self.api.house.store.read() as tx:
            found = tx.execute(select(table.c.outcome, table.c.case_id)).mappings()
            return [dict(row) for row in found]

    def rests(self) -> bool:
        """Whether every case waits for people and nothing else."""
        cases = self.api.list(limit=1000)
        collected = [all(s["done_at"] for s in c.collecting.values()) for c in cases]
        return all(collected) and all(c.gates or c.settled_at for c in cases)

    def peak(self) -> float:
        """Peak memory of ``serve``, MiB."""
        for line in Path(f"/proc/{self.serve.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
        raise LookupError("no VmHWM")

    async def kill(self, subject: str) -> float:
        """A person's own kill: seconds from the command to the engine's first entry."""
        known = {c.id for c in self.api.list(limit=1000)}
        began = time.time()
        asked = await asyncio.create_subprocess_exec(
            *_command(self.file, subject, "--no-wait"), stdout=subprocess.DEVNULL
        )
        case = await self.until(
            lambda: [
                c.id
                for c in self.api.list(limit=1000)
                if c.id not in known and c.request.subject == f"person:{subject}"
            ],
            60,
        )
        entries = self.api.house.journal.entries
        await self.until(lambda: len(list(entries(case=case[0]))) > 1, 60)
        took = _epoch(list(entries(case=case[0]))[1].at) - began
        await asked.wait()
        return took

    async def until(self, look: Any, seconds: float) -> Any:
        end = time.monotonic() + seconds
        while not (found := look()):
            assert time.monotonic() < end, "it did not come about in time"
            await asyncio.sleep(0.02)
        return found


@asynccontextmanager
async def _serving(*, cap: int, drill_of: int) -> AsyncIterator[_Home]:
    with tempfile.TemporaryDirectory() as folder:
        world = World.named("small")
        for n in range(drill_of):
            email = f"dev{n}@corp.example"
            world.people.append(Person(email, f"Dev {n}", groups=["everyone", "engineering"]))
        source = {"auth": "hmac", "secrets": [{"plain": SECRET}], "people_per_hour": cap}
        file, sims = prepare(
            Path(folder) / "home",
            world,
            roles={"secops": ["okta:secops", OPERATOR, SERVICE]},
            alerts={
                "requester": SERVICE,
                "people_per_hour": cap,
                "triggers": "triggers",
                "sources": {"in-house": source},
            },
        )
        _rule(file.parent / "triggers", cap)
        port = _free_port()
        with sims:
            serve = subprocess.Popen(  # noqa: ASYNC220  # starting takes a millisecond
                _command(file, "serve", "--port", str(port)),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            try:
                house = wiring.build(configuration.load(file))
                home = _Home(file, Killswitch(house), Alerts(house.journal), serve, port)
                await home.until(lambda: _answers(port), 60)
                yield home
                await house.connections.aclose()
                house.store.close()
            finally:
                serve.terminate()
                serve.wait(30)


def _rule(folder: Path, cap: int) -> None:
    folder.mkdir()
    (folder / "in-house-storm.yaml").write_text(
        "trigger: in-house-storm\nversion: 1\nsummary: Measured.\nsource: in-house\n"
        "when:\n  - {field: rule.id, is: [deny-repo]}\n"
        "subject: subject.user\nfields: {id: id, occurred: occurred_at}\n"
        f"playbook: agent-kill\nlevel: propose\ncaps: {{people: {cap}, within: 1h}}\n"
    )


def _command(file: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "killswitch", "--config", str(file), *words]


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def _alert(number: int, user: str) -> bytes:
    return json.dumps(
        {
            "schema": "killswitch/1",
            "id": f"alert-{number}-{user}",
            "rule": {"id": "deny-repo"},
            "severity": "critical",
            "occurred_at": datetime.now(UTC).isoformat(),
            "subject": {"user": user},
            "test": False,
        }
    ).encode()


def _signed(body: bytes) -> dict[str, str]:
    at = str(int(time.time()))
    return {doors.TIMESTAMP: at, doors.SIGNATURE: doors.sign(SECRET, at, body)}


def _epoch(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


if __name__ == "__main__":
    if sys.argv[1:2] == ["send"]:
        print(json.dumps(asyncio.run(_send(sys.argv[2], int(sys.argv[3])))))
        raise SystemExit
    print(machine())
    for figure in run(int(sys.argv[1]) if len(sys.argv) > 1 else ALERTS):
        print(figure.line(), flush=True)
