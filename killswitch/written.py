"""What killswitch.yaml may say, typed. What it means together is checked by ``config.py``."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from killswitch.model.errors import SubjectNotFound
from killswitch.model.playbook import Duration, Name
from killswitch.model.subject import Kind, Subject


def _email(value: Any) -> Any:
    """A person's e-mail address, in lower case."""
    try:
        return Subject.parse(f"{Kind.PERSON}:{value}").name
    except SubjectNotFound as error:
        raise ValueError("an e-mail address: jo@corp.example") from error


def _member(value: Any) -> Any:
    return _email(value) if isinstance(value, str) and "@" in value else value


Email = Annotated[str, BeforeValidator(_email)]
Group = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,62}:\S.{0,199}$")]  # connection:group
Member = Annotated[str, BeforeValidator(_member), Field(pattern=r"^(\S+@\S+|[a-z][a-z0-9-]*:.+)$")]
SlackUser = Annotated[str, Field(pattern=r"^[UW][A-Z0-9]{2,}$")]
Domain = Annotated[str, Field(pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)+$")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Company(_Model):
    """The company's own mail domains."""

    domains: tuple[Domain, ...] = ()


class People(_Model):
    """How people are known on this machine: by login, and by the key that they sign with."""

    os_logins: dict[str, Email] = Field(default_factory=dict)
    allowed_signers: Path | None = None  # ssh-keygen's file of that name


class ProtectedList(_Model):
    """Who is never killed without changing this file."""

    people: tuple[Email, ...] = ()
    groups: tuple[Group, ...] = ()


class Guards(_Model):
    """The guards that a playbook may not widen."""

    kills_per_hour: int = Field(5, ge=1)
    irreversible_single_approver: bool = False
    min_admins: int = Field(2, ge=1)


class Witness(_Model):
    """Where signed heads of the journal go: a file that this host can only append to."""

    file: Path


class Drill(_Model):
    """What a drill is held in, and how long it watches instead of the playbook's hours.

    ``clock``: the file that says how far the drill's clock is ahead of the machine's.
    """

    world: Path
    clock: Path | None = None
    watch_for: Duration | None = None
    watch_every: Duration | None = None


class Slack(_Model):
    """The bot: one Slack app in one workspace. ``people``: Slack's user ids of our people."""

    mode: Literal["socket", "http"] = "socket"
    api_base_url: str = Field("https://slack.com/api/", pattern="/$")
    app_id: str = Field(pattern=r"^A[A-Z0-9]{2,}$")
    team_id: str = Field(pattern=r"^T[A-Z0-9]{2,}$")
    enterprise_id: str = Field("", pattern=r"^(E[A-Z0-9]{2,})?$")
    bot_token: SecretStr
    app_token: SecretStr | None = None
    signing_secret: SecretStr | None = None
    people: dict[SlackUser, Email] = Field(default_factory=dict)
    channel_prefix: str = Field("kill", pattern=r"^[a-z0-9][a-z0-9-]{0,20}$")
    index_channel: str = Field("", pattern=r"^([CG][A-Z0-9]{2,})?$")


class Source(_Model):
    """One sender of alerts, and how it shows who it is. Two secrets may be valid at once.

    ``connection``: where its alerts are read again, and asked for every ``poll``. ``auth: none``:
    it sends nothing, and is only asked.
    """

    auth: Literal["hmac", "header", "path", "none"]
    header: str = Field("x-killswitch-token", pattern=r"^[A-Za-z0-9-]{1,60}$")
    secrets: tuple[SecretStr, ...] = Field((), max_length=2)
    connection: Name | None = None
    poll: Duration = timedelta(seconds=60)
    link_hosts: tuple[Domain, ...] = ()
    people_per_hour: int = Field(3, ge=1)

    @property
    def confirmed(self) -> bool:
        """Whether what its alerts say is known to be its word: read again, or signed."""
        return self.connection is not None or self.auth == "hmac"


class Alerts(_Model):
    """Alerts in. ``requester``: the service identity that their cases are opened by."""

    requester: Email
    triggers: Path | None = None
    people_per_hour: int = Field(3, ge=1)
    automatic: bool = False
    keep: Duration = timedelta(days=90)
    sources: dict[Name, Source]


class Connection(BaseModel):
    """One vendor tenant. What else stands there is the vendor's ``Settings``."""

    model_config = ConfigDict(extra="allow", frozen=True)

    vendor: str


class Written(_Model):
    """The file as it is written. Paths are relative to the file's own directory."""

    mode: Literal["live", "drill"] = "live"
    state: Path = Path("state")
    company: Company = Company()
    roles: dict[Name, tuple[Member, ...]] = Field(default_factory=dict)
    people: People = People()
    protected: ProtectedList = ProtectedList()
    policy: Guards = Guards()
    connections: dict[Name, Connection] = Field(default_factory=dict)
    witness: Witness | None = None
    signing_key: Path | None = None
    tsa: str | None = None
    playbooks: Path | None = None
    drill: Drill | None = None
    slack: Slack | None = None
    alerts: Alerts | None = None
