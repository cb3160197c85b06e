"""kill -9 of the server: the old card still works, an acknowledged click is not lost."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

from sqlalchemy import update

from bot.tables import presses
from killswitch.model.case import CaseState
from killswitch.model.event import What
from tabletop.sims.slack import FakeSlack
from tests.bot.office import PLAYBOOK, of_view, world
from tests.bot.server import Server
from tests.drill import LEE, RIA


async def test_killed_at_the_gate_the_old_card_still_approves(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        async with Server(tmp_path / "home", slack) as server:
            case = await server.ask()
            card = await server.wait(lambda: server.card(case))
            before = texts(server, case)
            assert await server.end(signal.SIGKILL) == -signal.SIGKILL

            await server.start()
            await server.decide(LEE, card)
            assert (await server.settled(case)).state is CaseState.CONTAINED
            await server.wait(lambda: server.posts("Residual risk", case))
            after = texts(server, case)
            for text in ("Plan ·", "· gate `lead`"):
                assert count(after, text) == count(before, text) == 1, "posted once, and once only"


async def test_a_click_that_was_acknowledged_survives(tmp_path: Path) -> None:
    """As if it died between the acknowledgement and the API: the press is taken up again."""
    playbook = PLAYBOOK.replace("quorum: 1", "quorum: 2")
    with FakeSlack(world()) as slack:
        async with Server(tmp_path / "home", slack, playbook=playbook) as server:
            case = await server.ask()
            card = await server.wait(lambda: server.card(case))
            slack.fault("status", "users.info", status=503)  # it cannot be carried out yet
            await server.slack.click(LEE, card, "gate.review", label="Review")
            await server.wait(lambda: server.has_form(LEE, "decision"))
            sent = await slack.submit(
                LEE, {"decision": {"v": "approve"}, "reason": {"v": "agreed"}}
            )
            assert not sent.error
            forget_outcomes(server, "answer")
            await server.end(signal.SIGKILL)
            slack.heal()

            await server.start()
            await server.wait(lambda: server.case(case).gates["lead"].decisions)
            await server.decide(RIA, card)
            view = await server.settled(case)
            assert view.state is CaseState.CONTAINED
            assert [d["person"] for d in view.gates["lead"].decisions] == [LEE, RIA]
            assert not view.gates["lead"].turned_away


async def test_carried_out_but_not_noted_it_is_not_carried_out_twice(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        async with Server(tmp_path / "home", slack) as server:
            case = await server.ask()
            await server.wait(lambda: server.card(case))
            await server.end(signal.SIGKILL)
            forget_outcomes(server, "start")

            await server.start()
            await server.wait(lambda: not unfinished(server))
            assert [c.id for c in server.api.list()] == [case]
            entries = server.api.house.journal.entries(case=case)
            assert not [e for e in entries if e.what is What.JOINED]


def texts(server: Server, case: str) -> list[str]:
    return [of_view(m) for m in server.posts("", case)]


def count(found: list[str], text: str) -> int:
    return sum(text in t for t in found)


def forget_outcomes(server: Server, kind: str) -> None:
    """As if the process had died before it noted what came of those presses."""
    with server.api.house.store.begin() as tx:
        tx.execute(update(presses).where(presses.c.kind == kind).values(outcome=None))


def unfinished(server: Server) -> list[Any]:
    with server.api.house.store.read() as tx:
        return list(tx.execute(presses.select().where(presses.c.outcome.is_(None))))
