"""The trail: what the SIEM has indexed about the subject.

The searches use what the case knows for certain: the address, the session, the agents' names.
Names found in the events themselves are text from the suspect's machines and are not searched.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from killswitch.model.collector import Artifact, Collector, Window
from killswitch.model.subject import Account
from killswitch.vendors.splunk import jobs
from killswitch.vendors.splunk.client import Answer, Splunk
from killswitch.vendors.splunk.jobs import Job
from killswitch.vendors.splunk.spl import Search


@dataclass(frozen=True)
class Trail(Collector[Splunk]):
    """All events by the user, the session and the agents of the subject, oldest first.

    Splunk answers a search in an index that our role may not read with no rows and no error;
    ``agent-kill doctor`` looks for that.
    """

    name: ClassVar = "splunk.trail"
    volatile: ClassVar = False
    scopes: ClassVar = frozenset({"search"})
    doc_url: ClassVar = (
        "https://help.splunk.com/en/splunk-enterprise/rest-api-reference/search-endpoints"
    )

    index: str = "agents"
    user_field: str = "user"
    session_field: str = "session_id"
    agent_field: str = "agent"
    limit: int = 50_000  # rows a search
    page: int = 10_000  # rows an answer

    async def collect(
        self, client: Splunk, account: Account, window: Window
    ) -> AsyncIterator[Artifact]:
        """For each search the record of the job, then its rows. Events lag: pull again later."""
        for query in self._searches(account):
            async with jobs.search(client, query, window, self.limit) as job:
                yield _artifact(job, query, job.record, f"job of {query.field}={query.value}")
                async for first, page in jobs.pages(client, job, self.page):
                    name = f"events of {query.field}={query.value} from row {first}"
                    yield _artifact(job, query, page, name)

    def _searches(self, account: Account) -> Iterator[Search]:
        if account.email:
            yield Search(self.index, self.user_field, account.email)
        if account.session:
            yield Search(self.index, self.session_field, account.session)
        for agent in account.aliases:
            yield Search(self.index, self.agent_field, agent)


def _artifact(job: Job, query: Search, answer: Answer, name: str) -> Artifact:
    said = [f"{job.rows} rows", *job.complaints]
    if job.finalized:
        said.append("stopped by us before its end")
    if job.rows >= job.limit:
        said.append(f"cut at {job.limit} rows")
    return Artifact(
        name=name,
        body=answer.body,
        source=answer.source,
        query=str(query),
        request_id=job.sid,
        truncated=job.truncated,
        note="; ".join(said),
    )


COLLECTORS: tuple[type[Collector[Any]], ...] = (Trail,)
