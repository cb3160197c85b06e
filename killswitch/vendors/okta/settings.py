"""What killswitch.yaml says of a connection to an Okta org."""

from __future__ import annotations

import ipaddress
from typing import ClassVar
from urllib.parse import urlsplit

from pydantic import SecretStr, field_validator, model_validator

from killswitch.model.vendor import Settings

# Everything that this package's actions and collectors may ask for, and no more.
SCOPES = (
    "okta.groups.read",
    "okta.logs.read",
    "okta.roles.read",
    "okta.users.manage",
    "okta.users.read",
)


class OktaSettings(Settings):
    """Either an API service app (``client_id``, ``private_key``) or an SSWS ``token``.

    ``private_key`` is PEM or a JWK as JSON, ``key_id`` the ``kid`` that Okta shows for it.
    ``scopes`` are asked for when a token is fetched: the app must have been granted every one.
    """

    client_id: str = ""
    private_key: SecretStr | None = None
    key_id: str = ""
    token: SecretStr | None = None
    scopes: tuple[str, ...] = SCOPES
    rate: float = 5.0  # an org shares its buckets with everybody: half of the smallest usual one

    default_url: ClassVar[str] = ""  # every org has its own

    @field_validator("url")
    @classmethod
    def _is_an_org(cls, url: str) -> str:
        """Refuse what the SDK's own check would, had its configuration not been bypassed."""
        parts = urlsplit(url.rstrip("/"))
        if parts.path or parts.query or parts.username or not parts.hostname:
            raise ValueError("the org's address is https://<org>.okta.com, without a path")
        if parts.scheme != "https" and not _loopback(parts.hostname):
            raise ValueError("the org's address must begin with https://")
        if "-admin." in parts.hostname:
            raise ValueError("this is the admin console; leave -admin out of the org's address")
        return parts.geturl()

    @model_validator(mode="after")
    def _has_one_credential(self) -> OktaSettings:
        if bool(self.token) == bool(self.client_id and self.private_key):
            raise ValueError("give either client_id and private_key, or token")
        return self


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
