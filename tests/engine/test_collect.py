"""Evidence: before the first change, complete, or with its gaps said."""

from __future__ import annotations

from killswitch.engine.collect import unreachable
from killswitch.evidence.vault import Vault, VaultFull
from killswitch.model.case import CaseState
from killswitch.model.event import What
from tests.drill import JO, Drill, recipe

SESSIONS = "/v1/compliance/apps/sessions"


async def test_late_evidence_is_a_gap_and_still_comes(tmp_path):
    """The deadline passes, containment goes on, and what arrives afterwards is kept and sealed."""
    text = recipe(collect="okta.system_log, claude.transcripts", evidence="deadline: 1s")
    async with Drill.of(tmp_path) as drill:
        late = drill.sims["claude"].fault("late", SESSIONS, seconds=4.0, times=1)
        view = await drill.kill(playbook=text)
        assert view.state is CaseState.CONTAINED
        (gap,) = view.gaps
        assert (gap["connection"], gap["volatile"]) == ("claude", True)
        assert gap["why"] == "not there within 1s; still being collected"
        view = await drill.closed(view.id)
        assert late.times == 0
        entries = drill.entries(view.id)
        first_write = next(e.seq for e in entries if e.what is What.APPLYING)
        assert gap["at"] <= next(e.at for e in entries if e.what is What.APPLYING)
        arrived = [e for e in entries if e.what is What.STORED
                   and e.data["item"]["connection"] == "claude"]  # fmt: skip
        assert arrived
        assert all(e.seq > first_write for e in arrived)
        final = next(s for s in view.seals if s["which"] == "final")
        assert final["items"] == len(view.items)
        for item in view.items:
            assert len(drill.house.vault.read(item["sha256"])) == item["size"]


async def test_what_is_too_long_is_cut_and_says_so(tmp_path):
    async with Drill.of(tmp_path) as drill:
        drill.house.vault = Vault(tmp_path / "small vault", cap=200)
        view = await drill.closed((await drill.kill(playbook=recipe(collect="okta.user"))).id)
        (item,) = view.items
        assert (item["size"], item["truncated"]) == (200, True)
        assert item["note"] == "cut at the vault's limit"
        assert view.state is CaseState.CONTAINED


class Full(Vault):
    """A vault on a disk without room for Okta's answers."""

    async def put(self, body):
        if isinstance(body, bytes) and b"corp.example" in body:
            raise VaultFull("no room for 2 kB", hint="make room")
        return await super().put(body)


async def test_a_full_vault_is_a_gap_and_no_reason_to_stop(tmp_path):
    async with Drill.of(tmp_path) as drill:
        drill.house.vault = Full(tmp_path / "full vault")
        view = await drill.closed((await drill.kill(playbook=recipe(collect="okta.user"))).id)
        assert [(g["collector"], g["why"]) for g in view.gaps] == [
            ("okta.user", "no room for 2 kB")
        ]
        assert view.items == []
        assert view.state is CaseState.CONTAINED


async def test_each_account_has_its_own_items_and_its_own_gaps(tmp_path):
    """Two members with one address: both are looked at, and one gap is not blamed on the other."""
    async with Drill.of(tmp_path, patience=0.3) as drill:
        claude = drill.sims["claude"]
        jo = next(u for u in claude.state["users"].values() if u["email"] == JO)
        twin = {**jo, "id": "user_01twin"}
        claude.state["users"] = {jo["id"]: jo, twin["id"]: twin, **claude.state["users"]}
        claude.fault("status", f"users/{jo['id']}", status=403)
        view = await drill.closed((await drill.kill(playbook=recipe(collect="claude.member"))).id)
        assert [g["collector"] for g in view.gaps] == ["claude.member"]
        (done,) = drill.entries(view.id, What.COLLECTED)
        assert done.data["items"] == len(view.items) == 1
        assert len([a for a in view.accounts if a["connection"] == "claude"]) == 2


async def test_a_refused_collector_is_a_gap_with_the_scope_that_is_missing(tmp_path):
    async with Drill.of(tmp_path) as drill:
        drill.sims["okta"].granted = {
            "okta.users.read", "okta.users.manage", "okta.groups.read", "okta.roles.read",
        }  # fmt: skip
        text = recipe(collect="okta.system_log, okta.user")
        view = await drill.closed((await drill.kill(playbook=text)).id)
        (gap,) = view.gaps
        assert gap["collector"] == "okta.system_log"
        assert "403" in gap["why"]
        assert [i["collector"] for i in view.items] == ["okta.user"]
        assert view.state is CaseState.CONTAINED


async def test_evidence_of_a_vendor_that_was_down_for_the_plan_is_a_gap(tmp_path):
    async with Drill.of(tmp_path, patience=0.3) as drill:
        drill.sims["claude"].fault("status", status=503)
        text = recipe(credentials="", collect="okta.user, claude.transcripts")
        view = await drill.closed((await drill.kill(playbook=text)).id)
        (gap,) = view.gaps
        assert (gap["collector"], gap["volatile"]) == ("claude.transcripts", True)
        assert "503" in gap["why"]
        first = drill.entries(view.id, What.APPLYING)[0]
        assert drill.entries(view.id, What.GAP)[0].seq < first.seq
        assert unreachable(drill.house, view.plan)[0][:2] == ("claude.transcripts", "claude")
