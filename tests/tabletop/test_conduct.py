"""The rules that engine and people go by: held, broken, and unknown."""

from __future__ import annotations

import pytest

from killswitch.model.action import Layer
from tabletop.measures import measure
from tests.report.journal import change
from tests.tabletop.stories import (
    DANA,
    JO,
    KEYS,
    LEE,
    LOCK,
    RIA,
    SUSPEND,
    What,
    asked,
    at,
    contained,
    layers,
    planned,
    seen,
    unknown,
)


def test_evidence_comes_before_the_first_change():
    assert measure("evidence_before_change", seen(contained())) is True
    assert unknown("evidence_before_change", seen(planned().evidence()), "nothing was changed")


def test_evidence_that_is_taken_after_revoking_is_found():
    after = layers(planned().approved()).evidence(80)
    assert measure("evidence_before_change", seen(after)) is False
    assert measure("order_held", seen(after)) is False
    never = layers(planned().approved())
    assert measure("evidence_before_change", seen(never)) is False


def test_a_seal_does_not_hide_volatile_evidence_that_came_later():
    story = planned()
    source = {"connection": "claude", "collector": "claude.transcripts", "volatile": True}
    story.add(What.COLLECTING, 7, **source)
    story.add(What.SEALED, 8, which="volatile", manifest="5e" * 32, items=0, gaps=0).approved()
    late = layers(story).add(What.COLLECTED, 80, items=1, **source)
    assert measure("evidence_before_change", seen(late)) is False


def test_a_gap_that_was_said_in_time_is_honest():
    story = planned()
    source = {"connection": "claude", "collector": "claude.transcripts", "volatile": True}
    story.add(What.COLLECTING, 7, **source).add(What.GAP, 30, why="60 s are over", **source)
    story.add(What.SEALED, 31, which="volatile", manifest="5e" * 32, items=0, gaps=1).approved()
    assert measure("evidence_before_change", seen(layers(story))) is True


def test_evidence_is_complete_when_every_planned_source_gave_everything():
    assert measure("evidence_complete", seen(planned().evidence())) == 100
    gap = {"connection": "claude", "collector": "claude.transcripts", "volatile": True}
    short = planned().evidence().add(What.GAP, 30, why="503", **gap)
    assert measure("evidence_complete", seen(short)) == 50
    assert measure("evidence_complete", seen(planned())) == 0, "okta.system_log is in the plan"
    assert unknown("evidence_complete", seen(asked()), "no evidence was planned")


@pytest.mark.parametrize(
    ("name", "field"), [("evidence_verifies", "evidence"), ("audit_verifies", "audit")]
)
def test_findings_speak_against_it_and_not_having_looked_for_nothing(name, field):
    assert measure(name, seen(contained(), **{field: []})) is True
    assert measure(name, seen(contained(), **{field: ["entry 7 was changed"]})) is False
    assert unknown(name, seen(contained()), "not looked for")


def test_order_holds():
    assert measure("order_held", seen(contained())) is True
    assert unknown("order_held", seen(planned().evidence()), "no layer ran")


def test_a_layer_that_starts_before_the_one_before_has_ended_is_found():
    story = planned().evidence().approved().layer(Layer.IDENTITY, 40, 52)
    story.add(What.LAYER_STARTED, 41, layer=Layer.CREDENTIALS).contained(KEYS[0], 42, 44)
    story.add(What.LAYER_FINISHED, 60, layer=Layer.CREDENTIALS, late=[])
    assert measure("order_held", seen(story.done())) is False


def test_a_change_outside_its_layer_is_found():
    story = planned().evidence().approved().contained(LOCK, 39, 40)
    assert measure("order_held", seen(layers(story))) is False


def pressed(who: str, at_second: float = 38, decision: str = "approve"):
    story = planned().evidence().opened().pressed(who, decision, at_second)
    return layers(story.shut("approved", at_second))


def test_approvals_are_valid():
    assert measure("approvals_valid", seen(pressed(LEE))) is True
    assert measure("approved_by_suspect", seen(pressed(LEE))) == 0
    for name in ("approvals_valid", "approved_by_suspect", "rubber_stamped"):
        assert unknown(name, seen(planned()), "no gate was opened")


@pytest.mark.parametrize("who", [DANA, JO, "JO@corp.example"])
def test_an_approval_of_the_requester_or_the_subject_is_found(who):
    assert measure("approvals_valid", seen(pressed(who))) is False
    assert measure("approved_by_suspect", seen(pressed(who))) == 1


def test_an_approval_of_another_suspect_is_found():
    drill = seen(pressed(LEE), suspects=[JO, LEE])
    assert measure("approvals_valid", drill) is False
    assert measure("approved_by_suspect", drill) == 1


def test_an_approval_of_somebody_who_was_not_asked_or_came_too_late_is_found():
    assert measure("approvals_valid", seen(pressed("kim@corp.example"))) is False
    assert measure("approved_by_suspect", seen(pressed("kim@corp.example"))) == 0
    assert measure("approvals_valid", seen(pressed(LEE, 6.5 + 900))) is True
    assert measure("approvals_valid", seen(pressed(LEE, 6.5 + 906))) is False


def test_an_approval_of_another_plan_is_found():
    story = planned().evidence().opened()
    story.digest = "0" * 64
    story.pressed(LEE, "approve", 38).shut("approved", 38)
    assert measure("approvals_valid", seen(story)) is False


def test_a_gate_that_was_approved_by_too_few_is_found():
    alone = planned().opened(quorum=2).pressed(LEE, "approve", 38).shut("approved", 39)
    assert measure("approvals_valid", seen(alone)) is False
    both = planned().opened(quorum=2).pressed(LEE, "approve", 38).pressed(RIA, "approve", 39)
    assert measure("approvals_valid", seen(both.shut("approved", 39))) is True


def test_a_press_that_was_turned_away_is_no_approval():
    assert measure("approved_by_suspect", seen(contained())) == 0, "dana was turned away"


def test_rubber_stamps_are_approvals_within_five_seconds():
    assert measure("rubber_stamped", seen(pressed(LEE, 6.5 + 5))) == 1
    assert measure("rubber_stamped", seen(pressed(LEE, 6.5 + 5.5))) == 0
    assert measure("rubber_stamped", seen(pressed(LEE, 8, "deny"))) == 0


def test_whoever_was_asked_later_had_less_time():
    story = planned().opened()
    both = ["lee@corp.example", "ria@corp.example", "max@corp.example"]
    story.add(
        What.ESCALATED, 907, gate="lead", role="directors", approvers=both, expires_at=at(1807)
    )
    quick = story.pressed("max@corp.example", "approve", 910).shut("approved", 910)
    assert measure("rubber_stamped", seen(quick)) == 1


def test_a_second_press_that_joined_is_counted():
    story = contained()
    assert measure("runs_joined", seen(story)) == 0
    story.add(What.JOINED, 90, by=RIA, door="cli", reason="me too")
    assert measure("runs_joined", seen(story)) == 1
    assert unknown("runs_joined", seen(), "nobody asked")


def test_what_was_denied_stays_so():
    denied = planned().evidence().opened().pressed(LEE, "deny", 38).shut("denied", 38)
    assert measure("denied_stayed_denied", seen(denied)) is True
    denied.layer(Layer.IDENTITY, 40, 50).contained(SUSPEND, 41, 45).done()
    assert measure("denied_stayed_denied", seen(denied)) is False
    assert unknown("denied_stayed_denied", seen(contained()), "no gate was denied")


def test_what_stands_behind_another_gate_may_go_on():
    dual = change("okta.grants.revoke", "00u", "grants", gate="dual")
    story = asked().planned([SUSPEND, dual], blanks=[]).evidence().approved()
    story.opened("dual", 7).shut("denied", 20, gate="dual")
    story.layer(Layer.IDENTITY, 40, 50).contained(SUSPEND, 41, 45).done()
    assert measure("denied_stayed_denied", seen(story)) is True
    story.contained(dual, 51, 55)
    assert measure("denied_stayed_denied", seen(story)) is False


def test_planned_only_means_that_nothing_was_sent():
    assert measure("planned_only", seen(planned())) is True
    assert measure("planned_only", seen(contained())) is False
    assert unknown("planned_only", seen(), "nobody asked")
