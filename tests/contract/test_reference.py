"""docs/reference and playbooks/schema.json say what the code says."""

from __future__ import annotations

from pathlib import Path

import pytest

from killswitch import catalogue
from killswitch.reference.pages import pages

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def written() -> dict[str, str]:
    return pages()


def test_every_page_is_current(written: dict[str, str]) -> None:
    stale = [
        path
        for path, text in written.items()
        if not (ROOT / path).is_file() or (ROOT / path).read_text(encoding="utf-8") != text
    ]
    assert not stale, "run: python -m killswitch.reference"


def test_nothing_else_lies_there(written: dict[str, str]) -> None:
    there = {str(f.relative_to(ROOT)) for f in (ROOT / "docs" / "reference").iterdir()}
    assert there == {path for path in written if path.startswith("docs/")}


def test_every_action_collector_and_scope_has_its_place(written: dict[str, str]) -> None:
    for name in catalogue.action_names():
        assert f"### {name}\n" in written["docs/reference/actions.md"]
        for scope in catalogue.action(name).scopes:
            assert f"`{scope}`" in written["docs/reference/scopes.md"]
    for name in catalogue.collector_names():
        assert f"### {name}\n" in written["docs/reference/collectors.md"]


def test_every_page_of_a_vendor_that_is_linked_exists(written: dict[str, str]) -> None:
    for name in catalogue.VENDORS:
        assert f"(../vendors/{name}.md)" in written["docs/reference/scopes.md"]
        assert (ROOT / "docs" / "vendors" / f"{name}.md").is_file()
