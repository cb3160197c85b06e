"""At GitHub: pushes, pull requests, merges, and a key of one's own.

Every act tries each credential that the person and their agents have, the agents' first, until
one is let through.
"""

from __future__ import annotations

from typing import Any

import httpx

from killswitch.model.errors import Invalid
from tabletop.acts.act import Act, Doing, Options, Outcome, known, outcome, told, until_let_in
from tabletop.sims.github import GitHub
from tabletop.sims.github_seed import public_key, sha
from tabletop.sims.run import Simulators
from tabletop.sims.world import Person

Headers = dict[str, str]


async def push(http: httpx.AsyncClient, sims: Simulators, person: Person, options: Options) -> Act:
    """Push to the default branch of ``repo``, or to the existing ``branch`` of it."""
    known(options, "repo", "branch")
    github: GitHub = sims["github"]
    repo = _repository(github, person, options)
    ref = f"heads/{options.get('branch', repo['default_branch'])}"
    path, body = f"{repo['name']}/git/refs/{ref}", {"sha": _commit(repo, person), "force": False}
    ended = await until_let_in(
        _ask(http, github, "PATCH", path, headers, body)
        for headers in [*_tokens(github, person), *_keys(github, person, repo["name"])]
    )
    return told("github.push", f"git push to {repo['name']} by {person.login}'s agents", ended)


async def open_pull(
    http: httpx.AsyncClient, sims: Simulators, person: Person, options: Options
) -> Act:
    """Push a new ``branch`` to ``repo`` and open a pull request with ``title``."""
    known(options, "repo", "branch", "title")
    github: GitHub = sims["github"]
    repo = _repository(github, person, options)
    branch = str(options.get("branch", f"agent/{person.login}-{len(repo['pulls']) + 1}"))
    ref = {"ref": f"refs/heads/{branch}", "sha": _commit(repo, person)}
    title = options.get("title", f"Update dependencies of {repo['name']}")
    pull = {"title": title, "head": branch, "base": repo["default_branch"]}

    async def proposed(headers: Headers) -> Outcome:
        pushed = await _ask(http, github, "POST", f"{repo['name']}/git/refs", headers, ref)
        if not pushed.worked:
            return pushed
        return await _ask(http, github, "POST", f"{repo['name']}/pulls", headers, pull)

    ended = await until_let_in(proposed(headers) for headers in _tokens(github, person))
    return told("github.open_pull", f"pull request in {repo['name']} ({title})", ended)


async def merge(http: httpx.AsyncClient, sims: Simulators, person: Person, options: Options) -> Act:
    """Merge pull request ``number`` of ``repo``, or the first open one that is theirs."""
    known(options, "repo", "number")
    github: GitHub = sims["github"]
    wanted = [
        (repo, pull["number"])
        for repo, pull in github.pulls_of(person)
        if pull["state"] == "open" and options.get("repo", repo) == repo
    ]
    if "number" in options:
        wanted = [(_repository(github, person, options)["name"], int(options["number"]))]
    ended = await until_let_in(
        _ask(http, github, "PUT", f"{repo}/pulls/{number}/merge", headers, {})
        for repo, number in wanted
        for headers in _tokens(github, person)
    )
    which = f"{wanted[0][0]}#{wanted[0][1]}" if len(wanted) == 1 else "a pull request"
    return told("github.merge", f"merge of {which} by {person.login}'s agents", ended)


async def add_deploy_key(
    http: httpx.AsyncClient, sims: Simulators, person: Person, options: Options
) -> Act:
    """Add a deploy key that may write to ``repo``; who administers the repository can."""
    known(options, "repo", "title")
    github: GitHub = sims["github"]
    repo = _repository(github, person, options)
    key = public_key(person.login, repo["name"], f"made {len(github.state['held_keys'])}")
    body = {"title": options.get("title", "ci cache"), "key": key, "read_only": False}
    ended = await until_let_in(
        _ask(http, github, "POST", f"{repo['name']}/keys", headers, body)
        for headers in _tokens(github, person)
    )
    what = f"new deploy key for {repo['name']} by {person.login}"
    return told("github.add_deploy_key", what, ended)


def _repository(github: GitHub, person: Person, options: Options) -> dict[str, Any]:
    """The repository that is named, or the first that they were given access to."""
    repositories = github.state["repositories"]
    if name := options.get("repo"):
        if name not in repositories:
            raise Invalid(f"there is no repository {name!r} in the world")
        named: dict[str, Any] = repositories[name]
        return named
    logins = github.logins_of(person)
    for repo in repositories.values():
        if any(github.may_write(repo, login) for login in logins):
            found: dict[str, Any] = repo
            return found
    raise Invalid(f"{person.email} has access to no repository: name one with `repo:`")


def _tokens(github: GitHub, person: Person) -> list[Headers]:
    """The headers for each token of theirs, the agents' own first."""
    tokens = github.tokens_of(person)
    return [h for _, _, h in sorted(tokens, key=lambda token: token[1] == person.login)]


def _keys(github: GitHub, person: Person, repo: str) -> list[Headers]:
    return [headers for _, where, headers in github.deploy_keys_of(person) if where == repo]


def _commit(repo: dict[str, Any], person: Person) -> str:
    """The next commit of theirs, whose id is the same in every run."""
    return sha("act", repo["name"], person.login, str(len(repo["activity"])))


async def _ask(
    http: httpx.AsyncClient,
    github: GitHub,
    method: str,
    path: str,
    headers: Headers,
    body: dict[str, Any],
) -> Outcome:
    url = f"{github.api}/repos/{github.org}/{path}"
    return await outcome(http.request(method, url, headers=headers, json=body))


ACTS: dict[str, Doing] = {
    "github.push": push,
    "github.open_pull": open_pull,
    "github.merge": merge,
    "github.add_deploy_key": add_deploy_key,
}
