"""A case that only collects disturbs nobody: no channel, no messages, a line when it has ended."""

from __future__ import annotations

from pathlib import Path

from killswitch.model.plan import Mode
from tabletop.sims.slack import FakeSlack
from tests.bot.office import Office, of_view, world
from tests.drill import DANA, JO, LEE


async def test_one_line_at_the_end_and_nothing_else(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        index = slack.add_channel("security-index", members=["kim"])
        async with Office.of(tmp_path, slack, bot={"index_channel": index}) as office:
            case = await office.drill.start(mode=Mode.EVIDENCE)
            await office.drill.closed(case)
            line = await office.wait(lambda: slack.messages("security-index"))
            await office.wait(lambda: office.parts.notifier.drained)
            text = of_view(line[0])
            assert "Evidence only" in text
            assert "DRILL" in text
            assert JO not in text
            assert len(slack.messages("security-index")) == 1
            assert office.channel(case) == ""
            assert slack.calls("conversations.create") == []
            assert [slack.dm(person) for person in (DANA, LEE)] == [[], []]

            await slack.slash(DANA, f"status {case}")
            await office.wait(lambda: office.shows(DANA, "Evidence was wanted, and nothing else"))
            assert office.shows(DANA, f"evidence: {len(office.case(case).items)} items")
            assert "contained" not in of_view(slack.view(DANA)), "nothing was to be"
