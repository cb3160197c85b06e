"""A drill in Slack: personas press a simulated one's buttons, or people answer in their own."""

from __future__ import annotations

import asyncio

import pytest

from tabletop import exercise, scenario
from tabletop.exercise import Options, staged
from tabletop.hands import AtTheTerminal, InSlack
from tabletop.sims.slack import FakeSlack
from tabletop.sims.world import World
from tests.tabletop.test_exercise import QUICK

pytestmark = pytest.mark.slow_drills


async def test_personas_press_the_buttons_that_the_bot_posted(tmp_path):
    record = await exercise.run(scenario.load(QUICK), Options(folder=tmp_path, slack=True))
    assert (record.verdict, record.score) == ("ready", 100)
    assert {a["door"] for a in record.approvals if a["counted"]} == {"slack"}


async def test_people_answer_in_their_own_slack_and_personas_play_the_others(tmp_path):
    """The workspace stands beside the drill; its settings come from outside the scenario."""
    with FakeSlack(World.named("small")) as slack:
        settings = {k: v for k, v in slack.settings().items() if k != "domain"}
        wanted = Options(
            folder=tmp_path,
            play=frozenset({"eng-lead", "second-lead"}),
            people=True,
            slack_settings=settings,
        )
        async with staged(scenario.load(QUICK), wanted) as drill:
            playing = asyncio.create_task(drill.play())
            hands = InSlack(slack, AtTheTerminal(drill.api, drill.config))
            await slack.wait_for(lambda: hands._card("lee@corp.example", "K-1", "lead"), 60)
            for gate, email in (("lead", "lee"), ("dual", "lee"), ("dual", "ria")):
                await hands.decide(f"{email}@corp.example", "K-1", gate, "approve", "looked at it")
            record = await asyncio.wait_for(playing, 100)
    assert record.mode == "drill"
    assert record.verdict == "ready"
    doors = {(a["person"], a["door"]) for a in record.approvals if a["counted"]}
    assert doors == {("lee@corp.example", "slack"), ("ria@corp.example", "slack")}
    assert {p.role: p.by for p in record.people}["eng-lead"] == "person"
