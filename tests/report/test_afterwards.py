from __future__ import annotations

from typing import Any

from killswitch.model.action import Layer
from killswitch.model.case import ChangeState
from killswitch.model.event import What
from killswitch.report.data import containment
from tests.report import cases
from tests.report.journal import HEAD, KEYS, NOW, SEAT, SUSPEND, Story


def told(case: Any) -> dict[str, Any]:
    return containment(case, head=HEAD, now=NOW)


def changes(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {c["id"]: c for layer in report["layers"] for c in layer["changes"]}


def test_what_a_person_must_still_do():
    todo = [(t["kind"], t["who"]) for t in told(cases.partial())["todo"]]
    assert todo == [
        ("still trying", "an administrator of okta"),
        ("unverified", "an administrator of claude"),
        ("by hand", "an administrator of cursor"),
        ("not reached", "an administrator of entra"),
        ("left alone", "a responder"),
    ]
    assert told(cases.contained())["todo"] == []
    assert [t["what"] for t in told(cases.refused())["todo"]] == ["ask a director"]


def test_what_a_person_attests_is_not_called_contained():
    story = Story().planned([SEAT], blanks=[]).approved().layer(Layer.CREDENTIALS, 40, 41)
    story.state(SEAT, "manual", 40).done()
    story.add(What.ATTESTED, 90, change=SEAT.id, by="ada@corp.example", reason="removed it")
    report = told(story.settled("partial", 91, [SEAT.id]).case())
    change = changes(report)[SEAT.id]
    assert (change["attested_by"], change["proven"]) == ("ada@corp.example", False)
    assert [t["kind"] for t in report["todo"]] == ["confirm"]
    assert "nothing was read back" in report["todo"][0]["why"]


def test_a_rule_that_went_ahead_asks_for_a_review():
    report = told(Story(automatic=True).planned([SUSPEND]).case())
    assert report["asked"]["automatic"]
    assert [t["what"] for t in report["todo"] if t["kind"] == "review"] == [
        "review this case within 24 hours"
    ]


def test_break_glass_asks_for_a_review():
    report = told(Story(break_glass=True).planned([SUSPEND]).case())
    assert report["asked"]["break_glass"]
    assert "24 hours" in report["todo"][-1]["what"]


def test_sweep_and_watch():
    report = told(cases.partial())
    assert report["sweep"]["found"] == [
        "claude-code-jo key 3 at claude (claude.api_keys.deactivate)"
    ]
    assert report["sweep"]["refused"][0]["why"] == "the limit of 100 credentials is reached"
    assert changes(report)[KEYS[2].id]["swept"]
    watch = told(cases.contained())["watch"]
    assert (watch["hold"], watch["every"], len(watch["rounds"])) == ("1d", "5m", 1)


def test_the_way_back_is_a_command():
    restore = told(cases.contained())["restore"]
    assert restore["state"] == "possible"
    assert restore["command"] == "agent-kill restore K-1127"
    assert (restore["exact"], restore["rebuild"], restore["never"]) == (5, 0, 1)
    assert told(cases.denied())["restore"]["state"] == "none"


def test_what_was_restored_kept_drifted_and_must_be_reissued():
    report = told(cases.restored())
    outcomes = {o["label"]: o for o in report["restore"]["outcomes"]}
    assert {label: o["state"]["name"] for label, o in outcomes.items()} == {
        "Jo Marsh (jo@corp.example)": "restored",
        "Sessions of Jo Marsh": "reissue",
        "claude-code-jo key 1": "kept",
        "claude-code-jo key 2": "restored",
        "claude-code-jo key 3": "drifted",
        "acme/payments": "restored",
    }
    assert outcomes["claude-code-jo key 1"]["why"] == "case K-1130 holds it"
    assert outcomes["Sessions of Jo Marsh"]["who"] == "an administrator of okta"
    assert [t["kind"] for t in report["todo"]] == ["reissue", "drifted"]
    assert report["residual"] == []
    assert report["restore"]["asked"][0]["by"] == "sol@corp.example"


def test_a_restored_change_keeps_the_proof_that_it_was_contained():
    found = changes(told(cases.restored()))[SUSPEND.id]
    assert found["state"]["name"] == ChangeState.RESTORED
    assert found["probe"] == "The old access was tried and refused."
    assert len(found["reads"]) == 2


def test_a_restore_in_part_is_not_called_restored():
    report = told(cases.restored("partial"))
    assert report["verdict"]["state"]["name"] == "part-restored"
    assert "in part: 3 restored" in report["verdict"]["sentence"]
