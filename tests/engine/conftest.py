"""Fixtures of the engine's tests: the toy vendor, and waits that are short."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from killswitch import catalogue
from killswitch.engine import settle
from tests.engine import toy


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], toy.Room]:
    """Makes a toy tenant at an address; while the test runs, ``toy`` is a vendor."""
    monkeypatch.setitem(catalogue.VENDORS, "toy", "tests.engine.toy")

    def made(address: str) -> toy.Room:
        return toy.ROOMS.setdefault(address, toy.Room())

    return made


@pytest.fixture(autouse=True)
def empty_house() -> Iterator[None]:
    """No tenant outlives its test, however it was made."""
    yield
    toy.ROOMS.clear()


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks again after hundredths of seconds; how often stays as it is."""
    monkeypatch.setattr(settle, "_LOOK_WAIT", 0.02)
