"""What ``quality.yaml`` promises, checked where a machine can.

``immutable-ids``, ``raw-evidence``, ``scopes-least``, ``exact-undo``, ``simulator-effects`` and
``spec-checked`` are held by the walks of actions, collectors, scopes and exchanges; here is what
can be asked of a client and of a page.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from killswitch.engine.connections import Connection
from killswitch.engine.pace import Pace
from killswitch.model.action import Action, Undo
from killswitch.model.errors import (
    Denied,
    KillswitchError,
    Missing,
    Refused,
    Transient,
    VendorError,
)
from killswitch.model.vendor import Vendor
from tests.contract.conftest import SetStage
from tests.contract.quality import RULES, exempt, promises
from tests.contract.walk import (
    AnyAction,
    CountingLink,
    Stage,
    apply,
    body_of,
    every_action,
    every_vendor,
    week,
)

AnyVendor = Vendor[Any]
DOCS = Path(__file__).parents[2] / "docs" / "vendors"
BODIES = [b"", b"<html>Proxy</html>", b'{"message": "ok", "error": {"message": "ok"}}']


# The file


@every_vendor
def test_every_rule_is_kept_or_excused_with_a_reason(vendor: AnyVendor) -> None:
    found = promises(vendor.name)
    assert tuple(found) == RULES
    for rule, promise in found.items():
        if promise != "done":
            assert list(promise) == ["exempt"], rule
            assert len(promise["exempt"].split()) > 1, f"{rule}: why?"


@every_vendor
def test_what_is_excused_is_not_there(vendor: AnyVendor) -> None:
    """An exemption that has become untrue goes."""
    probed = any(a.probe is not Action.probe for a in vendor.actions)
    assert probed != exempt(vendor.name, "probe")
    exact = any(a.undo_kind is Undo.EXACT for a in vendor.actions)
    assert exact != exempt(vendor.name, "exact-undo")
    assert bool(vendor.actions) != exempt(vendor.name, "simulator-effects")
    assert bool(vendor.actions) != exempt(vendor.name, "immutable-ids")
    for rule in ("sdk-retries-off", "host-guard", "timeouts", "errors-by-type", "docs"):
        assert not exempt(vendor.name, rule), f"{rule} has no exceptions"


# docs


@every_vendor
def test_the_page_names_everything_that_the_vendor_offers(vendor: AnyVendor) -> None:
    page = (DOCS / f"{vendor.name}.md").read_text()
    offered = [*vendor.actions, *vendor.collectors]
    wanted = {kind.name for kind in offered} | {s for kind in offered for s in kind.scopes}
    wanted |= vendor.alerts.scopes if vendor.alerts else set()
    assert {name for name in wanted if name not in page} == set()


# sdk-retries-off


@every_vendor
async def test_a_read_that_fails_is_one_request(vendor: AnyVendor, stage_of: SetStage) -> None:
    stage = stage_of(vendor.name)
    client = stage.connect()
    await vendor.whoami(client)
    asked = len(stage.sim.exchanges)
    stage.sim.fault("status", status=503)
    with pytest.raises(Transient):
        await vendor.whoami(client)
    assert len(stage.sim.record(asked)) == 1


@every_action
async def test_a_write_that_fails_is_not_sent_again(action: AnyAction, stage_of: SetStage) -> None:
    """The first request of an apply that writes answers 503: nothing follows it."""
    stage = stage_of(action.name)
    client = stage.connect()
    placed = await stage.placed(client, action)
    asked = len(stage.sim.exchanges)
    await apply(client, action, placed[:1])
    write = next(n for n, e in enumerate(stage.sim.record(asked)) if e.wrote)
    stage.renew()
    placed = await stage.placed(client, action)
    asked = len(stage.sim.exchanges)
    stage.sim.fault("status", skip=write, status=503)
    with pytest.raises(Transient) as caught:
        await apply(client, action, placed[:1])
    assert caught.value.sent, "its effect is unknown until it is read back"
    assert len(stage.sim.record(asked)) == write + 1


# host-guard


class Canary:
    """Somebody else's host, at 127.0.0.2, that counts who connects."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.2", 0))
        self.url = f"http://127.0.0.2:{self._socket.getsockname()[1]}"
        self.visits = 0
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                visitor, _ = self._socket.accept()
            except OSError:  # closed
                return
            self.visits += 1
            visitor.close()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@pytest.fixture
def canary() -> Iterator[Canary]:
    found = Canary()
    yield found
    found.close()


class OnlyHere(CountingLink):
    """A link that reaches 127.0.0.1 and no other address, loopback or not."""

    def allow(self, url: str) -> None:
        super().allow(url)
        if not url.startswith("http://127.0.0.1:"):
            raise Refused(f"{url} is not ours")


class Closed(CountingLink):
    """A link that reaches nothing."""

    def allow(self, url: str) -> None:
        self.asked.append(url)
        raise Refused("nothing is allowed")


def astray(app: ASGIApp, ours: str, theirs: str) -> ASGIApp:
    """The same answers, but every address in them is theirs, and so is the next page."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async def altered(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [
                    (name, value.replace(ours.encode(), theirs.encode()))
                    for name, value in message["headers"]
                    if name not in (b"content-length", b"link")
                ]
                link = f'<{theirs}{scope["path"]}?page=2>; rel="next"'.encode()
                message = {**message, "headers": [*kept, (b"link", link)]}
            elif "body" in message:
                body = message["body"].replace(ours.encode(), theirs.encode())
                message = {**message, "body": body}
            await send(message)

        await app(scope, receive, altered)

    return answer


@every_vendor
async def test_a_link_to_somebody_else_is_not_followed(
    vendor: AnyVendor, stage_of: SetStage, canary: Canary
) -> None:
    stage = stage_of(vendor.name)
    door = stage.doors[vendor.name]
    door.app = astray(door.app, stage.sim.url, canary.url)
    client = stage.connect(OnlyHere(vendor.name))
    for ask in _reads(stage, client):
        try:
            await ask()
        except KillswitchError:
            continue
    assert stage.sim.exchanges
    assert canary.visits == 0


# Not 303: botocore's headers make urllib3 fail on it, which then leaves its socket open.
@every_vendor
@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_to_somebody_else_is_refused(
    vendor: AnyVendor, status: int, stage_of: SetStage, canary: Canary
) -> None:
    stage = stage_of(vendor.name)
    client = stage.connect(OnlyHere(vendor.name))
    stage.sim.fault("status", status=status, headers={"Location": f"{canary.url}/"})
    with pytest.raises(KillswitchError):
        await vendor.whoami(client)
    assert canary.visits == 0


async def test_the_canary_counts(canary: Canary) -> None:
    with socket.create_connection(("127.0.0.2", int(canary.url.rpartition(":")[2]))):
        await asyncio.sleep(0.05)
    assert canary.visits == 1


@every_vendor
async def test_no_request_leaves_without_the_link(vendor: AnyVendor, stage_of: SetStage) -> None:
    stage = stage_of(vendor.name)
    link = Closed(vendor.name)
    client = stage.connect(link)
    with pytest.raises(Refused):
        await vendor.whoami(client)
    assert link.asked
    assert list(stage.sim.exchanges) == []


@every_vendor
async def test_every_request_is_allowed_and_takes_a_turn(
    vendor: AnyVendor, stage_of: SetStage
) -> None:
    stage = stage_of(vendor.name)
    link = CountingLink(vendor.name)
    client = stage.connect(link)
    for ask in _reads(stage, client):
        await ask()
    for kind in vendor.actions:
        await apply(client, kind(), (await stage.placed(client, kind()))[:1])
    sent = len(stage.sim.exchanges)
    assert sent > 3
    assert len(link.asked) >= sent
    assert link.turns == sent


def _reads(stage: Stage, client: Any) -> list[Any]:
    """Everything that reads, each as something to await."""
    vendor = stage.vendor

    async def collect(collector: Any) -> None:
        for account in await stage.accounts(client):
            async for artifact in collector.collect(client, account, week()):
                await body_of(artifact)

    async def locate(action: AnyAction) -> None:
        await stage.placed(client, action)

    async def alerts() -> None:
        found = [one async for one in vendor.alerts.recent(client, week())]
        await vendor.alerts.read(client, [one.id for one in found])

    return [
        lambda: vendor.whoami(client),
        lambda: vendor.check(client),
        lambda: stage.accounts(client),
        *([lambda: vendor.admins(client)] if vendor.admins else []),
        *(lambda k=k: collect(k()) for k in vendor.collectors),
        *(lambda k=k: locate(k()) for k in vendor.actions),
        *([alerts] if vendor.alerts else []),
    ]


# timeouts


@every_vendor
async def test_a_late_answer_is_not_waited_for(vendor: AnyVendor, stage_of: SetStage) -> None:
    stage = stage_of(vendor.name)
    client = stage.connect(timeout=0.4)
    await vendor.whoami(stage.connect())  # the SDK is imported on first use, which takes seconds
    stage.sim.fault("late", seconds=3.0)
    began = time.monotonic()
    with pytest.raises(Transient) as caught:
        await vendor.whoami(client)
    assert time.monotonic() - began < 2.0
    assert caught.value.sent


# errors-by-type

EXPECTED: list[tuple[int, type[VendorError]]] = [
    (401, Denied),
    (403, Denied),
    (404, Missing),
    (409, VendorError),
    (418, VendorError),
    (429, Transient),
    (500, Transient),
    (502, Transient),
    (503, Transient),
]


@every_vendor
@pytest.mark.parametrize(("status", "error"), EXPECTED)
async def test_a_status_is_an_error_whatever_the_text_says(
    vendor: AnyVendor, status: int, error: type[VendorError], stage_of: SetStage
) -> None:
    stage = stage_of(vendor.name)
    client = stage.connect()
    kinds = set()
    for body in BODIES:
        stage.sim.heal()
        stage.sim.fault("status", status=status, body=body.decode())
        with pytest.raises(error) as caught:
            await vendor.whoami(client)
        assert caught.value.operation, "it says what was asked"
        if isinstance(caught.value, Transient):
            assert caught.value.sent == (status >= 500)
        kinds.add(type(caught.value))
    assert len(kinds) == 1


@every_vendor
async def test_when_to_ask_again_is_passed_on(vendor: AnyVendor, stage_of: SetStage) -> None:
    stage = stage_of(vendor.name)
    client = stage.connect()
    stage.sim.fault("status", status=429, headers={"Retry-After": "7"})
    with pytest.raises(Transient) as caught:
        await vendor.whoami(client)
    assert caught.value.retry_after == pytest.approx(7.0, abs=1.0)


@every_vendor
async def test_a_connection_that_breaks_may_have_had_its_effect(
    vendor: AnyVendor, stage_of: SetStage
) -> None:
    stage = stage_of(vendor.name)
    client = stage.connect()
    await vendor.whoami(client)
    stage.sim.fault("drop")
    with pytest.raises(Transient) as caught:
        await vendor.whoami(client)
    assert caught.value.sent


@every_vendor
async def test_nobody_at_the_address_means_nothing_was_sent(
    vendor: AnyVendor, stage_of: SetStage
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"
    client = stage_of(vendor.name).connect(url=nobody)
    with pytest.raises(Transient) as caught:
        await vendor.whoami(client)
    assert not caught.value.sent


@every_vendor
@pytest.mark.parametrize("body", ["", "[]", "{}", "null", "<html/>", '{"data": 7}'])
async def test_a_success_that_makes_no_sense_is_an_error(
    vendor: AnyVendor, body: str, stage_of: SetStage
) -> None:
    """Status 200 and a body of another kind is no identity; what a client overlooks, the
    connection calls unexpected.
    """
    stage = stage_of(vendor.name)
    link = Pace(vendor.name, 1000, 1000, 8, lambda _: None)
    tenant = Connection(vendor.name, vendor, stage.sim.url, 0.0, link, stage.settings)
    await tenant.ourselves()
    stage.sim.fault("lie", status=200, body=body)
    with pytest.raises(VendorError):
        await tenant.call(lambda: vendor.whoami(tenant.client()))
    await tenant.aclose()
