"""Credentials at the simulated GitHub: Apps, tokens, single sign-on, deploy keys, people."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tabletop.sims.github_base import API, CLASSIC_TOKEN, over
from tabletop.sims.github_git import REPO
from tabletop.sims.github_graphql import Graphql
from tabletop.sims.github_seed import KILLSWITCH, stamp, token

ORG = f"{API}/orgs/{{org}}"
APP = f"{API}/app"
DECLARED = [
    "actions:write",
    "administration:write",
    "contents:write",
    "members:read",
    "metadata:read",
    "organization_administration:write",
    "organization_personal_access_tokens:write",
    "pull_requests:write",
]


class Credentials(Graphql):
    """Who is who, and what opens the door."""

    def credential_routes(self) -> list[Route]:
        """These routes."""
        grants, sso = f"{ORG}/personal-access-tokens", f"{ORG}/credential-authorizations"
        suspended = f"{APP}/installations/{{id:int}}/suspended"
        enterprise = f"{API}/enterprises/{{enterprise}}/credential-authorizations"
        return [
            Route(ORG, self.get_organization),
            Route(f"{ORG}/members", self.members),
            Route(f"{ORG}/memberships/{{login}}", self.membership),
            Route(f"{ORG}/installations", self.installations),
            Route(f"{ORG}/audit-log", self.audit_log),
            Route(grants, self.list_grants),
            Route(f"{grants}/{{id:int}}", self.revoke_grant, methods=["POST"]),
            Route(sso, self.list_sso),
            Route(f"{sso}/{{id:int}}", self.remove_sso, methods=["DELETE"]),
            Route(f"{sso}/{{login}}/revoke", self.revoke_sso, methods=["POST"]),
            Route(f"{enterprise}/{{login}}/revoke", self.revoke_sso, methods=["POST"]),
            Route(f"{API}/credentials/revoke", self.revoke_token, methods=["POST"]),
            Route(f"{API}/user", self.myself),
            Route(f"{API}/user/{{id:int}}", self.user_by_id),
            Route(f"{API}/users/{{login}}", self.user_by_login),
            Route(APP, self.app_json),
            Route(f"{APP}/installations/{{id:int}}", self.get_installation),
            Route(f"{APP}/installations/{{id:int}}/access_tokens", self.mint, methods=["POST"]),
            Route(suspended, self.suspend, methods=["PUT"]),
            Route(suspended, self.unsuspend, methods=["DELETE"]),
            Route(f"{REPO}/keys", self.list_keys, methods=["GET"]),
            Route(f"{REPO}/keys", self.add_key, methods=["POST"]),
            Route(f"{REPO}/keys/{{id:int}}", self.delete_key, methods=["DELETE"]),
        ]

    # People

    async def get_organization(self, request: Request) -> Response:
        self.organization(request)
        self.need(request)
        return self.answer(self.organization_json())

    async def members(self, request: Request) -> Response:
        self.organization(request)
        self.need(request, "members:read")
        role = request.query_params.get("role", "all")
        found = [login for login, r in self.state["members"].items() if role in ("all", r)]
        return self.page(request, [self.user(login) for login in found])

    async def membership(self, request: Request) -> Response:
        self.organization(request)
        self.need(request, "members:read")
        login = request.path_params["login"]
        if login not in self.state["members"]:
            raise self.not_found()
        at = f"{self.api}/orgs/{self.org}"
        links = ["repos", "events", "hooks", "issues", "members", "public_members"]
        organization = {
            "login": self.org,
            "id": self.state["organization"]["id"],
            "node_id": "O_sim",
            "url": at,
            "description": None,
            "avatar_url": f"{self.url}/avatars/acme",
            **{f"{name}_url": f"{at}/{name}" for name in links},
        }
        return self.answer(
            {
                "url": f"{at}/memberships/{login}",
                "state": "active",
                "role": self.state["members"][login],
                "organization_url": at,
                "organization": organization,
                "user": self.user(login),
            }
        )

    async def myself(self, request: Request) -> Response:
        caller = self.caller(request)
        if caller.kind == "nobody":
            raise self.refuse(401, "Requires authentication")
        value = request.headers["authorization"].partition(" ")[2]
        scopes = {"X-OAuth-Scopes": "repo, admin:org"} if value == CLASSIC_TOKEN else {}
        return self.answer(self.full_user(caller.login), headers=scopes)

    async def user_by_id(self, request: Request) -> Response:
        self.need(request)
        for login, user in self.state["users"].items():
            if user["id"] == request.path_params["id"]:
                return self.answer(self.full_user(login))
        raise self.not_found()

    async def user_by_login(self, request: Request) -> Response:
        self.need(request)
        if request.path_params["login"] not in self.state["users"]:
            raise self.not_found()
        return self.answer(self.full_user(request.path_params["login"]))

    async def audit_log(self, request: Request) -> Response:
        self.organization(request)
        self.need(request, "organization_administration:read")
        words = dict(w.split(":", 1) for w in request.query_params.get("phrase", "").split())
        first, _, last = words.get("created", "..").partition("..")
        git = request.query_params.get("include") in ("all", "git")
        entries = [
            {
                "@timestamp": int(_moment(entry["at"]).timestamp() * 1000),
                "_document_id": entry["id"],
                "action": entry["action"],
                "actor": entry["actor"],
                "org": self.org,
                **({"repo": entry["repo"]} if "repo" in entry else {}),
            }
            for entry in reversed([*self.state["audit"], *self.trail])
            if words.get("actor", entry["actor"]) == entry["actor"]
            and (git or not entry["action"].startswith("git."))
            and (not first or entry["at"][:10] >= first)
            and (not last or entry["at"][:10] <= last)
        ]
        return self.cursor(request, entries)

    # Tokens

    async def list_grants(self, request: Request) -> Response:
        self.organization(request)
        self.need(request, "organization_personal_access_tokens:read", app_only=True)
        owners = request.query_params.getlist("owner[]")
        tokens = request.query_params.getlist("token_id[]")
        found = [
            self._grant_json(grant)
            for grant in self.state["pat_grants"]
            if not over(grant["ends_at"])
            and (not owners or grant["login"] in owners)
            and (not tokens or str(grant["token_id"]) in tokens)
        ]
        return self.page(request, found)

    def _grant_json(self, grant: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": grant["id"],
            "owner": self.user(grant["login"]),
            "repository_selection": "all",
            "repositories_url": f"{self.api}/organizations/{grant['id']}/repositories",
            "permissions": {"organization": {}, "repository": {"contents": "write"}},
            "access_granted_at": grant["granted_at"],
            "token_id": grant["token_id"],
            "token_name": grant["name"],
            "token_expired": False,
            "token_expires_at": None,
            "token_last_used_at": grant["last_used_at"],
        }

    async def revoke_grant(self, request: Request) -> Response:
        self.organization(request)
        self.need(request, "organization_personal_access_tokens:write", app_only=True)
        for grant in self.state["pat_grants"]:
            if grant["id"] == request.path_params["id"] and not over(grant["ends_at"]):
                grant["ends_at"] = grant["ends_at"] or time.time() + self.delay
                self.audited("personal_access_token.access_revoked", user=grant["login"])
                return self.answer(None, 204)
        raise self.not_found()

    async def list_sso(self, request: Request) -> Response:
        self.organization(request)
        self.need(request, "organization_administration:read")
        login = request.query_params.get("login")
        found = [
            {
                "login": entry["login"],
                "credential_id": entry["credential_id"],
                "credential_type": entry["kind"],
                "token_last_eight": entry["last_eight"] or "",
                "credential_authorized_at": entry["authorized_at"],
                "credential_accessed_at": entry["accessed_at"],
                "authorized_credential_id": entry["credential_id"],
                "authorized_credential_title": entry["name"],
                "authorized_credential_note": entry["name"],
                "authorized_credential_expires_at": None,
            }
            for entry in self.state["sso"]
            if not over(entry["ends_at"]) and login in (None, entry["login"])
        ]
        return self.page(request, found)

    async def revoke_sso(self, request: Request) -> Response:
        if "org" in request.path_params:
            self.organization(request)
        self.need(request, "organization_administration:write")
        login = request.path_params["login"]
        body = await request.json()
        if body.get("revoke_credentials"):
            raise self.refuse(422, "Only Enterprise Managed Users' credentials can be destroyed")
        for entry in self.state["sso"]:
            if entry["login"] == login:
                entry["ends_at"] = entry["ends_at"] or time.time() + self.delay
        self.audited("org_credential_authorization.deauthorize", user=login)
        return self.answer({}, 202)

    async def remove_sso(self, request: Request) -> Response:
        self.organization(request)
        self.need(request, "organization_administration:write")
        for entry in self.state["sso"]:
            if entry["credential_id"] == request.path_params["id"] and not over(entry["ends_at"]):
                entry["ends_at"] = time.time()
                return self.answer(None, 204)
        raise self.not_found()

    async def revoke_token(self, request: Request) -> Response:
        if "authorization" in request.headers:
            raise self.refuse(403, "This endpoint takes no authentication")
        for value in (await request.json())["credentials"]:
            known = self.state["tokens"].get(value)
            if known and not value.startswith("ghs_"):
                known["ends_at"] = known["ends_at"] or time.time() + self.delay
                self.world.log(source="github", action="token.revoked", login=known["login"])
        return self.answer({}, 202)

    # Apps

    async def installations(self, request: Request) -> Response:
        self.organization(request)
        self.need(request, "organization_administration:read")
        found = [self._installation_json(i) for i in self.state["installations"]]
        return self.page(request, found, "installations")

    def _installation_json(self, installation: dict[str, Any]) -> dict[str, Any]:
        at = f"{self.api}/app/installations/{installation['id']}"
        ours = installation["app_slug"] == KILLSWITCH
        granted = [s for s in DECLARED if self.allows(s)] if ours else ["contents:write"]
        return {
            "id": installation["id"],
            "app_id": installation["app_id"],
            "app_slug": installation["app_slug"],
            "target_id": self.state["organization"]["id"],
            "target_type": "Organization",
            "account": self.owner(),
            "repository_selection": "all",
            "permissions": dict(scope.split(":") for scope in granted),
            "events": [],
            "single_file_name": None,
            "access_tokens_url": f"{at}/access_tokens",
            "repositories_url": f"{self.api}/installation/repositories",
            "html_url": f"{self.url}/organizations/{self.org}/settings/installations",
            "created_at": installation["created_at"],
            "updated_at": installation["created_at"],
            "suspended_by": self.owner() if installation["suspended_at"] else None,
            "suspended_at": installation["suspended_at"],
        }

    async def app_json(self, request: Request) -> Response:
        app = self.state["apps"][self._as_app(request)]
        return self.answer(
            {
                "id": app["id"],
                "slug": app["slug"],
                "node_id": "A_sim",
                "name": app["slug"],
                "owner": self.owner(),
                "description": "",
                "external_url": self.url,
                "html_url": f"{self.url}/apps/{app['slug']}",
                "permissions": {"metadata": "read"},
                "events": [],
                "created_at": "2024-01-15T09:00:00Z",
                "updated_at": "2024-01-15T09:00:00Z",
            }
        )

    def _as_app(self, request: Request) -> str:
        caller = self.caller(request)
        if caller.kind != "jwt":
            raise self.refuse(401, "A JSON web token could not be decoded")
        return caller.app

    def _own_installation(self, request: Request) -> dict[str, Any]:
        app = self._as_app(request)
        found = self.installation(request.path_params["id"])
        if found["app_slug"] != app:
            raise self.not_found()
        return found

    async def get_installation(self, request: Request) -> Response:
        return self.answer(self._installation_json(self._own_installation(request)))

    async def mint(self, request: Request) -> Response:
        installation = self._own_installation(request)
        if installation["suspended_at"]:
            raise self.refuse(403, "This installation has been suspended")
        ends = datetime.fromtimestamp(time.time() + 3600, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        value = token("ghs_", installation["app_slug"])
        return self.answer({"token": value, "expires_at": ends, "permissions": {}}, 201)

    async def suspend(self, request: Request) -> Response:
        installation = self._own_installation(request)
        installation["suspended_at"] = installation["suspended_at"] or stamp()
        self.audited("integration_installation.suspend", app=installation["app_slug"])
        return self.answer(None, 204)

    async def unsuspend(self, request: Request) -> Response:
        installation = self._own_installation(request)
        installation["suspended_at"] = None
        self.audited("integration_installation.unsuspend", app=installation["app_slug"])
        return self.answer(None, 204)

    # Deploy keys

    async def list_keys(self, request: Request) -> Response:
        repo = self.repository(request)
        self.need(request, "administration:read")
        return self.page(request, [self._key_json(repo, key) for key in repo["keys"]])

    async def add_key(self, request: Request) -> Response:
        repo = self.repository(request)
        by = self._adds_key(request, repo)
        body = await request.json()
        if any(key["key"] == body["key"] for key in repo["keys"]):
            raise self.refuse(422, "Validation Failed: key is already in use")
        now = stamp()
        key = {
            "id": self.world.number("github", "deploy-key", repo["name"], body["key"], now),
            "key": body["key"],
            "title": body["title"],
            "read_only": body.get("read_only", False),
            "verified": False,
            "created_at": now,
            "added_by": by,
        }
        repo["keys"].append(key)
        self.audited("public_key.create", actor=by, repo=f"{self.org}/{repo['name']}")
        if by in self.state["members"]:  # who adds a key has the other half of it
            held = {"key": body["key"], "repository": repo["name"], "login": by}
            self.state["held_keys"].append(held)
        return self.answer(self._key_json(repo, key), 201)

    def _adds_key(self, request: Request, repo: dict[str, Any]) -> str:
        """Who adds a deploy key: our App, or somebody who administers the repository."""
        kind = self.caller(request).kind
        if kind not in ("classic", "fine", "app"):
            self.need(request, "administration:write")
            return f"{KILLSWITCH}[bot]"
        login = self.writer(request, repo).login
        if kind != "classic":  # theirs were granted contents, and not administration
            raise self.refuse(403, "Resource not accessible by this credential")
        if not self.administers(repo, login):
            raise self.not_found()
        return login

    async def delete_key(self, request: Request) -> Response:
        repo = self.repository(request)
        self.need(request, "administration:write")
        for key in repo["keys"]:
            if key["id"] == request.path_params["id"]:
                repo["keys"].remove(key)
                self.audited("public_key.delete", repo=f"{self.org}/{repo['name']}")
                return self.answer(None, 204)
        raise self.not_found()

    def _key_json(self, repo: dict[str, Any], key: dict[str, Any]) -> dict[str, Any]:
        at = f"{self.api}/repos/{self.org}/{repo['name']}/keys/{key['id']}"
        return {**key, "url": at, "last_used": None, "enabled": True}


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
