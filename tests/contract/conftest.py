"""Doors for the whole session, and stages that are set anew for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.walk import EMAIL, Stage, open_doors

SetStage = Callable[[str], Stage]


@pytest.fixture(scope="session")
def doors() -> Iterator[dict[str, Any]]:
    with open_doors() as listening:
        yield listening.sims


@pytest.fixture
async def stage_of(doors: dict[str, Any], tmp_path: Path) -> AsyncIterator[SetStage]:
    """``stage_of("okta.user.suspend")``: the stage of the vendor that the name begins with."""
    handed_over = tmp_path / EMAIL
    handed_over.mkdir()
    for number in (1, 2):
        (handed_over / f"session-{number}.jsonl").write_text(f'{{"turn": {number}}}\n')
    stages: list[Stage] = []

    def set_stage(name: str) -> Stage:
        stages.append(Stage(name.partition(".")[0], doors, tmp_path))
        return stages[-1]

    yield set_stage
    for stage in stages:
        await stage.aclose()
