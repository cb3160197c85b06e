"""A confined process reaches this machine alone: by any call, any SDK, with the first guard off."""

from __future__ import annotations

import socket
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from killswitch import catalogue
from killswitch.cli.engine_process import confine
from killswitch.config import load
from killswitch.loopback import NotLoopback, only_loopback
from killswitch.model.errors import KillswitchError
from tabletop.home import prepare
from tabletop.sims.run import SIMS, Simulators
from tabletop.sims.world import World
from tests.confined import confined

SAYS = "is not loopback"
STANDARD = (socket.AF_INET, socket.SOCK_DGRAM)  # connecting it sends nothing

HERE = ["127.0.0.1", "127.8.9.10", "localhost", "LOCALHOST", "::1", "::ffff:127.0.0.1"]
ELSEWHERE = [
    "192.0.2.1",
    "10.0.0.1",
    "169.254.169.254",
    "0.0.0.0",  # the kernel would take it for this machine
    "255.255.255.255",
    "2001:db8::1",
    "::",
    "fe80::1%lo",
    "::ffff:192.0.2.1",
]
NAMES = [
    "evil.example",
    "localhost.evil.example",
    "localhost.",
    "api.localhost",
    "127.0.0.1.evil.example",
    "127.1",
    "2130706433",
    "0x7f.0.0.1",
    "metadata.google.internal",
]


def outcome(call: Any) -> str:
    """``refused`` by the fence, else ``went``, whatever came of it."""
    try:
        call()
    except NotLoopback as error:
        return "refused" if SAYS in str(error) else f"refused without a reason: {error}"
    except OSError:
        return "went"
    return "went"


def each_call(hosts: list[str]) -> dict[tuple[str, str], str]:
    """Every way in which Python reaches a host, for every host."""
    found = {}
    for host in hosts:
        v6 = ":" in host
        udp = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM)
        tcp = socket.socket(udp.family, socket.SOCK_STREAM)
        tcp.setblocking(False)
        to = (host, 9)
        calls = {
            "connect": lambda s=tcp, a=to: s.connect(a),
            "connect_ex": lambda s=tcp, a=to: s.connect_ex(a),
            "udp connect": lambda s=udp, a=to: s.connect(a),
            "sendto": lambda s=udp, a=to: s.sendto(b"", a),
            "sendmsg": lambda s=udp, a=to: s.sendmsg([b""], [], 0, a),
            "getaddrinfo": lambda h=host: socket.getaddrinfo(h, 9),
            "create_connection": lambda a=to: socket.create_connection(a, timeout=0.2),
            "gethostbyname": lambda h=host: socket.gethostbyname(h),
            "gethostbyname_ex": lambda h=host: socket.gethostbyname_ex(h),
            "gethostbyaddr": lambda h=host: socket.gethostbyaddr(h),
            "getnameinfo": lambda a=to: socket.getnameinfo(a, socket.NI_NUMERICHOST),
        }
        found |= {(how, host): outcome(call) for how, call in calls.items()}
        udp.close()
        tcp.close()
    return found


def test_every_call_to_loopback_goes_and_every_other_is_refused() -> None:
    here, elsewhere = confined(each_call, HERE), confined(each_call, ELSEWHERE)
    assert set(here.value.values()) == {"went"}
    assert set(elsewhere.value.values()) == {"refused"}


def looked_up(names: list[str]) -> set[str]:
    calls = [socket.getaddrinfo, socket.gethostbyname_ex, socket.gethostbyaddr]
    ways = [
        *[lambda n, c=call: c(n, 80) if c is socket.getaddrinfo else c(n) for call in calls],
        lambda n: socket.getaddrinfo(n.encode(), 80),
        lambda n: socket.create_connection((n, 80), timeout=0.2),
    ]
    return {outcome(lambda w=way, n=name: w(n)) for way in ways for name in names}


def test_a_name_is_refused_before_a_resolver_is_asked() -> None:
    assert confined(looked_up, NAMES).value == {"refused"}
    assert confined(looked_up, ["localhost"]).value == {"went"}


def unix_and_odd(path: str) -> list[str]:
    with socket.socket(socket.AF_UNIX) as door, socket.socket(socket.AF_UNIX) as guest:
        door.bind(path)
        door.listen()
        guest.connect(path)
        said = [outcome(lambda: guest.sendmsg([b"x"])), outcome(socket.getfqdn)]
    said.append(outcome(lambda: socket.getaddrinfo(None, 80)))
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
        said.append(outcome(lambda: kernel.connect((0, 0))))
    return said


def test_unix_sockets_go_and_families_that_nobody_needs_do_not(tmp_path: Path) -> None:
    done = confined(unix_and_odd, str(tmp_path / "s"))
    assert done.value == ["went", "went", "went", "refused"]


def twice() -> tuple[str, str]:
    only_loopback(beside="evil.example")
    return outcome(lambda: socket.getaddrinfo("evil.example", 80)), outcome(
        lambda: socket.socket(*STANDARD).connect(("192.0.2.1", 9))
    )


def test_the_fence_is_not_moved_afterwards() -> None:
    assert confined(twice).value == ("refused", "refused")


def with_slack() -> dict[str, str]:
    """A resolver stands in for the real one: it knows two names."""
    known = {"files.slack.example": "198.51.100.7", "slack.example": "198.51.100.8"}
    asked = socket.getaddrinfo  # what the fence has put there

    def lookup(name: str) -> str:
        return outcome(lambda: asked(name, 443))

    def connect(address: str) -> str:
        with socket.socket(*STANDARD) as udp:
            return outcome(lambda: udp.connect((address, 9)))

    first = connect(known["files.slack.example"])
    return {
        "before it was looked up": first,
        "below": lookup("files.slack.example"),
        "its address": connect(known["files.slack.example"]),
        "the name itself, in capitals": lookup("SLACK.example"),
        "an address of nobody": connect("198.51.100.9"),
        "another name": lookup("evil.example"),
        "a name that ends alike": lookup("notslack.example"),
        "a name above": lookup("slack.example.evil.example"),
    }


def with_a_resolver() -> dict[str, str]:
    """As the process of a drill in a real Slack is set up, over a resolver of our own."""
    known = {"files.slack.example": "198.51.100.7", "slack.example": "198.51.100.8"}
    real = socket.getaddrinfo

    def resolver(host: str, port: int, *args: Any, **options: Any) -> Any:
        if host.lower() in known:
            return [(*STANDARD, 0, "", (known[host.lower()], port))]
        return real(host, port, *args, **options)

    socket.getaddrinfo = resolver
    only_loopback(beside="slack.example")
    return with_slack()


def test_a_real_slack_is_the_one_host_outside() -> None:
    assert confined(with_a_resolver, fence=False).value == {
        "before it was looked up": "refused",
        "below": "went",
        "its address": "went",
        "the name itself, in capitals": "went",
        "an address of nobody": "refused",
        "another name": "refused",
        "a name that ends alike": "refused",
        "a name above": "refused",
    }


# -- who is confined -----------------------------------------------------------------------------


def as_configured(file: str) -> str:
    confine(load(Path(file)))
    return outcome(lambda: socket.socket(*STANDARD).connect(("192.0.2.1", 9)))


def test_a_drill_is_confined_and_a_live_process_is_not(tmp_path: Path) -> None:
    drill, _ = prepare(tmp_path / "drill", World.named("small"), vendors=["okta"])
    live = tmp_path / "killswitch.yaml"
    live.write_text("mode: live\n")
    assert confined(as_configured, str(drill), fence=False).value == "refused"
    assert confined(as_configured, str(live), fence=False).value == "went"


# -- every SDK, with the first guard off ---------------------------------------------------------


class OpenLink:
    """A link that allows everything: the host guard, broken."""

    def __init__(self, connection: str) -> None:
        self.connection = connection

    @asynccontextmanager
    async def turn(self) -> Any:
        yield

    def allow(self, url: str) -> None:
        """Nothing is refused here."""


def told(error: BaseException | None) -> str:
    """What an error says, with everything that it came of."""
    says = []
    while error is not None:
        says.append(f"{type(error).__name__}: {error}")
        causes = getattr(error, "exceptions", ())
        says += [told(cause) for cause in causes]
        error = error.__cause__ or error.__context__
    return " <- ".join(says)


async def every_sdk(homes: dict[str, dict[str, Any]], elsewhere: str) -> dict[str, str]:
    """Ask every vendor at an address elsewhere who we are; what each says of it."""
    said = {}
    for name, settings in homes.items():
        vendor = catalogue.vendor(name)
        client = vendor.connect(
            vendor.settings(**{**settings, "url": elsewhere}),
            OpenLink(name),
        )
        try:
            await vendor.whoami(client)
            said[name] = "answered"
        except KillswitchError as error:
            said[name] = told(error)
        finally:
            await client.aclose()
    try:
        await AsyncWebClient(token="xoxb-FAKE", base_url=f"{elsewhere}/api/").auth_test()
        said["slack"] = "answered"
    except (OSError, aiohttp.ClientError) as error:
        said["slack"] = told(error)
    try:
        async with httpx.AsyncClient() as http:
            await http.get(elsewhere)
    except httpx.ConnectError as error:
        said["httpx"] = told(error)
    return said


@pytest.mark.parametrize("elsewhere", ["https://evil.example", "https://192.0.2.1"])
def test_every_sdk_is_stopped_where_the_first_guard_does_not(elsewhere: str) -> None:
    sims = Simulators(World.named("small"), SIMS)
    sims._ports = dict.fromkeys(SIMS, 9)
    sims.assign()
    homes = {vendor: sims[vendor].settings() for vendor in SIMS}
    done = confined(every_sdk, homes, elsewhere)
    assert set(done.value) == {*catalogue.VENDORS, "slack", "httpx"}
    for name, says in done.value.items():
        assert SAYS in says, (name, says)
    assert done.hosts == {elsewhere.removeprefix("https://")}
