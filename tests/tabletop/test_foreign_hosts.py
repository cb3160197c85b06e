"""Vendors that lead to foreign hosts: no SDK follows, and each step says honestly how it is.

What leads away: redirects of every kind, next pages, and every address in a body or header. It
leads to a name, to an address elsewhere, and to a server of somebody else on this machine, which
the process could reach and must not.
"""

from __future__ import annotations

import json
from pathlib import Path

from killswitch.model.case import CaseState
from tabletop.sims.slack import FakeSlack
from tabletop.sims.world import World
from tests.bot.office import settings
from tests.confined import confined
from tests.drill import Drill
from tests.tabletop import foreign
from tests.tabletop.foreign import ASKED

HERE = {"127.0.0.1"}


def test_no_sdk_follows_a_redirect_to_another_host() -> None:
    done = confined(foreign.redirected)
    assert done.value["visits"] == []
    assert {vendor for vendor, _ in done.value["ends"]} == set(ASKED)
    assert {end for _, end in done.value["ends"]} <= {"Unexpected", "Transient"}
    assert done.hosts == HERE
    assert {port for _, port in done.tried} == done.value["ports"]


def test_no_sdk_follows_a_next_page_to_another_host() -> None:
    done = confined(foreign.next_pages)
    assert done.value["visits"] == []
    assert dict(done.value["ends"]) == {
        "okta": "Unexpected",
        "github": "Refused",
        "claude": "Unexpected",  # the address goes back as a parameter, and the page comes twice
        "aws": "Unexpected",
        "splunk": "Missing",
    }
    assert done.hosts == HERE
    assert {port for _, port in done.tried} == done.value["ports"]


def test_a_drill_whose_vendors_give_only_foreign_addresses_reaches_none(tmp_path: Path) -> None:
    done = confined(foreign.all_addresses_elsewhere, str(tmp_path))
    assert done.value["named"] >= {"okta", "github"}, "the others give no addresses"
    assert done.value["visits"] == []
    assert done.hosts == HERE
    assert {port for _, port in done.tried} == done.value["ports"]
    assert done.value["state"] == CaseState.CONTAINED, "nothing of it was needed"
    assert done.value["suspended"]


def test_a_drill_that_is_led_astray_ends_in_honest_states(tmp_path: Path) -> None:
    done = confined(foreign.led_astray, str(tmp_path))
    assert done.value["visits"] == []
    assert done.hosts == HERE
    assert {port for _, port in done.tried} == done.value["ports"]
    assert done.value["state"] == CaseState.PARTIAL
    states: dict[str, set[str]] = {}
    for (action, _), state in done.value["changes"].items():
        states.setdefault(action, set()).add(state)
    assert states == {
        "okta.user.suspend": {"failed"},
        "claude.api_keys.deactivate": {"failed"},
        "github.agent_pulls.hold": {"failed"},
        "aws.user.deny_all": {"contained"},  # who behaves is not disturbed by who does not
        "aws.access_keys.deactivate": {"contained"},
    }
    assert not done.value["suspended"], "and it does not say that they are"
    gaps = done.value["gaps"]
    assert "links to a next page elsewhere" in gaps["okta.system_log"]
    assert "evil.example is not a configured address" in gaps["github.pushes"]
    assert "splunk.trail" in gaps


# One vendor whose SDK follows next pages, one change; nothing that takes time.
LEAN = """
playbook: lean
version: 1
summary: One collector that reads pages, one change.
subject: person
gates: {lead: {approvers: eng-leads, quorum: 1, timeout: 10m, on_timeout: deny}}
evidence: {window: 7d, deadline: 10s, collect: [github.pushes]}
layers:
  identity: {gate: lead, deadline: 10s, keep_trying: 2s, steps: [okta.user.suspend]}
watch: {for: 0s, every: 1s}
"""


async def test_a_serving_engine_is_stopped_where_the_first_guard_is_not(tmp_path: Path) -> None:
    """`agent-kill serve`, its host guard broken; GitHub and Slack lead away."""
    evil, number = foreign.FAR
    home = tmp_path / "home"
    with FakeSlack(World.named("small")) as slack:
        drill = Drill.of(home, vendors=("okta", "github"), slack=settings(slack))
        link = {"link": f'<{evil}/activity?page=2>; rel="next"'}
        drill.sims["github"].fault("garble", "GET .*/activity", headers=link, body="[]")
        door = json.dumps({"ok": True, "url": "ws://evil.example/link"})
        slack.fault("garble", "apps.connections.open", body=door)
        slack.fault("status", "users.lookup", status=307, headers={"Location": f"{number}/api"})
        drill.sims.start()
        engine = foreign.start_it(drill.file)
        try:
            case = await drill.start(playbook=LEAN)
            await drill.approve(case)
            view = await drill.closed(case)
        finally:
            engine.terminate()
            engine.join(20)
            await drill.house.connections.aclose()
            drill.house.store.close()
            drill.sims.stop()
    assert set((home / "tried").read_text().split()) == HERE | {"evil.example", "192.0.2.1"}
    (gap,) = view.gaps
    assert "evil.example is not loopback" in gap["why"]
    assert view.state == CaseState.CONTAINED
    assert drill.okta_user()["status"] == "SUSPENDED"
