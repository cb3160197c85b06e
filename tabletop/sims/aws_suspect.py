"""What the suspect tries at AWS, over HTTP, with every key and session that is theirs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import httpx

from tabletop.sims.base import Attempt
from tabletop.sims.world import Person

if TYPE_CHECKING:
    from tabletop.sims.aws import Aws


async def tries(sim: Aws, http: httpx.AsyncClient, person: Person) -> list[Attempt]:
    """Call, mint a key, make a session, assume each role, with each credential there is."""
    users = [n for n, u in sim.state["users"].items() if _owns(person, n, u)]
    roles = [n for n, r in sim.state["roles"].items() if _owns(person, "", r)]
    principals = {f"user/{u}" for u in users} | {f"role/{r}" for r in roles}
    keys = [k for k, its in sim.state["keys"].items() if its["user"] in users]
    sessions = {**sim.state["sessions"], **sim.sessions}
    attempts = [
        attempt
        for key in keys
        for attempt in await _with_key(sim, http, key, sim.state["keys"][key]["user"], roles)
    ]
    for key, session in sessions.items():
        if session["principal"] in principals:
            what = f"call in the session {session['name']} of {session['principal']}"
            attempts.append(
                await _attempt(http, sim, what, key, token=session["token"], Action="ListUsers")
            )
    return attempts


async def _with_key(
    sim: Aws, http: httpx.AsyncClient, key: str, user: str, roles: list[str]
) -> list[Attempt]:
    which = f"the key {key} of {user}"
    return [
        await _attempt(http, sim, f"call with {which}", key, Action="GetUser"),
        await _attempt(http, sim, f"mint a key with {which}", key, Action="CreateAccessKey"),
        await _attempt(
            http, sim, f"make a session with {which}", key, "sts", Action="GetSessionToken"
        ),
        *[
            await _attempt(
                http,
                sim,
                f"assume {role} with {which}",
                key,
                "sts",
                Action="AssumeRole",
                RoleArn=sim.state["roles"][role]["arn"],
                RoleSessionName="try",
            )
            for role in roles
        ],
    ]


def _owns(person: Person, name: str, thing: dict[str, Any]) -> bool:
    return thing["tags"].get("owner") == person.email or name == person.email


async def _attempt(
    http: httpx.AsyncClient,
    sim: Aws,
    what: str,
    key: str,
    service: str = "iam",
    token: str = "",
    **params: str,
) -> Attempt:
    response = await ask(http, sim.url, key, service, token, **params)
    if response.status_code != 200:
        return Attempt("aws", what, allowed=False, detail=_text(response, "Code"))
    made = _text(response, "AccessKeyId")  # leave no trace: finding out must not change things
    if params["Action"] == "CreateAccessKey":
        await ask(http, sim.url, key, Action="DeleteAccessKey", AccessKeyId=made)
    sim.sessions.pop(made, None)
    return Attempt("aws", what, allowed=True)


async def ask(
    http: httpx.AsyncClient,
    url: str,
    key: str,
    service: str = "iam",
    token: str = "",
    **params: str,
) -> httpx.Response:
    """A Query request that carries an access key id where its signature belongs."""
    headers = {
        "authorization": f"AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/{service}/"
        "aws4_request, SignedHeaders=host, Signature=" + "0" * 64
    }
    if token:
        headers["x-amz-security-token"] = token
    return await http.post(f"{url}/", data=params, headers=headers)


def _text(response: httpx.Response, element: str) -> str:
    found = re.search(rf"<{element}>([^<]*)</", response.text)
    return found[1] if found else ""
