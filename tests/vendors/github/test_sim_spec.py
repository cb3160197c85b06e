"""Every exchange of a whole kill, held to GitHub's own document (Enterprise Cloud)."""

from __future__ import annotations

from dataclasses import replace

from killswitch.model.action import Undo
from killswitch.model.subject import Account, Subject
from killswitch.vendors.github.client import GitHubClient
from killswitch.vendors.github.vendor import VENDOR
from tabletop.sims.base import Exchange
from tabletop.sims.github import GitHub
from tabletop.sims.github_base import API
from tests.contract import spec
from tests.vendors.github.test_evidence import week

spec.require("github-ghec")


def as_github_serves_it(exchange: Exchange) -> Exchange:
    return replace(exchange, path=exchange.path.removeprefix(API))


async def test_a_whole_kill(sim: GitHub, github: GitHubClient, jo: Account) -> None:
    (leak,) = await VENDOR.resolve(github, Subject.parse("credential:leaked-jo"))
    await VENDOR.whoami(github)
    await VENDOR.check(github)
    assert VENDOR.admins
    await VENDOR.admins(github)
    for collector in VENDOR.collectors:
        async for _ in collector().collect(github, jo, week()):
            pass
    for kind in VENDOR.actions:
        action = kind()
        for account in (jo, leak):
            if account is leak and action.name != "github.token.revoke":
                continue
            async for target in action.locate(github, account):
                before = await action.capture(github, target)
                if target.manual:
                    continue
                await action.apply(github, target, before)
                await action.probe(github, target)
                if action.undo_kind is not Undo.NONE:
                    await action.undo(github, target, before)
    exchanges = [as_github_serves_it(e) for e in sim.record()]
    assert len(exchanges) > 100
    assert spec.violations("github-ghec", exchanges) == []  # excuses: tests/contract/allowed.py


async def test_an_answer_that_strays_is_seen(sim: GitHub, github: GitHubClient) -> None:
    await github.get("/orgs/acme")
    (exchange,) = [as_github_serves_it(e) for e in sim.record() if e.path.endswith("/orgs/acme")]
    bent = replace(exchange, response_body=b'{"login": 7}')
    assert spec.violations("github-ghec", [bent])
