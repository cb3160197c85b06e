"""A case that a trigger opened: nobody reads the requester's address."""

from __future__ import annotations

from pathlib import Path

from killswitch import playbooks
from killswitch.api import Person
from killswitch.model.playbook import Assurance
from tabletop.sims.slack import FakeSlack
from tests.bot.office import Office, of_view, world
from tests.drill import JO, LEE

SERVICE = "svc-alerts@corp.example"
TRIGGER = Person(SERVICE, Assurance.SERVICE, "alert:splunk")


async def test_an_alarm_goes_to_those_who_are_asked(tmp_path: Path) -> None:
    roles = {"secops": ["okta:secops", SERVICE]}
    with FakeSlack(world()) as slack:
        async with Office.of(tmp_path, slack, roles=roles) as office:
            drill = office.drill
            book = playbooks.load("agent-kill", policy=drill.config)
            request = drill.request(playbook=book, by=SERVICE)
            case = (await drill.api.start(request, TRIGGER)).case
            await office.wait(lambda: office.card(case))
            slack.fault("status", "conversations.kick", status=403)
            await slack.join(JO, office.channel(case), by=LEE)
            await drill.approve(case, LEE)
            await office.wait(lambda: [m for m in slack.dm(LEE) if "held back" in of_view(m)])
            slack.heal()
            await drill.settled(case)
