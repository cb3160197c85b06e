"""Hold agents' pull requests: nothing of theirs merges by itself, no workflow of theirs runs on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from killswitch.model.action import Action, Layer, Residual, Target, Undo
from killswitch.model.errors import Already, Missing
from killswitch.model.subject import Account
from killswitch.vendors.github.accounts import is_one_of, logins, made_by, slug
from killswitch.vendors.github.client import GitHubClient, repository_path

PULL_REQUEST = """
query($id: ID!) {
  node(id: $id) {
    ... on PullRequest {
      state isDraft headRefName headRefOid
      headRepository { databaseId }
      repository { name owner { login } }
      autoMergeRequest { mergeMethod commitHeadline commitBody }
      mergeQueueEntry { position }
    }
  }
}
"""
DISABLE_AUTO_MERGE = """
mutation($id: ID!) { disablePullRequestAutoMerge(input: {pullRequestId: $id}) { clientMutationId } }
"""
ENABLE_AUTO_MERGE = """
mutation($id: ID!, $method: PullRequestMergeMethod, $headline: String, $body: String) {
  enablePullRequestAutoMerge(input: {
    pullRequestId: $id, mergeMethod: $method, commitHeadline: $headline, commitBody: $body
  }) { clientMutationId }
}
"""
DEQUEUE = """
mutation($id: ID!) { dequeuePullRequest(input: {id: $id}) { clientMutationId } }
"""
ENQUEUE = """
mutation($id: ID!) { enqueuePullRequest(input: {pullRequestId: $id}) { clientMutationId } }
"""
TO_DRAFT = """
mutation($id: ID!) { convertPullRequestToDraft(input: {pullRequestId: $id}) { clientMutationId } }
"""
READY = """
mutation($id: ID!) {
  markPullRequestReadyForReview(input: {pullRequestId: $id}) { clientMutationId }
}
"""
CLOSE = """
mutation($id: ID!) { closePullRequest(input: {pullRequestId: $id}) { clientMutationId } }
"""
REOPEN = """
mutation($id: ID!) { reopenPullRequest(input: {pullRequestId: $id}) { clientMutationId } }
"""


@dataclass(frozen=True, kw_only=True)
class PullRequest(Target):
    """An open pull request, by its node id, which survives renames and transfers."""

    url: str


@dataclass(frozen=True)
class AutoMerge:
    """How it would have been merged."""

    method: str
    headline: str | None
    body: str | None


@dataclass(frozen=True)
class PullState:
    """What can still move by itself. ``running``: workflow runs of its branch, by id."""

    state: str  # OPEN, CLOSED or MERGED
    draft: bool
    auto_merge: AutoMerge | None
    queued: bool
    running: tuple[int, ...]


@dataclass(frozen=True)
class HoldPulls(Action[GitHubClient, PullRequest, PullState]):
    """Auto-merge off, out of the merge queue, workflows of its branch cancelled.

    ``then``: leave it open, make it a draft (its author can undo that), or close it.
    """

    name = "github.agent_pulls.hold"
    layer = Layer.REPOSITORIES
    undo_kind = Undo.REBUILD  # the place in the queue is lost, and cancelled runs start again
    scopes = frozenset({"metadata:read", "pull_requests:write", "contents:write", "actions:write"})
    residual = Residual(
        "somebody with write access can still merge by hand until the repositories are locked; "
        "a cancelled job's runner may take minutes to stop",
        300,
        "https://docs.github.com/en/actions/how-tos/manage-workflow-runs/cancel-a-workflow-run",
    )
    doc_url = "https://docs.github.com/en/graphql/reference/mutations#disablepullrequestautomerge"
    reissue = (
        "The author of each pull request checks that its workflow runs were started again; what "
        "was queued waits at the end of the queue."
    )

    then: Literal["none", "draft", "close"] = "none"

    async def locate(self, client: GitHubClient, account: Account) -> AsyncIterator[PullRequest]:
        """Open pull requests in every repository; the search index lags and stops at 1,000."""
        if not logins(account):
            return

        async def ask(repository: dict[str, Any]) -> list[dict[str, Any]]:
            path = repository_path(repository["owner"]["login"], repository["name"])
            found = client.items(f"{path}/pulls", state="open")
            return [pull async for pull in found if belongs(client, pull, account)]

        async for pull in client.each_repository(ask):
            yield PullRequest(
                id=pull["node_id"],
                label=f"{pull['base']['repo']['full_name']}#{pull['number']} "
                f"by {(pull['user'] or {}).get('login', 'a deleted user')}",
                url=pull["html_url"],
            )

    async def capture(self, client: GitHubClient, target: PullRequest) -> PullState:
        """Read by node id, with the runs of its branch."""
        pull = await _read(client, target)
        auto = pull["autoMergeRequest"]
        return PullState(
            state=pull["state"],
            draft=pull["isDraft"],
            auto_merge=auto
            and AutoMerge(auto["mergeMethod"], auto["commitHeadline"], auto["commitBody"]),
            queued=pull["mergeQueueEntry"] is not None,
            running=tuple(
                sorted([r["id"] async for r in _runs(client, pull) if r["status"] != "completed"])
            ),
        )

    def goal(self, target: PullRequest, before: PullState) -> PullState:
        """Nothing armed, nothing running. What is closed or merged is past holding."""
        if before.state != "OPEN":
            return replace(before, running=())
        held = replace(before, auto_merge=None, queued=False, running=())
        if self.then == "draft":
            return replace(held, draft=True)
        return replace(held, state="CLOSED") if self.then == "close" else held

    async def apply(self, client: GitHubClient, target: PullRequest, before: PullState) -> None:
        """Disarm first: what is left armed fires the moment a lock is lifted."""
        await _mutate(client, DISABLE_AUTO_MERGE, target)
        await _mutate(client, DEQUEUE, target)
        async for run in _runs(client, await _read(client, target)):
            if run["status"] != "completed":
                await _cancel(client, run)
        if self.then == "draft":
            await _mutate(client, TO_DRAFT, target)
        if self.then == "close":
            await _mutate(client, CLOSE, target)

    async def undo(self, client: GitHubClient, target: PullRequest, before: PullState) -> None:
        """As it was, but at the end of the queue. Cancelled runs are started again."""
        if before.state != "OPEN":
            return
        await _mutate(client, REOPEN, target)
        if not before.draft:
            await _mutate(client, READY, target)
        async for run in _runs(client, await _read(client, target)):
            if run["id"] in before.running and run["conclusion"] == "cancelled":
                await _quietly(client, f"{_run_path(run)}/rerun")
        if before.queued:
            await _mutate(client, ENQUEUE, target)
        if auto := before.auto_merge:
            wanted = {"method": auto.method, "headline": auto.headline, "body": auto.body}
            await _mutate(client, ENABLE_AUTO_MERGE, target, **wanted)

    def impact(self, target: PullRequest, before: PullState) -> str:
        """What reviewers and the queue will notice."""
        lost = []
        if before.queued:
            lost.append("its place in the merge queue is lost")
        if before.running:
            lost.append(f"{len(before.running)} workflow runs are cancelled")
        if self.then != "none":
            lost.append("it becomes a draft" if self.then == "draft" else "it is closed")
        return ", ".join(lost)


def belongs(client: GitHubClient, pull: dict[str, Any], account: Account) -> bool:
    """Whether a pull request is the account's, its bots', or labelled as its agents' work.

    A label alone would take in other people's agents: it counts where it names one of the
    account's logins, or where the pull request is assigned to the account.
    """
    if made_by(pull["user"], account):
        return True
    prefix = client.settings.label_prefix
    labels = [label["name"] for label in pull["labels"] if label["name"].startswith(prefix)]
    if any(
        is_one_of(name, account) or is_one_of(f"{name}[bot]", account)
        for name in (slug(label.removeprefix(prefix)) for label in labels)
    ):
        return True
    return bool(labels) and any(made_by(u, account) for u in pull.get("assignees") or ())


async def _read(client: GitHubClient, target: PullRequest) -> dict[str, Any]:
    found: dict[str, Any] | None = (await client.api.graphql(PULL_REQUEST, id=target.id)).get(
        "node"
    )
    if not found:
        raise Missing(f"{target.label} is not there", operation="GraphQL node")
    return found


async def _runs(client: GitHubClient, pull: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
    """The workflow runs of its branch, earlier pushes too, but not of a fork's namesake."""
    owner, name = pull["repository"]["owner"]["login"], pull["repository"]["name"]
    path = f"{repository_path(owner, name)}/actions/runs"
    head = (pull["headRepository"] or {}).get("databaseId")
    async for run in client.items(path, "workflow_runs", branch=pull["headRefName"]):
        same = (run.get("head_repository") or {}).get("id") == head
        if same or run["head_sha"] == pull["headRefOid"]:
            yield run


async def _cancel(client: GitHubClient, run: dict[str, Any]) -> None:
    """Ask, then force: ``always()`` steps go on after a polite cancel."""
    await _quietly(client, f"{_run_path(run)}/cancel")
    await _quietly(client, f"{_run_path(run)}/force-cancel")


async def _quietly(client: GitHubClient, path: str) -> None:
    """409: the run has finished, or runs again already."""
    try:
        await client.send("POST", path, already={409})
    except Already:
        return


async def _mutate(
    client: GitHubClient, mutation: str, target: PullRequest, **variables: Any
) -> None:
    try:
        await client.api.graphql(mutation, id=target.id, **variables)
    except Already:  # off, out or closed already; or its state forbids it, which read back shows
        return


def _run_path(run: dict[str, Any]) -> str:
    repository = run["repository"]
    path = repository_path(repository["owner"]["login"], repository["name"])
    return f"{path}/actions/runs/{run['id']}"
