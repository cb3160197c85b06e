"""Vendors that lead elsewhere: what the tests of foreign hosts run behind the fence.

These functions run in a process of their own (``tests.confined``), so they are no tests and are
named from there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from killswitch import catalogue
from killswitch.hosts import HostGuard
from killswitch.model.case import Case
from killswitch.model.errors import KillswitchError
from killswitch.model.plan import Mode
from tabletop.sims.base import Sim
from tabletop.sims.run import SIMS, Simulators
from tabletop.sims.world import World
from tests.confined import Canary, note
from tests.drill import Drill
from tests.engine_process import serve
from tests.forks import forks

FAR = ("http://evil.example", "http://192.0.2.1")
REDIRECTS = (301, 302, 303, 307, 308)

# One read and one write of each vendor, as its client asks them.
Ask = Callable[[Any], Awaitable[Any]]
ASKED: dict[str, tuple[Ask, Ask]] = {
    "okta": (
        lambda c: c.get("/api/v1/users"),
        lambda c: c.post("/api/v1/users/00u1/lifecycle/suspend"),
    ),
    "github": (
        lambda c: c.get("/orgs/acme"),
        lambda c: c.send("DELETE", "/repos/acme/web/keys/1"),
    ),
    "aws": (
        lambda c: c.call("iam", "get_user", UserName="jo"),
        lambda c: c.call("iam", "delete_access_key", UserName="jo", AccessKeyId="AKIAFAKEFAKEFAKE"),
    ),
    "claude": (
        lambda c: c.get("/v1/organizations/api_keys"),
        lambda c: c.post("/v1/organizations/api_keys/apikey_01", {"status": "inactive"}),
    ),
    "splunk": (
        lambda c: _data(c.get("services/server/info")),
        lambda c: _data(c.post("services/search/jobs", {"search": "search index=agents"})),
    ),
}


async def _data(answer: Awaitable[Any]) -> Any:
    return (await answer).data


class Guarded:
    """A connection's link with the guard that it has in a drill."""

    def __init__(self, connection: str, url: str) -> None:
        self.connection = connection
        self.allow = HostGuard(Mode.DRILL, [url]).allow

    @asynccontextmanager
    async def turn(self) -> Any:
        yield


def client_of(sim: Sim) -> Any:
    """The vendor's client, of this simulator."""
    vendor = catalogue.vendor(sim.vendor)
    return vendor.connect(vendor.settings(**sim.settings()), Guarded(sim.vendor, sim.url))


async def redirected() -> dict[str, Any]:
    """Every vendor redirects every request: what came of it, and who was visited."""
    canary = Canary()
    ends = set()
    with Simulators(World.named("small")) as sims:
        ports = set(sims.ports.values())
        for vendor, asks in ASKED.items():
            sim, client = sims[vendor], client_of(sims[vendor])
            for status in REDIRECTS:
                for where in (*FAR, canary.url):
                    for ask in asks:
                        sim.fault("status", status=status, headers=_to(f"{where}/steal"))
                        ends.add(await _end(vendor, ask, client))
                        sim.heal()
            await client.aclose()
    canary.close()
    return {"ends": ends, "visits": canary.heard, "ports": ports}


def _to(url: str) -> dict[str, str]:
    """The headers by which a vendor could lead us on."""
    return {"location": url, "content-location": url, "refresh": f"0; url={url}"}


async def _end(vendor: str, ask: Ask, client: Any) -> tuple[str, str]:
    try:
        await ask(client)
    except KillswitchError as error:
        return vendor, type(error).__name__
    return vendor, "success"


# -- lists with a next page elsewhere ------------------------------------------------------------


async def _walk(pages: Any) -> None:
    async for _ in pages:
        pass


def paged(where: str) -> dict[str, tuple[str, dict[str, str], str, Ask]]:
    """Vendor -> path, headers and body of a first page, and who walks the list."""
    link = {"link": f'<{where}/page?after=2>; rel="next", <{where}/last>; rel="last"'}
    body = f'{{"data": [], "next_page": "{where}/p", "has_more": true, "last_id": "{where}/i"}}'
    marked = (
        "<ListUsersResponse><ListUsersResult><Users/><IsTruncated>true</IsTruncated>"
        f"<Marker>{where}/m</Marker></ListUsersResult><ResponseMetadata>"
        "<RequestId>1</RequestId></ResponseMetadata></ListUsersResponse>"
    )
    hateoas = f'{{"links": {{"next": "{where}/n"}}, "paging": {{"next": "{where}"}}, "entry": []}}'
    return {
        "okta": ("users", link, "[]", lambda c: c.every("/api/v1/users")),
        "github": ("orgs/acme/repos", link, "[]", lambda c: c.repositories()),
        "claude": ("api_keys", {}, body, lambda c: _walk(c.pages("/v1/organizations/api_keys"))),
        "aws": ("", {"content-type": "text/xml"}, marked, lambda c: _walk(c.pages("list_users"))),
        "splunk": ("jobs", {}, hateoas, lambda c: c.get("services/search/jobs")),
    }


async def next_pages() -> dict[str, Any]:
    """Every vendor's list goes on elsewhere: what came of it, and who was visited."""
    canary = Canary()
    ends = set()
    with Simulators(World.named("small")) as sims:
        ports = set(sims.ports.values())
        for where in (*FAR, canary.url):
            for vendor, (path, headers, body, ask) in paged(where).items():
                client = client_of(sims[vendor])
                sims[vendor].fault("garble", path, headers=headers, body=body)
                ends.add(await _end(vendor, ask, client))
                sims[vendor].heal()
                await client.aclose()
    canary.close()
    return {"ends": ends, "visits": canary.heard, "ports": ports}


# -- whole drills --------------------------------------------------------------------------------

PLAYBOOK = """
playbook: five
version: 1
summary: Five vendors, for tests.
subject: person
gates: {lead: {approvers: eng-leads, quorum: 1, timeout: 10m, on_timeout: deny}}
evidence:
  window: 7d
  deadline: 20s
  collect:
    - okta.user
    - okta.system_log
    - github.pull_requests
    - github.pushes
    - claude.api_keys
    - claude.transcripts
    - aws.user
    - splunk.trail
layers:
  identity: {gate: lead, deadline: 3s, keep_trying: 2s, steps: [okta.user.suspend]}
  credentials:
    gate: lead
    deadline: 10s
    keep_trying: 2s
    steps: [aws.user.deny_all, aws.access_keys.deactivate, claude.api_keys.deactivate]
  repositories: {gate: lead, deadline: 3s, keep_trying: 2s, steps: [github.agent_pulls.hold]}
watch: {for: 0s, every: 1s}
"""


class Elsewhere:
    """In front of a simulator: every address of its own that it answers with is ``where``'s."""

    def __init__(self, sim: Sim, where: str) -> None:
        self.sim, self.where = sim, where.encode()
        self.named = 0  # how many addresses were replaced

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sim, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "url":
            self.sim.url = value
        else:
            super().__setattr__(name, value)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the simulator does, with other addresses."""
        start: Message = {}

        async def led(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
                return
            body = self._led(message.get("body", b""))
            headers = [(k, self._led(v)) for k, v in start["headers"] if k != b"content-length"]
            if start["status"] != 204:
                headers.append((b"content-length", str(len(body)).encode()))
            await send({**start, "headers": headers})
            await send({**message, "body": body})

        await self.sim(scope, receive, led)

    def _led(self, text: bytes) -> bytes:
        own = self.sim.url.encode()
        self.named += text.count(own)
        return text.replace(own, self.where)


async def all_addresses_elsewhere(folder: str) -> dict[str, Any]:
    """A whole drill in which no address that a vendor gives is its own."""
    canary = Canary()
    drill = Drill.of(Path(folder), vendors=tuple(SIMS))
    doors = {
        vendor: Elsewhere(sim, (*FAR, canary.url)[number % 3])
        for number, (vendor, sim) in enumerate(drill.sims.sims.items())
    }
    drill.sims.sims.update(doors)
    async with drill:
        view = await drill.closed((await drill.kill(playbook=PLAYBOOK)).id)
        told = _told(drill, view, canary)
    return {**told, "named": {vendor for vendor, door in doors.items() if door.named}}


async def led_astray(folder: str) -> dict[str, Any]:
    """A whole drill with next pages elsewhere in its evidence, and redirects at its changes."""
    canary = Canary()
    (evil, number), near = FAR, canary.url
    drill = Drill.of(Path(folder), vendors=tuple(SIMS))
    okta, github, claude, splunk = (drill.sims[v] for v in ("okta", "github", "claude", "splunk"))
    link = {"link": f'<{near}/logs?after=2>; rel="next"'}
    okta.fault("garble", "GET /api/v1/logs", headers=link, body="[]")
    link = {"link": f'<{evil}/activity?page=2>; rel="next"'}
    github.fault("garble", "GET .*/activity", headers=link, body="[]")
    splunk.fault("status", "POST .*jobs", status=303, headers=_to(f"{number}/jobs/1"))
    async with drill:
        case = await drill.start(playbook=PLAYBOOK)
        await drill.until(case, lambda c: "lead" in c.gates and len(c.gaps) >= 3)
        okta.fault("status", "POST .*/suspend", status=307, headers=_to(f"{near}/suspend"))
        claude.fault("status", "POST .*api_keys", status=308, headers=_to(f"{evil}/keys"))
        github.fault("status", "POST .*graphql", status=302, headers=_to(f"{number}/graphql"))
        await drill.approve(case)
        return _told(drill, await drill.closed(case), canary)


def _told(drill: Drill, view: Case, canary: Canary) -> dict[str, Any]:
    """How the case ended, and what was seen. AWS behaves: others do not disturb it."""
    canary.close()
    return {
        "state": str(view.state),
        "changes": {
            (c.plan.action, c.plan.label): str(c.state)
            for c in view.changes.values()
            if not c.plan.already
        },
        "gaps": {g["collector"]: g["why"] for g in view.gaps},
        "ports": set(drill.sims.ports.values()),
        "visits": canary.heard,
        "suspended": drill.okta_user()["status"] == "SUSPENDED",
    }


# -- a real engine whose first guard is broken ---------------------------------------------------


def serve_without_the_first_guard(file: Path) -> None:
    """``agent-kill serve`` where the host guard lets everything pass. Never returns."""
    note(file.with_name("tried"))
    HostGuard.allow = lambda guard, url: None
    serve(file, file.with_name("engine.log"))


def start_it(file: Path) -> Any:
    """That, in a process of its own."""
    process = forks.Process(target=serve_without_the_first_guard, args=(file,))
    process.start()
    return process
