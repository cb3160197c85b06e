"""Each measure on journals written by hand: as it should be, as it must not be, and unknown."""

from __future__ import annotations

import pytest

from killswitch.model.action import Layer
from killswitch.model.case import fold
from killswitch.model.plan import Blank, Mode
from killswitch.model.subject import Account
from tabletop.measures import MEASURES, measure, measure_all, unit, why_not
from tabletop.record import Truth
from tests.report.journal import Story, change
from tests.tabletop.stories import (
    DANA,
    JO,
    KEYS,
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


def truth(works: bool, claimed: str = "stopped", before: bool | None = True) -> Truth:
    return Truth(JO, "okta", "sign in", works, before, claimed)


def test_every_name_is_measured_and_has_a_unit():
    drill = seen(contained(), truth=[truth(False)], restarts=(1, 1), missed=[], audit=[])
    found = measure_all(drill)
    assert list(found) == list(MEASURES)
    for name, value in found.items():
        assert unit(name) in {"seconds", "percent", "count", "yes/no"}
        assert value is None or isinstance(value, bool) is (unit(name) == "yes/no")
        assert bool(why_not(name, drill)) is (value is None)


def test_nothing_is_guessed_where_nothing_was_seen():
    drill = seen(alerts=[])
    assert set(measure_all(drill).values()) == {None}


def test_a_name_that_is_no_measure_is_an_error():
    with pytest.raises(KeyError):
        measure("luck", seen())


def test_false_claims_are_counted():
    rows = [truth(True), truth(False), truth(True, "open"), truth(True, "silent")]
    assert measure("false_contained", seen(truth=rows)) == 1
    assert measure("false_contained", seen(truth=rows[1:])) == 0
    assert unknown("false_contained", seen(truth=[]), "nothing was tried")


def test_what_is_still_possible_is_counted_also_what_was_made_meanwhile():
    rows = [truth(True, "open"), truth(True, "silent", None), truth(True, "silent", False)]
    assert measure("still_possible", seen(truth=[*rows, truth(False)])) == 2
    assert measure("still_possible", seen(truth=[truth(False)])) == 0
    assert unknown("still_possible", seen(), "nothing was tried")


def test_a_case_is_honest_if_nothing_that_it_calls_stopped_works():
    assert measure("case_honest", seen(contained(), truth=[truth(False)])) is True
    assert measure("case_honest", seen(contained(), truth=[truth(True, "open")])) is True
    assert measure("case_honest", seen(contained(), truth=[truth(True)])) is False
    assert unknown("case_honest", seen(contained()), "nothing was tried")


def test_a_case_that_is_called_contained_without_its_reads_is_not_honest():
    story = planned().evidence().approved()
    layers(story).state(SUSPEND, "contained", 77, reads=[at(77)])
    assert measure("case_honest", seen(story, truth=[truth(False)])) is False
    probe = {"refused": False, "how": "sign-in answered 200"}
    reads = [at(77), at(78)]
    story.state(SUSPEND, "contained", 78, reads=reads, probe=probe)
    assert measure("case_honest", seen(story, truth=[truth(False)])) is False
    story.state(SUSPEND, "contained", 79, reads=reads)
    assert measure("case_honest", seen(story, truth=[truth(False)])) is True


def test_what_ended_unverified_failed_or_manual_is_counted():
    assert measure("unverified", seen(contained())) == 0
    story = planned().evidence().approved().layer(Layer.IDENTITY, 40, 52)
    story.applying(SUSPEND, 40).state(SUSPEND, "unverified", 45).state(KEYS[0], "failed", 46)
    story.state(KEYS[1], "manual", 47).state(KEYS[2], "skipped", 48)
    assert measure("unverified", seen(story)) == 3
    assert unknown("unverified", seen(asked()), "no case was planned")


@pytest.mark.parametrize(
    ("name", "field"),
    [("collateral", "collateral"), ("missed", "missed"), ("secrets_written", "secrets")],
)
def test_what_was_found_is_counted_and_not_having_looked_is_not_nothing(name, field):
    assert measure(name, seen(**{field: []})) == 0
    assert measure(name, seen(**{field: ["a", "b"]})) == 2
    assert unknown(name, seen(), "not looked for")


def test_people_who_are_suspended_at_the_end_are_counted_once():
    assert measure("people_suspended", seen(contained())) == 1
    assert measure("people_suspended", seen(planned())) == 0
    assert measure("people_suspended", seen(restored())) == 0, "given back"
    assert unknown("people_suspended", seen(), "nobody asked")
    entra = change("entra.user.disable", "guid", "user jo", connection="entra")
    story = asked().planned([SUSPEND, entra], blanks=[]).evidence().approved()
    story.layer(Layer.IDENTITY, 40, 52).contained(SUSPEND, 40, 45).contained(entra, 41, 46).done()
    assert measure("people_suspended", seen(story)) == 2, "two accounts of nobody knows whom"
    accounts = [
        vars(Account(connection=c, vendor=c, id=i, login="jo", label="Jo", email=JO))
        for c, i in (("okta", SUSPEND.target_id), ("entra", "guid"))
    ]
    story.add(What.RESOLVED, 53, accounts=accounts)
    assert fold(story.entries).accounts == accounts
    assert measure("people_suspended", seen(story)) == 1


def test_every_case_ended_contained():
    assert measure("case_contained", seen(contained())) is True
    assert measure("case_contained", seen(restored())) is True, "it was, before it was given back"
    partial = contained().settled("partial", 90, [SUSPEND.id])
    assert measure("case_contained", seen(partial)) is False
    assert measure("case_contained", seen(contained(), planned())) is False
    assert unknown("case_contained", seen(), "nobody asked")


def test_what_was_to_be_given_back_was():
    assert measure("restored", seen(restored())) is True
    assert measure("restored", seen(restored("partial"))) is False
    under_way = contained().add(What.RESTORE_ASKED, 200, by=DANA, reason="", only=[])
    assert measure("restored", seen(under_way)) is False
    assert unknown("restored", seen(contained()), "nobody asked for access back")


def test_crashes_that_were_survived_are_counted():
    assert measure("engine_restarts_survived", seen(restarts=(2, 1))) == 1
    assert measure("engine_restarts_survived", seen(restarts=(1, 0))) == 0
    assert unknown("engine_restarts_survived", seen(), "never crashed")


def test_a_case_that_only_plans_waits_for_no_evidence_and_no_containment():
    story = Story(Mode.PLAN).planned([SUSPEND], blanks=[Blank(use="a.b", connection="", why="")])
    drill = seen(story.settled("planned", 8))
    assert measure("planned_only", drill) is True
    assert unknown("time_to_evidence", drill, "never came")
    assert unknown("time_to_contain", drill, "nothing was contained")
