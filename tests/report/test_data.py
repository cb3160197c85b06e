from __future__ import annotations

import json
from typing import Any

import pytest

from killswitch.model.action import Layer
from killswitch.model.event import What
from killswitch.model.plan import Mode
from killswitch.report.data import containment
from tests.report import cases
from tests.report.journal import HEAD, KEYS, LOCK, NOW, OKTA_DOC, SESSIONS, SUSPEND, Story, at


def told(case: Any, now: str = NOW) -> dict[str, Any]:
    return containment(case, head=HEAD, now=now)


def changes(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {c["id"]: c for layer in report["layers"] for c in layer["changes"]}


def story_with(**state: Any) -> Story:
    """One change, recorded as contained with what is given, in a case that says contained."""
    story = Story().planned([SUSPEND], blanks=[]).approved().layer(Layer.IDENTITY, 40, 50)
    story.held(SUSPEND, 40).applying(SUSPEND, 40).state(SUSPEND, "contained", 45, **state).done()
    return story.settled("contained", 51)


@pytest.mark.parametrize("name", cases.ALL)
def test_it_is_plain_data_and_pure(name):
    case = cases.ALL[name]()
    report = told(case)
    assert json.loads(json.dumps(report)) == report
    assert told(case) == report


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("contained", "contained"),
        ("partial", "partial"),
        ("denied", "denied"),
        ("aborted", "aborted"),
        ("stopped", "partial"),
        ("refused", "refused"),
        ("restored", "restored"),
    ],
)
def test_the_verdict_is_the_journals(name, state):
    assert told(cases.ALL[name]())["verdict"]["state"]["name"] == state


def test_contained_in_one_plain_sentence():
    verdict = told(cases.contained())["verdict"]
    assert verdict["sentence"] == (
        "jo@corp.example is contained: all 6 required changes at 3 connections were read back "
        "twice, 1 min 14 s after the request."
    )
    assert (verdict["required"], verdict["contained"], verdict["open"]) == (6, 6, [])


def test_partial_names_what_is_open():
    verdict = told(cases.partial())["verdict"]
    assert (verdict["required"], verdict["contained"]) == (7, 4)
    assert verdict["open"] == [
        "Jo Marsh (jo@corp.example) at okta (okta.user.suspend): still trying",
        "claude-code-jo key 2 at claude (claude.api_keys.deactivate): unverified",
        "Cursor seat of Jo Marsh at cursor (cursor.seat.remove): by hand",
        "entra/entra.user.disable",
    ]
    assert all(thing in verdict["sentence"] for thing in verdict["open"][:3])
    assert verdict["sentence"].endswith("and 1 more.")


def test_nothing_is_claimed_of_a_case_that_was_stopped_before_it_began():
    assert told(cases.denied())["verdict"]["sentence"] == (
        "lee@corp.example denied what was planned for jo@corp.example. No change was made."
    )
    assert told(cases.aborted())["verdict"]["sentence"] == (
        "It was aborted by sol@corp.example (wrong Jo). No change was made."
    )
    assert told(cases.refused())["verdict"]["sentence"] == (
        "The case was refused and nothing was changed: the subject is protected."
    )


def test_nobody_answering_is_not_a_denial():
    story = Story().planned([SUSPEND]).opened().shut("expired", 900).settled("denied", 901)
    assert told(story.case())["verdict"]["sentence"].startswith("Nobody approved in time")


@pytest.mark.parametrize("reads", [[], [at(44)]])
def test_contained_without_two_reads_is_not_contained(reads):
    report = told(story_with(reads=reads).case())
    assert report["verdict"]["state"]["name"] == "partial"
    assert "only partly contained: 0 of 1" in report["verdict"]["sentence"]
    change = changes(report)[SUSPEND.id]
    assert change["state"]["name"] == "unverified"
    assert not change["proven"]
    assert "two reads are not on record" in change["detail"]
    assert change["residual_until"] == ""
    assert report["times"][4]["at"] == ""


def test_contained_while_the_old_access_still_works_is_not_contained():
    probe = {"refused": False, "how": "sign-in answered 200"}
    report = told(story_with(reads=[at(43), at(45)], probe=probe).case())
    assert report["verdict"]["state"]["name"] == "partial"
    change = changes(report)[SUSPEND.id]
    assert change["state"]["name"] == "unverified"
    assert "STILL WORKS" in change["probe"]
    assert change["probe_how"] == "sign-in answered 200"


def test_two_reads_are_not_enough_if_the_case_does_not_say_so():
    story = story_with(reads=[at(43), at(45)])
    assert told(story.case())["verdict"]["state"]["name"] == "contained"
    story.entries.pop()
    assert told(story.case())["verdict"]["state"]["name"] == "containing"
    assert "not contained yet" in told(story.case())["verdict"]["sentence"]


def test_what_came_undone_after_the_verdict_takes_it_back():
    story = story_with(reads=[at(43), at(45)])
    story.state(SUSPEND, "reverted", 400, detail="came undone")
    story.add(What.WATCHED, 401, round=1, ok=False, reverted=[SUSPEND.id], unread=[])
    report = told(story.case())
    assert report["verdict"]["state"]["name"] == "partial"
    assert "came undone" in report["verdict"]["open"][0]
    assert report["watch"]["reverts"] == 1
    assert report["watch"]["rounds"][0]["reverted"] == [
        "Jo Marsh (jo@corp.example) at okta (okta.user.suspend)"
    ]
    assert [t["kind"] for t in report["todo"]] == ["came undone"]


def test_times_agree_with_the_case():
    case = cases.contained()
    report = told(case)
    assert {t["name"]: t["at"] for t in report["times"]} == case.times
    spans = {(s["since"], s["until"]): s["seconds"] for s in report["spans"]}
    assert spans == {
        ("T0", "T1"): 95,
        ("T1", "T2"): 6,
        ("T2", "T3"): 32,
        ("T3", "T4"): 36,
        ("T1", "T4"): 74,
        ("T0", "T4"): 169,
    }


def test_a_time_that_nobody_knows_is_not_made_up():
    report = told(cases.refused())
    times = {t["name"]: t for t in report["times"]}
    assert [times[n]["at"] for n in ("T0", "T2", "T3", "T4")] == ["", "", "", ""]
    assert times["T0"]["note"] == "no alert said when"
    assert {s["seconds"] for s in report["spans"]} == {None}


def test_the_gate_of_a_restore_is_not_an_approval_of_the_containment():
    story = Story().planned([SUSPEND]).approved(38)
    story.add(What.RESTORE_ASKED, 500, by="sol@corp.example", reason="")
    story.add(
        What.OPENED,
        501,
        gate="restore-1/lead",
        digest="77" * 32,
        purpose="restore-1",
        quorum=1,
        approvers=["lee@corp.example"],
        expires_at=at(1400),
    )
    story.add(
        What.DECIDED,
        510,
        gate="restore-1/lead",
        digest="77" * 32,
        person="lee@corp.example",
        decision="approve",
        assurance="oidc",
    )
    story.shut("approved", 510, gate="restore-1/lead")
    report = told(story.case())
    assert report["times"][3]["at"] == at(38)
    assert [g["purpose"] for g in report["gates"]] == ["to contain", "to restore, request 1"]
    assert report["gates"][1]["decisions"][0]["this_plan"] is True
    assert [bar["label"] for bar in report["timeline"]["bars"]] == ["lead"]


def test_accounts_and_what_is_not_reached():
    report = told(cases.contained())
    assert [(a["connection"], a["vendor"], a["id"]) for a in report["accounts"]] == [
        ("okta", "okta", "00u4fz2kQx"),
        ("github-acme", "github", "583231"),
    ]
    github = report["accounts"][1]
    assert github["admin"]
    assert github["aliases"] == ["claude-jo[bot]"]
    assert github["host"] == "api.github.example"
    assert [(b["use"], b["why"]) for b in report["blanks"]] == [
        ("entra.user.disable", "not connected")
    ]


def test_the_differences_are_readable():
    found = changes(told(cases.contained()))
    assert found[SUSPEND.id]["differences"] == [
        {"field": "status", "before": "ACTIVE", "wanted": "SUSPENDED"}
    ]
    assert found[SESSIONS.id]["differences"] == [
        {"field": "since", "before": "not set", "wanted": "now"},
        {"field": "open", "before": "web, cli", "wanted": "none"},
    ]
    assert found[LOCK.id]["differences"] == [
        {
            "field": "rulesets.killswitch-K-1127",
            "before": "not set",
            "wanted": '{"enforcement": "active"}',
        }
    ]


def test_a_change_tells_all_that_was_recorded_of_it():
    found = changes(told(cases.contained()))[SUSPEND.id]
    assert found["state"]["name"] == "contained"
    assert found["reads"] == [at(43), at(45)]
    assert found["probe"] == "The old access was tried and refused."
    assert found["probe_how"] == "sign-in answered 401"
    assert (found["attempts"], found["gate"], found["undo"]) == (1, "lead", "exact")
    assert found["standing"] == "read back twice"


def test_a_hold_of_another_case_is_named():
    story = Story().planned([SUSPEND])
    story.add(What.HELD, 40, change=SUSPEND.id, before=SUSPEND.before, owner="K-1")
    assert changes(told(story.case()))[SUSPEND.id]["owner"] == "K-1"
    assert changes(told(cases.contained()))[SUSPEND.id]["owner"] == ""


def test_approvals_with_every_press_and_how_sure():
    gate = told(cases.contained())["gates"][0]
    assert (gate["name"], gate["outcome"]["name"], gate["seconds"]) == ("lead", "approved", 31.5)
    away, yes = gate["decisions"]
    assert (away["person"], away["word"]["name"]) == ("dana@corp.example", "turned-away")
    assert away["reason"] == "the requester never approves"
    assert away["this_plan"] is None
    assert (yes["person"], yes["word"]["name"], yes["at"]) == (
        "ria@corp.example",
        "approve",
        at(38),
    )
    assert (yes["assurance"], yes["this_plan"]) == ("slack", True)


def test_an_approval_of_another_plan_is_shown_as_such():
    story = Story().planned([SUSPEND]).opened()
    story.digest = "0" * 64
    report = told(story.pressed("ria@corp.example", "approve", 20).case())
    assert report["gates"][0]["decisions"][0]["this_plan"] is False


def test_evidence_with_what_is_late_cut_or_missing():
    evidence = told(cases.partial())["evidence"]
    assert (evidence["count"], evidence["bytes"]) == (3, 48213 + 1_204_000 + 900)
    assert evidence["late"] == ["late.jsonl"]
    assert evidence["truncated"] == ["cc-7f31b2.jsonl"]
    assert [(s["collector"], s["state"], s["count"]) for s in evidence["sources"]] == [
        ("okta.system_log", "collected", 1),
        ("claude.transcripts", "gap", 2),
    ]
    assert "503" in evidence["gaps"][0]["why"]
    assert [(s["which"], s["count"], s["gaps"]) for s in evidence["seals"]] == [("volatile", 2, 0)]


def test_a_collector_that_never_reported_is_unknown():
    story = Story().planned([SUSPEND])
    story.add(What.COLLECTING, 7, connection="okta", collector="okta.system_log", volatile=False)
    source = told(story.case())["evidence"]["sources"][0]
    assert (source["state"], source["seconds"]) == ("unknown", None)


def test_residual_says_each_thing_once_and_when_it_ends():
    report = told(cases.contained())
    tokens, requests = report["residual"]
    assert (tokens["changes"], tokens["seconds"], tokens["link"]) == (2, 3600, OKTA_DOC)
    assert tokens["until"] == at(51 + 3600)
    assert tokens["passed"] is False
    assert (requests["changes"], requests["seconds"], requests["until"]) == (3, None, "")
    assert requests["link"] == ""
    found = changes(report)
    assert found[SUSPEND.id]["residual_until"] == at(45 + 3600)
    assert found[SESSIONS.id]["residual_until"] == at(51 + 3600)
    assert {found[key.id]["residual"] for key in KEYS} == {requests["number"]}
    assert told(cases.contained(), now=at(51 + 3600))["residual"][0]["passed"] is True


def test_the_clock_of_a_residual_does_not_start_before_the_second_read():
    tokens = told(cases.partial(), now=at(999_999))["residual"][0]
    assert tokens["waiting"] == 1
    assert tokens["passed"] is None


def test_a_drill_says_so_first():
    report = told(cases.contained(Mode.DRILL))
    assert report["drill"]
    assert report["verdict"]["sentence"].startswith("DRILL: ")


def test_the_head_of_the_journal_or_that_it_is_unknown():
    journal = told(cases.contained())["journal"]
    assert (journal["head_seq"], journal["head_hash"]) == (412, HEAD["hash"])
    assert journal["signed"] is True
    assert journal["commands"] == [
        "agent-kill audit verify",
        "agent-kill evidence verify K-1127",
    ]
    without = containment(cases.contained(), head=None, now=NOW)["journal"]
    assert (without["head_seq"], without["signed"], without["head_hash"]) == (None, None, "")


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [s for part in value.values() for s in strings(part)]
    if isinstance(value, list):
        return [s for part in value for s in strings(part)]
    return [value] if isinstance(value, str) else []


def test_hostile_text_is_one_short_visible_line():
    found = strings(told(cases.hostile()))
    assert any("\\u202e" in text for text in found)
    for text in found:
        assert not set("\n\r\u202e\u2066\u0000") & set(text)
        assert len(text) < 2_500, text[:80]


def test_only_an_https_address_becomes_a_link():
    assert [line["link"] for line in told(cases.hostile())["residual"]] == [""]
