"""The vendor publishes no OpenAPI document: the simulator is held to the SDK's own models."""

from __future__ import annotations

import json

import anthropic
import pytest
from anthropic.types.organization import APIKey, OrganizationUser
from anthropic.types.organization_info import OrganizationInfo
from pydantic import TypeAdapter

from killswitch.vendors.claude.client import Claude
from tabletop.sims.claude import ADMIN_KEY, COMPLIANCE_KEY
from tabletop.sims.claude import Claude as Organisation
from tabletop.sims.claude_seed import MODEL


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/v1/organizations/me", OrganizationInfo),
        ("/v1/organizations/users", OrganizationUser),
        ("/v1/organizations/api_keys", APIKey),
    ],
)
async def test_answers_satisfy_the_sdks_models(
    client: Claude, path: str, model: type[object]
) -> None:
    answer = await client.get(path)
    things = answer.items if "data" in answer.data else [answer.data]
    assert things
    for thing in things:
        TypeAdapter(model).validate_json(json.dumps(thing), strict=True)
        assert set(thing) == set(model.model_fields)


async def test_the_sdks_own_methods_work_against_it(sim: Organisation) -> None:
    async with anthropic.AsyncAnthropic(api_key=ADMIN_KEY, base_url=sim.url) as sdk:
        keys = [key async for key in sdk.organization.api_keys.list(limit=2)]
        assert {k.id for k in keys} == set(sim.state["api_keys"])
        active = next(k for k in keys if k.status == "active")
        updated = await sdk.organization.api_keys.update(active.id, status="inactive")
        assert updated.status == sim.state["api_keys"][active.id]["status"] == "inactive"


async def test_the_agents_own_sdk_sees_a_dead_key(sim: Organisation) -> None:
    async with anthropic.AsyncAnthropic(
        api_key="sk-ant-api03-FAKE-unknown", base_url=sim.url, max_retries=0
    ) as agent:
        with pytest.raises(anthropic.AuthenticationError):
            await agent.messages.create(
                model=MODEL,
                max_tokens=8,
                messages=[{"role": "user", "content": "hello"}],
            )


async def test_an_admin_key_reads_no_transcripts(sim: Organisation) -> None:
    path = "/v1/compliance/apps/sessions/local"
    async with anthropic.AsyncAnthropic(api_key=ADMIN_KEY, base_url=sim.url, max_retries=0) as sdk:
        with pytest.raises(anthropic.PermissionDeniedError):
            await sdk.get(path, cast_to=object)
    async with anthropic.AsyncAnthropic(
        api_key=COMPLIANCE_KEY, base_url=sim.url, max_retries=0
    ) as sdk:
        assert await sdk.get(path, cast_to=object)
        with pytest.raises(anthropic.PermissionDeniedError):
            await sdk.organization.retrieve()
