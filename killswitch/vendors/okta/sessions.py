"""End every Okta session of a user and revoke their OAuth tokens; forget their devices."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from killswitch.model.action import Action, Layer, Residual, Target, Undo
from killswitch.model.errors import Missing
from killswitch.model.subject import Account
from killswitch.vendors.okta.client import Okta, user_path

LOOK_BACK = timedelta(days=30)  # longer than a case is watched, well inside Okta's 90 days
START, CLEAR = "user.session.start", "user.session.clear"


@dataclass(frozen=True, kw_only=True)
class UserSessions(Target):
    """All sessions and tokens of one user, by the user's id.

    ``mark`` is sent as User-Agent with the revocation, so that the system log's record of it
    can be told from others.
    """

    mark: str


@dataclass(frozen=True)
class SessionsState:
    """``cleared``: the system log has our revocation and no sign-in after it.

    ``refresh_tokens`` are ids, of the tokens that are still active, sorted.
    """

    cleared: bool
    refresh_tokens: tuple[str, ...]


@dataclass(frozen=True)
class RevokeSessions(Action[Okta, UserSessions, SessionsState]):
    """End sessions, revoke OAuth tokens, forget devices. Undo does nothing: they sign in anew.

    Okta has no API that lists a user's sessions. What can be read is the system log, which
    records every ``user.session.clear`` and every ``user.session.start``, and the refresh
    tokens of each client. Both must agree before this counts as done; the log may lag seconds.
    """

    name: ClassVar[str] = "okta.sessions.revoke"
    layer: ClassVar[Layer] = Layer.IDENTITY
    undo_kind: ClassVar[Undo] = Undo.REBUILD
    scopes: ClassVar[frozenset[str]] = frozenset(
        {"okta.users.read", "okta.users.manage", "okta.logs.read"}
    )
    residual: ClassVar[Residual] = Residual(
        "sessions that applications keep themselves, and access tokens that are checked offline,"
        " live on until they expire",
        None,
        "https://help.okta.com/oie/en-us/Content/Topics/itp/universal-logout-revocations.htm",
    )
    doc_url: ClassVar[str] = (
        "https://developer.okta.com/docs/api/openapi/okta-management/management/tag/UserSessions/"
    )
    reissue: ClassVar[str] = (
        "The user signs in again on each device, with every factor, and connects their agents anew."
    )

    async def locate(self, client: Okta, account: Account) -> AsyncIterator[UserSessions]:
        """All of the account's sessions and tokens, as one."""
        yield UserSessions(
            id=account.id,
            label=f"sessions and tokens of {account.login}",
            mark=account.mark or "killswitch",
        )

    async def capture(self, client: Okta, target: UserSessions) -> SessionsState:
        """What the system log and the token lists say now."""
        tokens = await refresh_tokens(client, target.id)
        active = tuple(sorted(str(t["id"]) for t in tokens if t.get("status") != "REVOKED"))
        return SessionsState(await _cleared(client, target), active)

    def goal(self, target: UserSessions, before: SessionsState) -> SessionsState:
        """Cleared, and no refresh token left."""
        return SessionsState(cleared=True, refresh_tokens=())

    async def apply(self, client: Okta, target: UserSessions, before: SessionsState) -> None:
        """Clear them all, those made since the plan too."""
        await client.delete(
            user_path(target.id, "sessions"),
            mark=target.mark,
            oauthTokens="true",
            forgetDevices="true",
        )

    async def undo(self, client: Okta, target: UserSessions, before: SessionsState) -> None:
        """Nothing: the user signs in again, which makes new sessions and tokens."""

    def impact(self, target: UserSessions, before: SessionsState) -> str:
        """What the user will notice after restore."""
        return "Devices are forgotten: the user is asked for every factor at the next sign-in."


async def refresh_tokens(client: Okta, user: str) -> list[dict[str, Any]]:
    """The refresh tokens of every client that acts for the user. No secrets: Okta shows ids."""
    clients = await client.every(user_path(user, "clients"))
    tokens: list[dict[str, Any]] = []
    for each in clients:
        path = user_path(user, "clients", str(each["client_id"]), "tokens")
        try:
            tokens += await client.every(path, limit=200)
        except Missing:  # the client was removed since it was listed, and its tokens with it
            continue
    return tokens


async def _cleared(client: Okta, target: UserSessions) -> bool:
    """Newest first: our clear before any sign-in. Clears by others do not count as ours.

    Descending queries end by themselves at Okta's own now; ascending ones without ``until`` poll.
    """
    since = datetime.now(UTC) - LOOK_BACK
    pages = client.pages(
        "/api/v1/logs",
        since=since.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        filter=f'(eventType eq "{CLEAR}" and target.id eq "{target.id}")'
        f' or (eventType eq "{START}" and actor.id eq "{target.id}")',
        sortOrder="DESCENDING",
        limit=100,
    )
    async for page in pages:
        for event in page.items():
            if (event.get("outcome") or {}).get("result") != "SUCCESS":
                continue
            if event.get("eventType") == START:
                return False
            agent = ((event.get("client") or {}).get("userAgent") or {}).get("rawUserAgent") or ""
            if target.mark in agent.split():
                return True
    return False
