"""Lock the organisation's repositories: one ruleset that nobody bypasses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

from killswitch.model.action import Action, Layer, Probe, Residual, Target, Undo
from killswitch.model.errors import Already, Missing, Refused
from killswitch.model.subject import Account
from killswitch.vendors.github.client import GitHubClient, parsed, repository_path

RULES = ("creation", "deletion", "non_fast_forward", "update")
PROBED = 100  # repositories; the pace of the connection makes more of them slow


@dataclass(frozen=True, kw_only=True)
class Lock(Target):
    """One ruleset of ours at one organisation: its name is its identity, as it may not exist."""

    organization: str
    name: str
    kind: Literal["branch", "tag"]
    refs: str  # "~ALL" or "~DEFAULT_BRANCH"
    repositories: int  # how many there were when the plan was made


@dataclass(frozen=True)
class Ruleset:
    """What the ruleset of that name says; all empty: there is none."""

    enforcement: str = ""
    rules: tuple[str, ...] = ()
    refs: tuple[str, ...] = ()
    repositories: tuple[str, ...] = ()
    exempt: tuple[str, ...] = ()  # refs and repositories left out, and who may bypass


@dataclass(frozen=True)
class LockRuleset(Action[GitHubClient, Lock, Ruleset]):
    """No push, merge, new branch or deletion in any repository, for anybody."""

    name = "github.ruleset.lock"
    layer = Layer.REPOSITORIES
    undo_kind = Undo.EXACT
    scopes = frozenset({"organization_administration:write", "metadata:read"})
    residual = Residual(
        "applies at once; pull requests can still be opened, an organisation owner can change "
        "the ruleset, forks outside the organisation and archived repositories are not covered",
        None,
        "https://docs.github.com/en/organizations/managing-organization-settings/managing-rulesets-for-repositories-in-your-organization",
    )
    doc_url = "https://docs.github.com/en/rest/orgs/rules#create-an-organization-repository-ruleset"

    branches: Literal["all", "default"] = "all"
    tags: bool = True

    async def locate(self, client: GitHubClient, account: Account) -> AsyncIterator[Lock]:
        """One ruleset for branches, one for tags. Raises Refused without a mark to name them."""
        if not account.mark:
            raise Refused("a lock carries the name of its case, and none was given")
        count = len(await client.repositories())
        refs = "~ALL" if self.branches == "all" else "~DEFAULT_BRANCH"
        yield _lock(client, account.mark, "branch", refs, count)
        if self.tags:
            yield _lock(client, f"{account.mark}-tags", "tag", "~ALL", count)

    async def capture(self, client: GitHubClient, target: Lock) -> Ruleset:
        """The ruleset of that name, in full, or its absence."""
        found = await _find(client, target)
        return _state(found) if found else Ruleset()

    def goal(self, target: Lock, before: Ruleset) -> Ruleset:
        """Active, all four rules, everything covered, nobody exempt."""
        return Ruleset("active", RULES, (target.refs,), ("~ALL",))

    async def apply(self, client: GitHubClient, target: Lock, before: Ruleset) -> None:
        """Create it, or put the one of that name right."""
        await _write(client, target, self.goal(target, before))

    async def undo(self, client: GitHubClient, target: Lock, before: Ruleset) -> None:
        """Delete exactly the ruleset of that name."""
        found = await _find(client, target)
        if not found:
            return
        if before.enforcement:  # one of that name was there already
            await _write(client, target, before)
            return
        try:
            await client.send("DELETE", f"{_rulesets(client)}/{found['id']}")
        except Missing:  # gone since we looked, by the same credential
            return

    async def probe(self, client: GitHubClient, target: Lock) -> Probe | None:
        """Ask every repository which rules bind its default branch, and look for ours."""
        if target.kind == "tag":
            return None
        found = await _find(client, target)
        repositories = await client.repositories()
        asked = repositories[:PROBED]
        open_ = [r["name"] for r in asked if not found or not await _bound(client, r, found["id"])]
        how = f"rules of the default branch of {len(asked)} of {len(repositories)} repositories"
        if open_:
            return Probe(False, f"{how}; not bound: {', '.join(open_[:10])}")
        return Probe(True if asked else None, how)

    def impact(self, target: Lock, before: Ruleset) -> str:
        """Everybody's work stops, not the subject's alone."""
        what = "tags" if target.kind == "tag" else "branches"
        return (
            f"nobody, owners and release automation included, can change {what} in the "
            f"{target.repositories} repositories of {target.organization} until this is lifted"
        )


def _lock(
    client: GitHubClient, name: str, kind: Literal["branch", "tag"], refs: str, count: int
) -> Lock:
    return Lock(
        id=f"{client.organization}/{name}",
        label=f"ruleset {name} ({kind})",
        organization=client.organization,
        name=name,
        kind=kind,
        refs=refs,
        repositories=count,
    )


def _rulesets(client: GitHubClient) -> str:
    return f"/orgs/{client.organization}/rulesets"


async def _find(client: GitHubClient, target: Lock) -> dict[str, Any] | None:
    """The ruleset of that name in full: the list leaves out rules, conditions and bypasses."""
    async for ruleset in client.items(_rulesets(client)):
        if ruleset["name"] == target.name:
            found: dict[str, Any] = parsed(await client.get(f"{_rulesets(client)}/{ruleset['id']}"))
            return found
    return None


async def _write(client: GitHubClient, target: Lock, wanted: Ruleset) -> None:
    body = _body(target, wanted)
    found = await _find(client, target)
    if not found:
        try:
            await client.send("POST", _rulesets(client), body, already={422})
        except Already:  # the name was taken since we looked: by the first of two applies
            found = await _find(client, target)
            if not found:
                raise
        else:
            return
    await client.send("PUT", f"{_rulesets(client)}/{found['id']}", body)


def _body(target: Lock, wanted: Ruleset) -> dict[str, Any]:
    return {
        "name": target.name,
        "target": target.kind,
        "enforcement": wanted.enforcement,
        "bypass_actors": [],
        "conditions": {
            "ref_name": {"include": list(wanted.refs), "exclude": []},
            "repository_name": {
                "include": list(wanted.repositories),
                "exclude": [],
                "protected": True,
            },
        },
        "rules": [{"type": rule} for rule in wanted.rules],
    }


def _state(ruleset: dict[str, Any]) -> Ruleset:
    conditions = ruleset.get("conditions") or {}
    refs = conditions.get("ref_name") or {}
    repositories = conditions.get("repository_name") or {}
    # GitHub leaves the list out for callers who may not change the ruleset: then we don't know.
    bypass = ruleset.get("bypass_actors", [{"actor_type": "unknown"}])
    return Ruleset(
        enforcement=ruleset["enforcement"],
        rules=tuple(sorted(_rule(rule) for rule in ruleset.get("rules") or ())),
        refs=tuple(refs.get("include", ())),
        repositories=tuple(repositories.get("include", ())),
        exempt=(
            *(f"ref {ref}" for ref in refs.get("exclude", ())),
            *(f"repository {name}" for name in repositories.get("exclude", ())),
            *(
                f"bypass {actor['actor_type']} {actor.get('actor_id')} {actor.get('bypass_mode')}"
                for actor in bypass
            ),
        ),
    )


def _rule(rule: dict[str, Any]) -> str:
    """``update``; a parameter that is on weakens it and shows."""
    on = sorted(key for key, value in (rule.get("parameters") or {}).items() if value)
    return " ".join([rule["type"], *on])


async def _bound(client: GitHubClient, repository: dict[str, Any], ruleset_id: int) -> bool:
    """Whether all our rules bind the repository's default branch."""
    path = repository_path(repository["owner"]["login"], repository["name"])
    branch = quote(repository["default_branch"], safe="")
    rules = client.items(f"{path}/rules/branches/{branch}")
    ours = {rule["type"] async for rule in rules if rule.get("ruleset_id") == ruleset_id}
    return ours >= set(RULES)
