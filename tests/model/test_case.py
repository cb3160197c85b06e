"""A case is what its journal entries add up to; only legal moves add up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from killswitch.model.case import MOVES, CaseState, ChangeState, advance, fold
from killswitch.model.errors import Broken
from killswitch.model.event import Entry, What
from tests.model.examples import CHANGE, change, entries, request

HELD = (What.HELD, {"change": CHANGE, "before": {"status": "ACTIVE"}, "owner": "K-1"})
APPLYING = (What.APPLYING, {"change": CHANGE, "attempt": 1})
UNDOING = (What.APPLYING, {"change": CHANGE, "attempt": 1, "undo": True})
OPENED = (
    What.OPENED,
    {
        "gate": "lead",
        "digest": "d" * 64,
        "purpose": "contain",
        "quorum": 1,
        "approvers": ["lee@corp.example"],
        "expires_at": "2026-01-01T00:15:00+00:00",
    },
)


def state(to: ChangeState, **more):
    return (What.STATE, {"change": CHANGE, "state": to, **more})


def test_from_the_request_to_the_end():
    decided = {"gate": "lead", "person": "lee@corp.example", "decision": "approve"}
    case = fold(
        entries(
            OPENED,
            (What.DECIDED, decided),
            (What.SHUT, {"gate": "lead", "outcome": "approved"}),
            (What.LAYER_STARTED, {"layer": "identity"}),
            HELD,
            APPLYING,
            state(ChangeState.CONTAINED, reads=["1", "2"]),
            (What.LAYER_FINISHED, {"layer": "identity", "late": []}),
            (What.SETTLED, {"state": "contained", "open": []}),
            (What.CLOSED, {"state": "contained"}),
        )
    )
    view = case.changes[CHANGE]
    assert (case.id, case.state, case.open) == ("K-1", CaseState.CONTAINED, [])
    assert (view.state, view.attempts, view.held, view.open) == (
        ChangeState.CONTAINED, 1, True, False,
    )  # fmt: skip
    assert case.gates["lead"].decisions[0]["person"] == "lee@corp.example"
    assert case.times["T1"] < case.times["T2"] < case.times["T3"] < case.times["T4"]
    assert case.closed_at


def test_advancing_entry_by_entry_comes_to_the_same():
    told = entries(OPENED, HELD, APPLYING, state(ChangeState.UNVERIFIED))
    case = fold(told[:1])
    for entry in told[1:]:
        advance(case, entry)
    assert case == fold(told)


def test_nothing_comes_before_the_request():
    with pytest.raises(Broken, match=r"journal entry 2: case\.resolved before the request"):
        fold(entries()[1:])
    with pytest.raises(Broken, match="no such case"):
        fold([])


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ((UNDOING, state(ChangeState.RESTORED), state(ChangeState.CONTAINED)),
         "restored -> contained"),
        ((state(ChangeState.SKIPPED), APPLYING), "skipped -> applying"),
        ((state(ChangeState.REISSUE), UNDOING), "reissue -> restoring"),
        ((HELD, state(ChangeState.REVERTED)), "held -> reverted"),
    ],
)  # fmt: skip
def test_an_illegal_move_is_a_broken_journal_and_names_the_entry(facts, says):
    with pytest.raises(Broken, match=rf"journal entry \d: {CHANGE} {says}"):
        fold(entries(*facts))


def test_a_hold_that_is_read_once_more_moves_nothing():
    case = fold(entries(HELD, APPLYING, state(ChangeState.CONTAINED, reads=["1", "2"]), HELD))
    assert case.changes[CHANGE].state is ChangeState.CONTAINED


def test_what_was_found_later_is_one_of_the_changes_and_keeps_the_case_open():
    found = change(id="okta/okta.user.suspend/00unew", swept=True).model_dump(mode="json")
    case = fold(entries((What.FOUND, {"layer": "identity", "change": found})))
    assert case.changes[found["id"]].plan.swept
    assert case.changes[found["id"]].open


def test_only_contained_closes_a_required_change():
    for to in ChangeState:
        view = fold(entries()).changes[CHANGE]
        view.state = to
        assert view.open is (to is not ChangeState.CONTAINED)


@given(st.lists(st.sampled_from(list(ChangeState)), max_size=12))
def test_whatever_is_said_of_a_change_it_moves_legally_or_not_at_all(says):
    told = entries(*(state(to) for to in says))
    at = ChangeState.PLANNED
    legal = True
    for to in says:
        if to is ChangeState.HELD and at is not ChangeState.PLANNED:
            continue
        legal = legal and to in MOVES[at]
        at = to if legal else at
    if legal:
        assert fold(told).changes[CHANGE].state is at
    else:
        with pytest.raises(Broken, match="->"):
            fold(told)


@given(st.sampled_from([s for s in ChangeState if s is not ChangeState.PLANNED]))
def test_nothing_goes_back_to_planned(at):
    assert ChangeState.PLANNED not in MOVES[at]


@pytest.mark.parametrize("end", [ChangeState.RESTORED, ChangeState.REISSUE])
def test_what_was_given_back_or_is_gone_for_good_is_never_contained_by_the_same_case(end):
    assert MOVES[end] <= {end, ChangeState.RESTORING}


def test_every_state_has_its_moves():
    assert set(MOVES) == set(ChangeState)


def test_restores_are_kept_one_by_one():
    asked = {"by": "dana@corp.example", "only": [], "force": False, "number": 1}
    case = fold(
        entries(
            (What.RESTORE_ASKED, asked),
            (What.RESTORED, {"state": "denied", "reissue": [], "open": []}),
            (What.RESTORE_ASKED, {**asked, "number": 2}),
            (What.RESTORED, {"state": "restored", "reissue": ["x"], "open": []}),
        )
    )
    assert [r["state"] for r in case.restores] == ["denied", "restored"]
    assert (case.state, case.reissue) == (CaseState.RESTORED, ["x"])


def test_a_request_takes_no_field_that_it_does_not_know():
    with pytest.raises(ValueError, match="approved"):
        fold([
            Entry(1, "", What.REQUESTED, "K-1", "", {"request": request(approved=True)}, "", "")
        ])  # fmt: skip
