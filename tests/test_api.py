"""The one API: who may do what, what is answered, and that it is on the disk by then."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from killswitch.api import NoSuchCase
from killswitch.model.case import CaseState
from killswitch.model.errors import NotAllowed, Refused, Storm, SubjectNotFound
from killswitch.model.event import What
from tests.drill import DANA, JO, LEE, RIA, SOL, Drill, person, recipe

KIM = "kim@corp.example"


async def test_only_an_operator_starts_aborts_restores_and_attests(tmp_path):
    async with Drill.of(tmp_path) as drill:
        why = r"lee@corp\.example does not hold the role secops"
        with pytest.raises(NotAllowed, match=why) as caught:
            await drill.api.start(drill.request(by=LEE), person(LEE))
        assert caught.value.hint == "members are listed under `roles:` in killswitch.yaml"
        assert drill.api.list() == []
        case = await drill.start(by=SOL)  # by the group at Okta
        await drill.until(case, lambda c: "lead" in c.gates)
        with pytest.raises(NotAllowed, match=why):
            await drill.api.abort(case, person(LEE), "no")
        with pytest.raises(NotAllowed, match=why):
            await drill.api.attest(case, "okta/x", person(LEE), "I saw it")
        with pytest.raises(NotAllowed, match=why):
            await drill.api.restore(case, person(LEE), "let them work")
        assert not drill.api.show(case).aborted
        await drill.api.abort(case, person(DANA), "a test")
        await drill.closed(case)


async def test_one_open_case_for_one_subject_however_it_is_written(tmp_path):
    async with Drill.of(tmp_path) as drill:
        first = await drill.api.start(drill.request(JO), person(DANA))
        assert not first.joined
        presses = [
            drill.api.start(drill.request(who, reason=f"press {n}", by=SOL), person(SOL))
            for n, who in enumerate([JO, "JO@corp.example", "person:Jo@Corp.Example"])
        ]
        for started in await asyncio.gather(*presses):
            assert (started.case, started.joined) == (first.case, True)
        other = await drill.api.start(drill.request(JO, mode="plan"), person(DANA))
        assert (other.case != first.case, other.joined) == (True, False)
        kim = await drill.api.start(drill.request(KIM), person(DANA))
        assert not kim.joined
        view = await drill.until(first.case, lambda c: len(c.joined) == 3 and bool(c.gates))
        assert {j["reason"] for j in view.joined} == {"press 0", "press 1", "press 2"}
        assert {j["by"] for j in view.joined} == {SOL}
        assert view.request.subject == "person:jo@corp.example"
        await drill.until(kim.case, lambda c: bool(c.gates))
        for case in (first.case, kim.case):
            await drill.approve(case)
            assert (await drill.closed(case)).state is CaseState.CONTAINED
        suspended = [line for line in drill.wrote() if "lifecycle/suspend" in line]
        assert len(suspended) == 2
        after = await drill.api.start(drill.request(JO, mode="plan"), person(DANA))
        assert not after.joined  # the case is closed: this is a new one
        await drill.closed(after.case)
        newest = [c.id for c in drill.api.list(limit=2)]
        assert newest[0] == after.case
        assert len(drill.api.list()) == 4


async def test_a_storm_is_refused_and_a_plan_is_no_kill(tmp_path):
    async with Drill.of(tmp_path, policy={"kills_per_hour": 1}) as drill:
        first = await drill.start(JO)
        with pytest.raises(Storm, match="1 kills were started within the hour; the limit is 1"):
            await drill.start(KIM)
        assert len(drill.api.list()) == 1
        plan = await drill.start(KIM, mode="plan")
        assert (await drill.closed(plan)).state is CaseState.PLANNED
        again = await drill.api.start(drill.request(JO), person(SOL))
        assert again.joined  # joining is no new kill
        await drill.until(first, lambda c: "lead" in c.gates)
        await drill.api.abort(first, person(DANA), "a test")
        await drill.closed(first)


async def test_what_can_be_nobody_opens_no_case(tmp_path):
    drill = Drill.of(tmp_path)
    for subject, why in (
        ("person:j\u043e@corp.example", r"letters outside ASCII: U\+043E"),
        ("person:jo", "is no e-mail address"),
        ("machine:laptop", "is no kind of subject"),
    ):
        with pytest.raises(SubjectNotFound, match=why):
            await drill.api.start(drill.request(subject), person(DANA))
    with pytest.raises(NotAllowed, match="break-glass needs a reason"):
        await drill.api.start(drill.request(break_glass=True, reason="  "), person(DANA))
    assert drill.api.list() == []
    for ask in (
        lambda: drill.api.answer("K-9", "lead", "approve", person(LEE)),
        lambda: drill.api.abort("K-9", person(DANA), "no"),
        lambda: drill.api.restore("K-9", person(DANA), "no"),
        lambda: drill.api.attest("K-9", "x", person(DANA), "no"),
    ):
        with pytest.raises(NoSuchCase, match="there is no case K-9"):
            await ask()
    drill.house.store.close()


async def test_what_was_answered_is_on_the_disk_before_any_engine_runs(tmp_path):
    drill = Drill.of(tmp_path)
    started = await drill.api.start(drill.request(reason="a leak"), person(DANA))
    drill.house.store.close()
    again = Drill.of(tmp_path)
    view = again.api.show(started.case)
    assert view.state is CaseState.REQUESTED
    assert (view.request.requester, view.request.reason) == (DANA, "a leak")
    assert [e.what for e in again.entries(started.case)] == [What.REQUESTED]
    again.house.store.close()


async def test_whoever_is_stopped_has_no_say_until_it_is_given_back(tmp_path):
    """A request alone bars nobody: else one operator could silence all others by asking."""
    async with Drill.of(tmp_path) as drill:
        text = recipe(credentials="")
        stopped = await drill.start(f"person:{LEE}", playbook=text)
        other = await drill.start(playbook=text)
        await drill.until(other, lambda c: "lead" in c.gates)
        assert drill.api.stopped(LEE) == ""
        await drill.approve(stopped, RIA)
        await drill.settled(stopped)
        why = f"you are the subject of {stopped}; whoever is stopped has no say"
        for decision in ("approve", "deny"):
            with pytest.raises(NotAllowed, match=why):
                await drill.api.answer(other, "lead", decision, person(LEE))
        number, _ = await drill.api.restore(stopped, person(DANA), "it was somebody else")
        await drill.approve(stopped, RIA, gate=f"restore-{number}/lead")
        await drill.until(stopped, lambda c: c.state is CaseState.RESTORED)
        await drill.api.answer(other, "lead", "approve", person(LEE), reason="cleared again")
        assert (await drill.settled(other)).state is CaseState.CONTAINED


async def test_an_operator_who_is_the_subject_neither_aborts_nor_goes_on_operating(tmp_path):
    """Listed by address, so that no group at the IdP takes the role away with the sign-in."""
    async with Drill.of(tmp_path, roles={"secops": [DANA, SOL]}) as drill:
        case = await drill.start(f"person:{SOL}", playbook=recipe(credentials=""))
        await drill.until(case, lambda c: "lead" in c.gates)
        with pytest.raises(NotAllowed, match="the subject of a case does not stop it"):
            await drill.api.abort(case, person(SOL), "it is me")
        await drill.approve(case, LEE)
        await drill.settled(case)
        for ask in (
            lambda: drill.start(by=SOL),
            lambda: drill.api.restore(case, person(SOL), "it is me"),
        ):
            with pytest.raises(NotAllowed, match="whoever is stopped has no say"):
                await ask()


async def test_an_expired_gate_takes_no_answer(tmp_path):
    """Nobody shuts it, as no engine runs: the press is refused by the time alone."""
    text = recipe(gates="lead: {approvers: eng-leads, timeout: 5s, on_timeout: deny}")
    async with Drill.of(tmp_path) as drill:
        case = await drill.start(playbook=text)
        await drill.until(case, lambda c: "lead" in c.gates)
        await drill.engine.stop()
        drill.house.now = lambda: datetime.now(UTC) + timedelta(seconds=6)
        with pytest.raises(NotAllowed, match=r"the gate lead expired at \d\d:\d\d:\d\d UTC"):
            await drill.api.answer(case, "lead", "approve", person(LEE))
        await drill.start_engine()
        view = await drill.closed(case)
        assert view.state is CaseState.DENIED
        assert view.gates["lead"].decisions == []
        assert [t["person"] for t in view.gates["lead"].turned_away] == [LEE]


async def test_a_case_is_followed_as_it_happens(tmp_path):
    async with Drill.of(tmp_path) as drill:
        case = await drill.start(mode="plan")
        seen = []
        async with asyncio.timeout(30):
            async for entry in drill.api.follow(case):
                seen.append(entry.what)
                if entry.what is What.CLOSED:
                    break
        assert seen[0] is What.REQUESTED
        assert seen.index(What.RESOLVED) < seen.index(What.PLANNED) < seen.index(What.SETTLED)
        with pytest.raises(Refused, match=f"{case} is planned already; there is nothing to stop"):
            await drill.api.abort(case, person(DANA), "no")
