"""A kill from press to report, as two people play it in Slack; used with both of its modes."""

from __future__ import annotations

from killswitch.model.case import CaseState
from killswitch.model.playbook import Assurance
from tests.bot.office import buttons, of_view
from tests.bot.server import Server
from tests.drill import DANA, JO, LEE, RIA


async def whole_kill(server: Server) -> str:
    """Ask, look at the plan, approve, see the proof, restore, get the report; the case's id."""
    slack = server.slack
    case = await server.ask(DANA, JO)
    card = await server.wait(lambda: server.card(case))
    plan = of_view(server.posts("Who is hit", case)[0])
    assert "okta.user.suspend" in plan
    assert "claude.api_keys.deactivate" in plan
    assert server.wrote() == [], "nothing is changed before people approve"

    members = slack.channel(server.channel(case))["members"]
    assert slack.user(JO) not in members
    assert {slack.user(p) for p in (DANA, LEE, RIA)} <= set(members)
    sent = await server.decide(LEE, card, reason="seen the plan")
    assert not sent.errors
    view = await server.settled(case)
    assert view.state is CaseState.CONTAINED
    (decision,) = view.gates["lead"].decisions
    assert (decision["person"], decision["assurance"], decision["door"]) == (
        LEE, Assurance.SLACK, "slack",
    )  # fmt: skip

    proof = (await server.wait(lambda: server.posts("Proof", case)))[0]
    assert "read back 2 times" in of_view(proof)
    await server.wait(lambda: server.posts("Residual risk", case))
    card = await server.wait(lambda: decided(server, case))
    assert buttons(card) == []

    await server.closed(case)
    await server.wait(lambda: len(slack.files()) >= 2)
    await restore(server, case, proof)
    assert "DRILL" in of_view(proof)
    return case


def decided(server: Server, case: str, gate: str = "lead") -> dict[str, object] | None:
    """The gate's card once it shows its outcome."""
    card = server.card(case, gate)
    return card if card and "approved" in of_view(card) and not buttons(card) else None


async def restore(server: Server, case: str, proof: dict[str, object]) -> None:
    """Give access back through the form, approved by somebody else."""
    slack = server.slack
    await slack.click(DANA, proof, "case.restore")
    await server.wait(lambda: server.has_form(DANA, "cause"))
    await slack.submit(DANA, {"cause": {"v": ["fixed"]}, "reason": {"v": "the key was rotated"}})
    gate = await server.wait(lambda: server.card(case, "restore-1/lead"))
    await server.decide(RIA, gate)
    await server.wait(lambda: server.case(case).state is CaseState.RESTORED, 40)
    await server.wait(lambda: server.posts("Restore 1: restored", case))
