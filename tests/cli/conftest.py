"""One home a module: starting an engine takes longer than most of what is asked here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cli.support import DANA, RIA, Home, a_home


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """Ria is an operator and an engineering lead; every test takes a subject of its own."""
    roles = {"secops": ["okta:secops", DANA, RIA]}
    with a_home(tmp_path_factory.mktemp("home") / "home", roles=roles) as made:
        yield made
