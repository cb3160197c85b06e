"""Everything is delivered twice, at once and one after the other: each is carried out once."""

from __future__ import annotations

from pathlib import Path

import pytest

from killswitch.model.case import CaseState
from killswitch.model.event import What
from tabletop.sims.slack import FakeSlack
from tests.bot.office import of_view, world
from tests.bot.server import Server
from tests.drill import LEE


@pytest.mark.parametrize("at_once", [False, True], ids=["one after the other", "at once"])
async def test_everything_is_delivered_twice(tmp_path: Path, at_once: bool) -> None:
    with FakeSlack(world()) as slack:
        async with Server(tmp_path / "home", slack) as server:
            slack.twist(times=None, of="all", copies=2, at_once=at_once)
            case = await server.ask()
            card = await server.wait(lambda: server.card(case))
            await server.decide(LEE, card)
            view = await server.settled(case)
            assert view.state is CaseState.CONTAINED
            await server.wait(lambda: server.posts("Residual risk", case))

            assert [c.id for c in server.api.list()] == [case]
            entries = server.api.house.journal.entries(case=case)
            whats = [e.what for e in entries]
            assert whats.count(What.DECIDED) == 1
            assert What.TURNED_AWAY not in whats
            assert What.JOINED not in whats
            for text in ("Plan ·", "Proof", "Residual risk", "· gate `lead`"):
                found = [m for m in server.posts(text, case) if text in of_view(m)]
                assert len(found) == 1, text
            assert all(len(p.acks) == 2 for p in slack.presses() if p.kind != "events_api")
            assert not [p for p in slack.presses() if p.error]


async def test_a_replayed_request_is_refused(tmp_path: Path) -> None:
    with FakeSlack(world(), mode="http") as slack:
        async with Server(tmp_path / "home", slack) as server:
            slack.request_url = f"http://127.0.0.1:{server.port}/slack/events"
            case = await server.ask()
            replayed = await slack.replay()
            assert replayed.status == 409
            assert [c.id for c in server.api.list()] == [case]
