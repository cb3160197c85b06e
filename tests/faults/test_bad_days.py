"""Vendors on a bad day: every answer that goes wrong comes to an honest state, and no crash.

One company, one person for each fault: their cases run side by side, as in a real storm, so that
one that goes wrong would be seen in the others.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any

import pytest

from killswitch.engine import settle
from killswitch.model.case import CaseState, ChangeState
from killswitch.model.event import What
from tabletop.sims.world import Agent, Person, World
from tests.drill import JO, Drill, recipe

DONE = ChangeState.CONTAINED


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks again after hundredths of seconds; how often stays as it is."""
    monkeypatch.setattr(settle, "_LOOK_WAIT", 0.02)


@dataclass(frozen=True, eq=False)
class Bad:
    """What goes wrong at Okta for one person, and what must come of it.

    ``{}`` in the path stands for the person's id. ``off``: whether they are suspended then.
    """

    name: str
    faults: tuple[tuple[str, str, dict[str, Any]], ...]
    state: ChangeState
    says: str = ""
    off: bool = True
    writes: int = 1

    @property
    def email(self) -> str:
        return f"{self.name}@corp.example"


SUSPEND, READ = "POST /api/v1/users/{}/lifecycle/suspend", "GET /api/v1/users/{}$"


def on_suspend(kind: str, **how: Any) -> tuple[tuple[str, str, dict[str, Any]], ...]:
    return ((kind, SUSPEND, how),)


GONE = json.dumps({"errorCode": "E0000007", "errorSummary": "Not found: Resource not found"})
BAD_DAYS = [
    Bad("s401", on_suspend("status", status=401, body="{}"), ChangeState.FAILED, "401", False, 0),
    Bad("s403", on_suspend("status", status=403, headers={
        "www-authenticate": 'DPoP error="insufficient_scope", scope="okta.users.manage"'}),
        ChangeState.FAILED, "our credential lacks okta.users.manage", False, 0),
    Bad("s404", on_suspend("status", status=404, body=GONE), ChangeState.FAILED, "404", False, 0),
    Bad("s409", on_suspend("status", status=409), ChangeState.FAILED, "409", False, 0),
    Bad("s429once", on_suspend("status", status=429, times=1), DONE),
    Bad("s500once", on_suspend("status", status=500, times=1), DONE),
    Bad("s503always", on_suspend("status", status=503), ChangeState.FAILED, "503", False, 0),
    Bad("s500after", on_suspend("status-after", status=500, times=1), DONE),
    Bad("dropbefore", on_suspend("drop", times=1), DONE),
    Bad("dropafter", on_suspend("drop-after"), DONE),
    Bad("tooslow", on_suspend("late", seconds=9.0, times=1), DONE),
    Bad("unknown", (*on_suspend("drop-after"), ("drop", READ, {})),
        ChangeState.UNVERIFIED, "could not be read back"),
    Bad("lie", on_suspend("lie", status=200), ChangeState.FAILED,
        "acted, but it does not read back as done", False, 0),
    Bad("lieonce", on_suspend("lie", status=200, times=1), DONE),
    Bad("blind", (("status", READ, {"status": 403, "skip": 0}),), ChangeState.UNVERIFIED,
        "could not be read back"),
    Bad("garbled", (("garble", READ, {"body": "<html>maintenance</html>"}),),
        ChangeState.UNVERIFIED, "a body that is not JSON"),
    Bad("nostatus", (("garble", READ, {"body": '{"id": 7, "status": null}'}),),
        ChangeState.UNVERIFIED, "has no status"),
    Bad("stale", (("stale", READ, {"times": 3}),), DONE),
    Bad("garbledpost", on_suspend("garble", body="\x00\xff not json"), DONE),
]  # fmt: skip


def crowd(*names: str) -> World:
    """The small world with more people, each with an agent."""
    world = World.named("small")
    for name in names:
        email = f"{name}@corp.example"
        world.people.append(Person(email, name.title(), groups=["everyone"]))
        world.agents.append(Agent(f"claude-code-{name}", "claude-code", email, sessions=["cc-1"]))
    return world


async def test_every_bad_day_of_one_write_comes_to_an_honest_state(tmp_path):
    passes = recipe(credentials="", time="deadline: 2s, keep_trying: 60s")
    stays = recipe(credentials="", time="deadline: 1s, keep_trying: 2s")
    world = crowd(*(b.name for b in BAD_DAYS))
    drill = Drill.of(tmp_path, world=world, vendors=("okta",), patience=0.3)
    settings = drill.house.connections["okta"].settings
    drill.house.connections["okta"].settings = lambda: settings().model_copy(
        update={"timeout": 3.0}  # seconds; what is slower never came
    )
    async with drill:
        okta = drill.sims["okta"]
        cases = {
            b: await drill.start(b.email, playbook=passes if b.state is DONE else stays)
            for b in BAD_DAYS
        }
        for case in cases.values():
            await drill.until(case, lambda c: "lead" in c.gates)
        for bad in BAD_DAYS:
            for kind, path, how in bad.faults:
                okta.fault(kind, path.format(drill.okta_user(bad.email)["id"]), **how)
        for case in cases.values():
            await drill.approve(case)
        found, wanted = {}, {}
        for bad, case in cases.items():
            view = await drill.closed(case)
            (change,) = view.changes.values()
            id_ = drill.okta_user(bad.email)["id"]
            written = [line for line in drill.wrote() if f"{id_}/lifecycle/suspend" in line]
            found[bad.name] = (
                change.state,
                bad.says if bad.says in change.detail else change.detail,
                drill.okta_user(bad.email)["status"] == "SUSPENDED",
                min(len(written), 1),
                view.state,
                bool(view.open),
            )
            contained = bad.state is DONE
            wanted[bad.name] = (
                bad.state,
                bad.says,
                bad.off,
                bad.writes,
                CaseState.CONTAINED if contained else CaseState.PARTIAL,
                not contained,
            )
    assert found == wanted


async def test_a_retry_after_pauses_its_own_connection_and_no_other(tmp_path):
    """Okta asks for two seconds in the middle of a layer; Claude is not held up by it."""
    text = recipe(
        identity="okta.user.suspend, okta.grants.revoke",
        first="deadline: 1s, keep_trying: 30s",
    )
    async with Drill.of(tmp_path) as drill:
        okta = drill.sims["okta"]
        case = await drill.start(playbook=text)
        await drill.until(case, lambda c: "lead" in c.gates)
        okta.fault("status", "lifecycle/suspend", status=429, times=1,
                   headers={"Retry-After": "3"})  # fmt: skip
        await drill.approve(case)
        paused = await _when(lambda: any(e.status == 429 for e in okta.record()))
        asked = len(okta.record())
        keys_off = await _when(
            lambda: {k["status"] for k in drill.claude_keys().values()} == {"inactive", "archived"},
        )
        assert len(okta.record()) <= asked + 1  # one may have been on the wire already
        view = await drill.until(case, lambda c: c.state is CaseState.CONTAINED)
        done = time.monotonic()
        assert done - paused >= 2.5
        assert keys_off < done
        assert "retrying" in drill.states(case, "okta.user.suspend")
        assert view.layers["identity"]["late"]


async def _when(so) -> float:
    """The time at which it was so."""
    async with asyncio.timeout(30):
        while not so():  # noqa: ASYNC110  # the simulators run in another thread
            await asyncio.sleep(0.01)
    return time.monotonic()


async def test_down_in_the_middle_back_after_the_deadline(tmp_path):
    """Claude goes down between plan and apply and comes back late: retrying, then contained."""
    text = recipe(time="deadline: 1s, keep_trying: 40s")
    async with Drill.of(tmp_path, patience=0.3) as drill:
        claude = drill.sims["claude"]
        case = await drill.start(playbook=text)
        await drill.until(case, lambda c: "lead" in c.gates)
        claude.fault("drop")
        await drill.approve(case)
        view = await drill.settled(case)
        assert view.state is CaseState.PARTIAL
        claude_ids = {i for i in view.changes if i.startswith("claude/")}
        assert set(view.open) == claude_ids
        assert set(view.layers["credentials"]["late"]) == claude_ids
        await drill.until(
            case, lambda c: drill.states(case, "claude").count("retrying") == len(claude_ids)
        )
        claude.heal()
        view = await drill.until(case, lambda c: c.state is CaseState.CONTAINED)
        assert view.open == []
        for id_ in claude_ids:
            assert drill.states(case, id_) == ["retrying", "contained"]
        settled = [e.data["state"] for e in drill.entries(case, What.SETTLED)]
        assert settled == ["partial", "contained"]
        assert not [a for a in await drill.sims.truth(JO) if a.allowed and a.vendor == "claude"]
        restored = await drill.restore(case)
        assert restored.state is CaseState.RESTORED
        assert drill.claude_keys()["jo-laptop"]["status"] == "active"


async def test_a_tenant_that_nobody_listens_at_delays_no_other(tmp_path):
    """A second tenant of Claude whose port is closed, from the beginning to the end."""
    second = {"vendor": "claude", "url": "http://127.0.0.1:9", "admin_key": {"plain": "sk-fake"}}
    text = recipe(time="deadline: 1s, keep_trying: 2s", collect="claude.api_keys")
    async with Drill.of(tmp_path, connections={"claude-two": second}, patience=0.3) as drill:
        view = await drill.closed((await drill.kill(playbook=text)).id)
        assert view.state is CaseState.PARTIAL
        assert view.open == ["claude-two/claude.api_keys.deactivate"]
        assert {k["status"] for k in drill.claude_keys().values()} == {"inactive", "archived"}
        assert drill.okta_user()["status"] == "SUSPENDED"
        assert [(g["connection"], g["collector"]) for g in view.gaps] == [
            ("claude-two", "claude.api_keys")
        ]
        assert {i["connection"] for i in view.items} == {"claude"}


GARBAGE = (
    "",
    "null",
    "[]",
    '{"data": null}',
    '{"data": [null], "has_more": false}',
    '{"data": [{"id": 5}], "has_more": true}',
    '{"data": "x", "last_id": {}}',
)


async def test_an_answer_that_breaks_every_expectation_is_that_steps_honest_state(tmp_path):
    """At the list of keys: named in each plan; in a kill, sign-in is cut off all the same."""
    text = recipe(collect="claude.api_keys")
    async with Drill.of(tmp_path, patience=0.2) as drill:
        claude = drill.sims["claude"]
        for body in GARBAGE:
            claude.heal()
            claude.fault("garble", r"organizations/api_keys\?", body=body)
            view = await drill.closed(await drill.start(playbook=text, mode="plan"))
            assert (body, view.state) == (body, CaseState.PLANNED)
            (blank,) = view.plan.blanks
            assert (blank.use, blank.required) == ("claude.api_keys.deactivate", True)
            assert blank.why
        view = await drill.closed((await drill.kill(playbook=text)).id)
        assert view.state is CaseState.PARTIAL
        assert view.open == ["claude/claude.api_keys.deactivate"]
        assert drill.okta_user()["status"] == "SUSPENDED"
        assert {k["status"] for k in drill.claude_keys().values()} >= {"active"}
        assert {g["collector"] for g in view.gaps} == {"claude.api_keys"}
