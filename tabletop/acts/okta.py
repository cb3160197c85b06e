"""At Okta: the person, or whoever has taken over their agents, gets in, or lets somebody in."""

from __future__ import annotations

import httpx

from tabletop.acts.act import Act, Doing, Options, Outcome, known, outcome, told, until_let_in
from tabletop.sims.okta_seed import ADMIN_APP, Refresh, client_id
from tabletop.sims.run import Simulators
from tabletop.sims.world import Person


async def sign_in(
    http: httpx.AsyncClient, sims: Simulators, person: Person, options: Options
) -> Act:
    """Sign in with the password: a new session."""
    known(options)
    okta = sims["okta"]
    body = {"username": person.email, "password": okta.password(person)}
    ended = await outcome(http.post(f"{okta.url}/api/v1/authn", json=body))
    return told("okta.sign_in", f"sign-in of {person.email} at Okta", ended)


async def use_session(
    http: httpx.AsyncClient, sims: Simulators, person: Person, options: Options
) -> Act:
    """Use an open session: the first that still stands."""
    known(options)
    okta = sims["okta"]
    ended = await until_let_in(
        outcome(http.get(f"{okta.url}/api/v1/sessions/me", headers={"Cookie": f"sid={session}"}))
        for session in okta.sessions_of(person)
    )
    return told("okta.use_session", f"use of an open Okta session of {person.email}", ended)


async def refresh_token(
    http: httpx.AsyncClient, sims: Simulators, person: Person, options: Options
) -> Act:
    """Have a new access token for a refresh token that was kept: the first that still stands."""
    known(options)
    held = sims["okta"].refresh_tokens_of(person)
    ended = await until_let_in(_refreshed(http, sims, refresh) for refresh in held)
    what = f"new access token of {person.email} for a kept refresh token"
    return told("okta.refresh_token", what, ended)


async def unsuspend(
    http: httpx.AsyncClient, sims: Simulators, person: Person, options: Options
) -> Act:
    """As an administrator, unsuspend oneself, or the ``user`` of that address.

    Works while the person is a super administrator and holds a token for the admin console:
    Okta looks at the token, not at whether its owner was suspended meanwhile.
    """
    known(options, "user")
    okta, whom = sims["okta"], str(options.get("user", person.email))
    console = client_id(sims.world, ADMIN_APP)
    url = f"{okta.url}/api/v1/users/{whom}/lifecycle/unsuspend"
    ended = await until_let_in(
        outcome(http.post(url, headers={"Authorization": f"Bearer {token}"}))
        for token in await _admin_tokens(http, sims, person, console)
    )
    return told("okta.unsuspend", f"reinstatement of {whom} at Okta by {person.email}", ended)


async def _admin_tokens(
    http: httpx.AsyncClient, sims: Simulators, person: Person, console: str
) -> list[str]:
    """Access tokens that the person kept, then a new one for the admin console if it is given."""
    tokens: list[str] = list(sims["okta"].access_tokens_of(person))
    for refresh in sims["okta"].refresh_tokens_of(person):
        if refresh.client == console:
            ended = await _refreshed(http, sims, refresh)
            if ended.worked and ended.answer is not None:
                tokens.append(ended.answer.json()["access_token"])
    return tokens


async def _refreshed(http: httpx.AsyncClient, sims: Simulators, refresh: Refresh) -> Outcome:
    return await outcome(http.post(f"{sims['okta'].url}/oauth2/v1/token", data=refresh.form))


ACTS: dict[str, Doing] = {
    "okta.sign_in": sign_in,
    "okta.use_session": use_session,
    "okta.refresh_token": refresh_token,
    "okta.unsuspend": unsuspend,
}
