"""The worlds that ship, how the larger one is made, and worlds with changes."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict

import httpx
import pytest

from killswitch.model.errors import Invalid
from tabletop import worldmaking
from tabletop.sims.run import Simulators
from tabletop.sims.world import World

PRODUCTS = {"claude-code", "codex", "jules", "cursor", "kiro", "windsurf"}
TRIED = ("okta", "github", "aws")


@pytest.fixture(scope="module")
def midsize() -> World:
    return World.named("midsize")


def test_the_file_is_what_its_seed_makes_byte_for_byte(tmp_path) -> None:
    worldmaking.main(tmp_path / "again.yaml")
    assert (tmp_path / "again.yaml").read_bytes() == worldmaking.FILE.read_bytes()


def test_another_seed_makes_another_world() -> None:
    assert worldmaking.make(1) != worldmaking.make(2)


def test_a_midsize_corporation(midsize: World) -> None:
    assert 190 <= len(midsize.people) <= 210
    assert 38 <= len(midsize.agents) <= 46
    assert len(midsize.repositories) == 60
    assert {a.product for a in midsize.agents} == PRODUCTS
    assert min(Counter(r.tier for r in midsize.repositories).values()) >= 5
    assert all(a.sessions for a in midsize.agents)


def test_everybody_has_a_name_of_their_own_and_a_manager_who_is_there(midsize: World) -> None:
    addresses = {p.email for p in midsize.people}
    assert len({p.login for p in midsize.people}) == len(addresses) == len(midsize.people)
    assert all(p.manager in addresses for p in midsize.people if p.manager)
    assert len({a.id for a in midsize.agents}) == len(midsize.agents)
    assert len({a.bot for a in midsize.agents if a.bot}) == sum(bool(a.bot) for a in midsize.agents)
    groups = {g for p in midsize.people for g in p.groups}
    assert all(set(r.teams) <= groups for r in midsize.repositories)


def test_everybody_of_the_small_world_is_in_it(midsize: World) -> None:
    small = World.named("small")
    for person in small.people:
        same = midsize.person(person.email)
        assert same
        assert set(person.groups) <= set(same.groups)
        assert {**asdict(same), "groups": []} == {**asdict(person), "groups": []}
        assert midsize.agents_of(person.email) == small.agents_of(person.email)
    for repository in small.repositories:
        [same_one] = [r for r in midsize.repositories if r.name == repository.name]
        assert same_one.tier == repository.tier


def test_forty_one_people_pilot_agents_and_nobody_else_has_one(midsize: World) -> None:
    pilots = {p.email for p in midsize.people if "agents-pilot" in p.groups}
    assert len(pilots) == 41
    assert {a.owner for a in midsize.agents} == pilots


def test_three_super_administrators_so_that_one_may_be_the_suspect(midsize: World) -> None:
    assert sum("SUPER_ADMIN" in p.roles for p in midsize.people) >= 3


async def test_every_pilot_has_something_to_stop_at_every_vendor_of_theirs() -> None:
    world = World.named("midsize")
    products = {a.product: a.owner for a in world.agents}  # one owner of each
    with Simulators(world) as sims:
        for owner in products.values():
            allowed = Counter(a.vendor for a in await sims.truth(owner) if a.allowed)
            assert all(allowed[vendor] >= 3 for vendor in TRIED), (owner, allowed)
            used = {a.product for a in world.agents_of(owner)}
            assert bool(allowed["claude"]) == ("claude-code" in used)
        tokens = Counter(t["login"] for t in sims["github"].state["tokens"].values())
        keys = sims["aws"].state["keys"].values()
        users, sessions = sims["aws"].state["users"], sims["okta"].state["sessions"].values()
        for person in (p for p in world.people if "agents-pilot" in p.groups):
            assert tokens[person.login] >= 4
            assert [s for s in sessions if s["login"] == person.email]
            owned = {u for u, its in users.items() if its["tags"].get("owner") == person.email}
            assert [k for k in keys if k["user"] in owned and k["status"] == "Active"]


async def test_teams_write_to_their_own_repositories_only() -> None:
    world = World.named("midsize")
    jo = world.person("jo@corp.example")
    assert jo
    with Simulators(world, ["github"]) as sims:
        github = sims["github"]
        _, _, headers = github.tokens_of(jo)[0]
        async with httpx.AsyncClient(trust_env=False) as http:
            for repo, expected in (("payments", 200), ("ledger", 403)):
                tip = github.state["repositories"][repo]["refs"]["heads/main"]
                url = f"{github.api}/repos/acme/{repo}/git/refs/heads/main"
                answer = await http.patch(url, headers=headers, json={"sha": tip})
                assert answer.status_code == expected
        pushed = {a.what.split()[2] for a in await sims.truth(jo.email) if "push to" in a.what}
        assert pushed == {r.name for r in World.named("small").repositories}


# Changes


def test_an_entry_that_names_an_existing_one_changes_it_and_any_other_is_added() -> None:
    small = World.named("small")
    changed = small.with_changes(
        people=[
            {"email": "jo@corp.example", "roles": ["SUPER_ADMIN"]},
            {"email": "new@corp.example", "name": "New Comer", "manager": "lee@corp.example"},
        ],
        agents=[
            {"id": "codex-jo", "sessions": ["cx-1", "cx-2"]},
            {"id": "kiro-new", "product": "kiro", "owner": "new@corp.example"},
        ],
        repositories=[{"name": "web", "tier": "crown-jewel"}, {"name": "vault"}],
    )
    jo = changed.person("jo@corp.example")
    assert jo
    assert jo.roles == ["SUPER_ADMIN"]
    assert jo.name == "Jo Marsh"
    assert [a.id for a in changed.agents_of("new@corp.example")] == ["kiro-new"]
    assert changed.agents[1].sessions == ["cx-1", "cx-2"]
    assert [r.name for r in changed.repositories][-1] == "vault"
    assert [p.email for p in changed.people][:10] == [p.email for p in small.people]
    assert small.person("jo@corp.example").roles == [], "the world itself is as it was"


def test_no_changes_make_the_same_world() -> None:
    assert World.named("small").with_changes() == World.named("small")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"people": [{"email": "jo@corp.example", "nick": "J"}]}, "unknown key 'nick'"),
        ({"people": [{"name": "Jo"}]}, "without `email:`"),
        ({"people": [{"email": "new@corp.example"}]}, "new@corp.example: name"),
        ({"people": [{"email": "jo@corp.example", "groups": "eng"}]}, "groups"),
        ({"agents": [{"id": "x", "product": "kiro", "owner": "who@corp.example"}]}, "not there"),
        ({"repositories": [{"name": "web", "branches": []}]}, "unknown key 'branches'"),
    ],
)
def test_what_cannot_be_is_refused_by_name(changes, says: str) -> None:
    with pytest.raises(Invalid, match=says):
        World.named("small").with_changes(**changes)


def test_a_world_whose_simulators_are_made_changes_no_more(world: World) -> None:
    Simulators(world, ["okta"])
    with pytest.raises(Invalid, match="before its simulators"):
        world.with_changes(people=[{"email": "jo@corp.example", "title": "Guest"}])


def test_a_world_that_does_not_ship_is_named_with_those_that_do() -> None:
    with pytest.raises(Invalid, match="midsize, small"):
        World.named("huge")


def test_status_and_our_own_roles_come_from_the_world() -> None:
    ours = {"email": "svc-killswitch@corp.example", "name": "killswitch", "roles": ["SUPER_ADMIN"]}
    kim = {"email": "kim@corp.example", "status": "SUSPENDED"}
    okta = Simulators(World.named("small").with_changes(people=[ours, kim]), ["okta"])["okta"]
    by_login = {u["profile"]["login"]: u for u in okta.state["users"].values()}
    assert by_login["kim@corp.example"]["status"] == "SUSPENDED"
    assert okta.is_super_admin(okta.service["id"])
