"""Times on journals written by hand: as aimed at, late, and unknown; whose delay it was."""

from __future__ import annotations

import pytest

from killswitch.model.action import Layer
from tabletop.measures import measure, times
from tabletop.scenario import Objective
from tests.tabletop.stories import (
    ALERT,
    LEE,
    RIA,
    SUSPEND,
    What,
    asked,
    at,
    contained,
    layers,
    planned,
    restored,
    seen,
    unknown,
)


def test_time_to_request_is_from_the_first_alert():
    assert measure("time_to_request", seen(contained())) == ALERT
    assert measure("time_to_request", seen(contained(), alerts=[50.0, 20.0])) == ALERT - 20
    assert measure("time_to_request", seen(contained(), alerts=[500.0])) == 0
    assert unknown("time_to_request", seen(contained(), alerts=[]), "no alert")
    assert unknown("time_to_request", seen(), "nobody asked")


def test_time_to_plan_is_known_only_once_every_case_that_was_not_refused_has_one():
    assert measure("time_to_plan", seen(planned())) == 6
    refused = asked().add(What.REFUSED, 2, why="protected", kind="Protected", hint="")
    assert measure("time_to_plan", seen(planned(), refused)) == 6
    assert unknown("time_to_plan", seen(refused), "never came")
    assert unknown("time_to_plan", seen(planned(), asked()), "no plan")


def test_time_to_evidence_ends_with_the_first_seal():
    assert measure("time_to_evidence", seen(planned().evidence())) == 22.5
    assert measure("time_to_evidence", seen(planned().evidence(100))) == 116
    assert unknown("time_to_evidence", seen(planned()), "nothing was sealed")


def test_time_to_approve_is_the_longest_gate_of_a_containment():
    two = planned().opened().opened("dual", 7)
    two.shut("approved", 38).shut("expired", 907, gate="dual")
    assert measure("time_to_approve", seen(two)) == 900
    still = planned().opened().opened("dual", 7).shut("approved", 38)
    assert unknown("time_to_approve", seen(still), "dual of K-1127 is open")
    assert unknown("time_to_approve", seen(planned()), "never came")


def test_time_to_identity_waits_for_what_is_late():
    assert measure("time_to_identity", seen(contained())) == 52 - 38
    late = planned().evidence().approved().layer(Layer.IDENTITY, 40, 130, late=(SUSPEND.id,))
    late.held(SUSPEND, 40).applying(SUSPEND, 40).state(SUSPEND, "retrying", 130).done()
    assert unknown("time_to_identity", seen(late), SUSPEND.id)
    late.state(SUSPEND, "contained", 400, reads=[at(398), at(400)])
    assert measure("time_to_identity", seen(late)) == 400 - 38


def test_time_to_contain_is_from_alert_to_last_read():
    assert measure("time_to_contain", seen(contained())) == ALERT + 74
    assert measure("time_to_contain", seen(contained(), alerts=[10.0])) == ALERT + 74
    assert unknown("time_to_contain", seen(planned().evidence().approved()), "nothing")


def test_containment_that_was_never_reached_took_no_time_that_could_be_named():
    story = planned().evidence().approved().layer(Layer.IDENTITY, 40, 52)
    story.held(SUSPEND, 40).applying(SUSPEND, 40).state(SUSPEND, "failed", 45).done()
    assert unknown(
        "time_to_contain", seen(story.settled("partial", 76)), f"{SUSPEND.id} and 4 more"
    )


def test_containment_that_came_undone_is_not_reached_until_it_is_again():
    story = contained().state(SUSPEND, "reverted", 100)
    assert unknown("time_to_contain", seen(story), SUSPEND.id)
    story.applying(SUSPEND, 101).state(SUSPEND, "contained", 110, reads=[at(108), at(110)])
    assert measure("time_to_contain", seen(story)) == ALERT + 110


def test_time_to_restore_is_from_asking_to_the_last_thing_given_back():
    assert measure("time_to_restore", seen(restored())) == 60
    assert unknown("time_to_restore", seen(restored("partial")), "in full")
    assert unknown("time_to_restore", seen(contained()), "never came")


def test_human_time_is_waiting_and_machine_time_the_rest():
    spent = times(seen(contained()))
    assert spent.human == ALERT + (38 - 6.5)
    assert spent.machine == 74 - (38 - 6.5)
    assert spent.total == ALERT + 74


def test_machine_time_is_of_the_real_clock_whatever_was_skipped():
    drill = seen(contained(), skipped=[(1.0, 90.0), (ALERT + 10, 20.0)])
    assert times(drill) == times(seen(contained()))
    cut = seen(contained(), skipped=[(ALERT + 60, 4.0)])
    assert measure("machine_time", cut) == measure("machine_time", seen(contained())) - 4


def test_a_gate_that_is_open_while_a_layer_runs_holds_nobody_up():
    story = planned().evidence().opened("dual", 6.5).approved()
    layers(story).shut("approved", 70, gate="dual")
    waited = times(seen(story)).human - ALERT
    assert waited == pytest.approx(40 - 6.5), "until the first layer starts"


def test_what_the_engine_takes_to_notice_an_answer_is_its_own_time():
    story = planned().evidence().opened().pressed(LEE, "approve", 16.5).shut("approved", 38)
    assert times(seen(layers(story))).human == ALERT + 10
    both = planned().evidence().opened(quorum=2).pressed(LEE, "approve", 16.5)
    both.pressed(RIA, "approve", 26.5).shut("approved", 38)
    assert times(seen(layers(both))).human == ALERT + 20
    denied = planned().evidence().opened().pressed(LEE, "deny", 16.5).shut("denied", 38)
    assert times(seen(denied.settled("denied", 40))).human == ALERT + 10
    expired = planned().evidence().opened().shut("expired", 907).settled("denied", 908)
    assert times(seen(expired)).human == ALERT + 900.5


def test_two_cases_at_once_do_not_count_twice():
    assert times(seen(contained(), contained())) == times(seen(contained()))


def aim(measure_name: str, at_most: str) -> Objective:
    return Objective.model_validate(
        {"id": "O1", "title": "t", "measure": measure_name, "at_most": at_most}
    )


@pytest.mark.parametrize(
    ("name", "at_most", "by_people", "by_tool"),
    [
        ("time_to_request", "90s", 5, 0),
        ("time_to_approve", "30s", 1.5, 0),
        ("time_to_plan", "2s", 0, 4),
        ("time_to_identity", "10s", 0, 4),
        ("machine_time", "40s", 0, 2.5),
        ("time_to_contain", "200s", 0, 0),
    ],
)
def test_delay_belongs_to_whom_the_measure_waits_for(name, at_most, by_people, by_tool):
    spent = times(seen(contained()), [aim(name, at_most)])
    assert (spent.by_people, spent.by_tool) == (by_people, by_tool)


def test_delay_of_the_whole_is_shared_as_the_time_was():
    spent = times(seen(contained()), [aim("time_to_contain", "69s")])
    assert spent.by_people + spent.by_tool == pytest.approx(100)
    assert spent.by_people / 100 == pytest.approx(spent.human / spent.total, abs=0.001)
    both = [aim("time_to_contain", "69s"), aim("time_to_request", "0s")]
    known = times(seen(contained()), both)
    assert known.by_people == pytest.approx(95 + 5 * spent.human / spent.total, abs=0.001)
