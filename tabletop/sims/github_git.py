"""Repositories of the simulated GitHub: refs, rulesets that bind, and who may write."""

from __future__ import annotations

import fnmatch
from typing import Any
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tabletop.sims.base import REHEARSAL
from tabletop.sims.github_base import API, Caller, over
from tabletop.sims.github_seed import stamp
from tabletop.sims.github_shapes import Shapes, node_id

REPO = f"{API}/repos/{{owner}}/{{repo}}"
VIOLATION = "Repository rule violations found\n\nCannot {what} this protected ref.\n\n"


class Repositories(Shapes):
    """Everything under ``/repos``, and the organisation's rulesets."""

    def git_routes(self) -> list[Route]:
        """These routes."""
        rulesets = f"{API}/orgs/{{org}}/rulesets"
        return [
            Route(f"{API}/orgs/{{org}}/repos", self.list_repositories),
            Route(rulesets, self.list_rulesets, methods=["GET"]),
            Route(rulesets, self.create_ruleset, methods=["POST"]),
            Route(f"{rulesets}/{{id:int}}", self.get_ruleset, methods=["GET"]),
            Route(f"{rulesets}/{{id:int}}", self.put_ruleset, methods=["PUT"]),
            Route(f"{rulesets}/{{id:int}}", self.delete_ruleset, methods=["DELETE"]),
            Route(f"{REPO}/rules/branches/{{branch:path}}", self.branch_rules),
            Route(f"{REPO}/git/refs", self.create_ref, methods=["POST"]),
            Route(f"{REPO}/git/refs/{{ref:path}}", self.update_ref, methods=["PATCH"]),
            Route(f"{REPO}/activity", self.activity),
        ]

    async def list_repositories(self, request: Request) -> Response:
        self.organization(request)
        self.need(request, "metadata:read")
        repositories = self.state["repositories"].values()
        return self.page(request, [self.repository_json(r) for r in repositories])

    # Rulesets

    async def list_rulesets(self, request: Request) -> Response:
        self._administer(request)
        shown = ("id", "name", "target", "source_type", "source", "enforcement", "node_id")
        return self.page(
            request, [{k: r[k] for k in shown if k in r} for r in self.state["rulesets"]]
        )

    async def get_ruleset(self, request: Request) -> Response:
        self._administer(request)
        return self.answer(self._ruleset(request))

    async def create_ruleset(self, request: Request) -> Response:
        self._administer(request)
        body = await request.json()
        if any(r["name"] == body["name"] for r in self.state["rulesets"]):
            raise self.refuse(422, "Validation Failed: Name must be unique")
        id_ = self.world.number("github", "ruleset", body["name"])
        ruleset = {
            "id": id_,
            "node_id": node_id("RepositoryRuleset", id_),
            "source_type": "Organization",
            "source": self.org,
            "created_at": stamp(),
            "updated_at": stamp(),
            **_ruleset_fields(body),
        }
        self.state["rulesets"].append(ruleset)
        self.audited("repository_ruleset.create", name=body["name"])
        return self.answer(ruleset, 201)

    async def put_ruleset(self, request: Request) -> Response:
        self._administer(request)
        ruleset = self._ruleset(request)
        body = await request.json()
        ruleset.update(_ruleset_fields({**ruleset, **body}))
        self.audited("repository_ruleset.update", name=ruleset["name"])
        return self.answer(ruleset)

    async def delete_ruleset(self, request: Request) -> Response:
        self._administer(request)
        ruleset = self._ruleset(request)
        self.state["rulesets"].remove(ruleset)
        self.audited("repository_ruleset.destroy", name=ruleset["name"])
        return self.answer(None, 204)

    def _administer(self, request: Request) -> None:
        self.organization(request)
        self.need(request, "organization_administration:write")

    def _ruleset(self, request: Request) -> dict[str, Any]:
        for ruleset in self.state["rulesets"]:
            if ruleset["id"] == request.path_params["id"]:
                found: dict[str, Any] = ruleset
                return found
        raise self.not_found()

    async def branch_rules(self, request: Request) -> Response:
        repo = self.repository(request)
        self.need(request, "metadata:read")
        ref = f"refs/heads/{unquote(request.path_params['branch'])}"
        rules = [
            {
                **rule,
                "ruleset_source_type": "Organization",
                "ruleset_source": self.org,
                "ruleset_id": ruleset["id"],
            }
            for ruleset in self._binding(repo, ref)
            for rule in ruleset["rules"]
        ]
        return self.page(request, rules)

    def _binding(self, repo: dict[str, Any], ref: str) -> list[dict[str, Any]]:
        """The active rulesets that cover this ref of this repository."""
        target = "tag" if ref.startswith("refs/tags/") else "branch"
        default = f"refs/heads/{repo['default_branch']}"
        found = []
        for ruleset in self.state["rulesets"]:
            conditions = ruleset["conditions"]
            refs = {"~ALL": True, "~DEFAULT_BRANCH": ref == default}
            if (
                ruleset["enforcement"] == "active"
                and ruleset["target"] == target
                and _covered(conditions["ref_name"], ref, refs)
                and _covered(conditions["repository_name"], repo["name"], {"~ALL": True})
            ):
                found.append(ruleset)
        return found

    def forbids(self, repo: dict[str, Any], ref: str, rule: str, login: str) -> bool:
        """Whether a rule of that type binds this login on this ref."""
        return any(
            rule in {r["type"] for r in ruleset["rules"]} and not self._bypasses(ruleset, login)
            for ruleset in self._binding(repo, ref)
        )

    def _bypasses(self, ruleset: dict[str, Any], login: str) -> bool:
        known = self.state["users"].get(login, {})
        admin = self.state["members"].get(login) == "admin"
        return any(
            (actor["actor_type"] == "OrganizationAdmin" and admin)
            or (actor["actor_type"] == "User" and actor.get("actor_id") == known.get("id"))
            for actor in ruleset["bypass_actors"]
        )

    # Writing: what a suspect tries

    def writer(self, request: Request, repo: dict[str, Any]) -> Caller:
        """Who may write here: members and Apps by a token that reaches us, or a deploy key."""
        key = request.headers.get("x-sim-deploy-key")
        if key:  # stands for a push over SSH
            if any(k["key"] == key and not k["read_only"] for k in repo["keys"]):
                return Caller("key")
            raise self.refuse(403, "Permission denied (publickey)")
        caller = self.caller(request)
        value = request.headers.get("authorization", "").partition(" ")[2]
        known = self.state["tokens"].get(value, {})
        if caller.kind in ("classic", "fine") and caller.login not in self.state["members"]:
            raise self.not_found()
        if caller.kind == "classic" and not self.sso_stands(known["credential_id"]):
            raise self.refuse(
                403,
                "Resource protected by organization SAML enforcement.",
                {"X-GitHub-SSO": f"required; url={self.url}/orgs/{self.org}/sso"},
            )
        if caller.kind == "fine" and not self.grant_stands(known["grant"]):
            raise self.refuse(403, "Resource not accessible by personal access token")
        if caller.kind not in ("classic", "fine", "app"):
            raise self.refuse(403, "Resource not accessible by this credential")
        if not self.may_write(repo, caller.login):
            raise self.refuse(403, "Write access to repository not granted.")
        return caller

    def may_write(self, repo: dict[str, Any], login: str) -> bool:
        """Whether that login was given access to write: whatever a ruleset then says."""
        everybody = repo["writers"] is None
        return everybody or login in repo["writers"] or self.state["members"].get(login) == "admin"

    def administers(self, repo: dict[str, Any], login: str) -> bool:
        """Whether that login may change the repository's settings, deploy keys among them."""
        return login in repo["admins"] or self.state["members"].get(login) == "admin"

    def sso_stands(self, credential: int) -> bool:
        """Whether that credential passes single sign-on."""
        return any(
            s["credential_id"] == credential and not over(s["ends_at"]) for s in self.state["sso"]
        )

    def grant_stands(self, grant: int) -> bool:
        """Whether that fine-grained token reaches the organisation."""
        return any(g["id"] == grant and not over(g["ends_at"]) for g in self.state["pat_grants"])

    async def update_ref(self, request: Request) -> Response:
        repo = self.repository(request)
        caller = self.writer(request, repo)
        ref = request.path_params["ref"]
        if ref not in repo["refs"]:
            raise self.refuse(422, "Reference does not exist")
        body = await request.json()
        return self._write_ref(request, repo, caller, ref, body["sha"], "update")

    async def create_ref(self, request: Request) -> Response:
        repo = self.repository(request)
        caller = self.writer(request, repo)
        body = await request.json()
        ref = body["ref"].removeprefix("refs/")
        if ref in repo["refs"]:
            raise self.refuse(422, "Reference already exists")
        return self._write_ref(request, repo, caller, ref, body["sha"], "creation")

    def _write_ref(
        self, request: Request, repo: dict[str, Any], caller: Caller, ref: str, to: str, rule: str
    ) -> Response:
        if self.forbids(repo, f"refs/{ref}", rule, caller.login):
            raise self.refuse(422, VIOLATION.format(what=rule.removesuffix("ion")))
        if REHEARSAL not in request.headers:
            repo["activity"].append(
                {
                    "id": len(repo["activity"]) + 1,
                    "login": caller.login,
                    "ref": f"refs/{ref}",
                    "before": repo["refs"].get(ref, "0" * 40),
                    "after": to,
                    "type": "push" if rule == "update" else "branch_creation",
                    "timestamp": stamp(),
                }
            )
            repo["refs"][ref] = to
            self.noted("git.push", caller.login, repo, ref=f"refs/{ref}")
        at = f"{self.api}/repos/{self.org}/{repo['name']}/git"
        body = {
            "ref": f"refs/{ref}",
            "node_id": node_id("Ref", repo["id"]),
            "url": f"{at}/refs/{ref}",
            "object": {"type": "commit", "sha": to, "url": f"{at}/commits/{to}"},
        }
        return self.answer(body, 200 if rule == "update" else 201)

    def noted(self, action: str, login: str, repo: dict[str, Any], **fields: Any) -> None:
        """Let the SIEM know what somebody did in a repository, and for whom."""
        agent = next((a for a in self.world.agents if a.bot and a.bot == login), None)
        email = self.state["users"].get(login, {}).get("email", "")
        self.world.log(
            source="github",
            action=action,
            user=agent.owner if agent else email,
            agent=agent.id if agent else "",
            login=login,
            repository=f"{self.org}/{repo['name']}",
            **fields,
        )

    async def activity(self, request: Request) -> Response:
        repo = self.repository(request)
        self.need(request, "contents:read")
        actor = request.query_params.get("actor", "")
        return self.cursor(
            request,
            [
                {
                    "id": entry["id"],
                    "node_id": node_id("Push", entry["id"]),
                    "before": entry["before"],
                    "after": entry["after"],
                    "ref": entry["ref"],
                    "timestamp": entry["timestamp"],
                    "activity_type": entry["type"],
                    "actor": self.user(entry["login"]),
                }
                for entry in reversed(repo["activity"])
                if actor in ("", entry["login"])
            ],
        )


def _ruleset_fields(body: dict[str, Any]) -> dict[str, Any]:
    fields = ("name", "target", "enforcement", "bypass_actors", "conditions", "rules")
    return {field: body[field] for field in fields}


def _covered(condition: dict[str, Any], name: str, words: dict[str, bool]) -> bool:
    def names(patterns: list[str]) -> bool:
        return any(words.get(p, False) or fnmatch.fnmatchcase(name, p) for p in patterns)

    return names(condition["include"]) and not names(condition["exclude"])
