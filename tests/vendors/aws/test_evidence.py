"""aws.access_keys, aws.user and aws.cloudtrail."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta

import pytest

from killswitch.model.collector import Artifact, Collector, Window
from killswitch.model.errors import Denied, Transient
from killswitch.vendors.aws.client import Aws
from killswitch.vendors.aws.evidence import AccessKeys, CloudTrail, User
from tabletop.sims.aws import Aws as Cloud
from tests.vendors.aws.conftest import JO, account, connect, keys_of, suspect


async def collect(client: Aws, collector: Collector[Aws], subject: str = JO) -> list[Artifact]:
    now = datetime.now(UTC)
    window = Window(now - timedelta(days=1), now + timedelta(minutes=1))
    whose = await account(client, subject)
    return [artifact async for artifact in collector.collect(client, whose, window)]


def events(artifacts: list[Artifact]) -> list[dict[str, str]]:
    return [e for a in artifacts for e in json.loads(bytes(a.body))["Events"]]


@pytest.mark.parametrize("collector", [AccessKeys(), User(), CloudTrail()], ids=lambda c: c.name)
async def test_evidence_is_the_very_bytes_and_reading_writes_nothing(
    client: Aws, cloud: Cloud, collector: Collector[Aws]
) -> None:
    before = cloud.world.snapshot()
    found = await collect(client, collector)
    assert cloud.world.snapshot() == before
    sent = {(e.response_headers["x-amzn-requestid"], e.response_body) for e in cloud.record()}
    assert found
    for artifact in found:
        assert (artifact.request_id, artifact.body) in sent
        assert artifact.source.split(":")[0] in ("iam", "cloudtrail")
        assert not artifact.truncated


async def test_every_key_is_there_with_its_last_use(client: Aws, cloud: Cloud) -> None:
    found = await collect(client, AccessKeys())
    names = {a.name for a in found}
    for user in ("jo", "codex-jo"):
        assert f"access keys of {user}" in names
        for key in keys_of(cloud, user) + keys_of(cloud, user, "Inactive"):
            assert f"last use of {key}" in names
    assert b"<ServiceName>s3</ServiceName>" in b"".join(bytes(a.body) for a in found)


async def test_users_and_roles_come_with_their_policies(client: Aws, cloud: Cloud) -> None:
    cloud.state["users"]["jo"]["inline"]["own"] = "{}"
    cloud.state["users"]["jo"]["attached"].append("arn:aws:iam::aws:policy/ReadOnlyAccess")
    names = {a.name for a in await collect(client, User())}
    assert {"user jo", "user codex-jo", "groups of jo", "inline policy own of jo"} <= names
    assert {"role agent-codex-jo", "inline policy work of agent-codex-jo"} <= names


async def test_the_trail_holds_names_keys_and_the_sessions_that_were_made(
    client: Aws, cloud: Cloud
) -> None:
    found = await collect(client, CloudTrail())
    assert any(a.name.endswith("Username=jo, page 2") for a in found), "50 events a page"
    names = [e["EventName"] for e in events(found)]
    assert {"ListBuckets", "AssumeRole", "DeleteTrail"} <= set(names)
    session = next(k for k, s in cloud.state["sessions"].items() if s["name"] == "cc-7f31b2")
    assert session in {e["AccessKeyId"] for e in events(found)}, "a session has its own key"
    query = json.loads(found[0].query)
    assert query["LookupAttributes"][0]["AttributeKey"] == "Username"
    assert "late" in found[0].note


async def test_a_leaked_keys_trail_is_that_keys_and_its_sessions(client: Aws, cloud: Cloud) -> None:
    key = keys_of(cloud, "codex-jo")[0]
    await suspect(cloud, key, "sts", Action="GetSessionToken")
    [session] = cloud.sessions
    await suspect(cloud, session, Action="ListUsers")
    found = await collect(client, CloudTrail(), f"credential:{key}")
    who = {e["AccessKeyId"] for e in events(found)}
    assert {key, session} <= who
    assert not who & set(keys_of(cloud, "jo"))


async def test_every_region_is_searched(cloud: Cloud) -> None:
    client = connect(cloud, trail_regions=("us-east-1", "eu-west-1"))
    found = await collect(client, CloudTrail())
    assert {a.source for a in found} == {
        "cloudtrail:LookupEvents us-east-1",
        "cloudtrail:LookupEvents eu-west-1",
    }
    await client.aclose()


async def test_a_region_that_fails_is_said_and_stops_no_other(cloud: Cloud) -> None:
    client = connect(cloud, trail_regions=("eu-west-1", "us-east-1"))
    cloud.fault("status", "Action=LookupEvents.*Region=eu-west-1", status=503)
    whose = await account(client)
    now = datetime.now(UTC)
    kept: list[Artifact] = []

    async def keep() -> None:
        window = Window(now - timedelta(days=1), now)
        async for artifact in CloudTrail().collect(client, whose, window):
            kept.append(artifact)  # noqa: PERF401  # what came before the error counts

    with pytest.raises(Transient):
        await keep()
    assert "DeleteTrail" not in kept[0].name
    assert {a.source for a in kept} == {"cloudtrail:LookupEvents us-east-1"}
    assert any(e["EventName"] == "AssumeRole" for e in events(kept))
    await client.aclose()


async def test_a_cut_is_said(client: Aws) -> None:
    found = await collect(client, CloudTrail(pages=1))
    cut = [a for a in found if a.truncated]
    assert cut
    assert all("stopped after 1 pages" in a.note for a in cut)


async def test_lookups_keep_the_vendors_pace(cloud: Cloud) -> None:
    cloud.trail.rate = 20.0
    steady = connect(cloud, lookup_rate=20.0)
    start = time.monotonic()
    assert await collect(steady, CloudTrail(pages=1), f"credential:{keys_of(cloud, 'kim')[0]}")
    assert time.monotonic() - start >= 0.05
    await steady.aclose()
    hasty = connect(cloud, lookup_rate=1000.0)
    cloud.trail.rate = 0.5
    with pytest.raises(Transient) as caught:
        await collect(hasty, CloudTrail())
    assert not caught.value.sent
    await hasty.aclose()


@pytest.mark.parametrize("collector", [AccessKeys(), User(), CloudTrail()], ids=lambda c: c.name)
async def test_the_scopes_suffice_and_each_is_needed(
    client: Aws, cloud: Cloud, collector: Collector[Aws]
) -> None:
    cloud.state["users"]["jo"]["inline"]["own"] = "{}"
    whose = await account(client)
    now = datetime.now(UTC)
    window = Window(now - timedelta(days=1), now)
    cloud.granted = set(collector.scopes)
    assert [a async for a in collector.collect(client, whose, window)]
    for lacking in collector.scopes:
        cloud.granted = set(collector.scopes) - {lacking}
        with pytest.raises(Denied) as caught:
            _ = [a async for a in collector.collect(client, whose, window)]
        assert caught.value.scope == lacking
