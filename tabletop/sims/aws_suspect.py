"""What the suspect tries at AWS, over HTTP, with every key and session that is theirs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import httpx

from tabletop.sims.base import REHEARSAL, Attempt
from tabletop.sims.world import Person

if TYPE_CHECKING:
    from tabletop.sims.aws import Aws


async def tries(sim: Aws, http: httpx.AsyncClient, person: Person) -> list[Attempt]:
    """Call, mint a key, make a session, assume each role, with each credential there is."""
    roles = roles_of(sim, person)
    attempts = [
        attempt
        for key, user in keys_of(sim, person).items()
        for attempt in await _with_key(sim, http, key, user, roles)
    ]
    for key, session in sessions_of(sim, person).items():
        what = f"call in the session {session['name']} of {session['principal']}"
        attempts.append(
            await _attempt(http, sim, what, key, token=session["token"], Action="ListUsers")
        )
    return attempts


def users_of(sim: Aws, person: Person) -> list[str]:
    """The IAM users that are the person's: their own and their agents'."""
    return [n for n, u in sim.state["users"].items() if _owns(person, n, u)]


def roles_of(sim: Aws, person: Person) -> list[str]:
    """The roles of their agents."""
    return [n for n, r in sim.state["roles"].items() if _owns(person, "", r)]


def keys_of(sim: Aws, person: Person) -> dict[str, str]:
    """The access keys whose secret they have, and each one's user: theirs, and what they minted."""
    users, ours = users_of(sim, person), _principals(sim, person)
    return {
        key: its["user"]
        for key, its in sim.state["keys"].items()
        if its["user"] in users or its.get("made_by") in ours
    }


def sessions_of(sim: Aws, person: Person) -> dict[str, dict[str, Any]]:
    """The sessions of their users and roles, and those that these have made, by access key id."""
    ours = _principals(sim, person)
    every = {**sim.state["sessions"], **sim.sessions}
    return {k: s for k, s in every.items() if ours & {s["principal"], s.get("made_by")}}


def _principals(sim: Aws, person: Person) -> set[str]:
    users, roles = users_of(sim, person), roles_of(sim, person)
    return {*(f"user/{u}" for u in users), *(f"role/{r}" for r in roles)}


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
    response = await ask(http, sim.url, key, service, token, rehearsal=True, **params)
    if response.status_code != 200:
        return Attempt("aws", what, allowed=False, detail=text_of(response, "Code"))
    return Attempt("aws", what, allowed=True)


async def ask(
    http: httpx.AsyncClient,
    url: str,
    key: str,
    service: str = "iam",
    token: str = "",
    *,
    rehearsal: bool = False,
    **params: str,
) -> httpx.Response:
    """A Query request that carries an access key id where its signature belongs."""
    headers = {
        "authorization": f"AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/{service}/"
        "aws4_request, SignedHeaders=host, Signature=" + "0" * 64
    }
    if token:
        headers["x-amz-security-token"] = token
    if rehearsal:
        headers[REHEARSAL] = "1"
    return await http.post(f"{url}/", data=params, headers=headers)


def text_of(response: httpx.Response, element: str) -> str:
    """What stands in the first element of that name; "" without one."""
    found = re.search(rf"<{element}>([^<]*)</", response.text)
    return found[1] if found else ""
