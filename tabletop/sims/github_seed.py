"""The organisation at GitHub as the drill finds it: people, credentials, agents' work under way.

Everybody has credentials and a pushed branch; whoever has agents has them at work too. Ids are
the same in every run; times are counted back from now, so that windows of days find them.
"""

from __future__ import annotations

import hashlib
import time
from datetime import UTC, datetime
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tabletop.sims.world import Agent, Person, World

KILLSWITCH = "acme-killswitch"  # the slug of our own App
SHARED_BOT = "acme-agents[bot]"  # acts for whomever a pull request is assigned to
OWN_APPS = (
    "claude-jo",
)  # whose keys the organisation holds; other agents' Apps are third parties'
DAY = 86400.0


@cache
def app_key(slug: str) -> str:  # noqa: ARG001  # one key for each
    """A private key for that App, made once a process: to sign with, and to check against."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def stamp(seconds_ago: float = 0.0) -> str:
    """GitHub's way to write a time."""
    return datetime.fromtimestamp(time.time() - seconds_ago, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def sha(*names: str) -> str:
    """A commit id for these names."""
    return hashlib.sha1("/".join(names).encode(), usedforsecurity=False).hexdigest()


def public_key(*names: str) -> str:
    """An SSH public key that nobody has the other half of."""
    return f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{sha('key', *names)}fake"


def token(prefix: str, *names: str) -> str:
    """A token of the right shape that says what it is."""
    return f"{prefix}FAKE{sha(prefix, *names)[:32]}"


def new_run(
    world: World, repository: str, number: int, branch: str, head: str, login: str, ago: float = 0
) -> dict[str, Any]:
    """A workflow run that has begun on the branch of a pull request."""
    return {
        "id": world.number("github", "run", repository, str(number)),
        "branch": branch,
        "sha": head,
        "login": login,
        "status": "in_progress",
        "conclusion": None,
        "created_at": stamp(ago),
        "cancel_at": None,
    }


class Seed:
    """Fills a new world's GitHub."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.state: dict[str, Any] = {
            "organization": {"login": world.organization, "id": world.number("github", "org")},
            "users": {},
            "members": {},
            "identities": [],
            "tokens": {},
            "pat_grants": [],
            "sso": [],
            "apps": {},
            "installations": [],
            "rulesets": [],
            "held_keys": [],  # deploy keys whose private half somebody has
            "audit": [],
            "repositories": {
                r.name: {
                    "id": world.number("github", "repository", r.name),
                    "name": r.name,
                    "default_branch": r.default_branch,
                    "archived": False,
                    "writers": [] if r.teams else None,  # None: everybody
                    "admins": [],
                    "refs": {f"heads/{r.default_branch}": sha(r.name, r.default_branch)},
                    "keys": [],
                    "pulls": [],
                    "runs": [],
                    "activity": [],
                }
                for r in world.repositories
            },
        }

    def build(self) -> dict[str, Any]:
        """The whole state."""
        self._user(f"{KILLSWITCH}[bot]", "Acme killswitch", bot=True)
        self._app(KILLSWITCH)
        self._user(SHARED_BOT, "Acme agents", bot=True)
        self._app("acme-agents")
        agents: dict[str, list[Agent]] = {}
        for agent in self.world.agents:
            agents.setdefault(agent.owner, []).append(agent)
        for person in self.world.people:
            theirs = agents.get(person.email, [])
            self._person(person)
            self._admit([person.login, *(a.bot for a in theirs if a.bot)], person)
            self._credentials(person, bool(theirs))
            for agent in theirs:
                self._agent(person, agent)
        return self.state

    def _user(self, login: str, name: str, email: str = "", *, bot: bool = False) -> None:
        self.state["users"][login] = {
            "login": login,
            "id": self.world.number("github", "user", login),
            "name": name,
            "email": email,
            "type": "Bot" if bot else "User",
        }

    def _person(self, person: Person) -> None:
        self._user(person.login, person.name, person.email)
        self.state["members"][person.login] = "admin" if person.roles else "member"
        self.state["identities"].append(
            {"login": person.login, "name_id": person.email, "emails": [person.email]}
        )

    def _writable(self, person: Person) -> list[str]:
        return [r.name for r in self.world.repositories if r.writable(person)]

    def _admit(self, logins: list[str], person: Person) -> None:
        for name in self._writable(person):
            if (writers := self.state["repositories"][name]["writers"]) is not None:
                writers.extend(logins)

    def _app(self, slug: str) -> None:
        world = self.world
        app_id = world.number("github", "app", slug)
        own = slug == KILLSWITCH or slug in OWN_APPS
        self.state["apps"][slug] = {
            "id": app_id,
            "slug": slug,
            "private_key": app_key(slug) if own else "",
        }
        installation = world.number("github", "installation", slug)
        self.state["installations"].append(
            {
                "id": installation,
                "app_id": app_id,
                "app_slug": slug,
                "suspended_at": None,
                "created_at": stamp(90 * DAY),
            }
        )
        self.state["tokens"][token("ghs_", slug)] = {
            "kind": "killswitch" if slug == KILLSWITCH else "app",
            "login": f"{slug}[bot]",
            "installation": installation,
            "ends_at": None,
        }

    def _credentials(self, person: Person, has_agents: bool) -> None:
        """A classic token and an SSH key that pass single sign-on, one that does not, and PATs."""
        names = ["laptop", "agent-runner"] if has_agents else ["laptop"]
        for name in names:
            self._classic(person, name, authorized=True)
        self._classic(person, "hobby", authorized=False)
        self._sso(person, "ssh", "SSH key", None)
        for name in [f"{n}-fine" for n in names]:
            self._fine(person, name)
        if has_agents:
            for repository in self._writable(person)[:2]:
                self.state["repositories"][repository]["admins"].append(person.login)
                self._deploy_key(person.login, repository, f"{person.login} agent runner")

    def _classic(self, person: Person, name: str, *, authorized: bool) -> None:
        value = token("ghp_", person.login, name)
        credential = self._sso(person, name, "personal access token", value) if authorized else 0
        self.state["tokens"][value] = {
            "kind": "classic",
            "login": person.login,
            "credential_id": credential,
            "ends_at": None,
        }

    def _sso(self, person: Person, name: str, kind: str, value: str | None) -> int:
        credential = self.world.number("github", "sso", person.login, name)
        self.state["sso"].append(
            {
                "credential_id": credential,
                "login": person.login,
                "kind": kind,
                "name": name,
                "last_eight": value[-8:] if value else None,
                "authorized_at": stamp(60 * DAY),
                "accessed_at": stamp(3600),
                "ends_at": None,
            }
        )
        return credential

    def _fine(self, person: Person, name: str) -> None:
        value = token("github_pat_", person.login, name)
        grant = self.world.number("github", "grant", person.login, name)
        self.state["tokens"][value] = {
            "kind": "fine",
            "login": person.login,
            "grant": grant,
            "ends_at": None,
        }
        self.state["pat_grants"].append(
            {
                "id": grant,
                "token_id": self.world.number("github", "pat", person.login, name),
                "name": name,
                "login": person.login,
                "granted_at": stamp(30 * DAY),
                "last_used_at": stamp(1800),
                "ends_at": None,
            }
        )

    def _deploy_key(self, login: str, repository: str, title: str) -> None:
        key = public_key(login, repository)
        self.state["held_keys"].append({"key": key, "repository": repository, "login": login})
        self.state["repositories"][repository]["keys"].append(
            {
                "id": self.world.number("github", "deploy-key", repository, title),
                "key": key,
                "title": title,
                "read_only": False,
                "verified": True,
                "created_at": stamp(40 * DAY),
                "added_by": login,
            }
        )

    def _agent(self, person: Person, agent: Agent) -> None:
        """An agent's App, its pushes, and pull requests that are about to merge by themselves.

        An agent without a bot works with the person's own access.
        """
        if agent.bot:
            self._user(agent.bot, f"{agent.product} of {person.name}", bot=True)
            self._app(agent.bot.removesuffix("[bot]"))
        login, label = agent.bot or person.login, f"agent:{agent.product}"
        first, second, third, fourth, *_ = [*self._writable(person), *[""] * 4]
        if first:
            self._pull(first, agent, login, label, auto_merge=True)
        if second:
            self._pull(second, agent, login, label, queued=True)
        if third and "claude" in agent.product:
            self._pull(third, agent, person.login, "", auto_merge=True)
        if fourth and "claude" in agent.product:
            self._pull(fourth, agent, SHARED_BOT, label, assignee=person.login, queued=True)

    def _pull(
        self,
        repository: str,
        agent: Agent,
        login: str,
        label: str,
        *,
        assignee: str = "",
        auto_merge: bool = False,
        queued: bool = False,
    ) -> None:
        repo = self.state["repositories"][repository]
        number = len(repo["pulls"]) + 1
        branch = f"{agent.id}/change-{number}"
        head = sha(repository, branch)
        repo["refs"][f"heads/{branch}"] = head
        repo["pulls"].append(
            {
                "number": number,
                "id": self.world.number("github", "pull", repository, branch),
                "title": f"Rework retry handling in {repository}",
                "login": login,
                "labels": [label] if label else [],
                "assignees": [assignee] if assignee else [],
                "state": "open",
                "merged": False,
                "draft": False,
                "head": branch,
                "sha": head,
                "auto_merge": {"method": "SQUASH", "headline": "Rework retries", "body": ""}
                if auto_merge
                else None,
                "queue": 1 if queued else None,
                "created_at": stamp(2 * DAY),
                "updated_at": stamp(1800),
            }
        )
        self._push(repository, agent, login, branch, head)
        repo["runs"].append(new_run(self.world, repository, number, branch, head, login, 1700))

    def _push(self, repository: str, agent: Agent, login: str, branch: str, head: str) -> None:
        repo = self.state["repositories"][repository]
        ref = f"refs/heads/{branch}"
        repo["activity"].append(
            {
                "id": self.world.number("github", "activity", repository, branch),
                "login": login,
                "ref": ref,
                "before": "0" * 40,
                "after": head,
                "type": "branch_creation",
                "timestamp": stamp(1750),
            }
        )
        self.state["audit"].append(
            {
                "id": self.world.id("", "audit", repository, branch, length=22),
                "action": "git.push",
                "actor": login,
                "repo": f"{self.world.organization}/{repository}",
                "at": stamp(1750),
            }
        )
        self.world.log(
            _time=time.time() - 1750,
            source="github",
            action="git.push",
            user=agent.owner,
            agent=agent.id,
            session_id=next(iter(agent.sessions), ""),
            repository=f"{self.world.organization}/{repository}",
            ref=ref,
            login=login,
        )
