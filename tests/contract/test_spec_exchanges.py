"""Every exchange of a whole walk, held to the document that its vendor publishes.

Vendors with no document are exempt from ``spec-checked`` in their ``quality.yaml``; AWS publishes
service models in place of a document.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace

import pytest

from killswitch.model.action import Undo
from killswitch.model.errors import VendorError
from killswitch.model.vendor import Vendor
from tabletop.sims.base import Exchange
from tabletop.sims.github_base import API
from tests.contract import spec
from tests.contract.conftest import SetStage
from tests.contract.excused import APPLY, excused
from tests.contract.quality import exempt
from tests.contract.walk import (
    VENDORS,
    Stage,
    apply,
    body_of,
    contained,
    every_vendor,
    label,
    undo,
    variants,
    week,
)
from tests.vendors.aws import spec as models

Findings = Callable[[Iterable[Exchange]], list[str]]


def _okta(exchanges: Iterable[Exchange]) -> list[str]:
    spec.require("okta-management")
    return spec.violations("okta-management", exchanges)


def _github(exchanges: Iterable[Exchange]) -> list[str]:
    spec.require("github-ghec")
    served = [replace(e, path=e.path.removeprefix(API)) for e in exchanges]
    return spec.violations("github-ghec", served)


def _aws(exchanges: Iterable[Exchange]) -> list[str]:
    return sorted({found for e in exchanges for found in models.violations(e)})


HELD_TO: dict[str, Findings] = {"okta": _okta, "github": _github, "aws": _aws}


@pytest.mark.parametrize("name", HELD_TO)
async def test_a_whole_walk_speaks_as_the_vendor_documents(name: str, stage_of: SetStage) -> None:
    stage = stage_of(name)
    await _everything(stage)
    exchanges = stage.sim.record()
    assert {e.method for e in exchanges} >= {"POST"}
    assert any(e.wrote for e in exchanges)
    assert HELD_TO[name](exchanges) == []


@every_vendor
def test_whoever_is_not_held_to_a_document_says_why(vendor: Vendor[object]) -> None:
    assert exempt(vendor.name, "spec-checked") == (vendor.name not in HELD_TO)


def test_only_vendors_are_held_to_documents() -> None:
    assert HELD_TO.keys() <= {v.name for v in VENDORS}


async def _everything(stage: Stage) -> None:
    """What the engine, ``doctor`` and the guards ask of a vendor."""
    vendor, client = stage.vendor, stage.connect()
    await vendor.whoami(client)
    await vendor.check(client)
    if vendor.admins:
        await vendor.admins(client)
    for account in await stage.accounts(client):
        for collector in vendor.collectors:
            async for artifact in collector().collect(client, account, week()):
                await body_of(artifact)
    for kind in vendor.actions:
        for action in variants(kind):
            placed = await stage.placed(client, action)
            if excused(APPLY, label(action)):
                with suppress(VendorError):
                    await apply(client, action, placed)
                continue
            await apply(client, action, placed)
            await contained(client, action, placed)
            for one in placed:
                await action.probe(client, one.target)
            if kind.undo_kind is not Undo.NONE:
                await undo(client, action, placed)
