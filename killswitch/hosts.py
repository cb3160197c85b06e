"""Which hosts a process may reach: a drill stays on loopback, a live case never goes there.

Every address in killswitch.yaml and every single request passes here, redirects and links that
a vendor returns included. What can be read in two ways is refused, not interpreted.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

from killswitch.model.errors import Refused
from killswitch.model.plan import Mode

_PORTS = {"http": 80, "https": 443}
# No user info, no spaces, no backslashes, no control characters, no letters outside ASCII.
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
    r"(?:[/?#][!-\[\]-~]*)?",
    re.IGNORECASE | re.ASCII,  # else the Kelvin sign would pass for a k
)
# What some resolvers read as an IPv4 address although it is not written as one: 127.1, 0x7f.0.0.1
_NUMBERS = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+))*\.?")


@dataclass(frozen=True)
class Origin:
    """Scheme, host and port of a URL: where a request goes."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Origin:
        """The origin of an http or https URL. Raises Refused where it can be read in two ways."""
        shown = url[:200].encode("unicode_escape").decode()
        if "@" in re.split(r"[/?#]", url.partition("://")[2], maxsplit=1)[0]:
            raise Refused("a URL with user information in it", hint="leave out what is before @")
        found = _URL.fullmatch(url)
        if not found:
            raise Refused(
                f"{shown!r} is no plain http(s) URL",
                hint="ASCII only, no spaces and no backslashes: https://host/path",
            )
        scheme, host = found["scheme"].lower(), found["host"].lower().strip("[]")
        port = int(found["port"] or _PORTS[scheme])
        if not 0 < port < 65536:
            raise Refused(f"{port} is no port")
        if any(label.startswith("xn--") for label in host.split(".")):
            raise Refused(
                f"{host} is an internationalised name: it may look like another",
                hint="configure the vendor's ASCII name",
            )
        return cls(scheme, host, port)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}"


def loopback(url: str) -> bool:
    """Whether the URL is one of this machine. False for what is no URL."""
    try:
        host = Origin.of(url).host
        ip = _ip(host)
    except Refused:
        return False
    return ip.is_loopback if ip else host == "localhost"


def check_address(mode: Mode, url: str) -> None:
    """Refuse an address that does not belong in the mode.

    Drill: loopback only. Live (and plan): https only, never loopback, link-local or 0.0.0.0.
    Raises Refused with what to change.
    """
    origin = Origin.of(url)
    ip = _ip(origin.host)
    loopback = ip.is_loopback if ip else origin.host == "localhost"
    if mode is Mode.DRILL:
        if not loopback:
            raise Refused(
                f"{origin} is not loopback, and a drill reaches nothing else",
                hint="use 127.0.0.1, or `mode: live` in a killswitch.yaml of its own",
            )
        return
    if loopback or f".{origin.host.rstrip('.')}".endswith(".localhost"):
        raise Refused(
            f"{origin} is loopback: in live mode it would contain a simulation",
            hint="use the vendor's address, or `mode: drill`",
        )
    if ip and (ip.is_link_local or ip.is_unspecified or ip.is_multicast):
        raise Refused(f"{origin} is no vendor's address")
    if origin.scheme != "https":
        raise Refused(f"{origin} is not encrypted", hint="use https://")


@dataclass(frozen=True)
class HostGuard:
    """The origins that one connection may reach."""

    origins: frozenset[Origin]

    def __init__(self, mode: Mode, urls: Iterable[str]) -> None:
        urls = tuple(urls)
        for url in urls:
            check_address(mode, url)
        object.__setattr__(self, "origins", frozenset(Origin.of(url) for url in urls))

    def allow(self, url: str) -> None:
        """Return if scheme, host and port are those of a configured address; else raise Refused."""
        origin = Origin.of(url)
        if origin not in self.origins:
            known = ", ".join(sorted(map(str, self.origins))) or "none"
            raise Refused(
                f"{origin} is not a configured address (those are: {known})",
                hint="a redirect or link to another host is not followed",
            )


def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that the host is, if it is one. Raises Refused for half-written ones."""
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        if _NUMBERS.fullmatch(host) or ":" in host:
            raise Refused(f"{host} is no IP address as one is written") from None
        return None
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        return ip.ipv4_mapped
    return ip
