"""Fixtures for every test: one small world, fresh each time."""

from __future__ import annotations

import pytest

from tabletop.sims.world import World


@pytest.fixture
def world() -> World:
    return World.named("small")
