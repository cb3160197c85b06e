"""Evidence from Anthropic: the member, their keys, their usage, what they did.

Transcripts are in ``transcripts.py``. Two reports cannot be asked for one person; what other
people did is left out before anything is kept, and the artifact says so.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import UTC, timedelta
from typing import Any, ClassVar

from killswitch.model.collector import Artifact, Collector, Window
from killswitch.model.subject import Account
from killswitch.vendors.claude.api_keys import PATH, keys_of
from killswitch.vendors.claude.client import Answer, Claude, Key, rfc3339
from killswitch.vendors.claude.drop_folder import LocalTranscripts
from killswitch.vendors.claude.transcripts import Transcripts

ACTIVITIES = "/v1/compliance/activities"
USAGE = "/v1/organizations/usage_report"


@dataclass(frozen=True)
class Member(Collector[Claude]):
    """The member's record: role, when they joined."""

    name: ClassVar = "claude.member"
    volatile: ClassVar = False
    scopes: ClassVar = frozenset({"org:admin"})
    doc_url: ClassVar = "https://platform.claude.com/docs/en/api/admin/users/retrieve"

    async def collect(
        self, client: Claude, account: Account, window: Window
    ) -> AsyncIterator[Artifact]:
        """One record; nothing for a key that is itself the subject."""
        if account.id.startswith("user_"):
            answer = await client.get(f"/v1/organizations/users/{account.id}")
            yield answer.artifact(f"member {account.id}")


@dataclass(frozen=True)
class ApiKeys(Collector[Claude]):
    """The keys as they are now: status, maker, workspace, redacted hint. Never a secret."""

    name: ClassVar = "claude.api_keys"
    volatile: ClassVar = False
    scopes: ClassVar = frozenset({"org:admin"})
    doc_url: ClassVar = "https://platform.claude.com/docs/en/api/admin/api_keys/list"

    async def collect(
        self, client: Claude, account: Account, window: Window
    ) -> AsyncIterator[Artifact]:
        """One record a key, archived ones included."""
        for key in await _key_ids(client, account):
            yield (await client.get(f"{PATH}/{key}")).artifact(f"API key {key}")


@dataclass(frozen=True)
class Usage(Collector[Claude]):
    """Tokens by key and model, and Claude Code's daily figures for the person."""

    name: ClassVar = "claude.usage"
    volatile: ClassVar = False
    scopes: ClassVar = frozenset({"org:admin"})
    doc_url: ClassVar = "https://platform.claude.com/docs/en/api/admin/usage_report"

    async def collect(
        self, client: Claude, account: Account, window: Window
    ) -> AsyncIterator[Artifact]:
        """The Messages report for the subject's keys, then Claude Code's, day by day."""
        keys = await _key_ids(client, account)
        if keys:  # without keys the report would be everybody's
            asked = {
                "starting_at": rfc3339(window.since),
                "ending_at": rfc3339(window.until),
                "bucket_width": "1d",
                "group_by[]": ["api_key_id", "model"],
                "api_key_ids[]": keys,
                "limit": 31,
            }
            async for page in client.pages(f"{USAGE}/messages", asked):
                yield page.artifact("Messages usage by key")
        if account.email and account.id.startswith("user_"):
            for day in _days(window):
                asked_day = {"starting_at": day, "limit": 1000}
                async for page in client.pages(f"{USAGE}/claude_code", asked_day):
                    yield _only(page, f"Claude Code usage {day}", _by(account.email))


@dataclass(frozen=True)
class Activities(Collector[Claude]):
    """What the vendor's audit trail says that the person did: sign-ins, keys made, settings."""

    name: ClassVar = "claude.activities"
    volatile: ClassVar = False
    scopes: ClassVar = frozenset({"read:compliance_activities"})
    doc_url: ClassVar = "https://platform.claude.com/docs/en/manage-claude/compliance-activity-feed"

    async def collect(
        self, client: Claude, account: Account, window: Window
    ) -> AsyncIterator[Artifact]:
        """Newest first. The last minute may still be missing at the vendor."""
        if not account.id.startswith("user_"):
            return
        key = Key.COMPLIANCE if client.settings.compliance_key else Key.ADMIN
        asked = {
            "actor_ids[]": [account.id],
            "created_at.gte": rfc3339(window.since),
            "created_at.lt": rfc3339(window.until),
            "limit": 1000,
        }
        async for page in client.pages(ACTIVITIES, asked, key=key):
            yield page.artifact(f"activities of {account.id}")


COLLECTORS: tuple[type[Collector[Any]], ...] = (
    Member,
    ApiKeys,
    Usage,
    Transcripts,
    Activities,
    LocalTranscripts,
)


async def _key_ids(client: Claude, account: Account) -> list[str]:
    if account.id.startswith("apikey_"):
        return [account.id]
    return [str(key["id"]) async for key in keys_of(client, account.id)]


def _days(window: Window) -> list[str]:
    day, last = window.since.astimezone(UTC).date(), window.until.astimezone(UTC).date()
    return [(day + timedelta(days=n)).isoformat() for n in range((last - day).days + 1)]


def _by(email: str) -> Callable[[dict[str, Any]], bool]:
    def theirs(record: dict[str, Any]) -> bool:
        return str((record.get("actor") or {}).get("email_address", "")).lower() == email

    return theirs


def _only(answer: Answer, name: str, theirs: Callable[[dict[str, Any]], bool]) -> Artifact:
    """The answer as it came, or with other people's records taken out and counted."""
    kept = [item for item in answer.items if theirs(item)]
    left_out = len(answer.items) - len(kept)
    if not left_out:
        return answer.artifact(name)
    note = (
        f"{left_out} records of other people left out; "
        f"SHA-256 of the whole answer {hashlib.sha256(answer.body).hexdigest()}"
    )
    minimal = json.dumps({**answer.data, "data": kept}).encode()
    return replace(answer.artifact(name, note=note), body=minimal)
