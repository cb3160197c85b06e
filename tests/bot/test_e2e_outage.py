"""Slack is down from the plan to containment, and comes back: the case never waited for it."""

from __future__ import annotations

from pathlib import Path

from killswitch.model.case import CaseState
from tabletop.sims.slack import FakeSlack
from tests.bot.office import buttons, of_view, world
from tests.bot.server import Server
from tests.bot.steps import decided
from tests.drill import LEE, person


async def test_down_from_plan_to_containment_and_back(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        async with Server(tmp_path / "home", slack) as server:
            case = await server.ask()
            await server.wait(lambda: server.card(case))
            slack.stop()

            shown = server.case(case).gates["lead"]
            await server.api.answer(
                case, "lead", "approve", person(LEE), reason="by terminal", digest=shown.digest
            )
            view = await server.settled(case)
            assert view.state is CaseState.CONTAINED
            await server.closed(case)

            slack.start()
            await slack.connected(seconds=40)
            await server.wait(lambda: server.posts("Proof", case), 60)
            card = await server.wait(lambda: decided(server, case), 30)
            assert "via cli" in of_view(card)
            progress = await server.wait(lambda: server.posts("Progress ·", case))
            assert len(progress) == 1, "stale progress is not posted"
            assert "✓ Contained" in of_view(progress[0])
            assert all(not buttons(c) for c in server.posts("Gate approved", case))
            await server.wait(lambda: len(slack.files()) >= 2, 30)
