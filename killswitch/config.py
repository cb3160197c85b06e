"""killswitch.yaml, typed: connections, roles, protected people, policy.

Nothing secret is in it and nothing secret is read with it: ``settings`` follows the references
of one connection when that connection is made. ``example.yaml`` beside this file shows every key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from killswitch import catalogue, hosts, references, strictyaml, typed
from killswitch.hosts import Origin
from killswitch.model.errors import Invalid, Refused
from killswitch.model.plan import Mode
from killswitch.model.vendor import Settings
from killswitch.strictyaml import Document, Where
from killswitch.written import Alerts, Slack, Source, Written

_SHORTEST = 32  # characters of a secret that whoever finds the address could try


@dataclass(frozen=True)
class Config:
    """The configuration in force. A ``playbooks.Policy``, too."""

    document: Document
    written: Written

    @property
    def file(self) -> Path:
        """Where it was read from."""
        return Path(self.document.file)

    @property
    def mode(self) -> Mode:
        """Live or drill."""
        return Mode(self.written.mode)

    @property
    def state(self) -> Path:
        """The directory for the database, the vault and the reports."""
        return self.path(self.written.state)

    @property
    def signing_key(self) -> Path:
        """The Ed25519 key that seals and heads are signed with."""
        return self.path(self.written.signing_key or self.written.state / "signing-key.pem")

    @property
    def playbooks(self) -> Path | None:
        """The directory of one's own playbooks, if there is one."""
        return self.path(self.written.playbooks) if self.written.playbooks else None

    @property
    def role_names(self) -> frozenset[str]:
        """The roles that somebody is in."""
        return frozenset(role for role, members in self.written.roles.items() if members)

    @property
    def irreversible_single_approver(self) -> bool:
        """Whether one person may approve what cannot be undone."""
        return self.written.policy.irreversible_single_approver

    @property
    def connections(self) -> dict[str, str]:
        """Each connection's vendor."""
        return {name: made.vendor for name, made in self.written.connections.items()}

    def path(self, path: Path) -> Path:
        """A path in the file, relative to the directory that the file is in."""
        return self.file.parent / path.expanduser()

    def settings(self, connection: str) -> Settings:
        """The connection's settings with its secrets, which are read now.

        Raises Invalid when a secret is missing, or in a file that others may read; KeyError for
        an unknown connection.
        """
        settings, errors = _settings(self, connection, self._follow)
        if settings is None:
            raise errors[0]
        return settings

    def plain_settings(self, connection: str) -> Settings:
        """The same with ``-`` for every secret: for its address and its pace. Reads no secret."""
        settings, errors = _settings(self, connection, _blank)
        if settings is None:
            raise errors[0]
        return settings

    def addresses(self, connection: str) -> tuple[str, ...]:
        """Every address that the connection is configured to reach."""
        return _addresses(self.plain_settings(connection))

    def guard(self, connection: str) -> hosts.HostGuard:
        """The guard that every request of the connection passes."""
        return hosts.HostGuard(self.mode, self.addresses(connection))

    def slack(self) -> Slack | None:
        """The bot's settings with its secrets, which are read now; None without ``slack:``.

        Raises Invalid when a secret is missing, or in a file that others may read.
        """
        if self.written.slack is None:
            return None
        found = references.places(Slack, self.document.data["slack"], ("slack",))
        secrets = {str(at[-1]): SecretStr(self._follow(at, reference)) for at, reference in found}
        return self.written.slack.model_copy(update=secrets)

    def alert_secrets(self, source: str) -> tuple[str, ...]:
        """The secrets of one source of alerts, which are read now.

        Raises Invalid when one is missing, short, or in a file that others may read.
        """
        at: Where = ("alerts", "sources", source, "secrets")
        data = self.document.data["alerts"]["sources"][source].get("secrets", ())
        found = [self._follow((*at, n), reference) for n, reference in enumerate(data)]
        for number, secret in enumerate(found):
            if len(secret) < _SHORTEST:
                why = f"the secret has fewer than {_SHORTEST} characters"
                raise self.document.invalid((*at, number), why, "openssl rand -hex 32")
        return tuple(found)

    def _follow(self, where: Where, reference: dict[str, str]) -> str:
        return references.follow(reference, where, self.document, self.mode)


def load(file: Path) -> Config:
    """The configuration in that file. Raises Invalid with its first error."""
    config, errors = lint(file)
    if config is None:
        raise errors[0]
    return config


def lint(file: Path) -> tuple[Config | None, tuple[Invalid, ...]]:
    """The configuration, or everything that is wrong with it, by line."""
    try:
        document = strictyaml.read(file)
    except Invalid as error:
        return None, (error,)
    written, errors = typed.validate(Written, _without_secrets(document.data), document)
    if written is None:
        return None, tuple(sorted(errors, key=lambda error: error.line))
    config = Config(document, written)
    checks = (_connections, _groups, _tsa, _drill, _slack, _alerts)
    errors = [error for check in checks for error in check(config)]
    if errors:
        return None, tuple(sorted(errors, key=lambda error: error.line))
    return config, ()


def example() -> str:
    """The commented killswitch.yaml that ``agent-kill init`` writes."""
    return resources.files("killswitch").joinpath("example.yaml").read_text(encoding="utf-8")


def _connections(config: Config) -> Iterator[Invalid]:
    for name, made in config.written.connections.items():
        at: Where = ("connections", name)
        if made.vendor not in catalogue.VENDORS:
            guess = typed.did_you_mean(made.vendor, catalogue.VENDORS)
            yield config.document.invalid(
                (*at, "vendor"),
                f"unknown vendor {made.vendor[:60]!r}{guess}",
                f"one of {', '.join(catalogue.VENDORS)}",
            )
            continue
        kind = catalogue.vendor(made.vendor).settings
        found = references.places(kind, made.model_extra, at)
        wrong = [
            error
            for where, reference in found
            if (error := references.check(reference, where, config.document, config.mode))
        ]
        if wrong:
            yield from wrong
            continue
        settings, errors = _settings(config, name, _blank)
        yield from errors
        if settings:
            yield from _address(config, (*at, "url"), settings.url)


def _blank(where: Where, reference: Any) -> str:
    """Stands for a secret where only the rest is looked at."""
    del where, reference
    return "-"


def _address(config: Config, where: Where, url: str, mode: Mode | None = None) -> Iterator[Invalid]:
    try:
        hosts.check_address(mode or config.mode, url)
    except Refused as error:
        yield config.document.invalid(where, error.why, error.hint or "another address")


def _groups(config: Config) -> Iterator[Invalid]:
    """Groups in roles and in the protected list are of a connection that has groups."""
    written = config.written
    named: list[tuple[Where, str]] = [
        (("roles", role, number), member)
        for role, members in written.roles.items()
        for number, member in enumerate(members)
        if "@" not in member
    ]
    named += [
        (("protected", "groups", n), group) for n, group in enumerate(written.protected.groups)
    ]
    for where, group in named:
        connection = group.partition(":")[0]
        made = written.connections.get(connection)
        if made is None:
            guess = typed.did_you_mean(connection, written.connections)
            why = f"there is no connection {connection!r}{guess}"
            known = ", ".join(written.connections) or "none is configured"
            yield config.document.invalid(where, why, f"connection:group, connections: {known}")
        elif made.vendor in catalogue.VENDORS and not catalogue.vendor(made.vendor).members:
            yield config.document.invalid(
                where, f"{made.vendor} has no groups", "a group of the identity provider"
            )


def _tsa(config: Config) -> Iterator[Invalid]:
    if config.written.tsa is not None:
        yield from _address(config, ("tsa",), config.written.tsa)


def _drill(config: Config) -> Iterator[Invalid]:
    if config.written.drill and config.mode is not Mode.DRILL:
        yield config.document.invalid(
            ("drill",), "drill: in live mode", "mode: drill, or no drill:"
        )


def _without_secrets(data: Any) -> Any:
    """The same with ``-`` for what stands at a secret's place: it is a reference."""
    if not isinstance(data, dict):
        return data
    for key, kind in (("slack", Slack), ("alerts", Alerts)):
        part = data.get(key)
        for where, _ in list(references.places(kind, part)) if isinstance(part, dict) else ():
            part = _replaced(part, where, "-")
        data = {**data, key: part} if key in data else data
    return data


def _slack(config: Config) -> Iterator[Invalid]:
    slack, document = config.written.slack, config.document
    if slack is None:
        return
    for where, reference in references.places(Slack, document.data["slack"], ("slack",)):
        if error := references.check(reference, where, document, config.mode):
            yield error
    needed = "app_token" if slack.mode == "socket" else "signing_secret"
    if getattr(slack, needed) is None:
        why = f"slack in mode {slack.mode} lacks {needed!r}"
        yield document.invalid(("slack",), why, f"the key {needed!r}")
    if not config.written.company.domains:
        why = "slack without the company's domains"
        yield document.invalid(("slack",), why, "company: {domains: [corp.example]}")
    url = slack.api_base_url  # a drill may be held in the real Slack, too
    mode = config.mode if hosts.loopback(url) else Mode.LIVE
    yield from _address(config, ("slack", "api_base_url"), url, mode)


def _alerts(config: Config) -> Iterator[Invalid]:
    alerts, document, written = config.written.alerts, config.document, config.written
    if alerts is None:
        return
    for where, reference in references.places(Alerts, document.data["alerts"], ("alerts",)):
        if error := references.check(reference, where, document, config.mode):
            yield error
    if alerts.requester not in written.roles.get("secops", ()):
        why = f"{alerts.requester} does not hold the role secops by its own address"
        yield document.invalid(("alerts", "requester"), why, "an address under roles: secops:")
    if not written.company.domains:
        why = "alerts without the company's domains"
        yield document.invalid(("alerts",), why, "company: {domains: [corp.example]}")
    if alerts.people_per_hour >= written.policy.kills_per_hour:
        why = "alerts could use up every kill of an hour, and leave none to people"
        expected = f"fewer than policy.kills_per_hour, {written.policy.kills_per_hour}"
        yield document.invalid(("alerts", "people_per_hour"), why, expected)
    if alerts.keep < timedelta(days=1):
        why = "alerts would be gone before anybody could look at them"
        yield document.invalid(("alerts", "keep"), why, "1d or more")
    for name, source in alerts.sources.items():
        yield from _source(config, name, source)


def _source(config: Config, name: str, source: Source) -> Iterator[Invalid]:
    """One sender: secrets as its way asks for, and a connection that can read alerts."""
    at, document = ("alerts", "sources", name), config.document
    if source.auth == "none" and source.secrets:
        why = "with auth: none nothing is sent, so there is no secret"
        yield document.invalid((*at, "secrets"), why, "no secrets, or another auth")
    if source.auth != "none" and not source.secrets:
        why = f"auth: {source.auth} without secrets: nobody could show who it is"
        yield document.invalid(at, why, "secrets: [{file: secrets/alerts}]")
    if source.auth == "none" and source.connection is None:
        why = "with auth: none nothing is sent, and without a connection nothing is asked for"
        yield document.invalid((*at, "auth"), why, "connection: the name of one")
    if not timedelta(seconds=5) <= source.poll <= timedelta(hours=1):
        yield document.invalid((*at, "poll"), "poll is out of range", "5s to 1h")
    if source.connection is None:
        return
    made = config.written.connections.get(source.connection)
    if made is None:
        guess = typed.did_you_mean(source.connection, config.written.connections)
        why = f"there is no connection {source.connection!r}{guess}"
        yield document.invalid((*at, "connection"), why, "one of connections:")
    elif made.vendor in catalogue.VENDORS and catalogue.vendor(made.vendor).alerts is None:
        why = f"alerts cannot be read at {made.vendor}"
        yield document.invalid((*at, "connection"), why, "a connection of a SIEM")


def _settings(
    config: Config, connection: str, secret: Callable[[Where, Any], str]
) -> tuple[Settings | None, list[Invalid]]:
    """The settings, with what ``secret`` makes of each reference, or what is wrong."""
    made = config.written.connections[connection]
    kind = catalogue.vendor(made.vendor).settings
    data = dict(made.model_extra or {})
    if kind.default_url:
        data.setdefault("url", kind.default_url)
    at: Where = ("connections", connection)
    for where, reference in list(references.places(kind, data)):
        data = _replaced(data, where, secret((*at, *where), reference))
    settings, errors = typed.validate(kind, data, config.document, at)
    if settings is None:
        return None, errors
    paths = {key: config.path(value) for key, value in settings if isinstance(value, Path)}
    return settings.model_copy(update=paths), []


def _addresses(settings: Settings) -> tuple[str, ...]:
    """The connection's address and, where the vendor has several hosts, theirs."""
    also = getattr(settings, "hosts", ())  # AWS: one host a service and region
    known = Origin.of(settings.url).host
    return (settings.url, *(f"https://{host}" for host in sorted(also) if host != known))


def _replaced(data: Any, where: Where, value: Any) -> Any:
    """A copy of the data with another value at that place."""
    if not where:
        return value
    first, rest = where[0], where[1:]
    if isinstance(data, list):
        return [_replaced(v, rest, value) if i == first else v for i, v in enumerate(data)]
    return {k: _replaced(v, rest, value) if k == first else v for k, v in data.items()}
