"""One Elasticsearch cluster, over ``vendors/rest.py``.

Plain ``application/json`` is understood by clusters 8 and 9 alike. Elasticsearch names no request
id of its own; Elastic Cloud puts ``x-cloud-request-id`` on its answers.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field, SecretStr

from killswitch.model import vendor
from killswitch.model.vendor import Link
from killswitch.vendors.rest import Answer, Params, Rest

# An incomplete search fails instead of answering with what it has.
WHOLE: Params = {"allow_partial_search_results": "false"}


class Settings(vendor.Settings):
    """One Elasticsearch cluster: its own address, not Kibana's."""

    api_key: SecretStr  # the `encoded` form, as Kibana shows it
    space: str = Field(default="default", pattern=r"^[a-z0-9_-]+$")  # Kibana's, by its id


class Elastic:
    """The client of one cluster. No I/O until the first request."""

    def __init__(self, settings: Settings, link: Link) -> None:
        self.settings = settings
        self.connection = link.connection
        self._rest = Rest(settings, link, self._key, request_id="x-cloud-request-id")

    @property
    def index(self) -> str:
        """Where Kibana keeps the alerts of the space."""
        return f".alerts-security.alerts-{self.settings.space}"

    async def aclose(self) -> None:
        """Close the sockets."""
        await self._rest.aclose()

    async def get(self, path: str) -> Answer:
        """Read one thing."""
        return await self._rest.get(path)

    async def ask(self, path: str, body: Mapping[str, object]) -> Answer:
        """Ask with a body; nothing is changed by it."""
        return await self._rest.post(path, body)

    async def search(self, body: Mapping[str, object], *, index: str = "") -> Answer:
        """One search, in an index or in the point in time that the body names.

        Raises Unexpected where the answer is not the whole one: a 200 can be.
        """
        path = f"/{index}/_search" if index else "/_search"
        answer = await self._rest.post(path, body, WHOLE)
        match answer.data:
            case {"timed_out": False, "_shards": {"failed": 0}, "hits": {"hits": list()}}:
                return answer
        raise answer.odd("a search that was cut short, or none at all")

    async def open_view(self, keep: str) -> str:
        """A point in time of the alerts: what comes later is not seen through it."""
        answer = await self._rest.post(f"/{self.index}/_pit", None, {"keep_alive": keep})
        return view_of(answer, "id")

    async def close_view(self, view: str) -> None:
        """Give it back before its time is up."""
        await self._rest.send("DELETE", "/_pit", body={"id": view})

    async def _key(self) -> Mapping[str, str]:
        return {"authorization": f"ApiKey {self.settings.api_key.get_secret_value()}"}


def view_of(answer: Answer, name: str) -> str:
    """The id of a point in time. Raises Unexpected if there is none."""
    view = answer.data.get(name)
    if not isinstance(view, str) or not view:
        raise answer.odd("no point in time")
    return view
