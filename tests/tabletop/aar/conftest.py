"""Every record, and the report that is made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from tabletop.aar import render
from tabletop.aar.data import after_action
from tabletop.record import Record, to_json
from tests.report.page import Element, Page
from tests.tabletop.aar.records import ALL


@dataclass(frozen=True)
class Drawn:
    journal: dict[str, Any]
    report: dict[str, Any]
    text: str
    page: Element


def drawn(record: Record) -> Drawn:
    report = after_action(record)
    text = render.html(report, signed_by="ab12")
    return Drawn(to_json(record), report, text, Page(text).root)


@pytest.fixture(params=sorted(ALL))
def every(request) -> Drawn:
    return drawn(ALL[request.param]())
