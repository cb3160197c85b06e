"""A drill cannot leave loopback, a live case cannot enter it, and no URL is read in two ways."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from killswitch.hosts import HostGuard, check_address
from killswitch.model.errors import Refused
from killswitch.model.plan import Mode

LOOPBACK = [
    "http://127.0.0.1:8001",
    "https://127.0.0.1",
    "http://127.8.9.10:1/path",
    "http://[::1]:8001",
    "http://[::ffff:127.0.0.1]:8001",
    "http://localhost:8001",
    "http://LOCALHOST:8001/",
]
LIVE = [
    "https://acme.okta.com",
    "https://api.github.com/",
    "https://github.corp.example:8443/api/v3",
    "https://10.1.2.3:8089",
    "https://[2001:db8::1]/",
]
NOWHERE = [
    ("http://acme.okta.com", "not encrypted"),
    ("https://169.254.169.254/latest/meta-data", "no vendor's address"),
    ("https://[fe80::1]", "no vendor's address"),
    ("https://0.0.0.0", "no vendor's address"),
    ("https://[::]", "no vendor's address"),
    ("https://224.0.0.1", "no vendor's address"),
    ("https://api.localhost", "loopback"),
    ("https://localhost.", "loopback"),
]
AMBIGUOUS = [
    "",
    "acme.okta.com",
    "//acme.okta.com",
    "ftp://acme.okta.com",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "https://",
    "https:///path",
    "https://acme.okta.com@evil.example",
    "https://acme.okta.com:pw@evil.example/",
    "https://@evil.example",
    "https://acme.okta.com\\@evil.example",
    "https://evil.example\\.okta.com",
    "https://acme.okta.com:",
    "https://acme.okta.com:0",
    "https://acme.okta.com:65536",
    "https://acme.okta.com:443443",
    "https://acme.okta.com:٤٤٣",
    "https://acme okta.com",
    " https://acme.okta.com",
    "https://acme.okta.com\n",
    "https://acme.okta.com/a b",
    "https://acme.okta.com/\r\nHost: evil.example",
    "https://acme.okta.com/\t",
    "https://acme.okta.com/ä",
    "https://аcme.okta.com",  # a Cyrillic a
    "https://acme.o\u212ata.com",  # the Kelvin sign, which lower() makes a k
    "https://acme.okta.com\u017f",
    "https://acme。okta。com",  # ideographic full stops
    "https://acme.okta.com／evil",
    "https://xn--cme-5cd.okta.com",
    "https://acme.xn--kta-jed.com",
    "https://acme%2eokta.com",
    "https://2130706433",
    "https://127.1",
    "https://0x7f.0.0.1",
    "https://0177.0.0.1",
    "https://127.0.0.1.",
    "https://[::1",
    "https://[1:2]",
    "https://[fe80::1%25eth0]",
]


@pytest.mark.parametrize("url", LOOPBACK)
def test_loopback_is_for_drills_only(url: str) -> None:
    check_address(Mode.DRILL, url)
    for mode in (Mode.LIVE, Mode.PLAN):
        with pytest.raises(Refused, match="loopback") as refused:
            check_address(mode, url)
        assert "mode: drill" in refused.value.hint


@pytest.mark.parametrize("url", LIVE)
def test_vendors_are_for_live_only(url: str) -> None:
    check_address(Mode.LIVE, url)
    check_address(Mode.PLAN, url)
    with pytest.raises(Refused, match="not loopback, and a drill reaches nothing else"):
        check_address(Mode.DRILL, url)


@pytest.mark.parametrize(("url", "why"), NOWHERE)
def test_neither_for_live_nor_for_drills(url: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        check_address(Mode.LIVE, url)
    if "localhost" not in url:
        with pytest.raises(Refused, match="not loopback"):
            check_address(Mode.DRILL, url)


@pytest.mark.parametrize("mode", [Mode.LIVE, Mode.DRILL])
@pytest.mark.parametrize("url", AMBIGUOUS)
def test_what_can_be_read_in_two_ways_is_refused(url: str, mode: Mode) -> None:
    with pytest.raises(Refused):
        check_address(mode, url)


def test_user_information_is_called_by_its_name() -> None:
    with pytest.raises(Refused, match="user information") as refused:
        check_address(Mode.LIVE, "https://jo:hunter2@acme.okta.com/")
    assert "hunter2" not in str(refused.value) + refused.value.hint


def test_a_homograph_is_called_by_its_name() -> None:
    with pytest.raises(Refused, match="internationalised"):
        check_address(Mode.LIVE, "https://xn--cme-5cd.okta.com")
    with pytest.raises(Refused, match=r"\\u0430cme") as refused:
        check_address(Mode.LIVE, "https://\u0430cme.okta.com")
    assert str(refused.value).isascii()


@pytest.mark.parametrize(
    "url",
    [
        "https://acme.okta.com",
        "https://acme.okta.com:443/api/v1/users?after=x&limit=1#top",
        "HTTPS://ACME.okta.com/api",
        "https://acme.okta.com/@jo",
        "https://acme.okta.com?email=jo@corp.example",
        "https://login.acme.example:8443/oauth",
    ],
)
def test_the_guard_lets_configured_hosts_pass(url: str) -> None:
    guard = HostGuard(
        Mode.LIVE, ["https://acme.okta.com/api/v1", "https://login.acme.example:8443"]
    )
    guard.allow(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/",
        "https://acme.okta.com.evil.example/",
        "https://sub.acme.okta.com/",
        "https://acme.okta.com./",
        "https://acme.okta.com:8443/",
        "https://login.acme.example/",
        "http://acme.okta.com/",
        "http://acme.okta.com:443/",
        "https://169.254.169.254/",
        "http://127.0.0.1:8001/",
        "https://acme.okta.com@evil.example/",
    ],
)
def test_the_guard_stops_every_other_host(url: str) -> None:
    guard = HostGuard(
        Mode.LIVE, ["https://acme.okta.com/api/v1", "https://login.acme.example:8443"]
    )
    with pytest.raises(Refused):
        guard.allow(url)


def test_the_guard_says_what_is_configured() -> None:
    guard = HostGuard(Mode.DRILL, ["http://127.0.0.1:8001", "http://[::1]:8002/x"])
    with pytest.raises(Refused) as refused:
        guard.allow("http://127.0.0.1:8003/x")
    assert refused.value.why == (
        "http://127.0.0.1:8003 is not a configured address "
        "(those are: http://127.0.0.1:8001, http://[::1]:8002)"
    )
    with pytest.raises(Refused, match="those are: none"):
        HostGuard(Mode.LIVE, []).allow("https://acme.okta.com")


@pytest.mark.parametrize(
    ("mode", "url"), [(Mode.DRILL, "https://acme.okta.com"), (Mode.LIVE, "http://127.0.0.1:1")]
)
def test_a_guard_for_the_other_mode_cannot_be_made(mode: Mode, url: str) -> None:
    with pytest.raises(Refused):
        HostGuard(mode, [url])


@given(st.text(max_size=40), st.text(max_size=10))
@example("x", "/api")
@example("x", ".evil.example")
def test_no_text_gets_past_the_guard(host: str, tail: str) -> None:
    guard = HostGuard(Mode.LIVE, ["https://acme.okta.com"])
    for url in (f"https://{host}{tail}", f"https://acme.okta.com{tail}", host + tail):
        try:
            guard.allow(url)
        except Refused:
            continue
        rest = url[len("https://acme.okta.com") :].removeprefix(":443")
        assert url.lower().startswith("https://acme.okta.com")
        assert rest == "" or rest[0] in "/?#"
