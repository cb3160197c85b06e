from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from killswitch.model.errors import Missing, Refused
from killswitch.model.subject import Account
from killswitch.vendors.github.client import GitHubClient
from killswitch.vendors.github.installations import SuspendInstallation, Suspension
from tabletop.sims.github import GitHub
from tabletop.sims.run import Simulators
from tests.vendors.github.steps import contained, located, reads

SUSPEND = SuspendInstallation()


async def app_of(github: GitHubClient, jo: Account, app: str) -> Any:
    (found,) = [t for t in await located(SUSPEND, github, jo) if t.app == app]
    return found


async def test_an_app_of_ours_is_suspended_by_its_own_key(
    sims: Simulators, sim: GitHub, github: GitHubClient, jo: Account
) -> None:
    target = await app_of(github, jo, "claude-jo")
    assert target.manual == ""
    await contained(SUSPEND, github, target)
    tries = [a for a in await sims.truth("jo@corp.example") if "of claude-jo" in a.what]
    assert tries
    assert all("suspended" in a.detail and not a.allowed for a in tries)


async def test_lifting_it_brings_back_exactly_what_was(
    sim: GitHub, github: GitHubClient, jo: Account
) -> None:
    before = copy.deepcopy(sim.state)
    target = await app_of(github, jo, "claude-jo")
    found = await contained(SUSPEND, github, target)
    await SUSPEND.undo(github, target, found)
    await SUSPEND.undo(github, target, found)
    await reads(SUSPEND, github, target, found)
    assert sim.state == before


async def test_suspended_before_stays_suspended(
    sim: GitHub, github: GitHubClient, jo: Account
) -> None:
    target = await app_of(github, jo, "claude-jo")
    await contained(SUSPEND, github, target)
    found = await contained(SUSPEND, github, target)
    assert (found, SUSPEND.impact(target, found)) == (Suspension(True), "")
    await SUSPEND.undo(github, target, found)
    assert await SUSPEND.capture(github, target) == Suspension(True)


async def test_a_third_partys_app_is_for_a_person_to_suspend(
    sim: GitHub, github: GitHubClient, jo: Account
) -> None:
    target = await app_of(github, jo, "codex-jo")
    assert f"/organizations/acme/settings/installations/{target.id}" in target.manual
    with pytest.raises(Refused):
        await SUSPEND.apply(github, target, Suspension(False))
    # Once somebody has, we see it.
    sim.installation(int(target.id))["suspended_at"] = "2026-11-21T09:00:00Z"
    assert await SUSPEND.capture(github, target) == Suspension(True)


async def test_our_own_app_is_never_a_target(github: GitHubClient, jo: Account) -> None:
    ourselves = replace(jo, aliases=(*jo.aliases, "acme-killswitch[bot]"))
    found = await located(SUSPEND, github, ourselves)
    assert {t.app for t in found} == {"claude-jo", "codex-jo"}


async def test_uninstalled(sim: GitHub, github: GitHubClient, jo: Account) -> None:
    target = await app_of(github, jo, "claude-jo")
    sim.state["installations"].remove(sim.installation(int(target.id)))
    with pytest.raises(Missing):
        await SUSPEND.capture(github, target)
