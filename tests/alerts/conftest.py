"""A configuration that takes alerts, and the rules that ship in force for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from killswitch import catalogue
from killswitch import config as configuration
from killswitch.alerts import rules
from killswitch.config import Config
from tabletop.home import prepare
from tabletop.sims.world import World
from tests.alerts import siem as siems
from tests.alerts.support import with_playbook


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    folder = tmp_path_factory.mktemp("alerts") / "home"
    more = with_playbook(folder)
    file, _ = prepare(folder, World.named("small"), vendors=["okta"], **more)
    return configuration.load(file)


@pytest.fixture(scope="module")
def shipped(config: Config) -> tuple[rules.Rule, ...]:
    found = rules.lint(config)
    assert not found.errors
    return found.rules


@pytest.fixture
def siem(monkeypatch: pytest.MonkeyPatch) -> Iterator[siems.Siem]:
    """A SIEM whose alerts can be read; while the test runs, ``toysiem`` is a vendor."""
    monkeypatch.setitem(catalogue.VENDORS, "toysiem", "tests.alerts.siem")
    siems.SIEMS[siems.ADDRESS] = siems.Siem()
    yield siems.SIEMS[siems.ADDRESS]
    siems.SIEMS.clear()
