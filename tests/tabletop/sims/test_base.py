"""What every simulator does alike: faults, the record, rehearsals."""

from __future__ import annotations

import httpx
import pytest

from tabletop.sims.aws_suspect import ask
from tabletop.sims.base import REHEARSAL
from tabletop.sims.claude import ADMIN_KEY
from tabletop.sims.github_base import CLASSIC_TOKEN
from tabletop.sims.okta import TOKEN
from tabletop.sims.run import Simulators
from tabletop.sims.splunk import TOKEN as SPLUNK_TOKEN

SSWS = {"Authorization": f"SSWS {TOKEN}"}
OURS = {"Authorization": f"Bearer {CLASSIC_TOKEN}"}
ADMIN = {"x-api-key": ADMIN_KEY}


def jo_at(sims: Simulators) -> str:
    users = sims["okta"].state["users"].values()
    found = next(u["id"] for u in users if u["profile"]["login"] == "jo@corp.example")
    return f"{sims['okta'].url}/api/v1/users/{found}"


async def test_a_request_wrote_if_the_vendors_state_is_another_afterwards(
    sims: Simulators, http: httpx.AsyncClient
) -> None:
    jo = jo_at(sims)
    await http.get(jo, headers=SSWS)
    await http.post(f"{jo}/lifecycle/suspend", headers=SSWS)
    await http.post(f"{jo}/lifecycle/suspend", headers=SSWS)
    assert [(e.status, e.wrote) for e in sims["okta"].record()] == [
        (200, False), (200, True), (400, False),
    ]  # fmt: skip


async def test_what_was_done_before_the_answer_was_lost_counts_as_written(
    sims: Simulators, http: httpx.AsyncClient
) -> None:
    sims["okta"].fault("status-after", "suspend", status=502)
    await http.post(f"{jo_at(sims)}/lifecycle/suspend", headers=SSWS)
    assert [(e.status, e.wrote) for e in sims["okta"].record()] == [(502, True)]


@pytest.mark.parametrize("vendor", ["okta", "github", "aws", "claude", "splunk"])
async def test_in_an_outage_nothing_but_503_is_answered(
    sims: Simulators, http: httpx.AsyncClient, vendor: str
) -> None:
    outage = sims[vendor].fault("outage")
    for method in ("GET", "POST", "DELETE"):
        answer = await http.request(method, f"{sims[vendor].url}/anything")
        assert answer.status_code == 503
    assert outage.struck == 3
    sims[vendor].heal()
    assert (await http.get(f"{sims[vendor].url}/anything")).status_code != 503


async def test_a_fault_counts_how_often_it_struck(
    sims: Simulators, http: httpx.AsyncClient
) -> None:
    fault = sims["okta"].fault("status", "/groups", status=500, skip=1, times=2)
    url = f"{sims['okta'].url}/api/v1/groups"
    answers = [(await http.get(url, headers=SSWS)).status_code for _ in range(5)]
    await http.get(jo_at(sims), headers=SSWS)
    assert answers == [200, 500, 500, 200, 200]
    assert fault.struck == 2


async def test_a_partial_page_ends_early_and_names_no_next_one(
    sims: Simulators, http: httpx.AsyncClient
) -> None:
    async def groups() -> tuple[int, bool]:
        answer = await http.get(f"{sims['okta'].url}/api/v1/groups?limit=4", headers=SSWS)
        return len(answer.json()), "next" in answer.links

    async def rows() -> tuple[int, bool]:
        key = next(k for k, v in sims["aws"].state["keys"].items() if v["user"] == "killswitch")
        more = {"Action": "ListUsers", "MaxItems": "4"}
        text = (await ask(http, sims["aws"].url, key, **more)).text
        return text.count("<UserName>"), "<Marker>" in text

    async def repositories() -> tuple[int, bool]:
        github = sims["github"]
        url = f"{github.api}/orgs/{github.org}/repos?per_page=4"
        answer = await http.get(url, headers=OURS)
        return len(answer.json()), "next" in answer.links

    async def keys() -> tuple[int, bool]:
        url = f"{sims['claude'].url}/v1/organizations/api_keys?limit=4"
        answer = (await http.get(url, headers=ADMIN)).json()
        return len(answer["data"]), answer["has_more"]

    listings = {"okta": groups, "aws": rows, "github": repositories, "claude": keys}
    for vendor, listing in listings.items():
        assert await listing() == (4, True), vendor
        fault = sims[vendor].fault("partial-page", times=1)
        assert await listing() == (2, False), vendor
        assert fault.struck == 1
        assert sims[vendor].record()[-1].fault == "partial-page"
        assert await listing() == (4, True), vendor


async def test_a_partial_search_keeps_half_of_the_events_and_says_nothing(
    sims: Simulators, http: httpx.AsyncClient
) -> None:
    async def found() -> tuple[int, list[object]]:
        splunk, headers = sims["splunk"], {"Authorization": f"Bearer {SPLUNK_TOKEN}"}
        asked = {"search": 'search user="jo@corp.example"', "earliest_time": "0",
                 "latest_time": "9e10"}  # fmt: skip
        jobs = f"{splunk.url}/services/search/v2/jobs"
        sid = (await http.post(jobs, headers=headers, data=asked)).json()["sid"]
        splunk.jobs[sid].finalized = True
        all_of_them = {"count": "0"}
        answer = await http.get(f"{jobs}/{sid}/results", headers=headers, params=all_of_them)
        return len(answer.json()["results"]), answer.json()["messages"]

    whole, _ = await found()
    sims["splunk"].fault("partial-page")
    assert await found() == (whole // 2, [])


async def test_one_page_of_one_is_not_cut(sims: Simulators, http: httpx.AsyncClient) -> None:
    fault = sims["okta"].fault("partial-page")
    search = {"search": 'profile.email eq "jo@corp.example"'}
    answer = await http.get(f"{sims['okta'].url}/api/v1/users", params=search, headers=SSWS)
    assert len(answer.json()) == 1
    assert fault.struck == 0


@pytest.mark.parametrize("login", ["jo", "kim", "ada", "ceo"])
async def test_to_find_out_what_somebody_can_do_changes_nothing_anywhere(
    sims: Simulators, login: str
) -> None:
    before, events = sims.world.snapshot(), len(sims.world.events)
    first = await sims.truth(f"{login}@corp.example")
    assert await sims.truth(f"{login}@corp.example") == first
    assert sims.world.snapshot() == before
    assert len(sims.world.events) == events
    assert not sims["aws"].sessions


async def test_a_bad_day_at_the_vendor_does_not_change_what_somebody_can_do(
    sims: Simulators,
) -> None:
    before = await sims.truth("jo@corp.example")
    for vendor in sims.sims:
        sims[vendor].fault("outage")
    assert await sims.truth("jo@corp.example") == before


async def test_a_fault_does_not_strike_a_rehearsal(
    sims: Simulators, http: httpx.AsyncClient
) -> None:
    fault = sims["okta"].fault("drop")
    assert (await http.get(jo_at(sims), headers={**SSWS, REHEARSAL: "1"})).is_success
    assert fault.struck == 0
