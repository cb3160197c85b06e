"""One Google SecOps instance, over ``vendors/rest.py``: the Chronicle API v1alpha.

No SDK: ``secops`` repeats POSTs by itself, has no setting for the address, and brings 111 MB.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, SecretStr

from killswitch.model import vendor
from killswitch.model.errors import Denied
from killswitch.model.vendor import Link
from killswitch.vendors.google_secops.token import Key, Tokens
from killswitch.vendors.rest import Answer, Params, Rest

GOOGLES = "https://oauth2.googleapis.com/token"
_UUID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"


class Settings(vendor.Settings):
    """One instance, at the address of its region: ``https://eu-chronicle.googleapis.com``."""

    project: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.:-]{2,62}$")]  # of Google Cloud
    region: Annotated[str, Field(pattern=r"^[a-z0-9-]{2,40}$")]  # such as eu, as in the address
    instance: Annotated[str, Field(pattern=_UUID)]  # the customer ID
    service_account: SecretStr  # the JSON key of a service account
    token_url: str = ""  # where a token is asked for; empty: at Google, or at whatever stands in
    oauth_scope: str = "https://www.googleapis.com/auth/chronicle.readonly"

    @property
    def token_endpoint(self) -> str:
        """``token_url``; without one Google's own, or that of the simulator that is the address."""
        own = (urlsplit(self.url).hostname or "").endswith(".googleapis.com")
        return self.token_url or (GOOGLES if own else f"{self.url.rstrip('/')}/token")

    @property
    def hosts(self) -> frozenset[str]:
        """Every host that this connection talks to; the link must allow each of them."""
        return frozenset(urlsplit(url).hostname or "" for url in (self.url, self.token_endpoint))

    @property
    def parent(self) -> str:
        """The instance's resource name."""
        return f"projects/{self.project}/locations/{self.region}/instances/{self.instance}"


class SecOps:
    """The client of one instance. No I/O until the first request."""

    def __init__(self, settings: Settings, link: Link) -> None:
        self.settings = settings
        self.connection = link.connection
        self._tokens = Tokens(
            settings.token_endpoint,
            settings.service_account,
            settings.oauth_scope,
            settings.timeout,
            link,
        )
        self._rest = Rest(settings, link, self._headers)

    async def aclose(self) -> None:
        """Close the sockets."""
        await self._rest.aclose()

    @property
    def key(self) -> Key:
        """Our service account's key. Raises Denied if it is none."""
        return self._tokens.key

    async def get(self, method: str = "", params: Params | None = None) -> Answer:
        """Read the instance, or what a method such as ``legacy:legacyGetAlert`` tells of it."""
        path = f"/v1alpha/{self.settings.parent}" + (f"/{method}" if method else "")
        try:
            return await self._rest.get(path, params)
        except Denied:
            self._tokens.forget()  # it may have been taken back before its time
            raise

    async def _headers(self) -> Mapping[str, str]:
        return {"authorization": f"Bearer {await self._tokens.token()}"}
