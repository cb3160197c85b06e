from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from killswitch.model.collector import Artifact, Collector, Window
from killswitch.model.errors import Denied, Missing
from killswitch.model.subject import Account, Kind, Subject
from killswitch.vendors.claude.client import Claude, Settings
from killswitch.vendors.claude.drop_folder import CHUNK, LocalTranscripts
from killswitch.vendors.claude.evidence import Activities, ApiKeys, Member, Usage
from killswitch.vendors.claude.transcripts import LOCAL, REMOTE, Transcripts
from killswitch.vendors.claude.vendor import VENDOR
from tabletop.sims.claude import Claude as Organisation
from tests.support import LoopbackLink


async def collected(
    collector: Collector[Claude], client: Claude, account: Account, window: Window
) -> list[Artifact]:
    return [a async for a in collector.collect(client, account, window)]


def parsed(artifact: Artifact) -> dict[str, Any]:
    assert isinstance(artifact.body, bytes)
    found: dict[str, Any] = json.loads(artifact.body)
    return found


async def test_the_member_as_the_vendor_has_them(
    client: Claude, jo: Account, week: Window, sim: Organisation
) -> None:
    (member,) = await collected(Member(), client, jo, week)
    assert member.body == sim.record()[-1].response_body
    assert member.request_id == sim.record()[-1].response_headers["request-id"]
    assert member.source == f"GET /v1/organizations/users/{jo.id}"


async def test_all_keys_and_no_secret(client: Claude, jo: Account, week: Window) -> None:
    keys = await collected(ApiKeys(), client, jo, week)
    assert {parsed(k)["name"] for k in keys} == {
        "jo-laptop",
        "jo-ci-payments",
        "jo-batch-review",
        "jo-old-experiment",
        "jo-spike-2024",
    }
    assert not any(b"FAKE" in k.body for k in keys if isinstance(k.body, bytes))


async def test_usage_is_the_subjects_own(
    client: Claude, jo: Account, week: Window, sim: Organisation
) -> None:
    messages, *days = await collected(Usage(), client, jo, week)
    used = {r["api_key_id"] for bucket in parsed(messages)["data"] for r in bucket["results"]}
    names = {sim.state["api_keys"][key]["name"] for key in used}
    assert names
    assert all(name.startswith("jo-") for name in names)
    records = [r for day in days for r in parsed(day)["data"]]
    assert {r["actor"]["email_address"] for r in records} == {"jo@corp.example"}
    (minimised,) = [d for d in days if d.note]
    assert "1 records of other people left out; SHA-256" in minimised.note


async def test_without_keys_nobodys_usage_is_asked_for(
    client: Claude, week: Window, sim: Organisation
) -> None:
    (dana,) = await VENDOR.resolve(client, Subject.parse("dana@corp.example"))
    found = await collected(Usage(), client, dana, week)
    assert not any(e.path.endswith("usage_report/messages") for e in sim.record())
    assert not any(parsed(day)["data"] for day in found)


async def test_activities_are_the_persons_in_the_window(
    client: Claude, jo: Account, week: Window
) -> None:
    (page,) = await collected(Activities(), client, jo, week)
    assert {a["actor"]["user_id"] for a in parsed(page)["data"]} == {jo.id}
    assert len(parsed(page)["data"]) == 2
    hour = Window(week.until - timedelta(hours=1), week.until)
    (empty,) = await collected(Activities(), client, jo, hour)
    assert parsed(empty)["data"] == []


async def test_activities_with_the_admin_key_alone(
    sim: Organisation, jo: Account, week: Window
) -> None:
    settings = Settings(**{**sim.settings(), "compliance_key": None})
    client = VENDOR.connect(settings, LoopbackLink("claude"))
    (page,) = await collected(Activities(), client, jo, week)
    assert len(parsed(page)["data"]) == 2
    await client.aclose()


async def test_transcripts_of_every_session_and_of_nobody_else(
    client: Claude, jo: Account, week: Window, sim: Organisation
) -> None:
    found = await collected(Transcripts(), client, jo, week)
    theirs = {
        s["id"]
        for kind in ("local", "remote")
        for s in sim.state[kind].values()
        if jo.id in ((s["user"] or {}).get("id"), (s.get("started_by_user") or {}).get("id"))
    }
    assert {a.name.split()[-1] for a in found} == theirs
    assert len(theirs) == 5
    everything = b"".join(a.body for a in found if isinstance(a.body, bytes))
    assert b"kim" not in everything
    assert b"paste.invalid" in everything
    assert b"git push --force" in everything
    assert b"AWS_SECRET_ACCESS_KEY=FAKE" in everything


async def test_transcripts_are_byte_for_byte_and_uncut(
    client: Claude, jo: Account, week: Window, sim: Organisation
) -> None:
    found = await collected(Transcripts(), client, jo, week)
    sent = [e.response_body for e in sim.record() if e.path.endswith("/messages")]
    kept = [a.body for a in found if a.name.startswith("messages") and a.body]
    assert kept == [body for body in sent if b'"type":"error"' not in body]
    assert not any(a.truncated for a in found if a.body)
    assert all(len(a.body) > 10_000 for a in found if a.name.startswith("messages") and a.body)


async def test_what_the_vendor_cut_is_said(
    client: Claude, jo: Account, week: Window, sim: Organisation
) -> None:
    session = next(s for s in sim.state["local"].values() if s["user"]["id"] == jo.id)
    session["messages"][-1]["provenance"] = {"type": "content_unavailable", "reason": "oversize"}
    session["messages"][-1]["content"] = []
    found = {a.name: a for a in await collected(Transcripts(), client, jo, week)}
    assert found[f"messages of {session['id']}"].truncated
    assert sum(a.truncated for a in found.values() if a.body) == 1


async def test_a_session_without_a_transcript_is_a_gap_with_a_name(
    client: Claude, jo: Account, week: Window, sim: Organisation
) -> None:
    pending = next(s for s in sim.state["remote"].values() if s["status"] == "pending")
    (gap,) = [a for a in await collected(Transcripts(), client, jo, week) if not a.body]
    assert gap.name == f"messages of {pending['id']}"
    assert gap.truncated
    assert gap.note


async def test_a_session_that_began_before_the_window_but_went_on_in_it(
    client: Claude, jo: Account, week: Window, sim: Organisation
) -> None:
    old = [s for s in sim.state["local"].values() if s["created_at"] < week.since.isoformat()]
    names = {a.name for a in await collected(Transcripts(), client, jo, week)}
    assert any(s["user"]["id"] == jo.id for s in old)
    assert all(f"session {s['id']}" in names for s in old if s["user"]["id"] == jo.id)
    narrow = {a.name for a in await collected(Transcripts(begun_within=0), client, jo, week)}
    assert not any(f"session {s['id']}" in narrow for s in old)


async def test_a_session_that_was_over_before_the_window_is_left_out(
    client: Claude, jo: Account, sim: Organisation
) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    assert (
        await collected(Transcripts(), client, jo, Window(later, later + timedelta(days=1))) == []
    )


async def test_local_sessions_switched_off_do_not_hide_remote_ones(
    client: Claude, jo: Account, week: Window, sim: Organisation
) -> None:
    sim.fault("status", f"GET {LOCAL}", status=404)
    kept: list[Artifact] = []

    async def keep() -> None:
        async for artifact in Transcripts().collect(client, jo, week):
            kept.append(artifact)  # noqa: PERF401  # what came before the error counts

    with pytest.raises(Missing):
        await keep()
    assert kept
    assert all(a.source.startswith(f"GET {REMOTE}") for a in kept)


@pytest.mark.parametrize("missing", ["read:compliance_user_data", "a key"])
async def test_transcripts_need_their_own_key(
    client: Claude, sim: Organisation, jo: Account, week: Window, missing: str
) -> None:
    if missing == "a key":
        settings = Settings(**{**sim.settings(), "compliance_key": None})
        client = VENDOR.connect(settings, LoopbackLink("claude"))
    else:
        sim.granted = {"org:admin", "read:compliance_activities"}
    with pytest.raises(Denied):
        await collected(Transcripts(), client, jo, week)


async def test_evidence_about_one_key(client: Claude, sim: Organisation, week: Window) -> None:
    key = next(k for k in sim.state["api_keys"].values() if k["name"] == "jo-laptop")
    (account,) = await VENDOR.resolve(client, Subject(Kind.CREDENTIAL, key["id"]))
    (record,) = await collected(ApiKeys(), client, account, week)
    assert parsed(record)["id"] == key["id"]
    (usage,) = await collected(Usage(), client, account, week)
    used = {r["api_key_id"] for bucket in parsed(usage)["data"] for r in bucket["results"]}
    assert used == {key["id"]}
    for collector in (Member(), Transcripts(), Activities()):
        assert await collected(collector, client, account, week) == []


async def test_collecting_changes_nothing_at_the_vendor(
    client: Claude, jo: Account, week: Window, sim: Organisation
) -> None:
    for collector in (Member(), ApiKeys(), Usage(), Transcripts(), Activities()):
        await collected(collector, client, jo, week)
    assert not any(e.wrote for e in sim.record())


# transcripts handed over in a folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    theirs = tmp_path / "drop" / "jo@corp.example" / "-home-jo-payments"
    theirs.mkdir(parents=True)
    (theirs / "cc-7f31b2.jsonl").write_bytes(b'{"type":"user"}\n' * (CHUNK // 8))
    (theirs / "notes.txt").write_text("not a transcript")
    other = tmp_path / "drop" / "kim@corp.example"
    other.mkdir()
    (other / "cc-55d0aa.jsonl").write_text("{}\n")
    return tmp_path / "drop"


def handed_over(sim: Organisation, folder: Path | None) -> Claude:
    settings = Settings(**{**sim.settings(), "drop_folder": folder})
    return VENDOR.connect(settings, LoopbackLink("claude"))


async def body(artifact: Artifact) -> list[bytes]:
    assert not isinstance(artifact.body, bytes)
    return [chunk async for chunk in artifact.body]


async def test_files_come_in_chunks_as_they_are(
    sim: Organisation, jo: Account, week: Window, folder: Path
) -> None:
    (found,) = await collected(LocalTranscripts(), handed_over(sim, folder), jo, week)
    chunks = await body(found)
    assert found.name == "jo@corp.example/-home-jo-payments/cc-7f31b2.jsonl"
    assert b"".join(chunks) == (folder / found.name).read_bytes()
    assert len(chunks) == 2


async def test_links_are_named_and_not_followed(
    sim: Organisation, jo: Account, week: Window, folder: Path
) -> None:
    theirs = folder / "jo@corp.example"
    (theirs / "z-file.jsonl").symlink_to(folder / "kim@corp.example" / "cc-55d0aa.jsonl")
    (theirs / "z-folder").symlink_to(folder / "kim@corp.example")
    found = await collected(LocalTranscripts(), handed_over(sim, folder), jo, week)
    links = [a for a in found if a.truncated]
    assert [a.name for a in links] == ["jo@corp.example/z-file.jsonl", "jo@corp.example/z-folder"]
    assert all(a.body == b"" and "symbolic link" in a.note for a in links)
    assert len(found) == 3


async def test_a_folder_that_is_a_link_is_not_entered(
    sim: Organisation, jo: Account, week: Window, tmp_path: Path, folder: Path
) -> None:
    drop = tmp_path / "other"
    drop.mkdir()
    (drop / "jo@corp.example").symlink_to(folder / "kim@corp.example")
    (link,) = await collected(LocalTranscripts(), handed_over(sim, drop), jo, week)
    assert link.body == b""


async def test_a_file_that_becomes_a_link_is_not_read(
    sim: Organisation, jo: Account, week: Window, folder: Path
) -> None:
    (found,) = await collected(LocalTranscripts(), handed_over(sim, folder), jo, week)
    (folder / found.name).unlink()
    (folder / found.name).symlink_to(folder / "kim@corp.example" / "cc-55d0aa.jsonl")
    with pytest.raises(OSError):
        await body(found)


@pytest.mark.parametrize("email", ["../kim@corp.example", "..", "/etc", ""])
async def test_an_address_is_never_a_path(
    sim: Organisation, jo: Account, week: Window, folder: Path, email: str
) -> None:
    odd = replace(jo, email=email)
    client = handed_over(sim, folder / "jo@corp.example")
    try:
        found = await collected(LocalTranscripts(), client, odd, week)
    except Missing:
        found = []
    assert found == []


@pytest.mark.parametrize("configured", [True, False])
async def test_nothing_handed_over_is_a_gap(
    sim: Organisation, jo: Account, week: Window, tmp_path: Path, configured: bool
) -> None:
    client = handed_over(sim, tmp_path if configured else None)
    with pytest.raises(Missing):
        await collected(LocalTranscripts(), client, jo, week)
