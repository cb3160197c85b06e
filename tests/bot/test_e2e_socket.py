"""The whole kill by two people in Socket Mode: press, plan, approve, proof, restore, report."""

from __future__ import annotations

from pathlib import Path

from tabletop.sims.slack import FakeSlack
from tests.bot.office import buttons, of_view, world
from tests.bot.server import Server
from tests.bot.steps import whole_kill
from tests.drill import DANA, LEE


async def test_a_full_kill_by_two_people(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        async with Server(tmp_path / "home", slack) as server:
            case = await whole_kill(server)
            headline = server.posts("Asked by", case)[0]
            assert "Abort" not in buttons(headline)
            dm = await server.wait(lambda: slack.dm(LEE))
            assert all(buttons(m) == [] for m in dm), "nothing is left to press"
            told = "\n".join(of_view(m) for m in slack.dm(DANA))
            assert "gate lead is approved" in told
    for secret in slack.secrets():
        assert secret not in server.log
