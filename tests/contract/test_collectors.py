"""Every collector of the catalogue: reads only, raw bytes, and what came before an error is kept.

That each is rehearsed by a scenario cannot be asked before ``tabletop/scenarios`` holds the first
one: the test belongs here then, beside the one of playbooks.
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
from dataclasses import dataclass, field
from typing import Any

import pytest

from killswitch import playbooks
from killswitch.model.collector import Artifact, Collector
from killswitch.model.errors import VendorError
from killswitch.model.subject import Account
from tabletop.sims.base import Exchange
from tests.contract.conftest import SetStage
from tests.contract.quality import exempt
from tests.contract.walk import COLLECTORS, Stage, body_of, every_collector, week

AnyCollector = Collector[Any]


@dataclass
class Taken:
    """What was yielded, until the end or the error."""

    artifacts: list[tuple[Artifact, bytes]] = field(default_factory=list)
    error: VendorError | None = None

    @property
    def names(self) -> list[str]:
        return [artifact.name for artifact, _ in self.artifacts]


async def take(client: Any, collector: AnyCollector, accounts: list[Account]) -> Taken:
    """What the collector has on these accounts, as the engine would take it."""
    taken = Taken()
    try:
        for account in accounts:
            async for artifact in collector.collect(client, account, week()):
                taken.artifacts.append((artifact, await body_of(artifact)))
    except VendorError as error:
        taken.error = error
    return taken


async def taken_of(stage: Stage, collector: AnyCollector) -> Taken:
    """All there is on the suspect. Fails where that is nothing: then nothing is tested."""
    client = stage.connect()
    accounts = await stage.accounts(client)
    stage.sim.exchanges.clear()
    taken = await take(client, collector, accounts)
    assert taken.error is None
    assert taken.artifacts, f"{collector.name} finds nothing of the suspect's in the simulator"
    return taken


@every_collector
async def test_it_reads_only(collector: AnyCollector, stage_of: SetStage) -> None:
    stage = stage_of(collector.name)
    before = copy.deepcopy(stage.sim.state)
    await taken_of(stage, collector)
    assert stage.sim.state == before
    assert [e.line for e in stage.sim.record() if e.wrote] == []


@every_collector
async def test_artifacts_are_the_bytes_that_came(
    collector: AnyCollector, stage_of: SetStage
) -> None:
    """Where a vendor is exempt, an artifact that was cut names the SHA-256 of the answer."""
    stage = stage_of(collector.name)
    taken = await taken_of(stage, collector)
    came = {e.response_body for e in stage.sim.record()}
    came |= {file.read_bytes() for file in stage.folder.rglob("*.jsonl")}
    digests = {hashlib.sha256(body).hexdigest() for body in came}
    cut = [
        artifact
        for artifact, body in taken.artifacts
        if body not in came and (body or not artifact.truncated)  # empty: there was none to keep
    ]
    assert not cut or exempt(stage.vendor.name, "raw-evidence")
    for artifact in cut:
        assert any(digest in artifact.note for digest in digests), artifact.name


@every_collector
async def test_artifacts_say_where_they_are_from(
    collector: AnyCollector, stage_of: SetStage
) -> None:
    stage = stage_of(collector.name)
    taken = await taken_of(stage, collector)
    for artifact, body in taken.artifacts:
        assert artifact.name
        assert artifact.source
        assert artifact.media_type
        assert body or artifact.note
        assert bool(artifact.note) >= artifact.truncated, "what is cut short says how"
    if stage.sim.exchanges:
        assert any(a.request_id for a, _ in taken.artifacts)


@every_collector
async def test_what_was_yielded_before_an_error_is_kept(
    collector: AnyCollector, stage_of: SetStage
) -> None:
    """The request that led to the last artifact answers 500: all the earlier ones still come."""
    stage = stage_of(collector.name)
    client = stage.connect()
    accounts = await stage.accounts(client)
    asked = len(stage.sim.exchanges)
    whole = await take(client, collector, accounts)
    record = stage.sim.record(asked)
    if not record:
        pytest.skip("asks no vendor")
    number, request = _last_answer(record, whole)
    stage.renew()
    accounts = await stage.accounts(client)
    stage.sim.fault("status", skip=request, status=500)
    broken = await take(client, collector, accounts)
    assert broken.error is not None
    assert broken.names == whole.names[:number]


def _last_answer(record: list[Exchange], whole: Taken) -> tuple[int, int]:
    """The last artifact that has something in it, and the request that led to it."""
    for number, (artifact, body) in reversed(list(enumerate(whole.artifacts))):
        for request, exchange in reversed(list(enumerate(record))):
            answer = exchange.response_body
            if body and (answer == body or hashlib.sha256(answer).hexdigest() in artifact.note):
                return number, request
    raise AssertionError("no artifact is what any request was answered")


def test_every_collector_is_used_by_a_shipped_playbook() -> None:
    shipped = [playbooks.load(name) for name in playbooks.names()]
    used = {entry.use for playbook in shipped for entry in playbook.evidence.collect}
    assert {c.name for c in COLLECTORS} - used == set()


def test_a_collector_is_a_frozen_dataclass_with_defaults() -> None:
    for collector in COLLECTORS:
        assert dataclasses.is_dataclass(collector)
        assert collector.__dataclass_params__.frozen, collector.name
        assert isinstance(collector.volatile, bool)
        collector()
