"""Who holds a target: the first hold owns the before-state, the last one gives it back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from killswitch.audit.store import Store
from killswitch.engine import holds
from tests.model.examples import change

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ACTIVE, SUSPENDED = {"status": "ACTIVE"}, {"status": "SUSPENDED"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "killswitch.db")
    yield store
    store.close()


def test_the_first_hold_keeps_its_own_before_state(store):
    assert holds.place(store, "K-1", change(), ACTIVE, NOW) == holds.Hold(ACTIVE, "K-1")
    assert holds.others(store, "K-1", change().id) == []


def test_the_second_case_inherits_what_was_before_the_first(store):
    holds.place(store, "K-1", change(), ACTIVE, NOW)
    second = holds.place(store, "K-2", change(), SUSPENDED, NOW + timedelta(minutes=1))
    assert second == holds.Hold(ACTIVE, "K-1")
    assert holds.others(store, "K-1", change().id) == ["K-2"]


def test_placing_it_twice_is_placing_it_once(store):
    holds.place(store, "K-1", change(), ACTIVE, NOW)
    again = holds.place(store, "K-1", change(), SUSPENDED, NOW + timedelta(minutes=1))
    assert again == holds.Hold(ACTIVE, "K-1")
    holds.lift(store, "K-1", change().id, NOW)
    assert holds.others(store, "K-2", change().id) == []


def test_what_was_inherited_stays_when_the_owner_lets_go(store):
    holds.place(store, "K-1", change(), ACTIVE, NOW)
    holds.place(store, "K-2", change(), SUSPENDED, NOW)
    holds.lift(store, "K-1", change().id, NOW)
    holds.lift(store, "K-1", change().id, NOW)  # twice is once
    third = holds.place(store, "K-3", change(), SUSPENDED, NOW)
    assert third == holds.Hold(ACTIVE, "K-1")


def test_when_all_are_lifted_the_next_one_starts_anew(store):
    holds.place(store, "K-1", change(), ACTIVE, NOW)
    holds.lift(store, "K-1", change().id, NOW)
    assert holds.place(store, "K-2", change(), SUSPENDED, NOW) == holds.Hold(SUSPENDED, "K-2")


def test_holds_are_on_one_target_each(store):
    holds.place(store, "K-1", change(), ACTIVE, NOW)
    other = change(id="okta/okta.user.suspend/00uother")
    assert holds.place(store, "K-2", other, SUSPENDED, NOW).owner == "K-2"
