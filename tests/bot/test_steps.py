"""A step by hand: ``Mark done…`` takes an operator's word, in their name, and nobody else's."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot import modals, progress
from bot.naming import StepRef
from killswitch.model.action import Layer
from killswitch.model.case import Case, ChangeState
from killswitch.model.event import What
from tabletop.sims.slack import FakeSlack
from tabletop.sims.slack_blocks import problems, view_problems
from tests.bot.office import PLAYBOOK, Office, buttons, of_view, world
from tests.drill import DANA, JO, LEE, SOL, person
from tests.report.journal import SUSPEND, Story

BY_HAND = (
    PLAYBOOK.replace("[okta.user, claude.api_keys]", "[okta.user]")
    .replace("claude.api_keys.deactivate", "github.app_installation.suspend")
    .replace("Two vendors", "One step by hand")
)


@asynccontextmanager
async def waiting(folder: Path, **more: Any) -> AsyncIterator[tuple[Office, FakeSlack, str, Any]]:
    """An office with a case whose one step at GitHub waits for a person, and its card."""
    with FakeSlack(world()) as slack:
        more = {"vendors": ("okta", "github"), "playbook": BY_HAND, **more}
        async with Office.of(folder, slack, **more) as office:
            case = await office.killed()
            await office.wait(lambda: to_do(office))
            yield office, slack, case, to_do(office)


def to_do(office: Office) -> dict[str, Any] | None:
    found = [m for m in office.posts("By hand:") if "Mark done…" in buttons(m)]
    return found[-1] if found else None


def step(office: Office) -> Any:
    (found,) = [c for c in office.case().changes.values() if c.state is ChangeState.MANUAL]
    return found


async def test_an_operator_vouches_and_the_card_says_who(tmp_path: Path) -> None:
    async with waiting(tmp_path) as (office, slack, case, card):
        assert f"agent-kill attest {case}" in of_view(card)
        await slack.click(SOL, card, "step.done", label="Mark done…")
        await office.wait(lambda: office.has_form(SOL, "reason"))
        assert office.shows(SOL, "Suspend your installation")
        short = await slack.submit(SOL, {"reason": {"v": "done"}})
        assert short.errors, "a word is more than a word"
        await slack.submit(SOL, {"reason": {"v": "suspended it in GitHub's settings"}})
        await office.wait(lambda: office.shows(SOL, "It is on record"))
        (entry,) = office.drill.entries(case, What.ATTESTED)
        assert (entry.data["by"], entry.data["reason"]) == (
            SOL, "suspended it in GitHub's settings",
        )  # fmt: skip
        await office.wait(lambda: to_do(office) is None)
        assert f"{SOL} vouches that it was done" in of_view(office.posts("By hand:")[-1])
        assert step(office).open, "a word is not a read"

        await slack.click(DANA, card, "step.done", label="Mark done…", stale=True)
        await office.wait(lambda: office.shows(DANA, f"{SOL} vouches for it"))
        assert not office.has_form(DANA, "reason")


async def test_nobody_else_vouches_and_nothing_forged_is_taken(tmp_path: Path) -> None:
    roles = {"secops": ["okta:secops", DANA, JO]}
    async with waiting(tmp_path, roles=roles) as (office, slack, case, card):
        await slack.click(LEE, card, "step.done", label="Mark done…")
        await office.wait(lambda: office.shows(LEE, "does not hold the role secops"))
        assert not office.has_form(LEE, "reason")
        for value, why in (("x", "no step of ours"), (f"{case}|{'0' * 24}", "no such step")):
            await slack.click(DANA, card, "step.done", label="Mark done…", value=value)
            await office.wait(lambda why=why: office.shows(DANA, why))
            assert office.shows(DANA, "Nothing was started")
        refused = [p for p in outcomes(office) if p.startswith("refused")]
        assert len(refused) == 3, "each is on record"
        with pytest.raises(Exception, match="whoever is stopped has no say"):
            await office.drill.api.attest(case, step(office).plan.id, person(JO), "I did it")

        await slack.click(SOL, card, "step.done", label="Mark done…")
        await office.wait(lambda: office.has_form(SOL, "reason"))
        remove_from_secops(office, SOL)  # the role is read again when the form is sent
        await slack.submit(SOL, {"reason": {"v": "suspended it in the settings"}})
        await office.wait(lambda: office.shows(SOL, "does not hold the role secops"))
        assert office.shows(SOL, "Refused")
        assert office.drill.entries(case, What.ATTESTED) == []


def outcomes(office: Office) -> list[str]:
    """What came of the presses, as the table has it."""
    from bot.tables import presses

    with office.drill.house.store.read() as tx:
        return [str(row.outcome) for row in tx.execute(presses.select())]


def remove_from_secops(office: Office, email: str) -> None:
    """They leave the group at the identity provider."""
    state = office.drill.sims["okta"].state
    user = office.drill.okta_user(email)["id"]
    (group,) = [g for g in state["groups"].values() if g["profile"]["name"] == "secops"]
    members = state["members"][group["id"]]
    members.remove(user)


def manual(**more: Any) -> Case:
    by_hand = SUSPEND.model_copy(update={"manual": "Ask an owner to suspend it."})
    story = Story().planned([by_hand]).approved().layer(Layer.IDENTITY, 40, 50)
    story.state(by_hand, "manual", 41, detail="no API").done().settled("partial", 51, [by_hand.id])
    if more:
        story.add(What.ATTESTED, 60, change=by_hand.id, **more)
    return story.case()


def test_the_form_and_the_card_are_ones_that_slack_takes() -> None:
    for case in (manual(), manual(by="sol@corp.example", reason="r" * 900)):
        (change,) = case.changes.values()
        assert not view_problems(modals.attest(case, change))
        assert not problems(progress.attention(case, change.plan.id)["blocks"])


def test_a_step_that_is_done_asks_nothing() -> None:
    case = manual(by="sol@corp.example", reason="seen")
    (change,) = case.changes.values()
    assert buttons(progress.attention(case, change.plan.id)) == []
    assert "submit" not in modals.attest(case, change)
    change.state = ChangeState.CONTAINED
    assert buttons(progress.attention(case, change.plan.id)) == []
    assert "Nothing is asked of you" in of_view(modals.attest(case, change))


@pytest.mark.parametrize("value", ["", "K-1", "K-1|x", "K-1|" + "g" * 24, "K-1|" + "0" * 25])
def test_a_forged_value_is_about_nothing(value: str) -> None:
    assert StepRef.parse(value) is None


def test_a_value_names_one_change_of_one_case() -> None:
    case = manual()
    (change,) = case.changes.values()
    ref = StepRef.parse(str(StepRef.of(case.id, change.plan.id)))
    assert ref is not None
    assert ref.find(case) is change
    assert re.fullmatch(r"K-1127\|[0-9a-f]{24}", str(ref))
