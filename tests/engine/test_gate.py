"""The approval that changes wait for: who counts, what it comes to, and what a time-out does."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from killswitch import signatures
from killswitch.api import Person
from killswitch.engine import gate as gates
from killswitch.engine.gate import judge
from killswitch.model.case import CaseState, ChangeState, GateView, fold
from killswitch.model.errors import NotAllowed
from killswitch.model.event import What
from killswitch.model.playbook import Assurance
from tests.drill import DANA, JO, LEE, MAX, RIA, SOL, Drill, person, recipe
from tests.model.examples import entries, gate, plan

BEN = "ben@corp.example"
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=20)
DIGEST = plan().digest


def answered(*decisions: tuple[str, str], **more):
    """Decisions as the journal has them: (person, approve | deny)."""
    given_ = {"digest": DIGEST, "assurance": "os-login", "gate": "lead", **more}
    return [{**given_, "person": who, "decision": what} for who, what in decisions]


def outcome(planned, decisions, *, now=NOW, aborted=False, approvers=None):
    case = fold(entries(*([(What.ABORTED, {"by": SOL, "reason": ""})] if aborted else [])))
    expires = (NOW + timedelta(minutes=15)).isoformat()
    view = GateView("lead", DIGEST, "contain", 1, approvers or planned.approvers, "", expires)
    view.decisions = decisions
    return judge(case, view, planned, DIGEST, now)


@pytest.mark.parametrize(
    ("decisions", "comes_to"),
    [
        ([], gates.OPEN),
        (answered((LEE, "approve")), gates.APPROVED),
        (answered(("LEE@Corp.Example", "approve")), gates.APPROVED),
        (answered((LEE, "deny")), gates.DENIED),
        (answered((LEE, "approve"), (RIA, "deny")), gates.DENIED),
        (answered((LEE, "approve"), (LEE, "deny")), gates.APPROVED),  # the first answer is final
        (answered((DANA, "approve")), gates.OPEN),  # asked for it
        (answered((JO, "approve")), gates.OPEN),  # is the subject
        (answered((SOL, "approve")), gates.OPEN),  # does not hold the role
        (answered((SOL, "deny")), gates.OPEN),
        (answered((LEE, "approve"), digest="0" * 64), gates.OPEN),  # of another plan
    ],
)
def test_who_counts(decisions, comes_to):
    names = (LEE, RIA, DANA, JO)  # the requester and the subject hold the role too
    assert outcome(gate(names=names), decisions) == comes_to


def test_a_quorum_is_of_different_people():
    two = gate(quorum=2)
    assert outcome(two, answered((LEE, "approve"), (LEE, "approve"))) == gates.OPEN
    assert outcome(two, answered((LEE, "approve"), ("LEE@corp.example", "approve"))) == gates.OPEN
    assert outcome(two, answered((LEE, "approve"), (RIA, "approve"))) == gates.APPROVED


def test_a_gate_may_ask_for_more_than_a_login():
    signed = gate(assurance="ssh-signature")
    assert outcome(signed, answered((LEE, "approve"))) == gates.OPEN
    assert outcome(signed, answered((LEE, "approve"), assurance="ssh-signature")) == gates.APPROVED


@pytest.mark.parametrize(
    ("policy", "approvers", "comes_to"),
    [
        ({"on_timeout": "deny"}, None, gates.EXPIRED),
        ({"on_timeout": "reversible_only"}, None, gates.REVERSIBLE),
        ({"on_timeout": {"escalate": "directors"}, "escalation": (MAX,)}, None, gates.ESCALATE),
        ({"on_timeout": {"escalate": "directors"}, "escalation": (MAX,)}, (LEE, MAX),
         gates.EXPIRED),
        ({"on_timeout": {"escalate": "directors"}}, None, gates.EXPIRED),  # nobody to escalate to
    ],
)  # fmt: skip
def test_what_a_time_out_does(policy, approvers, comes_to):
    assert outcome(gate(**policy), [], now=LATER, approvers=approvers) == comes_to


def test_an_abort_is_before_everything():
    assert outcome(gate(), answered((LEE, "approve")), aborted=True) == gates.ABORTED


people = st.sampled_from([LEE, RIA, DANA, JO, SOL])
decisions = st.lists(st.tuples(people, st.sampled_from(["approve", "deny"])), max_size=8)


@given(decisions, st.integers(1, 3))
def test_never_approved_without_the_quorum_and_never_against_a_denial(given_, quorum):
    comes_to = outcome(gate(quorum=quorum, names=(LEE, RIA, DANA, JO)), answered(*given_))
    first = {}
    for who, what in given_:
        if who in (LEE, RIA):
            first.setdefault(who, what)
    denied = "deny" in first.values()
    enough = list(first.values()).count("approve") >= quorum
    assert comes_to == (gates.DENIED if denied else gates.APPROVED if enough else gates.OPEN)


# -- drills --------------------------------------------------------------------------------------


async def test_every_press_gets_an_answer_and_only_the_right_one_counts(tmp_path):
    """The presses of one gate, one after the other; only the last two open it."""
    two = recipe(gates="lead: {approvers: eng-leads, quorum: 2, timeout: 40s}")
    roles = {"eng-leads": ["okta:eng-leads", DANA, JO, MAX]}
    async with Drill.of(tmp_path, roles=roles) as drill:
        case = await drill.start(playbook=two)
        view = await drill.until(case, lambda c: "lead" in c.gates)

        async def refused(email: str, decision: str = "approve", **more) -> str:
            with pytest.raises(NotAllowed) as caught:
                await drill.api.answer(
                    case, more.pop("gate", "lead"), decision, person(email), **more
                )
            return caught.value.why

        assert await refused(DANA) == "who asked for a kill does not approve it"
        assert await refused(JO) == "the subject of a case does not decide in it"
        assert await refused(JO, "deny") == "the subject of a case does not decide in it"
        not_asked = "{} does not hold the role eng-leads, or did not when the plan was made"
        assert await refused(SOL) == not_asked.format(SOL)
        assert await refused(LEE, gate="dual") == f"{case} asks nothing at a gate 'dual'"
        assert await refused(LEE, "maybe") == "'maybe' is no decision"
        other = "the plan is another one than you were shown; look at it again"
        assert await refused(LEE, digest="0" * 64) == other
        assert await refused(LEE, digest=view.digest[:6]) == other

        okta = drill.sims["okta"].state
        ria = drill.okta_user(RIA)["id"]
        leads = next(m for m in okta["members"].values() if ria in m and len(m) == 2)
        leads.remove(ria)  # between plan and press
        assert await refused(RIA) == "ria@corp.example does not hold the role eng-leads any more"
        leads.append(ria)
        leads.append(drill.okta_user(BEN)["id"])  # joins it too late: the plan names who decides
        assert await refused(BEN) == not_asked.format(BEN)

        await drill.api.answer(case, "lead", "approve", person(LEE), digest=view.digest[:12])
        again = await refused("LEE@corp.example", "deny")
        assert again.startswith("you answered already: approve at ")
        assert drill.wrote() == []
        assert not drill.api.show(case).gates["lead"].outcome

        await drill.api.answer(case, "lead", "approve", person(RIA), digest=view.digest)
        done = await drill.settled(case)
        assert done.state is CaseState.CONTAINED
        assert await refused(MAX) == "the gate lead is approved already"
        lead = drill.api.show(case).gates["lead"]
    assert [d["person"] for d in lead.decisions] == [LEE, RIA]
    turned_away = [JO, JO, DANA, SOL, LEE, LEE, RIA, BEN, "LEE@corp.example", MAX]
    assert sorted(t["person"] for t in lead.turned_away) == sorted(turned_away)


async def test_a_denial_ends_the_gate_and_nothing_is_touched(tmp_path):
    async with Drill.of(tmp_path) as drill:
        before = drill.sims.world.snapshot()
        case = await drill.start()
        await drill.until(case, lambda c: "lead" in c.gates)
        await drill.api.answer(case, "lead", "deny", person(RIA), reason="it is a test of ours")
        view = await drill.settled(case)
        with pytest.raises(NotAllowed, match="the gate lead is denied already"):
            await drill.api.answer(case, "lead", "approve", person(LEE))
        assert drill.sims.world.snapshot() == before
    assert view.state is CaseState.DENIED
    assert {c.detail for c in view.changes.values()} == {"gate lead was denied"}
    assert view.gates["lead"].decisions[0]["reason"] == "it is a test of ours"


async def test_nobody_answers(tmp_path):
    """Two cases at once: denied when time is up, and escalated to somebody who answers."""
    escalate = "lead: {approvers: eng-leads, timeout: 3s, on_timeout: {escalate: duty-directors}}"
    deny = "lead: {approvers: eng-leads, timeout: 1s, on_timeout: deny}"
    async with Drill.of(tmp_path) as drill:
        expired = await drill.start(JO, playbook=recipe(gates=deny))
        helped = await drill.start("kim@corp.example", playbook=recipe(gates=escalate))
        await drill.until(expired, lambda c: "lead" in c.gates)
        view = await drill.settled(expired)
        assert view.state is CaseState.DENIED
        assert view.gates["lead"].outcome == gates.EXPIRED
        with pytest.raises(NotAllowed, match="the gate lead is expired already"):
            await drill.api.answer(expired, "lead", "approve", person(LEE))

        await drill.until(helped, lambda c: "lead" in c.gates)
        with pytest.raises(NotAllowed, match="does not hold the role"):
            await drill.api.answer(helped, "lead", "approve", person(MAX))
        await drill.until(helped, lambda c: MAX in c.gates["lead"].approvers)
        assert drill.entries(helped, What.ESCALATED)[0].data["role"] == "duty-directors"
        await drill.api.answer(helped, "lead", "approve", person(MAX))
        assert (await drill.settled(helped)).state is CaseState.CONTAINED
        assert [d["person"] for d in drill.api.show(helped).gates["lead"].decisions] == [MAX]


async def test_escalated_and_still_nobody(tmp_path):
    text = "lead: {approvers: eng-leads, timeout: 1s, on_timeout: {escalate: duty-directors}}"
    async with Drill.of(tmp_path) as drill:
        case = await drill.start(playbook=recipe(gates=text))
        view = await drill.settled(case)
        assert drill.wrote() == []
    assert view.state is CaseState.DENIED
    assert MAX in view.gates["lead"].approvers
    assert view.gates["lead"].outcome == gates.EXPIRED


async def test_a_director_who_lost_the_role_is_not_asked_any_more(tmp_path):
    text = "lead: {approvers: eng-leads, timeout: 2s, on_timeout: {escalate: duty-directors}}"
    async with Drill.of(tmp_path) as drill:
        case = await drill.start(playbook=recipe(gates=text))
        await drill.until(case, lambda c: "lead" in c.gates and MAX in c.gates["lead"].approvers)
        okta = drill.sims["okta"].state
        okta["members"] = {
            group: [m for m in members if m != drill.okta_user(MAX)["id"]]
            for group, members in okta["members"].items()
        }
        with pytest.raises(NotAllowed, match="does not hold the role"):
            await drill.api.answer(case, "lead", "approve", person(MAX))
        assert (await drill.settled(case)).state is CaseState.DENIED


async def test_what_can_be_undone_may_go_on_alone_and_what_cannot_needs_people(tmp_path, room):
    """``reversible_only`` on time-out, and break-glass, which does not ask at all."""
    here = room("http://127.0.0.1:1")
    text = recipe(
        credentials="claude.api_keys.deactivate, {use: toy.door.wall_up, gate: alone}",
        gates="lead: {approvers: eng-leads, timeout: 1s, on_timeout: reversible_only},"
        " alone: {approvers: eng-leads, quorum: 2, timeout: 1s, on_timeout: reversible_only}",
    )
    toys = {"toy": {"vendor": "toy", "url": "http://127.0.0.1:1"}}
    async with Drill.of(tmp_path, connections=toys) as drill:
        timed_out = await drill.start(playbook=text)
        view = await drill.until(timed_out, lambda c: bool(c.closed_at) or c.rounds)
        states = {c.plan.action: (c.state, c.detail) for c in view.changes.values()}
        assert states["okta.user.suspend"][0] is ChangeState.CONTAINED
        assert states["claude.api_keys.deactivate"][0] is ChangeState.CONTAINED
        alone = (ChangeState.SKIPPED, "cannot be undone, and nobody approved")
        assert states["toy.door.wall_up"] == alone
        assert view.state is CaseState.PARTIAL
        assert set(view.open) == {"toy/toy.door.wall_up/front", "toy/toy.door.wall_up/back"}

        with pytest.raises(NotAllowed, match="break-glass needs a reason"):
            await drill.start("kim@corp.example", playbook=text, break_glass=True, reason=" ")
        glass = await drill.start("kim@corp.example", playbook=text, break_glass=True)
        view = await drill.settled(glass)
        states = {c.plan.action: (c.state, c.detail) for c in view.changes.values()}
        assert states["okta.user.suspend"][0] is ChangeState.CONTAINED
        assert states["toy.door.wall_up"] == alone
        with pytest.raises(NotAllowed, match="is reversible_only already"):
            await drill.api.answer(glass, "lead", "approve", person(LEE))
    assert here.open == {"front": True, "back": True}
    assert "apply" not in here.calls


def key_of(folder, email):
    """A new SSH key, and an allowed-signers file that says whose it is."""
    if shutil.which("ssh-keygen") is None:
        pytest.skip("ssh-keygen is not installed")
    key = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    allowed = folder / "allowed_signers"
    allowed.write_text(f'{email} namespaces="killswitch" {key.with_suffix(".pub").read_text()}')
    return key, allowed


async def test_a_gate_that_asks_for_a_signature_refuses_a_login(tmp_path):
    text = recipe(gates="lead: {approvers: eng-leads, timeout: 40s, assurance: ssh-signature}")
    key, allowed = key_of(tmp_path, LEE)
    login = pwd.getpwuid(os.getuid()).pw_name
    people = {"os_logins": {login: DANA}, "allowed_signers": str(allowed)}
    async with Drill.of(tmp_path / "home", people=people) as drill:
        case = await drill.start(playbook=text)
        await drill.until(case, lambda c: "lead" in c.gates)
        for weak in (Assurance.OS_LOGIN, Assurance.SLACK, Assurance.OIDC):
            with pytest.raises(
                NotAllowed, match=f"asks for ssh-signature; you are known by {weak} only"
            ):
                await drill.api.answer(case, "lead", "approve", person(LEE, weak))
        digest = drill.api.show(case).digest
        for claimed in ("", signatures.sign(key, signatures.message(case, "lead", digest, "deny"))):
            signed = Person(LEE, Assurance.SSH_SIGNATURE, "cli", claimed)
            with pytest.raises(NotAllowed, match="no signature of yours over this decision"):
                await drill.api.answer(case, "lead", "approve", signed)
        proof = signatures.sign(key, signatures.message(case, "lead", digest, "approve"))
        signed = Person(LEE, Assurance.SSH_SIGNATURE, "cli", proof)
        await drill.api.answer(case, "lead", "approve", signed)
        assert (await drill.settled(case)).state is CaseState.CONTAINED


async def test_a_forged_row_does_not_open_a_gate_that_asks_for_signatures(tmp_path):
    """Who may write the database can write a decision, but not another's signature."""
    gates_ = "lead: {approvers: eng-leads, quorum: 2, timeout: 40s, assurance: ssh-signature}"
    key, allowed = key_of(tmp_path, LEE)
    login = pwd.getpwuid(os.getuid()).pw_name
    people = {"os_logins": {login: DANA}, "allowed_signers": str(allowed)}
    async with Drill.of(tmp_path / "home", people=people) as drill:
        case = await drill.start(playbook=recipe(gates=gates_))
        digest = (await drill.until(case, lambda c: "lead" in c.gates)).digest
        proof = signatures.sign(key, signatures.message(case, "lead", digest, "approve"))
        forged = {"gate": "lead", "digest": digest, "person": RIA, "decision": "approve"}
        more = {"reason": "", "door": "cli", "assurance": "ssh-signature", "proof": proof}
        await drill.house.note(What.DECIDED, case, "forged", **forged, **more)
        signed = Person(LEE, Assurance.SSH_SIGNATURE, "cli", proof)
        await drill.api.answer(case, "lead", "approve", signed)
        assert len(drill.api.show(case).gates["lead"].decisions) == 2
        await drill.until(case, lambda c: not drill.engine.asked())  # the engine has the press
        await asyncio.sleep(1.0)
        assert drill.api.show(case).gates["lead"].outcome == ""


async def test_a_new_plan_has_a_new_digest_and_the_old_one_opens_nothing(tmp_path):
    """The playbook file is changed after an approval: the running case does not notice."""
    async with Drill.of(tmp_path) as drill:
        file = tmp_path / "own.yaml"
        file.write_text(recipe(gates="lead: {approvers: eng-leads, quorum: 2, timeout: 40s}"))
        first = await drill.start(playbook=file.read_text())
        shown = (await drill.until(first, lambda c: "lead" in c.gates)).digest
        await drill.api.answer(first, "lead", "approve", person(LEE), digest=shown)
        file.write_text(recipe(identity="okta.sessions.revoke", credentials=""))
        await drill.api.answer(first, "lead", "approve", person(RIA), digest=shown)
        done = await drill.closed(first)
        assert done.state is CaseState.CONTAINED
        assert {c.plan.action for c in done.changes.values()} == {
            "okta.user.suspend",
            "claude.api_keys.deactivate",
        }
        second = await drill.start(playbook=file.read_text())
        view = await drill.until(second, lambda c: "lead" in c.gates)
        assert second != first
        assert view.digest != shown
        with pytest.raises(NotAllowed, match="the plan is another one than you were shown"):
            await drill.api.answer(second, "lead", "approve", person(LEE), digest=shown)
        await drill.api.answer(second, "lead", "approve", person(LEE), digest=view.digest)
        await drill.settled(second)
