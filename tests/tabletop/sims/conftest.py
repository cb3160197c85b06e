"""A fake Slack for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tabletop.sims.slack import FakeSlack
from tabletop.sims.world import World


@pytest.fixture
def slack(world: World) -> Iterator[FakeSlack]:
    with FakeSlack(world) as slack:
        yield slack
