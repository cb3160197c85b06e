"""The part of GitHub's GraphQL that is needed: identities, and moving pull requests."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tabletop.sims.github_pulls import Pulls

Pull = dict[str, Any]
# Identities in an answer: few, so that every drill walks through pages, and none through hundreds.
PAGE, PAGES = 2, 5


class GraphqlError(Exception):
    """What GitHub says inside an answer with status 200."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Graphql(Pulls):
    """One endpoint. Queries are told apart by the field that they ask for."""

    def graphql_routes(self) -> list[Route]:
        """These routes."""
        return [Route("/api/graphql", self.graphql, methods=["POST"])]

    async def graphql(self, request: Request) -> Response:
        self.need(request)
        asked = await request.json()
        query, variables = asked["query"], asked.get("variables") or {}
        try:
            data = self._answer_query(query, variables)
        except GraphqlError as error:
            field = _field(query)
            problem = {"type": error.kind, "path": [field], "message": str(error)}
            return self.answer({"data": {field: None}, "errors": [problem]})
        return self.answer({"data": data})

    def _answer_query(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        field = _field(query)
        if query.lstrip().startswith("mutation"):
            change = self._mutations().get(field)
            if change is None:
                raise GraphqlError("undefinedField", f"Field '{field}' doesn't exist")
            self._needs("pull_requests:write")
            if field not in ("closePullRequest", "reopenPullRequest"):
                self._needs("contents:write")
            pull = self._node(variables["id"])[1]
            change(pull, variables)
            self.world.log(source="github", action=f"pull_request.{field}", pull=pull["id"])
            return {field: {"clientMutationId": None}}
        if field == "node":
            self._needs("pull_requests:read")
            return {"node": self._pull_node(variables["id"])}
        self._needs("members:read")
        if "enterprise(" in query:
            return {"root": self._enterprise(variables)}
        return {"root": self._organization(query, variables)}

    def _needs(self, scope: str) -> None:
        if not self.permits(scope):
            raise GraphqlError("FORBIDDEN", "Resource not accessible by integration")

    # Identities

    def _organization(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        if variables["slug"].lower() != self.org.lower():
            raise GraphqlError("NOT_FOUND", "Could not resolve to an Organization")
        if "membersWithRole" in query:
            return {"membersWithRole": self._members(variables)}
        if self.state.get("saml", "organization") != "organization":
            return {"samlIdentityProvider": None}
        return {"samlIdentityProvider": {"externalIdentities": self._identities(variables)}}

    def _enterprise(self, variables: dict[str, Any]) -> dict[str, Any]:
        if self.state.get("saml") != "enterprise":
            return {"ownerInfo": {"samlIdentityProvider": None}}
        identities = {"externalIdentities": self._identities(variables)}
        return {"ownerInfo": {"samlIdentityProvider": identities}}

    def _identities(self, variables: dict[str, Any]) -> dict[str, Any]:
        name = variables.get("userName")
        found = [i for i in self.state["identities"] if name in (None, i["name_id"])]
        nodes = [
            {
                "samlIdentity": {
                    "nameId": identity["name_id"],
                    "username": identity["name_id"],
                    "emails": [{"value": email} for email in identity["emails"]],
                },
                "user": self._graphql_user(identity["login"]) if identity["login"] else None,
            }
            for identity in found
        ]
        return self._connection(nodes, variables)

    def _members(self, variables: dict[str, Any]) -> dict[str, Any]:
        nodes = [
            {
                **self._graphql_user(login),
                "organizationVerifiedDomainEmails": [self.state["users"][login]["email"]],
            }
            for login in self.state["members"]
        ]
        return self._connection(nodes, variables)

    def _connection(self, nodes: list[dict[str, Any]], variables: dict[str, Any]) -> dict[str, Any]:
        start = int(variables.get("after") or 0)
        size = max(PAGE, -(-len(nodes) // PAGES))
        shown = self.listed(nodes, start, size)
        end = start + size
        more = end < len(shown)
        return {
            "pageInfo": {"hasNextPage": more, "endCursor": str(end) if more else None},
            "nodes": shown[start:end],
        }

    def _graphql_user(self, login: str) -> dict[str, Any]:
        user = self.state["users"][login]
        return {"login": login, "databaseId": user["id"], "name": user["name"]}

    # Pull requests

    def _node(self, id_: str) -> tuple[dict[str, Any], Pull]:
        try:
            text = base64.urlsafe_b64decode(id_ + "=" * (-len(id_) % 4)).decode()
        except (binascii.Error, UnicodeDecodeError):
            text = ""
        for repo in self.state["repositories"].values():
            for pull in repo["pulls"]:
                if text == f"PullRequest:{pull['id']}":
                    return repo, pull
        raise GraphqlError("NOT_FOUND", f"Could not resolve to a node with the global id {id_!r}")

    def _pull_node(self, id_: str) -> dict[str, Any]:
        repo, pull = self._node(id_)
        auto = pull["auto_merge"]
        return {
            "state": "MERGED" if pull["merged"] else pull["state"].upper(),
            "isDraft": pull["draft"],
            "headRefName": pull["head"],
            "headRefOid": pull["sha"],
            "headRepository": {"databaseId": repo["id"]},
            "repository": {"name": repo["name"], "owner": {"login": self.org}},
            "autoMergeRequest": auto
            and {
                "mergeMethod": auto["method"],
                "commitHeadline": auto["headline"],
                "commitBody": auto["body"],
            },
            "mergeQueueEntry": {"position": pull["queue"]} if pull["queue"] else None,
        }

    def _mutations(self) -> dict[str, Callable[[Pull, dict[str, Any]], None]]:
        return {
            "disablePullRequestAutoMerge": self._disable_auto_merge,
            "enablePullRequestAutoMerge": self._enable_auto_merge,
            "dequeuePullRequest": self._dequeue,
            "enqueuePullRequest": self._enqueue,
            "convertPullRequestToDraft": lambda pull, _: _flip(pull, "draft", True),
            "markPullRequestReadyForReview": lambda pull, _: _flip(pull, "draft", False),
            "closePullRequest": lambda pull, _: _flip(pull, "state", "closed"),
            "reopenPullRequest": lambda pull, _: _flip(pull, "state", "open"),
        }

    def _disable_auto_merge(self, pull: Pull, variables: dict[str, Any]) -> None:
        if not pull["auto_merge"]:
            raise GraphqlError("UNPROCESSABLE", "Can't disable auto-merge for this pull request")
        pull["auto_merge"] = None

    def _enable_auto_merge(self, pull: Pull, variables: dict[str, Any]) -> None:
        if pull["state"] != "open" or pull["auto_merge"]:
            raise GraphqlError("UNPROCESSABLE", "Can't enable auto-merge for this pull request")
        names = ("method", "headline", "body")
        pull["auto_merge"] = {name: variables[name] for name in names}

    def _dequeue(self, pull: Pull, variables: dict[str, Any]) -> None:
        if not pull["queue"]:
            raise GraphqlError("UNPROCESSABLE", "The pull request is not in a merge queue")
        pull["queue"] = None

    def _enqueue(self, pull: Pull, variables: dict[str, Any]) -> None:
        if pull["state"] != "open" or pull["queue"]:
            raise GraphqlError("UNPROCESSABLE", "The pull request cannot be added to the queue")
        repo = self._node(variables["id"])[0]
        pull["queue"] = 1 + max(p["queue"] or 0 for p in repo["pulls"])


def _field(query: str) -> str:
    """The first field inside the outermost braces, by its alias if it has one."""
    found = re.search(r"\{\s*(\w+)", query)
    return found.group(1) if found else ""


def _flip(pull: Pull, field: str, value: bool | str) -> None:
    if pull[field] == value or pull["merged"]:
        raise GraphqlError("UNPROCESSABLE", f"The pull request's {field} cannot be changed")
    pull[field] = value
