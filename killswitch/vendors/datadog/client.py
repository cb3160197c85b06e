"""One Datadog organisation, over ``vendors/rest.py``.

Datadog names the seconds to wait after a 429 in ``X-RateLimit-Reset``, not in ``Retry-After``.
Its answers name no request id.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import SecretStr

from killswitch.model import vendor
from killswitch.model.vendor import Link
from killswitch.vendors.rest import Answer, Params, Rest


class Settings(vendor.Settings):
    """One Datadog organisation, at the API of its site: ``https://api.us3.datadoghq.com``."""

    default_url: ClassVar[str] = "https://api.datadoghq.com"

    url: str = "https://api.datadoghq.com"
    api_key: SecretStr  # of the organisation
    application_key: SecretStr  # of a service account, scoped to security_monitoring_signals_read
    app: str = "https://app.datadoghq.com"  # where people look; only written into alerts' links


class Datadog:
    """The client of one organisation. No I/O until the first request."""

    def __init__(self, settings: Settings, link: Link) -> None:
        self.settings = settings
        self.connection = link.connection
        self._rest = Rest(settings, link, self._keys, reset="x-ratelimit-reset")

    async def aclose(self) -> None:
        """Close the sockets."""
        await self._rest.aclose()

    async def get(self, path: str, params: Params | None = None) -> Answer:
        """Read one thing."""
        return await self._rest.get(path, params)

    async def post(self, path: str, body: Mapping[str, object]) -> Answer:
        """Search."""
        return await self._rest.post(path, body)

    async def _keys(self) -> Mapping[str, str]:
        return {
            "dd-api-key": self.settings.api_key.get_secret_value(),
            "dd-application-key": self.settings.application_key.get_secret_value(),
        }
