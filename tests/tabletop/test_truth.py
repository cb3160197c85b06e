"""What was tried, held against what the cases claim."""

from __future__ import annotations

from dataclasses import replace

import pytest

from killswitch.model.action import Layer
from killswitch.model.case import fold
from killswitch.model.event import What
from tabletop.sims.base import Attempt
from tabletop.truth import claims
from tests.report.journal import Story, change
from tests.tabletop.stories import JO, KEYS, LOCK, SUSPEND, asked, contained, planned, restored

SIGN_IN = Attempt("okta", "sign in with the password", True)
PUSH = Attempt("github", "push to payments", True)


def said(*stories: Story, tried: Attempt = SIGN_IN, works: bool = True):
    after = [replace(tried, allowed=works)]
    [row] = claims(JO, [tried], after, [story.case() for story in stories])
    return row


def test_a_contained_case_claims_that_all_is_stopped_where_it_changed_something():
    for tried, made in ((SIGN_IN, SUSPEND), (PUSH, LOCK)):
        row = said(contained(), tried=tried)
        assert (row.claimed, row.because) == ("stopped", f"K-1127: {made.id}")
        assert row.false_claim
        assert not said(contained(), tried=tried, works=False).false_claim


def test_a_vendor_that_no_plan_touches_is_not_spoken_of():
    row = said(contained(), tried=Attempt("aws", "call with the key", True))
    assert (row.claimed, row.because, row.false_claim) == ("silent", "", False)


def test_without_a_case_nothing_is_said():
    assert said().claimed == "silent"
    assert said(contained(subject="person:kim@corp.example")).claimed == "silent"


def test_a_partial_case_says_itself_that_it_is_open():
    story = contained().settled("partial", 90, [SUSPEND.id])
    row = said(story)
    assert (row.claimed, row.because) == ("open", "K-1127 is partial")


@pytest.mark.parametrize("state", ["failed", "unverified", "manual"])
def test_what_is_left_open_at_the_vendor_is_named(state):
    story = planned().evidence().approved().layer(Layer.IDENTITY, 40, 50)
    story.applying(SUSPEND, 41).state(SUSPEND, state, 45).done()
    row = said(story.settled("partial", 60, [SUSPEND.id]))
    assert (row.claimed, row.because) == ("open", f"K-1127 is partial: {SUSPEND.id}")


@pytest.mark.parametrize("end", ["denied", "aborted", "planned"])
def test_a_case_that_changed_nothing_claims_nothing_stopped(end):
    assert said(planned().settled(end, 60)).claimed == "open"


def test_a_case_that_is_under_way_claims_nothing_stopped():
    assert said(planned()).claimed == "open"


def test_what_was_given_back_is_open():
    assert said(restored()).claimed == "open"


def test_what_was_given_back_in_part_is_open_there_and_stopped_elsewhere():
    story = restored("partial")
    assert said(story).because == f"K-1127: {SUSPEND.id}"
    assert said(story).claimed == "open"
    assert said(story, tried=PUSH).claimed == "stopped"


def test_what_a_sweep_left_alone_is_open():
    story = contained()
    story.add(
        What.NOT_SWEPT,
        77,
        layer="repositories",
        connection=LOCK.connection,
        action=LOCK.action,
        why="too many",
    )
    row = said(story, tried=PUSH)
    assert (row.claimed, row.because) == ("open", f"K-1127: {LOCK.connection}/{LOCK.action}")
    assert said(story).claimed == "stopped"


def test_of_several_cases_the_strongest_claim_counts():
    assert said(planned().settled("denied", 60), contained()).claimed == "stopped"
    assert said(restored(), contained()).claimed == "stopped"


def test_of_a_credential_only_what_carries_its_name_is_claimed():
    story = contained(subject="credential:apikey_011")
    story.add(What.RESOLVED, 77, accounts=[{"email": JO}]).settled("contained", 78)
    named = Attempt("claude", f"call with the key {KEYS[0].target_id}", True)
    assert said(story, tried=named).claimed == "stopped"
    other = Attempt("claude", "call with the key apikey_99", True)
    assert said(story, tried=other).claimed == "silent"


@pytest.mark.parametrize(
    ("action", "what"),
    [
        ("github.sso_authorizations.revoke", "push to web with classic token …d699 of jo"),
        ("github.pat_grants.revoke", "push to web with fine token …4159 of jo"),
        ("github.deploy_keys.delete", "push to web with deploy key of web"),
        ("aws.role_sessions.revoke", "call in the session cc-7f31b2 of role/agent-jo"),
    ],
)
def test_what_a_try_cannot_name_by_its_id_is_known_by_its_kind(action, what):
    one = change(action, "4711", "x", layer=Layer.CREDENTIALS)
    story = asked(subject="credential:leaked-jo").planned([one], blanks=[]).evidence().approved()
    story.layer(Layer.CREDENTIALS, 40, 60).contained(one, 41, 45).done()
    story.add(What.RESOLVED, 77, accounts=[{"email": JO}]).settled("contained", 78)
    vendor = action.partition(".")[0]
    assert said(story, tried=Attempt(vendor, what, True)).claimed == "stopped"
    other = Attempt(vendor, "push to web with app token …b028 of claude-jo[bot]", True)
    assert said(story, tried=other).claimed == "silent"


def test_what_outlives_a_key_is_open_unless_the_user_is_denied_everything():
    key = change("aws.access_keys.deactivate", "AKIA1", "key", layer=Layer.CREDENTIALS)
    deny = change("aws.user.deny_all", "AIDA1", "user", layer=Layer.CREDENTIALS)
    session = Attempt("aws", "call in the session mfa of user/jo", True)
    for changes, claimed in (([key], "open"), ([key, deny], "stopped")):
        story = asked().planned(changes, blanks=[]).evidence().approved()
        story.layer(Layer.CREDENTIALS, 40, 60)
        for one in changes:
            story.contained(one, 41, 45)
        row = said(story.done().settled("contained", 78), tried=session)
        assert row.claimed == claimed
        named = Attempt("aws", "call with the key AKIA1 of jo", True)
        assert said(story, tried=named).claimed == "stopped"


def test_a_group_claims_of_all_its_members():
    story = contained(subject="group:agents-pilot")
    assert said(story).claimed == "silent", "jo is not known to be in it"
    story.add(What.RESOLVED, 77, accounts=[{"email": JO}]).settled("contained", 78)
    assert said(story).claimed == "stopped"


def test_before_and_after_are_matched_by_name():
    gone, minted = Attempt("okta", "use session 1", True), Attempt("okta", "use session 2", True)
    rows = claims(JO, [SIGN_IN, gone], [replace(SIGN_IN, allowed=False), minted], [])
    assert [(r.what, r.before, r.works) for r in rows] == [
        ("sign in with the password", True, False),
        ("use session 1", True, False),
        ("use session 2", None, True),
    ]


def test_of_two_tries_by_one_name_the_one_that_works_counts():
    both = [Attempt("okta", "use it", True), Attempt("okta", "use it", False)]
    for tries in (both, both[::-1]):
        [row] = claims(JO, [], tries, [])
        assert row.works


def test_many_changes_are_named_in_short():
    because = said(contained(), tried=Attempt("claude", "call", True)).because
    assert because == "K-1127: " + ", ".join(key.id for key in KEYS)
    more = [key.model_copy(update={"id": f"{key.id}{n}"}) for key in KEYS for n in range(2)]
    story = asked().planned(more, blanks=[]).evidence().approved()
    story.layer(Layer.CREDENTIALS, 40, 60)
    for key in more:
        story.contained(key, 41, 45)
    row = said(story.done().settled("contained", 61), tried=Attempt("claude", "call", True))
    assert row.because.endswith("and 3 more")
    assert fold(story.entries).state == "contained"
