"""Pull requests and workflow runs of the simulated GitHub."""

from __future__ import annotations

import time
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tabletop.sims.base import REHEARSAL
from tabletop.sims.github_base import over
from tabletop.sims.github_git import REPO, VIOLATION, Repositories
from tabletop.sims.github_seed import new_run, sha, stamp


class Pulls(Repositories):
    """What agents propose, and what runs on it."""

    def pull_routes(self) -> list[Route]:
        """These routes."""
        return [
            Route(f"{REPO}/pulls", self.list_pulls, methods=["GET"]),
            Route(f"{REPO}/pulls", self.open_pull, methods=["POST"]),
            Route(f"{REPO}/pulls/{{number:int}}", self.get_pull),
            Route(f"{REPO}/pulls/{{number:int}}/files", self.pull_files),
            Route(f"{REPO}/pulls/{{number:int}}/merge", self.merge, methods=["PUT"]),
            Route(f"{REPO}/pulls/{{number:int}}/sim-fire", self.fire, methods=["POST"]),
            Route(f"{REPO}/actions/runs", self.list_runs),
            *(
                Route(f"{REPO}/actions/runs/{{id:int}}/{verb}", handler, methods=["POST"])
                for verb, handler in (
                    ("cancel", self.cancel_run),
                    ("force-cancel", self.force_cancel_run),
                    ("rerun", self.rerun),
                )
            ),
        ]

    async def list_pulls(self, request: Request) -> Response:
        repo = self.repository(request)
        self.need(request, "pull_requests:read")
        wanted = request.query_params.get("state", "open")
        found = [p for p in repo["pulls"] if wanted in ("all", p["state"])]
        if request.query_params.get("sort") == "updated":
            found.sort(key=lambda p: str(p["updated_at"]), reverse=True)
        return self.page(request, [self.pull_json(repo, p) for p in found])

    async def open_pull(self, request: Request) -> Response:
        """Who may write proposes a branch; CI starts on it."""
        repo = self.repository(request)
        login = self.writer(request, repo).login
        asked = await request.json()
        branch = str(asked["head"]).rpartition(":")[2]
        if f"heads/{branch}" not in repo["refs"] or asked["base"] != repo["default_branch"]:
            raise self.refuse(422, "Validation Failed")
        number = len(repo["pulls"]) + 1
        head, now = repo["refs"][f"heads/{branch}"], stamp()
        pull = {
            "number": number,
            "id": self.world.number("github", "pull", repo["name"], branch),
            "title": asked["title"],
            "login": login,
            "labels": [],
            "assignees": [],
            "state": "open",
            "merged": False,
            "draft": bool(asked.get("draft")),
            "head": branch,
            "sha": head,
            "auto_merge": None,
            "queue": None,
            "created_at": now,
            "updated_at": now,
        }
        repo["pulls"].append(pull)
        repo["runs"].append(new_run(self.world, repo["name"], number, branch, head, login))
        self.noted("pull_request.opened", login, repo, number=number)
        return self.answer(self.full_pull(repo, pull), 201)

    async def get_pull(self, request: Request) -> Response:
        repo = self.repository(request)
        self.need(request, "pull_requests:read")
        pull = self.pull(repo, request.path_params["number"])
        accept = request.headers.get("accept", "")
        if "diff" not in accept:
            return self.answer(self.full_pull(repo, pull))
        if pull.get("huge"):
            raise self.refuse(406, "Sorry, the diff exceeded the maximum number of files (300).")
        diff = f"diff --git a/retry.py b/retry.py\n+# {pull['title']}\n"
        return Response(diff, media_type="application/vnd.github.diff; charset=utf-8")

    async def pull_files(self, request: Request) -> Response:
        repo = self.repository(request)
        self.need(request, "pull_requests:read")
        pull = self.pull(repo, request.path_params["number"])
        at = f"{self.api}/repos/{self.org}/{repo['name']}/contents/retry.py"
        file = {
            "sha": pull["sha"],
            "filename": "retry.py",
            "status": "modified",
            **dict.fromkeys(("additions", "deletions", "changes"), 1),
            **dict.fromkeys(("blob_url", "raw_url", "contents_url"), at),
        }
        return self.page(request, [file])

    def pull(self, repo: dict[str, Any], number: int) -> dict[str, Any]:
        """The pull request of that number."""
        for pull in repo["pulls"]:
            if pull["number"] == number:
                found: dict[str, Any] = pull
                return found
        raise self.not_found()

    async def merge(self, request: Request) -> Response:
        repo = self.repository(request)
        caller = self.writer(request, repo)
        pull = self.pull(repo, request.path_params["number"])
        if pull["state"] != "open" or pull["draft"]:
            raise self.refuse(405, "Pull Request is not mergeable")
        return self._merge(request, repo, pull, caller.login)

    def _merge(
        self, request: Request, repo: dict[str, Any], pull: dict[str, Any], login: str
    ) -> Response:
        default = f"heads/{repo['default_branch']}"
        if self.forbids(repo, f"refs/{default}", "update", login):
            raise self.refuse(405, VIOLATION.format(what="update"))
        commit = sha("merge", repo["name"], str(pull["number"]))
        if REHEARSAL not in request.headers:
            pull.update(state="closed", merged=True, auto_merge=None, queue=None)
            repo["refs"][default] = commit
            self.noted("pull_request.merge", login, repo, number=pull["number"])
        merged = {"sha": commit, "merged": True, "message": "Pull Request successfully merged"}
        return self.answer(merged)

    async def fire(self, request: Request) -> Response:
        """Not GitHub's: the moment in which checks pass, and what is armed or queued merges."""
        repo = self.repository(request)
        pull = self.pull(repo, request.path_params["number"])
        if pull["state"] != "open" or not (pull["auto_merge"] or pull["queue"]):
            raise self.refuse(409, "Nothing is armed on this pull request")
        return self._merge(request, repo, pull, pull["login"])

    # Workflow runs

    async def list_runs(self, request: Request) -> Response:
        repo = self.repository(request)
        self.need(request, "actions:read")
        asked = request.query_params
        found = [
            run
            for run in repo["runs"]
            if asked.get("branch", run["branch"]) == run["branch"]
            and asked.get("actor", run["login"]) == run["login"]
            and run["created_at"] >= asked.get("created", "").removeprefix(">=")
        ]
        return self.page(request, [self.run_json(repo, r) for r in found], "workflow_runs")

    async def cancel_run(self, request: Request) -> Response:
        return self._cancel(request, self.delay)

    async def force_cancel_run(self, request: Request) -> Response:
        return self._cancel(request, self.delay / 2)

    def _cancel(self, request: Request, delay: float) -> Response:
        run = self._run(request)
        if run["status"] == "completed" or over(run["cancel_at"]):
            raise self.refuse(409, "Cannot cancel a workflow run that is completed.")
        at = time.time() + delay
        run["cancel_at"] = min(at, run["cancel_at"] or at)
        self.world.log(source="github", action="workflows.cancel", run=run["id"])
        return self.answer({}, 202)

    async def rerun(self, request: Request) -> Response:
        run = self._run(request)
        if run["status"] != "completed" and not over(run["cancel_at"]):
            raise self.refuse(409, "This workflow run is already running")
        run.update(status="in_progress", conclusion=None, cancel_at=None)
        return self.answer({}, 201)

    def _run(self, request: Request) -> dict[str, Any]:
        repo = self.repository(request)
        self.need(request, "actions:write")
        for run in repo["runs"]:
            if run["id"] == request.path_params["id"]:
                found: dict[str, Any] = run
                return found
        raise self.not_found()
