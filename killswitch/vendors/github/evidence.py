"""What the subject and its agents did at GitHub: raw answers, read only."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import unquote

import httpx

from killswitch.model.collector import Artifact, Collector, Window
from killswitch.model.subject import Account
from killswitch.vendors.github.accounts import is_one_of, logins
from killswitch.vendors.github.client import GitHubClient, parsed, repository_path, request_id
from killswitch.vendors.github.pulls import belongs

DIFF = "application/vnd.github.diff"
RUNS_SHOWN = 1000  # GitHub shows no more of a filtered list of runs
FILES_SHOWN = 3000  # nor of a pull request's files
PERIODS = {1: "day", 7: "week", 31: "month", 92: "quarter"}  # of the activity list, in days


class _PerRepository(Collector[GitHubClient]):
    """Asks every repository, one after the other, and keeps what comes."""

    doc_url: ClassVar[str]

    async def collect(
        self, client: GitHubClient, account: Account, window: Window
    ) -> AsyncIterator[Artifact]:
        """What each repository has on the account."""
        if not logins(account):
            return
        for repository in await client.repositories():
            async for artifact in self.of(client, repository, account, window):
                yield artifact

    @abstractmethod
    def of(
        self, client: GitHubClient, repository: dict[str, Any], account: Account, window: Window
    ) -> AsyncIterator[Artifact]:
        """What one repository has on the account."""


@dataclass(frozen=True)
class PullRequests(_PerRepository):
    """Pull requests touched in the window, open ones whenever, each with its diff."""

    name = "github.pull_requests"
    volatile = False
    scopes = frozenset({"metadata:read", "pull_requests:read"})
    doc_url = "https://docs.github.com/en/rest/pulls/pulls"

    async def of(
        self, client: GitHubClient, repository: dict[str, Any], account: Account, window: Window
    ) -> AsyncIterator[Artifact]:
        """The lists tell which; what is kept is each one in full."""
        path = f"{_path(repository)}/pulls"
        seen = set()
        async for pull in client.items(path, state="all", sort="updated", direction="desc"):
            if datetime.fromisoformat(pull["updated_at"]) < window.since:
                break  # and so is the rest
            seen.add(pull["number"])
            if belongs(client, pull, account):
                async for artifact in _pull(client, repository, pull["number"]):
                    yield artifact
        async for pull in client.items(path, state="open"):
            if pull["number"] not in seen and belongs(client, pull, account):
                async for artifact in _pull(client, repository, pull["number"]):
                    yield artifact


@dataclass(frozen=True)
class Pushes(_PerRepository):
    """Who pushed what, from which commit to which: the pusher, not the author of a commit."""

    name = "github.pushes"
    volatile = False
    scopes = frozenset({"metadata:read", "contents:read"})
    doc_url = "https://docs.github.com/en/rest/repos/repos#list-repository-activities"

    async def of(
        self, client: GitHubClient, repository: dict[str, Any], account: Account, window: Window
    ) -> AsyncIterator[Artifact]:
        """One list a login; GitHub counts back from now, in whole periods."""
        days = (datetime.now(UTC) - window.since).total_seconds() / 86400
        period = next((name for most, name in PERIODS.items() if days <= most), "year")
        for login in logins(account):
            pages = client.pages(f"{_path(repository)}/activity", actor=login, time_period=period)
            async for response in pages:
                if parsed(response):
                    yield _artifact(response, f"pushes-{repository['name']}-{login}")


@dataclass(frozen=True)
class WorkflowRuns(_PerRepository):
    """Workflow runs that the account or its agents set off in the window."""

    name = "github.workflow_runs"
    volatile = True
    scopes = frozenset({"metadata:read", "actions:read"})
    doc_url = "https://docs.github.com/en/rest/actions/workflow-runs"

    async def of(
        self, client: GitHubClient, repository: dict[str, Any], account: Account, window: Window
    ) -> AsyncIterator[Artifact]:
        """One list a login."""
        since = window.since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        for login in logins(account):
            path = f"{_path(repository)}/actions/runs"
            async for response in client.pages(path, actor=login, created=f">={since}"):
                page = parsed(response)
                if page["workflow_runs"]:
                    cut = page["total_count"] > RUNS_SHOWN
                    note = f"GitHub shows {RUNS_SHOWN} of {page['total_count']} runs" if cut else ""
                    yield _artifact(response, f"runs-{repository['name']}-{login}", note)


@dataclass(frozen=True)
class DeployKeys(_PerRepository):
    """The deploy keys of every repository where the account or its agents added one."""

    name = "github.deploy_keys"
    volatile = True
    scopes = frozenset({"metadata:read", "administration:read"})
    doc_url = "https://docs.github.com/en/rest/deploy-keys/deploy-keys"

    async def of(
        self, client: GitHubClient, repository: dict[str, Any], account: Account, window: Window
    ) -> AsyncIterator[Artifact]:
        """The repository's list, as it stands."""
        async for response in client.pages(f"{_path(repository)}/keys"):
            if any(is_one_of(key.get("added_by") or "", account) for key in parsed(response)):
                yield _artifact(response, f"deploy-keys-{repository['name']}")


@dataclass(frozen=True)
class AuditLog(Collector[GitHubClient]):
    """The organisation's audit log with git events, which GitHub keeps for seven days only."""

    name = "github.audit_log"
    volatile = False
    scopes = frozenset({"organization_administration:read"})
    doc_url = "https://docs.github.com/en/enterprise-cloud@latest/rest/orgs/orgs#get-the-audit-log-for-an-organization"

    async def collect(
        self, client: GitHubClient, account: Account, window: Window
    ) -> AsyncIterator[Artifact]:
        """One search a login. GitHub counts these separately: 1,750 an hour."""
        since, until = (t.astimezone(UTC).date() for t in (window.since, window.until))
        for login in logins(account):
            phrase = f"actor:{login} created:{since}..{until}"
            path = f"/orgs/{client.organization}/audit-log"
            async for response in client.pages(path, phrase=phrase, include="all"):
                yield _artifact(response, f"audit-log-{login}")


@dataclass(frozen=True)
class CredentialAuthorizations(Collector[GitHubClient]):
    """The tokens and SSH keys that pass single sign-on: kind, last eight, last used."""

    name = "github.credential_authorizations"
    volatile = True
    scopes = frozenset({"organization_administration:read"})
    doc_url = "https://docs.github.com/en/enterprise-cloud@latest/rest/orgs/orgs#list-saml-sso-authorizations-for-an-organization"

    async def collect(
        self, client: GitHubClient, account: Account, window: Window
    ) -> AsyncIterator[Artifact]:
        """The person's; bots have none."""
        if not account.login:
            return
        login = await client.login_of(account.id)
        path = f"/orgs/{client.organization}/credential-authorizations"
        async for response in client.pages(path, login=login):
            yield _artifact(response, f"credential-authorizations-{login}")


@dataclass(frozen=True)
class PatGrants(Collector[GitHubClient]):
    """The fine-grained tokens with access: what they may do and when they were used last."""

    name = "github.pat_grants"
    volatile = True
    scopes = frozenset({"organization_personal_access_tokens:read"})
    doc_url = "https://docs.github.com/en/rest/orgs/personal-access-tokens"

    async def collect(
        self, client: GitHubClient, account: Account, window: Window
    ) -> AsyncIterator[Artifact]:
        """The person's; bots have none."""
        if not account.login:
            return
        login = await client.login_of(account.id)
        path = f"/orgs/{client.organization}/personal-access-tokens"
        async for response in client.pages(path, **{"owner[]": login}):
            yield _artifact(response, f"pat-grants-{login}")


async def _pull(
    client: GitHubClient, repository: dict[str, Any], number: int
) -> AsyncIterator[Artifact]:
    """One pull request and its diff; its files, where GitHub finds the diff too large."""
    path = f"{_path(repository)}/pulls/{number}"
    name = f"pull-{repository['name']}-{number}"
    yield _artifact(await client.get(path), name)
    diff = await client.get(path, accept=DIFF, allow=(406,))
    if diff.status_code != 406:
        yield _artifact(diff, f"{name}.diff")
        return
    note = f"GitHub refuses the diff as too large; files instead, {FILES_SHOWN} at the most"
    async for response in client.pages(f"{path}/files"):
        yield _artifact(response, f"{name}-files", note)


def _path(repository: dict[str, Any]) -> str:
    return repository_path(repository["owner"]["login"], repository["name"])


def _artifact(response: httpx.Response, name: str, note: str = "") -> Artifact:
    """The answer's bytes, and what was asked. ``note`` says what is cut short."""
    url = response.request.url
    return Artifact(
        name=name,
        body=response.content,
        media_type=response.headers.get("content-type", "").partition(";")[0],
        source=f"{response.request.method} {url.path}",
        query=unquote(url.query.decode()),
        request_id=request_id(response),
        truncated=bool(note),
        note=note,
    )
