"""The subject is an approver and joins the channel: kept out, told nothing, decides nothing."""

from __future__ import annotations

from pathlib import Path

from killswitch.model.case import CaseState
from killswitch.model.event import What
from tabletop.sims.slack import FakeSlack
from tests.bot.office import of_view, world
from tests.bot.server import Server
from tests.drill import JO, LEE


async def test_the_subject_is_an_approver_and_in_the_channel(tmp_path: Path) -> None:
    roles = {"eng-leads": [JO, LEE, "okta:eng-leads"], "secops": ["okta:secops", JO]}
    with FakeSlack(world()) as slack:
        async with Server(tmp_path / "home", slack, roles=roles) as server:
            case = await server.ask()
            card = await server.wait(lambda: server.card(case))
            channel = server.channel(case)
            assert slack.user(JO) not in slack.channel(channel)["members"]
            assert JO not in of_view(card).split("May decide:")[1]

            await slack.join(JO, channel, by=LEE)
            await slack.join("claude-code-jo", channel, by=LEE)
            agent = slack.user("claude-code-jo")
            await server.wait(
                lambda: not {slack.user(JO), agent} & set(slack.channel(channel)["members"])
            )

            await slack.slash(JO, f"approve {case} lead")
            await server.wait(lambda: server.shows(JO, "not yours to see"))
            assert not server.has_form(JO, "decision")

            await server.decide(LEE, card)
            view = await server.settled(case)
            assert view.state is CaseState.CONTAINED
            assert [d["person"] for d in view.gates["lead"].decisions] == [LEE]
            assert not [m for m in slack.dm(JO) if case in of_view(m)], (
                "the subject is told nothing"
            )
            turned = [e for e in server.api.house.journal.entries(case=case)
                      if e.what is What.DECIDED and e.data["person"] == JO]  # fmt: skip
            assert not turned


async def test_details_wait_while_the_subject_cannot_be_removed(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        async with Server(tmp_path / "home", slack) as server:
            case = await server.ask()
            card = await server.wait(lambda: server.card(case))
            channel = server.channel(case)
            slack.fault("status", "conversations.kick", status=403)
            await slack.join(JO, channel, by=LEE)
            posted = len(slack.messages(channel))

            await server.decide(LEE, card)
            assert (await server.settled(case)).state is CaseState.CONTAINED
            await server.wait(
                lambda: [m for m in slack.dm("dana") if "held back" in of_view(m)], 20
            )
            assert not server.posts("Proof", case), "no details while the subject reads along"
            assert len(slack.messages(channel)) == posted

            slack.heal()
            await server.wait(lambda: server.posts("Proof", case), 30)
            assert slack.user(JO) not in slack.channel(channel)["members"]
