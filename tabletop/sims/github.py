"""The simulated GitHub: an organisation whose rulesets bind and whose revoked tokens fail.

Split by what it is about: ``github_seed`` (the world as it is found), ``github_base`` (who calls,
with which rights), ``github_shapes`` (GitHub's JSON), ``github_git`` (repositories, rulesets),
``github_pulls`` (pull requests, runs), ``github_graphql``, ``github_credentials`` (Apps, tokens,
keys, people).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx
from starlette.routing import BaseRoute

from tabletop.sims.base import REHEARSAL, Attempt
from tabletop.sims.github_base import API, CLASSIC_TOKEN
from tabletop.sims.github_credentials import Credentials
from tabletop.sims.github_seed import KILLSWITCH, OWN_APPS, token
from tabletop.sims.world import Person


class GitHub(Credentials):
    """One organisation at one address, REST under ``/api/v3`` and GraphQL beside it."""

    def routes(self) -> Sequence[BaseRoute]:
        return [
            *self.git_routes(),
            *self.pull_routes(),
            *self.graphql_routes(),
            *self.credential_routes(),
        ]

    def settings(self) -> dict[str, Any]:
        """As the App, with the keys of the agents' Apps that are ours and one leaked token."""
        apps = self.state["apps"]
        installations = {i["app_slug"]: i["id"] for i in self.state["installations"]}
        owners = sorted({agent.owner for agent in self.world.agents})
        logins = [p.login for o in owners if (p := self.world.person(o))]
        leaked = {f"leaked-{login}": token("ghp_", login, "agent-runner") for login in logins}
        return {
            "url": f"{self.url}{API}",
            "organization": self.org,
            "app_id": apps[KILLSWITCH]["id"],
            "private_key": apps[KILLSWITCH]["private_key"],
            "installation_id": installations[KILLSWITCH],
            "agents": {
                owner: [a.bot for a in self.world.agents_of(owner) if a.bot] for owner in owners
            },
            "agent_apps": {
                slug: {"app_id": apps[slug]["id"], "private_key": apps[slug]["private_key"]}
                for slug in OWN_APPS
                if slug in apps
            },
            "known_credentials": leaked,
        }

    def subjects(self) -> list[str]:
        """The person, and the leaked token of theirs that the settings know."""
        return [*super().subjects(), "credential:leaked-jo"]

    def secrets(self) -> list[str]:
        """Everybody's tokens, ours among them, and the private keys of the Apps."""
        keys = [app["private_key"] for app in self.state["apps"].values() if app["private_key"]]
        return [CLASSIC_TOKEN, *self.state["tokens"], *keys]

    async def suspect_tries(self, http: httpx.AsyncClient, person: Person) -> list[Attempt]:
        """Push, branch and merge with every credential of theirs; let what is armed fire.

        In every repository that they were given access to. The tries are rehearsals: answered as
        they would be, and nothing changes.
        """
        tries = []
        for name, login, headers in self.tokens_of(person):
            tries += await self._with(http, name, login, headers)
        for name, repo, headers in self.deploy_keys_of(person):
            tries.append(await self._push(http, repo, name, headers))
        for repo, pull in self.pulls_of(person):
            path = f"{repo}/pulls/{pull['number']}/sim-fire"
            what = f"auto-merge {repo}#{pull['number']}"
            tries.append(await self._try(http, "POST", path, what, {}, None))
        return tries

    def logins_of(self, person: Person) -> set[str]:
        """The person's, and those of the bots that their agents work as."""
        agents = self.world.agents_of(person.email)
        return {person.login, *(a.bot for a in agents if a.bot)}

    def tokens_of(self, person: Person) -> list[tuple[str, str, dict[str, str]]]:
        """Every token of theirs: what to call it, whose login it has, the headers to use it."""
        logins = self.logins_of(person)
        return [
            (
                f"{known['kind']} token …{value[-4:]} of {known['login']}",
                known["login"],
                {"Authorization": f"Bearer {value}"},
            )
            for value, known in list(self.state["tokens"].items())
            if known["login"] in logins
        ]

    def deploy_keys_of(self, person: Person) -> list[tuple[str, str, dict[str, str]]]:
        """Every deploy key whose other half they have: its name, repository, headers to use it."""
        held = [k for k in self.state["held_keys"] if k["login"] == person.login]
        named = []
        for number, key in enumerate(held):
            repo = key["repository"]
            before = sum(k["repository"] == repo for k in held[:number])
            name = f"deploy key {before + 1} of {repo}" if before else f"deploy key of {repo}"
            named.append((name, repo, {"X-Sim-Deploy-Key": key["key"]}))
        return named

    def pulls_of(self, person: Person) -> list[tuple[str, dict[str, Any]]]:
        """The pull requests that are theirs, or were made for them, each with its repository."""
        logins = self.logins_of(person)
        return [
            (repo["name"], pull)
            for repo in self.state["repositories"].values()
            for pull in repo["pulls"]
            if logins & {pull["login"], *pull["assignees"]}
        ]

    async def _with(
        self, http: httpx.AsyncClient, name: str, login: str, headers: dict[str, str]
    ) -> list[Attempt]:
        found = []
        for repo in self.state["repositories"].values():
            if not self.may_write(repo, login):
                continue
            found.append(await self._push(http, repo["name"], name, headers))
            tip = repo["refs"][f"heads/{repo['default_branch']}"]
            body = {"ref": "refs/heads/suspects-new-branch", "sha": tip}
            what = f"create a branch in {repo['name']} with {name}"
            found.append(
                await self._try(http, "POST", f"{repo['name']}/git/refs", what, headers, body)
            )
            for pull in repo["pulls"]:
                path = f"{repo['name']}/pulls/{pull['number']}/merge"
                what = f"merge {repo['name']}#{pull['number']} with {name}"
                found.append(await self._try(http, "PUT", path, what, headers, {}))
        return found

    async def _push(
        self, http: httpx.AsyncClient, repo: str, name: str, headers: dict[str, str]
    ) -> Attempt:
        known = self.state["repositories"][repo]
        ref = f"heads/{known['default_branch']}"
        path = f"{repo}/git/refs/{ref}"
        body = {"sha": known["refs"][ref], "force": False}
        return await self._try(http, "PATCH", path, f"push to {repo} with {name}", headers, body)

    async def _try(
        self,
        http: httpx.AsyncClient,
        method: str,
        path: str,
        what: str,
        headers: dict[str, str],
        body: dict[str, Any] | None,
    ) -> Attempt:
        url = f"{self.api}/repos/{self.org}/{path}"
        response = await http.request(method, url, headers={**headers, REHEARSAL: "1"}, json=body)
        detail = "" if response.is_success else str(response.json().get("message", "")).strip()
        return Attempt(self.vendor, what, response.is_success, f"{response.status_code} {detail}")
