"""What killswitch.yaml says of one AWS account."""

from __future__ import annotations

from typing import ClassVar, Self
from urllib.parse import urlsplit

from pydantic import SecretStr, model_validator

from killswitch.model.vendor import Settings


class AwsSettings(Settings):
    """One AWS account and how we sign in to it.

    Either an access key pair or the name of a profile in ``~/.aws/config``; with ``role_arn``,
    that role is then assumed. Nothing else is ever used: no environment variables, no default
    profile, no instance role.
    """

    default_url: ClassVar[str] = "https://iam.amazonaws.com"

    region: str = "us-east-1"
    access_key_id: str = ""
    secret_access_key: SecretStr = SecretStr("")
    session_token: SecretStr = SecretStr("")
    profile: str = ""
    role_arn: str = ""
    external_id: str = ""
    owner_tag: str = "owner"  # on users and roles; its value is the person's e-mail address
    trail_regions: tuple[str, ...] = ()  # where CloudTrail is searched; empty: ``region`` only
    lookup_rate: float = 2.0  # CloudTrail lookups a second in one region: the vendor's own limit

    @model_validator(mode="after")
    def _one_identity(self) -> Self:
        pair = bool(self.access_key_id), bool(self.secret_access_key.get_secret_value())
        if pair[0] != pair[1]:
            raise ValueError("access_key_id and secret_access_key belong together")
        if pair[0] == bool(self.profile):
            raise ValueError("give either an access key pair or a profile")
        return self

    @property
    def endpoint(self) -> str | None:
        """One address for every service, or None: AWS's own, one a service and region."""
        host = urlsplit(self.url).hostname or ""
        own = host.endswith((".amazonaws.com", ".amazonaws.com.cn"))
        return None if own else self.url

    @property
    def regions(self) -> tuple[str, ...]:
        """The regions in which CloudTrail is searched."""
        return self.trail_regions or (self.region,)

    @property
    def hosts(self) -> frozenset[str]:
        """Every host that this connection talks to; the link must allow each of them."""
        host = urlsplit(self.url).hostname or ""
        if self.endpoint:
            return frozenset({host})
        suffix = "amazonaws.com.cn" if host.endswith(".cn") else "amazonaws.com"
        trails = {f"cloudtrail.{region}.{suffix}" for region in self.regions}
        return frozenset({host, f"sts.{self.region}.{suffix}", *trails})
