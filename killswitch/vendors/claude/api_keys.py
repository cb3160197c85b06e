"""API keys: a person's keys, and one key by its id.

A key belongs to the organisation, not to the person: it outlives the person's suspension at the
identity provider and even their removal from the organisation. So keys are found by who made
them and by whom they act as, not by who may sign in.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, ClassVar

from killswitch.model.action import Action, Layer, Residual, Target, Undo
from killswitch.model.errors import Unexpected
from killswitch.model.subject import Account
from killswitch.vendors.claude.client import Claude

PATH = "/v1/organizations/api_keys"
PAGE = 1000  # the vendor's maximum


@dataclass(frozen=True, kw_only=True)
class KeyTarget(Target):
    """One API key, by its id. ``hint`` is the vendor's own redacted form of the secret."""

    hint: str = ""


@dataclass(frozen=True)
class KeyState:
    """Whether the key opens anything. Inactive, archived and expired keys do not."""

    active: bool


class _Deactivate(Action[Claude, KeyTarget, KeyState]):
    """Set keys to ``inactive``: the next request with one is answered 401.

    Never ``archived``: nobody can take that back. A key that was inactive before stays so.
    """

    layer: ClassVar = Layer.CREDENTIALS
    undo_kind: ClassVar = Undo.EXACT
    scopes: ClassVar = frozenset({"org:admin"})
    residual: ClassVar = Residual(
        what="requests under way; the vendor states no time within which a key stops everywhere",
        seconds=None,
        source="https://platform.claude.com/docs/en/api/admin/api_keys/update",
    )
    doc_url: ClassVar = "https://platform.claude.com/docs/en/api/admin/api_keys/update"

    @abstractmethod
    def locate(self, client: Claude, account: Account) -> AsyncIterator[KeyTarget]:
        """The keys that this kind of subject has."""

    async def capture(self, client: Claude, target: KeyTarget) -> KeyState:
        """Read the key. Raises Missing if the organisation has none of that id."""
        answer = await client.get(f"{PATH}/{target.id}")
        return KeyState(active=answer.text("status") == "active")

    def goal(self, target: KeyTarget, before: KeyState) -> KeyState:
        """The key opens nothing."""
        return KeyState(active=False)

    async def apply(self, client: Claude, target: KeyTarget, before: KeyState) -> None:
        """Set it inactive. A key that was archived or expired meanwhile opens nothing either."""
        try:
            await client.post(f"{PATH}/{target.id}", {"status": "inactive"})
        except Unexpected:
            if (await self.capture(client, target)).active:
                raise

    async def undo(self, client: Claude, target: KeyTarget, before: KeyState) -> None:
        """Set it active again, if it was. The vendor may refuse at its limit of active keys."""
        if before.active:
            await client.post(f"{PATH}/{target.id}", {"status": "active"})

    def impact(self, target: KeyTarget, before: KeyState) -> str:
        """Keys are often shared: name that."""
        if not before.active:
            return ""
        return f"Everything that uses the key {target.label} gets 401, pipelines included."


@dataclass(frozen=True)
class DeactivateAll(_Deactivate):
    """Deactivate every key that the person made or that acts as them."""

    name: ClassVar = "claude.api_keys.deactivate"

    async def locate(self, client: Claude, account: Account) -> AsyncIterator[KeyTarget]:
        """Their keys, save those archived or expired, which can never be used again."""
        if not account.id.startswith("user_"):
            return
        async for key in keys_of(client, account.id):
            if key.get("status") in ("active", "inactive"):
                yield _target(key)


@dataclass(frozen=True)
class DeactivateOne(_Deactivate):
    """Deactivate the key that is itself the subject (``credential:apikey_…``)."""

    name: ClassVar = "claude.api_key.deactivate"

    async def locate(self, client: Claude, account: Account) -> AsyncIterator[KeyTarget]:
        """That key."""
        if account.id.startswith("apikey_"):
            yield _target((await client.get(f"{PATH}/{account.id}")).data)


async def all_keys(client: Claude) -> AsyncIterator[dict[str, Any]]:
    """Every key of the organisation, as the vendor describes it; never its secret."""
    async for page in client.pages(PATH, {"limit": PAGE}):
        for key in page.items:
            yield key


async def keys_of(client: Claude, user: str) -> AsyncIterator[dict[str, Any]]:
    """The keys that the user made, and those that others made to act as the user.

    The vendor's own filter knows the maker only, so all keys are read.
    """
    async for key in all_keys(client):
        if user in (maker(key), _actor(key)):
            yield key


def maker(key: dict[str, Any]) -> str:
    """The id of the user who made the key; "" for a service account's, and for old keys."""
    made = key.get("created_by") or {}
    return str(made.get("id", "")) if made.get("type") == "user" else ""


def _actor(key: dict[str, Any]) -> str:
    return str((key.get("principal") or {}).get("user_id", ""))


def _target(key: dict[str, Any]) -> KeyTarget:
    hint = str(key.get("partial_key_hint") or "")
    label = f"{key.get('name', '')} ({hint})" if hint else str(key.get("name", ""))
    return KeyTarget(id=str(key["id"]), label=label, hint=hint)
