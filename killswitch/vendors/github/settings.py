"""What killswitch.yaml says of a GitHub connection."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from killswitch.model.vendor import Settings


class AppKey(BaseModel):
    """A GitHub App of yours: enough to sign its JWT."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    app_id: int
    private_key: SecretStr


class GitHubSettings(Settings):
    """One organisation at github.com (``https://api.github.com``) or a server (``…/api/v3``).

    Either ``token`` or ``app_id``, ``private_key`` and ``installation_id``. An App is better:
    only an App may see fine-grained tokens, and it outlives the revocation of people's tokens.
    """

    default_url: ClassVar[str] = "https://api.github.com"

    organization: str
    enterprise: str = ""  # its slug, where SAML is set up at the enterprise
    token: SecretStr | None = None
    app_id: int | None = None
    private_key: SecretStr | None = None
    installation_id: int | None = None
    agents: dict[str, tuple[str, ...]] = Field(default_factory=dict)  # e-mail: its agents' bots
    label_prefix: str = "agent:"  # what labels on agents' pull requests begin with
    agent_apps: dict[str, AppKey] = Field(default_factory=dict)  # by slug: Apps we may suspend
    known_credentials: dict[str, SecretStr] = Field(default_factory=dict)  # leaked, by fingerprint

    @model_validator(mode="after")
    def _one_way_to_sign_in(self) -> GitHubSettings:
        app = (self.app_id, self.private_key, self.installation_id)
        if self.token is not None and any(app):
            raise ValueError("give a token or an App, not both")
        if self.token is None and not all(app):
            raise ValueError("give a token, or app_id, private_key and installation_id")
        return self
