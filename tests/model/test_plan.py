"""The digest is over everything that people approve."""

from __future__ import annotations

from typing import Any

import pytest

from killswitch.model.action import Layer, Undo
from killswitch.model.plan import Blank, Change, Mode, Plan, PlannedAccount, ResidualLine
from killswitch.model.playbook import Collect, LayerPlan, Limits, Step, Watch
from tests.model.examples import change, gate, plan

OTHER: dict[str, Any] = {
    "format": "killswitch/plan/2",
    "case": "K-2",
    "mode": Mode.LIVE,
    "subject": "person:kim@corp.example",
    "requester": "sol@corp.example",
    "reason": "another",
    "severity": "low",
    "made_at": "2026-01-02T00:00:00+00:00",
    "playbook": "large",
    "playbook_version": 2,
    "playbook_digest": "1" * 64,
    "accounts": (PlannedAccount(connection="okta", vendor="okta", data={"id": "00ujo"}),),
    "changes": (),
    "blanks": (Blank(use="okta.sessions.revoke", connection="okta", why="not connected"),),
    "gates": (),
    "restore_gate": "dual",
    "layers": {},
    "evidence_window": "3600s",
    "evidence_deadline": "5s",
    "collect": (Collect(use="okta.user"),),
    "limits": Limits(credentials=1),
    "watch": Watch.model_validate({"for": "1h"}),
    "comms": ("legal",),
    "warnings": ("not checked",),
    "break_glass": True,
    "automatic": True,
    "hosts": {"okta": "https://acme.okta.example"},
}
OTHER_CHANGE: dict[str, Any] = {
    "id": "okta/okta.user.suspend/00ukim",
    "layer": Layer.CREDENTIALS,
    "step": 1,
    "connection": "okta-two",
    "action": "okta.sessions.revoke",
    "options": {"all": True},
    "target": {"id": "00ukim"},
    "target_id": "00ukim",
    "label": "user kim",
    "before": {"status": "LOCKED_OUT"},
    "goal": {"status": "DEPROVISIONED"},
    "gate": "dual",
    "required": False,
    "undo_kind": Undo.NONE,
    "manual": "call them",
    "impact": "everything stops",
    "residual": ResidualLine(what="nothing", seconds=0, source="okta"),
    "counts": 2,
    "swept": True,
}


def test_every_field_is_tried():
    assert set(OTHER) == set(Plan.model_fields)
    assert set(OTHER_CHANGE) == set(Change.model_fields)


@pytest.mark.parametrize("field", OTHER)
def test_the_digest_changes_with_every_field_of_a_plan(field):
    assert plan(**{field: OTHER[field]}).digest != plan().digest


@pytest.mark.parametrize("field", OTHER_CHANGE)
def test_the_digest_changes_with_every_field_of_a_change(field):
    other = change(**{field: OTHER_CHANGE[field]})
    assert plan(changes=(other,)).digest != plan().digest


@pytest.mark.parametrize(
    "other",
    [
        gate(quorum=2),
        gate(names=("lee@corp.example",)),
        gate(escalation=("max@corp.example",)),
        gate(timeout="1m"),
        gate(on_timeout="reversible_only"),
        gate(assurance="ssh-signature"),
    ],
)
def test_the_digest_changes_with_who_may_approve_and_how(other):
    assert plan(gates=(other,)).digest != plan().digest


def test_the_order_of_changes_is_part_of_it_and_their_spelling_is_not():
    first, second = change(), change(id="okta/okta.user.suspend/00ukim")
    assert plan(changes=(first, second)).digest != plan(changes=(second, first)).digest
    again = Plan.model_validate_json(plan().model_dump_json(by_alias=True))
    assert again.digest == plan().digest


def test_a_layer_has_the_connections_of_its_changes_and_of_what_is_looked_at_again():
    about = {"use": "okta.user.suspend", "why": "down", "layer": "identity", "gate": "lead"}
    made = plan(
        blanks=(
            Blank(connection="okta-later", later=True, **about),
            Blank(connection="okta-empty", empty=True, **about),
            Blank(connection="okta-none", **about),
        )
    )
    assert made.connections("identity") == ["okta", "okta-empty", "okta-later"]
    assert made.connections("credentials") == []


def test_nothing_to_change_is_told_from_a_change():
    assert change(before={"status": "SUSPENDED"}).already
    assert not change().already


def test_a_gate_is_found_by_its_name():
    assert plan().gate("lead").approvers == gate().approvers
    with pytest.raises(KeyError, match="dual"):
        plan().gate("dual")


def test_a_plan_takes_no_field_that_it_does_not_know():
    data = plan().model_dump(mode="json", by_alias=True)
    with pytest.raises(ValueError, match="approved"):
        Plan.model_validate({**data, "approved": True})


def test_a_layer_says_its_times_as_people_write_them():
    layer = LayerPlan.model_validate({"gate": "lead", "deadline": "90s", "steps": []})
    assert layer.model_dump(mode="json")["deadline"] == "90s"
    assert layer.model_dump(mode="json")["keep_trying"] == "30m"
    assert Step(use="okta.user.suspend").required
