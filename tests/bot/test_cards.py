"""Every card, of cases that end in every way, is one that Slack takes and says what it must."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from bot import cards, homepage, modals, plancard, progress
from bot.blocks import cut, said
from bot.grammar import Command, Verb
from bot.naming import GateRef, channel_name, codename, title
from bot.outbox import INDEX
from bot.story import due
from killswitch.model.case import Case
from killswitch.model.plan import Mode
from killswitch.model.playbook import Assurance
from killswitch.report import words
from tabletop.sims.slack_blocks import problems, view_problems
from tests.bot.office import buttons, of_view
from tests.drill import SOL
from tests.report.cases import ALL, EVERYTHING, contained, hostile
from tests.report.journal import KEYS, Story, at

NOW = at(100)


def messages(case: Case) -> dict[str, Any]:
    """Every message that a case in that state can call for."""
    found = {
        "headline": cards.headline(case),
        "index": cards.index_line(case),
        "settled": progress.settled(case),
        "progress": progress.progress(case, NOW),
        "residual": progress.residual(case),
        "alarm": cards.alarm(case, "somebody is in the channel"),
    }
    if case.plan:
        found["plan"] = plancard.plan_card(case)
    for name, gate in case.gates.items():
        found[f"gate {name}"] = cards.gate_card(case, gate, gate.approvers)
        found[f"reminder {name}"] = cards.reminder(case, gate, "50")
        found[f"decided {name}"] = cards.decided(case, gate)
    for number, change in enumerate(case.changes):
        found[f"attention {number}"] = progress.attention(case, change)
    for number in range(1, len(case.restores) + 1):
        found[f"restored {number}"] = progress.restored(case, number)
    return found


def views(case: Case) -> dict[str, Any]:
    """Every form and page about it."""
    found = {
        "abort": modals.abort(case, "because"),
        "restore": modals.restore(case, "because"),
        "home": homepage.home([(case, g) for g in case.gates.values()], [case], operator=True),
    }
    for name, gate in case.gates.items():
        found[f"decided {name}"] = modals.decided(case, gate)
        if case.plan:
            found[f"review {name}"] = modals.review(case, gate)
    return found


def wide(count: int = 400) -> Case:
    """A case of more changes than any message can list."""
    many = [KEYS[0].model_copy(update={"id": f"c{n}", "label": f"key {n} " + "x" * 200})
            for n in range(count)]  # fmt: skip
    story = Story().planned([*EVERYTHING, *many]).opened()
    for one in many:
        story.held(one, 10)
    return story.case()


CASES: dict[str, Callable[[], Case]] = {**ALL, "wide": wide, "asked": lambda: Story().case()}


@pytest.mark.parametrize("name", CASES)
def test_slack_takes_every_message(name: str) -> None:
    for what, message in messages(CASES[name]()).items():
        assert not problems(message["blocks"]), what
        assert message["text"].strip(), f"{what} has no text for notifications"


@pytest.mark.parametrize("name", CASES)
def test_slack_takes_every_view(name: str) -> None:
    for what, view in views(CASES[name]()).items():
        assert not view_problems(view), what


@pytest.mark.parametrize("live", [True, False])
def test_slack_takes_the_request_form(live: bool) -> None:
    command = Command(Verb.KILL, subject="person:jo@corp.example", reason="r" * 2000, note="n")
    view = modals.request(command, ("agent-kill",), live=live, link="https://x/" + "y" * 2900)
    assert not view_problems(view)
    typed = [b for b in view["blocks"] if b.get("block_id") == "typed"]
    assert bool(typed) is live, "a live kill is confirmed by typing the address"


def test_strangers_text_forms_no_link_mention_or_markup_of_slacks() -> None:
    case = hostile()
    for what, shown in {**messages(case), **views(case)}.items():
        text = of_view(shown) + str(shown.get("text", ""))
        for tag in re.findall(r"<[^>]*>", text):
            assert tag.startswith("<!date^"), f"{what}: {tag}"
        assert "\u202e" not in text, what


@pytest.mark.parametrize(
    "secret",
    [
        "ghp_" + "a1B2" * 9,
        "xoxb-123456789012-123456789012-abcdefghijklmnopqrstuvwx",
    ],
)
def test_a_secret_in_a_reason_is_not_shown(secret: str) -> None:
    assert secret not in said(f"the key {secret} leaked", 500)


def test_every_text_in_blocks_forms_no_links_by_itself() -> None:
    def check(node: Any) -> None:
        if isinstance(node, dict):
            assert node.get("type") != "mrkdwn" or node.get("verbatim") is True
            for value in node.values():
                check(value)
        if isinstance(node, list):
            for value in node:
                check(value)

    check([m["blocks"] for m in messages(contained()).values()])


@pytest.mark.parametrize("outcome", ["approved", "denied", "expired", "reversible_only", "aborted"])
def test_a_decided_gate_has_no_buttons(outcome: str) -> None:
    case = Story().planned(EVERYTHING).opened().shut(outcome, 30).case()
    gate = case.gates["lead"]
    assert buttons(cards.gate_card(case, gate, gate.approvers)) == []
    review = modals.review(case, gate)
    assert "submit" not in review


def test_an_open_gate_says_who_may_decide_what_and_until_when() -> None:
    case = Story().planned(EVERYTHING).opened(quorum=2).pressed("lee@corp.example", "approve", 9)
    folded = case.case()
    gate = folded.gates["lead"]
    card = cards.gate_card(folded, gate, ("ria@corp.example",))
    text = of_view(card)
    assert "1 of 2" in text
    assert "ria@corp.example" in text
    assert gate.digest[:12] in text
    assert buttons(card) == ["Review", "Deny"]
    values = [e["value"] for b in card["blocks"] for e in b.get("elements", []) if "value" in e]
    assert {GateRef.parse(v) for v in values} == {GateRef(folded.id, "lead", gate.digest[:12])}


@pytest.mark.parametrize("assurance", [Assurance.OIDC, Assurance.SSH_SIGNATURE])
def test_a_gate_that_asks_for_more_sends_the_person_to_the_command_line(
    assurance: Assurance,
) -> None:
    case = Story().planned(EVERYTHING).opened().case()
    gate = case.gates["lead"]
    gate.assurance = assurance
    command = f"agent-kill approve {case.id} lead --digest {gate.digest[:12]}"
    review = modals.review(case, gate)
    assert command in of_view(cards.gate_card(case, gate, gate.approvers))
    assert command in of_view(review)
    choices = next(b for b in review["blocks"] if b.get("block_id") == "decision")["element"]
    assert [o["value"] for o in choices["options"]] == ["deny"]


def test_the_plan_says_what_cannot_be_undone_what_breaks_and_what_lives_on() -> None:
    case = Story().planned(EVERYTHING).case()
    text = of_view(plancard.plan_card(case))
    for heading in ("Who is hit", "Cannot be undone", "What will break", "What may live on"):
        assert heading in text
    assert case.digest[:12] in text


def test_a_drill_is_marked_everywhere_and_a_live_case_nowhere() -> None:
    for what, message in messages(contained(Mode.DRILL)).items():
        assert "DRILL" in message["text"], what
    for what, message in messages(contained(Mode.LIVE)).items():
        assert "DRILL" not in of_view(message), what


def test_neither_channel_nor_index_name_anybody() -> None:
    case = contained()
    for text in (channel_name("kill", case.id), of_view(cards.index_line(case)), title(case)):
        for name in ("jo", "marsh", "corp"):
            assert name not in re.split(r"[^a-z]+", text.lower())
    assert codename("K-1") == codename("K-1")
    assert channel_name("kill", "K-7", 1).endswith("-2")


def test_a_drills_channel_says_so_first() -> None:
    assert channel_name("kill", "K-7") == f"kill-7-{codename('K-7')}"
    assert channel_name("kill", "K-7", 1, drill=True) == f"drill-kill-7-{codename('K-7')}-2"
    assert len(channel_name("k" * 90, "K-999999999", 4, drill=True)) == 80


def test_an_automatic_case_says_that_it_goes_ahead_and_that_deny_stops_it() -> None:
    story = Story(automatic=True, door="alert:splunk").planned(EVERYTHING).opened()
    case = story.case()
    gate = case.gates["lead"]
    for card in (cards.headline(case), cards.gate_card(case, gate, gate.approvers)):
        assert words.GOES_AHEAD in of_view(card)
    assert "Deny" in buttons(cards.gate_card(case, gate, gate.approvers))
    over = story.shut("denied", 30).settled("denied", 31).case()
    for card in (cards.headline(over), cards.gate_card(over, over.gates["lead"], ())):
        assert words.GOES_AHEAD not in of_view(card)
    asked = Story().planned(EVERYTHING).opened().case()
    assert words.GOES_AHEAD not in of_view(cards.headline(asked))
    assert words.GOES_AHEAD not in of_view(cards.gate_card(asked, asked.gates["lead"], ()))


def test_a_case_that_only_collects_asks_for_one_line_when_it_ends() -> None:
    story = Story(Mode.EVIDENCE).planned(EVERYTHING).evidence().settled("collected", 20)
    case = story.case()
    called = [i for e in story.entries for i in due(e, case, lambda *_: (), frozenset({SOL}))]
    assert [(i.kind, i.to) for i in called] == [("index", INDEX)]
    assert "Evidence only" in of_view(cards.index_line(case))


@pytest.mark.parametrize(
    "value",
    ["", "K-1", "K-1|lead", "K-1|lead|abc", "K-1|lead|" + "g" * 12, "x|lead|" + "a" * 12,
     "K-1|LEAD|" + "a" * 12, "K-1|lead|" + "a" * 12 + "|x"],
)  # fmt: skip
def test_a_forged_value_is_about_nothing(value: str) -> None:
    assert GateRef.parse(value) is None


def test_restore_choices_mean_the_same_change_later() -> None:
    """Positions would shift while the form is open; the marks are of the changes themselves."""
    case = contained()
    view = modals.restore(case)
    element = next(b for b in view["blocks"] if b.get("block_id") == "only")["element"]
    wanted = element["options"][1]["value"]
    before = modals.chosen(case, [wanted])
    first = next(c for c in case.changes.values() if c.held and c.plan.undo_kind != "none")
    first.state = type(first.state).RESTORED
    assert modals.chosen(case, [wanted]) == before
    assert len(before) == 1
    assert json.loads(view["private_metadata"]) == {"case": case.id}


def test_text_is_cut_between_lines_and_never_inside_an_escape() -> None:
    assert cut("a\nb", 10) == "a\nb"
    assert cut("one line\n" + "x" * 40, 30) == "one line\n" + "x" * 20 + "…"
    assert "&am…" not in cut("x" * 8 + "&amp;y", 12)


def test_progress_is_never_said_to_be_contained_when_it_is_not() -> None:
    case = Story().planned(EVERYTHING).approved().case()
    assert "0 of" in of_view(progress.progress(case, NOW))
    assert "✓ Contained" not in of_view(cards.headline(case))
    assert case.state != "contained"
