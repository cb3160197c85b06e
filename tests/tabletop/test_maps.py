"""The frameworks' identifiers: complete, dated, and used."""

from __future__ import annotations

import re

import pytest

from tabletop import maps, scenario
from tabletop.scenario import Maps

FRAMEWORKS = tuple(Maps.model_fields)
SHAPE = {
    "owasp_agentic": r"ASI(0[1-9]|10)",
    "maestro": r"L[1-7]|Cross-Layer",
    "nist_ai_rmf": r"(GOVERN|MAP|MEASURE|MANAGE) \d\.\d{1,2}",
    "atlas": r"AML\.[TM]\d{4}(\.\d{3})?",
    "d3fend": r"D3-[A-Z]{2,5}",
}


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_every_framework_has_an_edition_with_its_date(framework: str) -> None:
    assert re.search(r"published 20\d\d-(0[1-9]|1[0-2])$", maps.edition(framework))


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_every_identifier_is_of_its_frameworks_shape_and_has_a_title(framework: str) -> None:
    titles = maps.titles(framework)
    assert titles
    for identifier, title in titles.items():
        assert re.fullmatch(SHAPE[framework], identifier), identifier
        assert isinstance(title, str)
        assert len(title) > 3, identifier
        assert "\n" not in title, identifier
    assert len(set(titles.values())) == len(titles)


def test_the_agentic_top_ten_is_whole_and_of_the_2026_edition() -> None:
    titles = maps.titles("owasp_agentic")
    assert list(titles) == [f"ASI{number:02}" for number in range(1, 11)]
    assert titles["ASI01"] == "Agent Goal Hijack"
    assert titles["ASI10"] == "Rogue Agents"


def test_an_unknown_identifier_is_refused_with_the_edition() -> None:
    with pytest.raises(ValueError, match=r"'ASI11' is not in owasp_agentic \(2026"):
        Maps(owasp_agentic=("ASI11",))


def test_an_unknown_framework_raises_keyerror() -> None:
    with pytest.raises(KeyError):
        maps.titles("no-such-framework")


def test_the_scenarios_touch_every_risk_of_the_top_ten_but_memory() -> None:
    """Poisoned memory is no scenario of its own; it would be dishonest to list it."""
    used = {
        identifier
        for name in scenario.names("scenario")
        for identifier in scenario.load(name).maps.owasp_agentic
    }
    assert set(maps.titles("owasp_agentic")) - used == {"ASI06"}
