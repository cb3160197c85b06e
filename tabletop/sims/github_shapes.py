"""GitHub's JSON for users, repositories, pull requests and the rest, from our plain state."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote

from tabletop.sims.github_base import GitHubBase, over

USER_URLS = [
    "followers",
    "following",
    "gists",
    "starred",
    "subscriptions",
    "organizations",
    "repos",
    "events",
    "received_events",
]
REPOSITORY_URLS = [
    "archive",
    "assignees",
    "blobs",
    "branches",
    "collaborators",
    "comments",
    "commits",
    "compare",
    "contents",
    "contributors",
    "deployments",
    "downloads",
    "events",
    "forks",
    "git_commits",
    "git_refs",
    "git_tags",
    "hooks",
    "issue_comment",
    "issue_events",
    "issues",
    "keys",
    "labels",
    "languages",
    "merges",
    "milestones",
    "notifications",
    "pulls",
    "releases",
    "stargazers",
    "statuses",
    "subscribers",
    "subscription",
    "tags",
    "teams",
    "trees",
]
SINCE = "2024-01-15T09:00:00Z"


class Shapes(GitHubBase):
    """The objects as GitHub shows them."""

    def user(self, login: str) -> dict[str, Any]:
        """A user in a list."""
        known = self.state["users"].get(login) or self._app_bot(login)
        at = f"{self.api}/users/{quote(login)}"
        return {
            "login": known["login"],
            "id": known["id"],
            "node_id": node_id("User", known["id"]),
            "avatar_url": f"{self.url}/avatars/{known['id']}",
            "gravatar_id": "",
            "url": at,
            "html_url": f"{self.url}/{quote(login)}",
            **{f"{name}_url": f"{at}/{name}" for name in USER_URLS},
            "type": known["type"],
            "site_admin": False,
        }

    def _app_bot(self, login: str) -> dict[str, Any]:
        id_ = self.world.number("github", "user", login)
        return {"login": login, "id": id_, "type": "Bot", "name": login}

    def full_user(self, login: str) -> dict[str, Any]:
        """A user by itself."""
        nothing = dict.fromkeys(("company", "blog", "location", "email", "hireable", "bio"))
        counts = dict.fromkeys(("public_repos", "public_gists", "followers", "following"), 0)
        known = self.state["users"].get(login) or self._app_bot(login)
        times = {"created_at": SINCE, "updated_at": SINCE}
        return {**self.user(login), **nothing, **counts, **times, "name": known["name"]}

    def organization_json(self) -> dict[str, Any]:
        """The organisation in full."""
        organization = self.state["organization"]
        at = f"{self.api}/orgs/{self.org}"
        links = ["repos", "events", "hooks", "issues", "members", "public_members"]
        return {
            "login": self.org,
            "id": organization["id"],
            "node_id": node_id("Organization", organization["id"]),
            "url": at,
            **{f"{name}_url": f"{at}/{name}" for name in links},
            "avatar_url": f"{self.url}/avatars/{organization['id']}",
            "html_url": f"{self.url}/{self.org}",
            "description": "",
            "has_organization_projects": False,
            "has_repository_projects": False,
            **dict.fromkeys(("public_repos", "public_gists", "followers", "following"), 0),
            "type": "Organization",
            "created_at": SINCE,
            "updated_at": SINCE,
            "archived_at": None,
            "plan": {"name": "enterprise", "space": 976562499, "private_repos": 999999},
        }

    def owner(self) -> dict[str, Any]:
        """The organisation in the place of a user."""
        organization = self.state["organization"]
        at = f"{self.api}/users/{self.org}"
        return {
            "login": self.org,
            "id": organization["id"],
            "node_id": node_id("Organization", organization["id"]),
            "avatar_url": f"{self.url}/avatars/{organization['id']}",
            "gravatar_id": "",
            "url": at,
            "html_url": f"{self.url}/{self.org}",
            **{f"{name}_url": f"{at}/{name}" for name in USER_URLS},
            "type": "Organization",
            "site_admin": False,
        }

    def repository_json(self, repo: dict[str, Any]) -> dict[str, Any]:
        """A repository in full."""
        at = f"{self.api}/repos/{self.org}/{repo['name']}"
        web = f"{self.url}/{self.org}/{repo['name']}"
        counts = "forks forks_count open_issues open_issues_count stargazers_count watchers"
        off = "fork disabled has_downloads has_projects has_wiki has_pages has_discussions"
        return {
            "id": repo["id"],
            "node_id": node_id("Repository", repo["id"]),
            "name": repo["name"],
            "full_name": f"{self.org}/{repo['name']}",
            "owner": self.owner(),
            "private": True,
            "visibility": "internal",
            "description": None,
            "url": at,
            "html_url": web,
            **{f"{name}_url": f"{at}/{name}" for name in REPOSITORY_URLS},
            **{f"{name}_url": f"{web}.git" for name in ("clone", "git", "ssh", "svn")},
            "mirror_url": None,
            "default_branch": repo["default_branch"],
            "archived": repo["archived"],
            "has_issues": True,
            **dict.fromkeys(off.split(), False),
            **dict.fromkeys([*counts.split(), "watchers_count", "size"], 0),
            "homepage": None,
            "language": "Python",
            "license": None,
            "pushed_at": SINCE,
            "created_at": SINCE,
            "updated_at": SINCE,
        }

    def pull_json(self, repo: dict[str, Any], pull: dict[str, Any]) -> dict[str, Any]:
        """A pull request in a list."""
        at = f"{self.api}/repos/{self.org}/{repo['name']}"
        web = f"{self.url}/{self.org}/{repo['name']}/pull/{pull['number']}"
        links = {
            "self": f"{at}/pulls/{pull['number']}",
            "html": web,
            "issue": f"{at}/issues/{pull['number']}",
            "comments": f"{at}/issues/{pull['number']}/comments",
            "review_comments": f"{at}/pulls/{pull['number']}/comments",
            "review_comment": f"{at}/pulls/comments/{{number}}",
            "commits": f"{at}/pulls/{pull['number']}/commits",
            "statuses": f"{at}/statuses/{pull['sha']}",
        }
        closed = None if pull["state"] == "open" else pull["updated_at"]
        return {
            "id": pull["id"],
            "node_id": node_id("PullRequest", pull["id"]),
            "number": pull["number"],
            "state": pull["state"],
            "locked": False,
            "draft": pull["draft"],
            "title": pull["title"],
            "body": "Opened by an agent.",
            "user": self.user(pull["login"]),
            "author_association": "CONTRIBUTOR",
            "labels": [self._label(at, name) for name in pull["labels"]],
            "milestone": None,
            "assignee": self.user(pull["assignees"][0]) if pull["assignees"] else None,
            "assignees": [self.user(login) for login in pull["assignees"]],
            "requested_reviewers": [],
            "requested_teams": [],
            "head": self._end(repo, pull["head"], pull["sha"]),
            "base": self._end(repo, repo["default_branch"], self._tip(repo)),
            "auto_merge": self._auto_merge(pull),
            "merge_commit_sha": None,
            "created_at": pull["created_at"],
            "updated_at": pull["updated_at"],
            "closed_at": closed,
            "merged_at": closed if pull["merged"] else None,
            "url": links["self"],
            "html_url": web,
            "diff_url": f"{web}.diff",
            "patch_url": f"{web}.patch",
            **{
                f"{name}_url": links[name]
                for name in [
                    "issue",
                    "comments",
                    "review_comments",
                    "review_comment",
                    "commits",
                    "statuses",
                ]
            },
            "_links": {name: {"href": url} for name, url in links.items()},
        }

    def full_pull(self, repo: dict[str, Any], pull: dict[str, Any]) -> dict[str, Any]:
        """A pull request by itself."""
        counts = ["additions", "deletions", "changed_files", "commits"]
        return {
            **self.pull_json(repo, pull),
            **dict.fromkeys(counts, 1),
            "comments": 0,
            "review_comments": 0,
            "merged": pull["merged"],
            "merged_by": None,
            "mergeable": True,
            "mergeable_state": "clean",
            "maintainer_can_modify": False,
        }

    def _label(self, at: str, name: str) -> dict[str, Any]:
        id_ = self.world.number("github", "label", name)
        return {
            "id": id_,
            "node_id": node_id("Label", id_),
            "url": f"{at}/labels/{name}",
            "name": name,
            "description": "",
            "color": "5319e7",
            "default": False,
        }

    def _end(self, repo: dict[str, Any], ref: str, sha: str) -> dict[str, Any]:
        return {
            "label": f"{self.org}:{ref}",
            "ref": ref,
            "sha": sha,
            "user": self.owner(),
            "repo": self.repository_json(repo),
        }

    def _tip(self, repo: dict[str, Any]) -> str:
        tip: str = repo["refs"][f"heads/{repo['default_branch']}"]
        return tip

    def _auto_merge(self, pull: dict[str, Any]) -> dict[str, Any] | None:
        if not pull["auto_merge"]:
            return None
        return {
            "enabled_by": self.user(pull["login"]),
            "merge_method": pull["auto_merge"]["method"].lower(),
            "commit_title": pull["auto_merge"]["headline"],
            "commit_message": pull["auto_merge"]["body"],
        }

    def run_json(self, repo: dict[str, Any], run: dict[str, Any]) -> dict[str, Any]:
        """A workflow run; a cancelled one ends when its time has come."""
        at = f"{self.api}/repos/{self.org}/{repo['name']}"
        links = ["jobs", "logs", "cancel", "rerun", "artifacts"]
        person = {"name": run["login"], "email": "agent@corp.example"}
        cancelled = over(run["cancel_at"])
        return {
            "id": run["id"],
            "name": "ci",
            "node_id": node_id("WorkflowRun", run["id"]),
            "head_branch": run["branch"],
            "head_sha": run["sha"],
            "path": ".github/workflows/ci.yml",
            "display_title": "ci",
            "run_number": 1,
            "run_attempt": 1,
            "event": "push",
            "status": "completed" if cancelled else run["status"],
            "conclusion": "cancelled" if cancelled else run["conclusion"],
            "workflow_id": 1,
            "pull_requests": [],
            "created_at": run["created_at"],
            "updated_at": run["created_at"],
            "actor": self.user(run["login"]),
            "triggering_actor": self.user(run["login"]),
            "url": f"{at}/actions/runs/{run['id']}",
            "html_url": f"{self.url}/{self.org}/{repo['name']}/actions/runs/{run['id']}",
            **{f"{name}_url": f"{at}/actions/runs/{run['id']}/{name}" for name in links},
            "check_suite_url": f"{at}/check-suites/{run['id']}",
            "workflow_url": f"{at}/actions/workflows/1",
            "head_commit": {
                "id": run["sha"],
                "tree_id": run["sha"],
                "message": "agent change",
                "timestamp": run["created_at"],
                "author": person,
                "committer": person,
            },
            "repository": self.repository_json(repo),
            "head_repository": self.repository_json(repo),
        }


def node_id(kind: str, id_: int) -> str:
    """GraphQL's id of an object."""
    return base64.urlsafe_b64encode(f"{kind}:{id_}".encode()).decode().rstrip("=")
