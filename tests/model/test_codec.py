"""Frozen dataclasses to plain JSON and back, and one sequence of bytes for one value."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from killswitch import catalogue
from killswitch.model.codec import canonical, digest, dump, kinds, load
from killswitch.model.subject import Account
from tests.engine.toy import Door, DoorState, Lock

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)

texts = st.text(max_size=20)
accounts = st.builds(
    Account,
    connection=texts, vendor=texts, id=texts, login=texts, label=texts, email=texts,
    admin=st.booleans(), aliases=st.lists(texts, max_size=3).map(tuple), mark=texts,
)  # fmt: skip


@given(accounts)
def test_an_account_comes_back_as_it_was(account):
    assert load(Account, json.loads(json.dumps(dump(account)))) == account


def test_targets_and_states_come_back_as_what_they_were():
    door, state = Door(id="front", label="door front", manual="walk there"), DoorState(open=True)
    target, before = kinds(Lock)
    assert (target, before) == (Door, DoorState)
    assert load(target, dump(door)) == door
    assert load(before, dump(state)) == state


def test_every_action_says_which_target_and_state_it_has():
    for name in catalogue.action_names():
        target, state = kinds(catalogue.action(name))
        assert target.__name__, state.__name__


@pytest.mark.parametrize(
    "data", [{"id": "front"}, {"id": "front", "label": 7}, "front", None, {"open": "perhaps"}]
)
def test_what_is_not_one_is_refused(data):
    with pytest.raises(ValidationError):
        load(Door, data)


@given(JSON)
def test_one_value_has_one_form_however_it_is_written(value):
    again = json.loads(json.dumps(value, indent=3, ensure_ascii=True))
    assert canonical(again) == canonical(value)
    assert json.loads(canonical(value)) == value


@given(JSON, JSON)
def test_two_values_have_two_digests(one, other):
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (digest(one) == digest(other)) is same


def test_the_digest_is_sha_256_of_rfc_8785():
    assert canonical({"b": 1, "a": "é"}) == '{"a":"é","b":1}'.encode()
    assert digest({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
