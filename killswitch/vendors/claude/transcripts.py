"""Transcripts from the Compliance API (Claude Enterprise): what the agent was told and did.

Local sessions ran on the person's own machine, remote ones in Anthropic's cloud. Facts that
shape this file:

* The list of local sessions cannot be asked for one person. It is read, never kept; what is
  kept is the record of each of the subject's sessions and its messages.
* ``user_ids[]`` of the remote list hides the sessions of agents that the person has started,
  so it is not used.
* ``created_at`` is when a session began: one that began before the window may have gone on in
  it. The list is asked from ``begun_within`` days earlier, and for activity in the window.
* Tool inputs and results are cut at 10 000 bytes unless more is asked for.
* Nothing in a transcript is masked by the vendor: it holds secrets.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import quote

from killswitch.model.collector import Artifact, Collector, Window
from killswitch.model.errors import Missing
from killswitch.model.subject import Account
from killswitch.vendors.claude.client import Answer, Claude, Key, Params, rfc3339

LOCAL = "/v1/compliance/apps/sessions/local"
REMOTE = "/v1/compliance/apps/sessions/remote"
UNCUT = {"tool_use_input_max_bytes": -1, "tool_result_max_bytes": -1}


@dataclass(frozen=True)
class Transcripts(Collector[Claude]):
    """Every session of the person that was active in the window, message by message."""

    name: ClassVar = "claude.transcripts"
    volatile: ClassVar = True  # a person can delete a remote session as long as they can sign in
    scopes: ClassVar = frozenset({"read:compliance_user_data"})
    doc_url: ClassVar = "https://platform.claude.com/docs/en/manage-claude/compliance-sessions"

    begun_within: int = 30  # days before the window

    async def collect(
        self, client: Claude, account: Account, window: Window
    ) -> AsyncIterator[Artifact]:
        """Local sessions, then remote ones.

        Raises Missing at the end if the organisation has one of the two kinds switched off.
        """
        if not account.id.startswith("user_"):
            return
        asked = {
            "created_at.gte": rfc3339(window.since - timedelta(days=self.begun_within)),
            "created_at.lt": rfc3339(window.until),
            "limit": 500,
        }
        lists = (
            (LOCAL, {**asked, "updated_at.gte": rfc3339(window.since)}),
            (REMOTE, asked),
        )
        off: Missing | None = None
        for path, query in lists:
            try:
                sessions = await _sessions(client, path, query, account)
            except Missing as error:
                off = error
                continue
            for session in sessions:
                if _moment(session.get("updated_at")) >= window.since:
                    async for found in _transcript(client, path, str(session["id"])):
                        yield found
        if off:
            raise off


async def _sessions(
    client: Claude, path: str, query: Params, account: Account
) -> list[dict[str, Any]]:
    return [
        session
        async for page in client.pages(path, query, key=Key.COMPLIANCE)
        for session in page.items
        if _is_of(session, account)
    ]


async def _transcript(client: Claude, path: str, session: str) -> AsyncIterator[Artifact]:
    """The session's record, where the vendor gives one by id, and all its messages."""
    place = f"{path}/{quote(session, safe='')}"
    try:
        if path == LOCAL:
            record = await client.get(place, key=Key.COMPLIANCE)
            yield record.artifact(f"session {session}")
        async for page in client.pages(
            f"{place}/messages", {"limit": 1000, **UNCUT}, key=Key.COMPLIANCE
        ):
            yield _messages(page, f"messages of {session}")
    except Missing as error:  # still being set up, deleted by the person, or past retention
        yield Artifact(
            name=f"messages of {session}",
            body=b"",
            source=error.operation,
            request_id=error.request_id,
            truncated=True,
            note="listed, but the vendor has no transcript of it",
        )


def _is_of(session: dict[str, Any], account: Account) -> bool:
    """Whether the person owns the session, or started the agent that owns it."""
    people = (session.get("user") or {}, session.get("started_by_user") or {})
    return any(
        person.get("id") == account.id
        or (bool(account.email) and str(person.get("email_address") or "").lower() == account.email)
        for person in people
    )


def _messages(page: Answer, name: str) -> Artifact:
    """One page of messages; says so where the vendor cut or withheld what was really said."""
    cut = any(_lossy(message) for message in page.items)
    return page.artifact(
        name, truncated=cut, note="the vendor cut or withheld parts of it" if cut else ""
    )


def _lossy(message: dict[str, Any]) -> bool:
    """Whether content is missing. The vendor's own markers are marked truncated and are no loss."""
    provenance = (message.get("provenance") or {}).get("type")
    if provenance == "content_unavailable" or message.get("content_unavailable"):
        return True
    blocks = message.get("content") or ()
    return provenance is None and any(block.get("truncated") for block in blocks)


def _moment(text: Any) -> datetime:
    """When it was; a session without a time counts as active now, so that none is lost."""
    if not isinstance(text, str):
        return datetime.max.replace(tzinfo=UTC)
    return datetime.fromisoformat(text)
