"""Delete the deploy keys that the subject or its agents added to repositories."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from killswitch.model.action import Action, Layer, Residual, Target, Undo
from killswitch.model.errors import Already, Missing
from killswitch.model.subject import Account
from killswitch.vendors.github.accounts import is_one_of, logins
from killswitch.vendors.github.client import GitHubClient, repository_path


@dataclass(frozen=True, kw_only=True)
class DeployKey(Target):
    """One key on one repository. The public half is no secret, and restores it."""

    owner: str
    repository: str
    public_key: str


@dataclass(frozen=True)
class KeyState:
    """The key as the repository lists it; absent: the rest is empty."""

    present: bool
    title: str = ""
    read_only: bool = False


@dataclass(frozen=True)
class DeleteDeployKeys(Action[GitHubClient, DeployKey, KeyState]):
    """Whoever holds the private half can neither read nor push.

    Deploy keys belong to the repository, not to the person: suspending people leaves them.
    """

    name = "github.deploy_keys.delete"
    layer = Layer.CREDENTIALS
    undo_kind = Undo.REBUILD  # the same public key, title and access; a new id, not "verified"
    scopes = frozenset({"metadata:read", "administration:write"})
    residual = Residual(
        "a git connection that is open goes on to its end",
        None,
        "https://docs.github.com/en/authentication/connecting-to-github-with-ssh/managing-deploy-keys",
    )
    doc_url = "https://docs.github.com/en/rest/deploy-keys/deploy-keys#delete-a-deploy-key"
    reissue = (
        "The same public key is added again under a new id; a repository administrator verifies it "
        "where GitHub asks for that."
    )

    async def locate(self, client: GitHubClient, account: Account) -> AsyncIterator[DeployKey]:
        """Every repository's keys: GitHub has no list of an organisation's."""
        if not logins(account):
            return

        async def ask(repository: dict[str, Any]) -> list[DeployKey]:
            owner, name = repository["owner"]["login"], repository["name"]
            return [
                DeployKey(
                    id=str(key["id"]),
                    label=f"deploy key {key['title']!r} of {repository['full_name']}",
                    owner=owner,
                    repository=name,
                    public_key=key["key"],
                )
                async for key in client.items(f"{repository_path(owner, name)}/keys")
                if is_one_of(key.get("added_by") or "", account)
            ]

        async for key in client.each_repository(ask):
            yield key

    async def capture(self, client: GitHubClient, target: DeployKey) -> KeyState:
        """Found by its public key, under whatever id it has now."""
        key = await _find(client, target)
        return KeyState(True, key["title"], key["read_only"]) if key else KeyState(False)

    def goal(self, target: DeployKey, before: KeyState) -> KeyState:
        """Gone."""
        return KeyState(False)

    async def apply(self, client: GitHubClient, target: DeployKey, before: KeyState) -> None:
        """Delete it, under whatever id it has now."""
        key = await _find(client, target)
        try:
            await client.send("DELETE", f"{_keys(target)}/{key['id'] if key else target.id}")
        except Missing:  # the repository's list was readable, so the key has gone
            return

    async def undo(self, client: GitHubClient, target: DeployKey, before: KeyState) -> None:
        """Add the same public key with the same title and access."""
        if not before.present:
            return
        body = {"title": before.title, "key": target.public_key, "read_only": before.read_only}
        try:
            await client.send("POST", _keys(target), body, already={422})
        except Already:  # "key is already in use"
            return

    def impact(self, target: DeployKey, before: KeyState) -> str:
        """Machines that use the key stop, whoever runs them."""
        if not before.present:
            return ""
        return f"whatever uses this key for {target.repository} stops"


def _keys(target: DeployKey) -> str:
    return f"{repository_path(target.owner, target.repository)}/keys"


async def _find(client: GitHubClient, target: DeployKey) -> dict[str, Any] | None:
    async for key in client.items(_keys(target)):
        if _material(key["key"]) == _material(target.public_key):
            return key
    return None


def _material(public_key: str) -> list[str]:
    """Type and key, without the comment, which GitHub drops."""
    return public_key.split()[:2]
