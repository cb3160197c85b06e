"""Splunk's saved searches that fire: a job with rows that expires, and the list of alerts.

No schedule and no SPL: whoever tells the story fires the alert. It is listed for a day, its job is
kept for as long as it is told to, and both are seen through namespaces as at the vendor.
"""

from __future__ import annotations

import hashlib
import itertools
import time
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from tabletop.sims.base import Sim
from tabletop.sims.splunk_wire import TOKEN, Event, Job, json_answer, refusal
from tabletop.sims.world import World

DAY = 86400.0


class Alerts(Sim):
    """``lag``: seconds until what happened is seen."""

    def __init__(self, world: World, *, latency: tuple[float, float] = (0.0, 0.0)) -> None:
        self.jobs: dict[str, Job] = {}
        self.lag = 0.0
        self._run = itertools.count(4121)
        super().__init__(world, latency=latency)

    def fire(
        self,
        name: str,
        rows: Sequence[Event],
        *,
        app: str = "search",
        owner: str = "svc-secops",
        at: float | None = None,
        ttl: float = DAY,
        track: bool = True,
        messages: Sequence[dict[str, str]] = (),
    ) -> str:
        """A saved search finds these rows and triggers its alert; its sid.

        ``at``: seconds since 1970, else now. ``ttl``: seconds that the job is kept from then on.
        ``track``: whether it is listed, as with ``alert.track = 1``. A row's ``_time`` may be
        given in seconds.
        """
        fired = time.time() if at is None else at
        digest = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()[:18]
        sid = f"scheduler__{owner}_c2VhcmNo__RMD5{digest}_at_{int(fired)}_{next(self._run)}"
        self.jobs[sid] = Job(
            sid,
            f"| savedsearch {name}",
            fired - 300,
            fired,
            [dict(row) for row in rows],
            list(messages),
            app=app,
            owner=owner,
            saved={"label": name, "delegate": "scheduler", "ttl": int(ttl), "isSaved": False},
            expires=fired + ttl,
        )
        if track:
            acl = {"app": app, "owner": owner, "sharing": "app"}
            content = {
                "actions": "webhook",
                "alert_type": "number of events",
                "digest_mode": True,
                "savedsearch_name": name,
                "severity": 4,
                "sid": sid,
                "trigger_time": int(fired),
                "triggered_alerts": 1,
            }
            self.state["fired"].append({"name": sid, "acl": acl, "content": content})
        return sid

    def expire(self, sid: str) -> None:
        """The job's time is over; the list still has the alert."""
        del self.jobs[sid]

    def pushed(self, sid: str) -> dict[str, Any]:
        """What the built-in webhook would have sent: the first row, the time in seconds."""
        job = self.jobs[sid]
        first = {name: str(value) for name, value in job.rows[0].items()}
        return {
            "sid": sid,
            "search_name": job.saved["label"],
            "app": job.app,
            "owner": job.owner,
            "results_link": f"https://splunk.{self.world.domain}:8000/app/{job.app}/@go?sid={sid}",
            "result": first,
        }

    async def fired(self, request: Request) -> Response:
        """The alerts of one saved search, or of all of them for ``-``, as far as they are seen."""
        self.require(request, "search")
        name = request.path_params["name"]
        app = request.path_params.get("app", "search")  # without a namespace: the user's own app
        owner = request.path_params.get("owner", "-")
        now = time.time()
        found = [
            alert
            for alert in self.state["fired"]
            if name in ("-", alert["content"]["savedsearch_name"])
            and app in ("-", alert["acl"]["app"])
            and owner in ("-", "nobody", alert["acl"]["owner"])
            and now - DAY < alert["content"]["trigger_time"] <= now - self.lag
        ]
        offset = int(request.query_params.get("offset", 0))
        count = int(request.query_params.get("count", 30)) or len(found)
        page = self.listed(found, offset, count)[offset : offset + count]
        paging = {"total": len(found), "perPage": count, "offset": offset}
        return json_answer({"links": {}, "entry": list(page), "paging": paging, "messages": []})

    def job(self, request: Request) -> Job:
        """The job that is asked for, while it is kept."""
        job = self.jobs.get(request.path_params["sid"])
        if job is None or (job.expires is not None and job.expires <= time.time()):
            raise refusal(404, "Unknown sid.")
        return job

    def require(self, request: Request, capability: str = "") -> None:
        """Our token, and the capability."""
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            raise refusal(401, "call not properly authenticated")
        if capability and not self.allows(capability):
            raise refusal(403, f"insufficient permission: {capability}")
