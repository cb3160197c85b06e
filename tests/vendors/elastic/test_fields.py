"""Names of fields, dotted and nested, are one name."""

from __future__ import annotations

from typing import Any

import pytest

from killswitch.vendors.elastic.fields import both_ways, field
from tests.vendors.support import sample


@pytest.mark.parametrize(
    "document",
    [
        {"kibana.alert.uuid": "u"},
        {"kibana": {"alert": {"uuid": "u"}}},
        {"kibana.alert": {"uuid": "u"}},
        {"kibana": {"alert.uuid": "u"}},
        {"kibana.alert.uuid": "u", "kibana": {"alert": {"uuid": "u"}}},
    ],
)
def test_a_field_is_found_however_its_name_is_written(document: Any) -> None:
    assert field(document, "kibana.alert.uuid") == "u"
    whole = both_ways(document)
    assert whole["kibana"]["alert"]["uuid"] == "u"
    assert whole["kibana.alert.uuid"] == "u"


@pytest.mark.parametrize("document", [{}, {"kibana": {"alert": "u"}}, {"kibana": 7}, [], None, "u"])
def test_a_field_that_is_not_there_is_none(document: Any) -> None:
    assert field(document, "kibana.alert.uuid") is None


def test_two_values_are_never_taken_for_one() -> None:
    two = {"user.email": "a@corp.example", "user": {"email": "b@corp.example", "id": 1}}
    both = ["a@corp.example", "b@corp.example"]
    assert field(two, "user.email") == both
    whole = both_ways(two)
    assert whole["user.email"] == whole["user"]["email"] == both
    assert whole["user"]["id"] == 1


def test_what_was_given_is_not_changed() -> None:
    given = {"kibana.alert.uuid": "u", "kibana": {"alert": {"status": "active"}}}
    both_ways(given)
    assert given == {"kibana.alert.uuid": "u", "kibana": {"alert": {"status": "active"}}}


def test_a_shorter_name_does_not_hide_what_stands_under_it() -> None:
    for given in (
        {"kibana.alert.uuid": "u", "kibana.alert": {"status": "active"}},
        {"kibana.alert": {"status": "active"}, "kibana.alert.uuid": "u"},
    ):
        whole = both_ways(given)
        assert whole["kibana"]["alert"] == {"status": "active", "uuid": "u"}
        assert (whole["kibana.alert.uuid"], whole["kibana.alert.status"]) == ("u", "active")


def test_nothing_is_put_under_what_is_no_object() -> None:
    assert both_ways({"user": "x", "user.email": "y"})["user"] == "x"


@pytest.mark.parametrize("way", ["dotted", "nested"])
def test_either_way_alone_gives_the_sample_with_both(way: str) -> None:
    [whole] = sample("elastic")["alerts"]
    stored = {
        "dotted": {k: v for k, v in whole.items() if k != "kibana"},
        "nested": {k: v for k, v in whole.items() if not k.startswith("kibana.")},
    }
    assert both_ways(stored[way]) == both_ways(whole) == whole
