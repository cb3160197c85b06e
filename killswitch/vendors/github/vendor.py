"""GitHub as the engine sees it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from killswitch.model.vendor import Check, Vendor
from killswitch.vendors.github import evidence
from killswitch.vendors.github.client import GitHubClient, connect, parsed
from killswitch.vendors.github.deploy_keys import DeleteDeployKeys
from killswitch.vendors.github.installations import SuspendInstallation
from killswitch.vendors.github.pat_grants import RevokePatGrants
from killswitch.vendors.github.people import admins, resolve, whoami
from killswitch.vendors.github.pulls import HoldPulls
from killswitch.vendors.github.rulesets import LockRuleset
from killswitch.vendors.github.settings import GitHubSettings
from killswitch.vendors.github.sso_authorizations import RevokeSsoAuthorizations
from killswitch.vendors.github.tokens import RevokeToken

# What an App calls a permission, and the scope of a classic token that contains it.
CLASSIC = {
    "actions": "repo",
    "administration": "repo",
    "contents": "repo",
    "members": "admin:org",
    "metadata": "repo",
    "organization_administration": "admin:org",
    "organization_personal_access_tokens": "",  # Apps only
    "pull_requests": "repo",
}
ACTIONS = (
    LockRuleset,
    HoldPulls,
    RevokeSsoAuthorizations,
    RevokePatGrants,
    SuspendInstallation,
    DeleteDeployKeys,
    RevokeToken,
)
COLLECTORS = (
    evidence.PullRequests,
    evidence.Pushes,
    evidence.AuditLog,
    evidence.CredentialAuthorizations,
    evidence.PatGrants,
    evidence.WorkflowRuns,
    evidence.DeployKeys,
)
RESOLVING = frozenset({"members:read"})


async def check(client: GitHubClient) -> Sequence[Check]:
    """Whether the organisation answers, and each permission that our actions declare."""
    organization = parsed(await client.get(f"/orgs/{client.organization}"))
    plan = (organization.get("plan") or {}).get("name", "a plan we cannot see")
    answers = Check("organization", True, f"{organization['login']} is on {plan}")
    if client.settings.app_id:
        path = f"/app/installations/{client.settings.installation_id}"
        permissions = parsed(await client.get(path))["permissions"]
        return [answers, *(_permission(scope, permissions) for scope in wanted())]
    response = await client.get("/user")
    if "x-oauth-scopes" not in response.headers:  # fine-grained: GitHub doesn't say
        return [answers, Check("scopes", None, "a fine-grained token does not tell its own")]
    scopes = {s.strip() for s in response.headers["x-oauth-scopes"].split(",")}
    return [answers, *(_scope(scope, scopes) for scope in wanted())]


def wanted() -> list[str]:
    """Every permission that something of ours declares; where write is wanted, read goes."""
    declared = RESOLVING.union(*(a.scopes for a in (*ACTIONS, *COLLECTORS)))
    return sorted(
        s
        for s in declared
        if s.endswith(":write") or f"{s.partition(':')[0]}:write" not in declared
    )


def _permission(scope: str, permissions: dict[str, Any]) -> Check:
    name, _, level = scope.partition(":")
    has = permissions.get(name, "none")
    ok = has in ("write", "admin") or has == level
    return Check(scope, ok, f"the App has {has}", "" if ok else f"give the App {scope}")


def _scope(scope: str, scopes: set[str]) -> Check:
    classic = CLASSIC[scope.partition(":")[0]]
    if not classic:
        return Check(scope, False, "no token may do this", "connect as a GitHub App")
    ok = classic in scopes
    return Check(scope, ok, f"part of {classic}", "" if ok else f"give the token {classic}")


VENDOR = Vendor(
    name="github",
    title="GitHub",
    settings=GitHubSettings,
    connect=connect,
    resolve=resolve,
    whoami=whoami,
    check=check,
    admins=admins,
    actions=ACTIONS,
    collectors=COLLECTORS,
)
