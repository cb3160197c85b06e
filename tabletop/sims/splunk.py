"""Splunk: search v2 jobs over the events of the world, with a token.

It searches honestly a small part of SPL: ``search`` with ``field="value"`` joined by blanks,
``AND`` and ``OR``, then ``sort`` and ``head``. What it does not understand it refuses, as the
real one does. It can be slow, lag behind, and keep fewer rows than there are.

Jobs are kept beside ``state``: a search changes nothing at the vendor. Saved searches that fire
are in ``splunk_alerts.py``.
"""

from __future__ import annotations

import itertools
import json
import re
import time
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import httpx
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from tabletop.sims.base import Attempt
from tabletop.sims.splunk_alerts import Alerts
from tabletop.sims.splunk_wire import (
    TOKEN,
    Event,
    Job,
    entry,
    form,
    json_answer,
    moment,
    refusal,
    shown,
)
from tabletop.sims.world import Person, World

__all__ = ["TOKEN", "Splunk"]
STATES = ("QUEUED", "PARSING", "RUNNING")
WORD = re.compile(r'\s*(?:(AND|OR)\b|([A-Za-z_][\w.]*)="([^"\\|\[\]`]*)")')
Term = Callable[[Event], bool]


class Splunk(Alerts):
    """A search head. ``slow``: looks until a search is done; ``lag``: seconds; ``most``: rows."""

    vendor: ClassVar[str] = "splunk"

    def __init__(self, world: World, *, latency: tuple[float, float] = (0.0, 0.0)) -> None:
        self.slow = 2
        self.most: int | None = None
        self._serial = itertools.count(1)
        super().__init__(world, latency=latency)

    def seed(self, world: World) -> dict[str, Any]:
        """A service account that may search one index. Events are the world's own."""
        return {
            "username": "svc-killswitch",
            "realname": "killswitch (read only)",
            "email": f"svc-killswitch@{world.domain}",
            "indexes": ["agents"],
            "fired": [],
        }

    def secrets(self) -> list[str]:
        """Our token."""
        return [TOKEN]

    def routes(self) -> Sequence[BaseRoute]:
        """With and without a namespace."""
        found: list[BaseRoute] = [
            Route("/services/server/info", self.info),
            Route("/services/authentication/current-context", self.context),
        ]
        for root in ("/services", "/servicesNS/{owner}/{app}"):
            jobs = f"{root}/search/v2/jobs"
            found += [
                Route(jobs, self.start, methods=["POST"]),
                Route(f"{jobs}/{{sid}}", self.status),
                Route(f"{jobs}/{{sid}}/results", self.results, methods=["GET", "POST"]),
                Route(f"{jobs}/{{sid}}/control", self.control, methods=["POST"]),
                Route(f"{root}/alerts/fired_alerts/{{name}}", self.fired),
            ]
        return found

    def settings(self) -> dict[str, Any]:
        """The token, and no waiting between looks."""
        owners = {agent.owner for agent in self.world.agents}
        agents = {o: [a.id for a in self.world.agents_of(o)] for o in sorted(owners)}
        return {"url": self.url, "token": TOKEN, "poll": 0.01, "agents": agents}

    async def suspect_tries(self, http: httpx.AsyncClient, person: Person) -> list[Attempt]:
        """Nothing: the SIEM gives the suspect no access, it only saw what they did."""
        return []

    async def info(self, request: Request) -> Response:
        self.require(request)
        content = {"version": "9.4.1", "instance_type": "splunk", "serverName": "sim"}
        return json_answer(entry("server-info", content))

    async def context(self, request: Request) -> Response:
        self.require(request)
        content = {
            "username": self.state["username"],
            "realname": self.state["realname"],
            "email": self.state["email"],
            "roles": ["killswitch_reader"],
            "capabilities": ["search"] if self.allows("search") else [],
        }
        return json_answer(entry("context", content))

    async def start(self, request: Request) -> Response:
        self.require(request, "search")
        asked = await form(request)
        search = asked.get("search", "")
        if not search.startswith(("search ", "|")):
            raise refusal(400, "Unknown search command")
        earliest, latest = float(asked["earliest_time"]), float(asked["latest_time"])
        rows = self._search(search, earliest, latest)
        sid = f"{time.time():.0f}.{next(self._serial)}"
        job = Job(sid, search, earliest, latest, rows)
        job.rows = list(self.listed(rows, 0, len(rows)))
        most = min(int(asked.get("max_count", 10_000)), self.most or 500_000)
        if len(job.rows) > most:
            job.rows = job.rows[:most]
            if self.most:
                text = f"Search results were truncated to {most} rows"
                job.messages.append({"type": "WARN", "text": text})
        self.jobs[sid] = job
        return json_answer({"sid": sid}, 201)

    async def status(self, request: Request) -> Response:
        self.require(request, "search")
        job = self.job(request)
        job.looks += 1
        state = self._state(job)
        content = {
            "sid": job.sid,
            "dispatchState": state,
            "isDone": state == "DONE",
            "isFailed": False,
            "isFinalized": job.finalized,
            "doneProgress": 1 if state == "DONE" else 0.5,
            "resultCount": len(job.rows) if state == "DONE" else 0,
            "eventCount": len(job.rows),
            "scanCount": len(self.world.events),
            "searchEarliestTime": job.earliest,
            "searchLatestTime": job.latest,
            "runDuration": 0.1,
            "messages": job.messages,
            **job.saved,
        }
        return json_answer(entry(job.search, content, job.app, job.owner))

    async def results(self, request: Request) -> Response:
        self.require(request, "search")
        job = self.job(request)
        if self._state(job) != "DONE":
            return Response(status_code=204, headers={"connection": "close"})
        # v2 takes parameters in the body: one that reads only the query gives page 1 for ever
        asked = {**request.query_params, **await form(request)}
        offset, count = int(asked.get("offset", 0)), int(asked.get("count", 100))
        kept = self.listed(job.rows, offset, count) if job.saved else job.rows
        events = kept[offset : offset + count] if count else kept[offset:]
        rows = [shown(event) if job.saved else _row(event) for event in events]
        names = dict.fromkeys(name for row in rows for name in row)
        return json_answer(
            {
                "preview": False,
                "init_offset": offset,
                "messages": job.messages,
                "fields": [{"name": name} for name in names],
                "results": rows,
                "highlighted": {},
            }
        )

    async def control(self, request: Request) -> Response:
        self.require(request, "search")
        job = self.job(request)
        action = (await form(request)).get("action")
        if action == "cancel":
            del self.jobs[job.sid]
        elif action == "finalize":
            job.finalized = True
        else:
            raise refusal(400, f"Unknown action {action}")
        text = f"Search job {action}led." if action == "cancel" else "Search job finalized."
        return json_answer({"messages": [{"type": "INFO", "text": text}]})

    def _state(self, job: Job) -> str:
        if job.finalized or job.saved or job.looks > self.slow:
            return "DONE"
        return STATES[min(job.looks, len(STATES)) - 1] if job.looks else STATES[0]

    def _search(self, text: str, earliest: float, latest: float) -> list[Event]:
        """The events that are found, or Splunk's own refusal of what it cannot read."""
        first, *commands = [part.strip() for part in text.split("|")]
        wanted = _terms(first.removeprefix("search"))
        visible = time.time() - self.lag
        found = [
            event
            for event in self.world.events
            if earliest <= event["_time"] < latest
            and event["_time"] <= visible
            and event.get("index", "agents") in self.state["indexes"]
            and any(all(holds(event) for holds in group) for group in wanted)
        ]
        for command in commands:
            name, *words = command.split()
            if name == "sort" and words == ["0", "_time"]:
                found = sorted(found, key=lambda event: event["_time"])
            elif name == "sort" and words == ["0", "-_time"]:
                found = sorted(found, key=lambda event: -event["_time"])
            elif name == "head" and len(words) == 1 and words[0].isdigit():
                found = found[: int(words[0])]
            else:
                raise refusal(400, f"Error in '{name}' command")
        return found


def _terms(text: str) -> list[list[Term]]:
    """``a="1" b="2" OR c="3"`` as alternatives of terms that must all hold; OR binds weaker."""
    groups: list[list[Term]] = [[]]
    place = 0
    while text[place:].strip():
        match = WORD.match(text, place)
        if not match:
            raise refusal(400, f"Unable to parse the search: {text[place:].strip()}")
        joint, name, value = match.groups()
        if joint == "OR":
            groups.append([])
        elif name:
            groups[-1].append(_term(name, value))
        place = match.end()
    if not all(groups):
        raise refusal(400, "Unable to parse the search: an empty term")
    return groups


def _term(name: str, value: str) -> Term:
    """Whether an event has it. Splunk compares without case, and ``*`` stands for anything."""
    pattern = ".*".join(re.escape(part) for part in value.split("*"))
    fits = re.compile(pattern, re.IGNORECASE).fullmatch
    default = "agents" if name == "index" else None

    def holds(event: Event) -> bool:
        held = event.get(name, default)
        return held is not None and fits(str(held)) is not None

    return holds


def _row(event: Event) -> Event:
    """An event as the results endpoint shows it: every value is text."""
    fields = {k: v for k, v in event.items() if k not in ("_time", "index")}
    return {
        "_time": moment(event["_time"]),
        "_raw": json.dumps(fields, sort_keys=True),
        "index": event.get("index", "agents"),
        "sourcetype": "agents:json",
        **{k: v if isinstance(v, str) else json.dumps(v) for k, v in fields.items()},
    }
