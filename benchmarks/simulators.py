"""``python -m benchmarks.simulators``: what the simulated corporation costs, with a midsize world.

CPU time, which a busy machine does not change much. Requests are handed to the simulators without
sockets: what is measured is theirs, not the client's.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from urllib.parse import urlencode

from starlette.types import Message

from benchmarks.figures import Figure, machine
from tabletop.sims.aws_seed import KILLSWITCH
from tabletop.sims.claude import ADMIN_KEY
from tabletop.sims.github_base import API, CLASSIC_TOKEN
from tabletop.sims.okta import TOKEN
from tabletop.sims.run import Simulators
from tabletop.sims.splunk import TOKEN as SPLUNK_TOKEN
from tabletop.sims.world import World

LOADS = 5
REQUESTS = 40
REQUEST_BOUND = 2.0  # ms
LOAD_BOUND = 1.0  # s

Asked = tuple[str, str, str, dict[str, str], bytes]  # vendor, method, path?query, headers, body


def main() -> None:
    """Print every figure."""
    print(machine())
    for figure in run():
        print(figure.line(), flush=True)


def run() -> Iterator[Figure]:
    """The midsize world made ready, and the requests of a kill answered."""
    loads, sims = [], Simulators(World.named("midsize"))
    for _ in range(LOADS):
        began = time.process_time()
        sims = Simulators(World.named("midsize"))
        loads.append(time.process_time() - began)
    yield Figure("midsize world with its simulators", tuple(loads), "s", LOAD_BOUND)
    for what, asked in requests(sims).items():
        spent = asyncio.run(_spent(sims, asked))
        yield Figure(f"simulator CPU, {what}", tuple(spent), "ms", REQUEST_BOUND)


def requests(sims: Simulators) -> dict[str, Asked]:
    """What a kill asks for most, and what is heaviest to answer."""
    okta, github, claude = sims["okta"], sims["github"], sims["claude"]
    key = next(k for k, v in sims["aws"].state["keys"].items() if v["user"] == KILLSWITCH)
    ssws = {"authorization": f"SSWS {TOKEN}"}
    ours = {"authorization": f"Bearer {CLASSIC_TOKEN}", "content-type": "application/json"}
    admin = {"x-api-key": ADMIN_KEY}
    jo = next(u["id"] for u in okta.state["users"].values() if u["profile"]["login"][:3] == "jo@")
    repo = f"{API}/repos/{github.org}/payments"
    api_key = next(iter(claude.state["api_keys"]))

    def iam(action: str, **more: str) -> Asked:
        body = urlencode({"Action": action, **more}).encode()
        return ("aws", "POST", "/", _signed(key, "iam"), body)

    search = urlencode({"search": 'profile.email eq "jo@corp.example"'})
    spl = {
        "search": 'search index="agents" user="jo@corp.example"',
        "earliest_time": "0",
        "latest_time": "9999999999",
    }
    bearer = {"authorization": f"Bearer {SPLUNK_TOKEN}"}
    return {
        "Okta, search for a user": ("okta", "GET", f"/api/v1/users?{search}", ssws, b""),
        "Okta, one user": ("okta", "GET", f"/api/v1/users/{jo}", ssws, b""),
        "Okta, end sessions": ("okta", "DELETE", f"/api/v1/users/{jo}/sessions", ssws, b""),
        "GitHub, pull requests": ("github", "GET", f"{repo}/pulls?per_page=100", ours, b""),
        "GitHub, deploy keys": ("github", "GET", f"{repo}/keys", ours, b""),
        "AWS, all authorization details": iam("GetAccountAuthorizationDetails"),
        "AWS, keys of a user": iam("ListAccessKeys", UserName="jo"),
        "AWS, deny a user": iam(
            "PutUserPolicy",
            UserName="jo",
            PolicyName="killswitch-K-1",
            PolicyDocument=json.dumps(
                {"Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}}
            ),
        ),
        "Claude, API keys": ("claude", "GET", "/v1/organizations/api_keys", admin, b""),
        "Claude, deactivate a key": (
            "claude",
            "POST",
            f"/v1/organizations/api_keys/{api_key}",
            admin,
            b'{"status": "inactive"}',
        ),
        "Splunk, a search": (
            "splunk",
            "POST",
            "/services/search/v2/jobs",
            bearer,
            urlencode(spl).encode(),
        ),
    }


def _signed(key: str, service: str) -> dict[str, str]:
    scope = f"{key}/20260101/us-east-1/{service}/aws4_request"
    return {
        "authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
    }


async def _spent(sims: Simulators, asked: Asked) -> list[float]:
    """Milliseconds of CPU for each of some such requests. Fails where one is refused."""
    vendor, method, target, headers, body = asked
    path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
        "server": ("127.0.0.1", 80),
        "scheme": "http",
    }
    spent = []
    for _ in range(REQUESTS):
        began = time.process_time()
        status = await _answered(sims[vendor], scope, body)
        spent.append(1000 * (time.process_time() - began))
        assert status < 300, f"{vendor} {method} {target}: {status}"
    return spent


async def _answered(sim: Callable[..., Awaitable[None]], scope: dict[str, Any], body: bytes) -> int:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await sim(dict(scope), receive, send)
    return int(sent[0]["status"])


if __name__ == "__main__":
    main()
