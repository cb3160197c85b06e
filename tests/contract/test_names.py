"""What everything in the catalogue is called, where it lives, and what it says of itself."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any, get_type_hints
from urllib.parse import urlsplit

import pytest
import yaml
from pydantic import SecretStr

from killswitch import catalogue
from killswitch.model.action import Action, Layer, Target, Undo
from killswitch.model.codec import kinds
from killswitch.model.collector import Collector
from tests.contract.walk import ACTIONS, COLLECTORS, VENDORS

NAMES = yaml.safe_load(Path(__file__).with_name("names.yaml").read_text())
EVERYTHING: list[Any] = [*ACTIONS, *COLLECTORS]
# Where each vendor publishes its documentation.
PUBLISHED_AT = {
    "okta": ("okta.com",),
    "claude": ("claude.com", "anthropic.com"),
    "github": ("github.com",),
    "aws": ("aws.amazon.com",),
    "splunk": ("splunk.com",),
    "datadog": ("datadoghq.com",),
    "elastic": ("elastic.co",),
    "google_secops": ("cloud.google.com",),
}

each = pytest.mark.parametrize("kind", [pytest.param(k, id=k.name) for k in EVERYTHING])
each_action = pytest.mark.parametrize("action", [pytest.param(a, id=a.name) for a in ACTIONS])


def test_names_are_given_once() -> None:
    names = [k.name for k in EVERYTHING]
    assert len(set(names)) == len(names)
    assert sorted(names) == sorted([*catalogue.action_names(), *catalogue.collector_names()])


def test_no_name_that_shipped_is_lost_or_given_again() -> None:
    shipped, retired = set(NAMES["shipped"]), set(NAMES["retired"])
    assert shipped == {k.name for k in EVERYTHING}, "see the head of names.yaml"
    assert not shipped & retired


def test_a_vendor_offers_each_thing_once() -> None:
    for vendor in VENDORS:
        offered = [*vendor.actions, *vendor.collectors]
        assert len(set(offered)) == len(offered), vendor.name


@each
def test_a_name_is_lower_case_and_tells_the_module(kind: Any) -> None:
    vendor, *rest = kind.name.split(".")
    assert len(rest) == (2 if issubclass(kind, Action) else 1)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", part) for part in (vendor, *rest))
    assert kind.__module__.startswith(f"killswitch.vendors.{vendor}.")


@each
def test_the_catalogue_finds_it_by_name(kind: Any) -> None:
    find = catalogue.action if issubclass(kind, Action) else catalogue.collector
    assert find(kind.name) is kind
    with pytest.raises(KeyError):
        find(kind.name + "_not")


@each
def test_it_says_in_a_sentence_what_it_does(kind: Any) -> None:
    said = (kind.__doc__ or "").strip().partition("\n")[0]
    assert said.endswith(".")
    assert "(" not in said.split(" ")[0], "the dataclass's own docstring is not one"


@each
def test_its_document_is_the_vendors_own(kind: Any) -> None:
    vendor = kind.name.partition(".")[0]
    pages = [kind.doc_url]
    if issubclass(kind, Action):
        pages.append(kind.residual.source)
    for page in pages:
        url = urlsplit(page)
        assert url.scheme == "https"
        host = url.hostname or ""
        assert any(host == at or host.endswith("." + at) for at in PUBLISHED_AT[vendor]), page


@each
def test_its_scopes_are_named(kind: Any) -> None:
    assert isinstance(kind.scopes, frozenset)
    assert all(isinstance(scope, str) and scope for scope in kind.scopes)


@pytest.mark.parametrize("vendor", [pytest.param(v, id=v.name) for v in VENDORS if v.alerts])
def test_a_reader_of_alerts_names_its_scopes_and_the_vendors_own_document(vendor: Any) -> None:
    reader = vendor.alerts
    assert isinstance(reader.scopes, frozenset)
    assert reader.scopes
    host = urlsplit(reader.doc_url).hostname or ""
    assert any(host == at or host.endswith("." + at) for at in PUBLISHED_AT[vendor.name])


@each_action
def test_an_action_says_where_it_stands(action: type[Action[Any, Any, Any]]) -> None:
    assert isinstance(action.layer, Layer)
    assert isinstance(action.undo_kind, Undo)
    assert action.residual.what
    assert action.residual.seconds is None or action.residual.seconds > 0


@each_action
def test_what_is_not_given_back_exactly_says_who_does_what(
    action: type[Action[Any, Any, Any]],
) -> None:
    """``reissue`` is what people read in place of "restored"."""
    if action.undo_kind is Undo.EXACT:
        assert not action.reissue, "everything is given back: there is nothing to reissue"
        return
    assert action.reissue.endswith(".")
    assert action.reissue[0].isupper()
    assert len(action.reissue.split()) > 4


@each_action
def test_targets_and_states_are_frozen_plain_data(action: type[Action[Any, Any, Any]]) -> None:
    target, state = kinds(action)
    assert issubclass(target, Target)
    for kind in (target, state):
        for part in _parts(kind):
            assert part.__dataclass_params__.frozen, part
            assert SecretStr not in get_type_hints(part).values()


def _parts(kind: Any) -> list[Any]:
    """The dataclass and those within it."""
    if not dataclasses.is_dataclass(kind):
        inner = getattr(kind, "__args__", ())
        return [part for each_ in inner for part in _parts(each_)]
    return [kind, *(part for hint in get_type_hints(kind).values() for part in _parts(hint))]


def test_collectors_and_actions_are_what_they_are_listed_as() -> None:
    assert all(issubclass(a, Action) for a in ACTIONS)
    assert all(issubclass(c, Collector) for c in COLLECTORS)
