"""Posting when Slack misbehaves: once, in the end, and never instead of the case."""

from __future__ import annotations

import itertools
from pathlib import Path

from sqlalchemy import update

from bot.notifier import OUTAGE
from bot.outbox import SENDING
from bot.tables import posts
from killswitch.model.case import CaseState
from tabletop.sims.slack import FakeSlack
from tests.bot.office import Office, buttons, of_view, world
from tests.drill import JO, KIM, LEE, SOL, person


async def test_a_deleted_card_of_an_open_gate_is_posted_again(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        async with Office.of(tmp_path, slack) as office:
            case = await office.ask()
            card = await office.wait(office.card)
            slack.delete_message(card)
            office.parts.notifier.look_now()
            again = await office.wait(lambda: (office.card() or card)["ts"] != card["ts"])
            assert again
            await office.decide(LEE, office.card() or card)
            assert (await office.drill.settled(case)).state is CaseState.CONTAINED


async def test_an_archived_channel_is_followed_by_another(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        async with Office.of(tmp_path, slack) as office:
            case = await office.ask()
            await office.wait(office.card)
            first = office.channel()
            slack.archive(first)
            office.parts.notifier.look_now()
            await office.wait(lambda: office.channel() != first and office.card())
            assert office.channel().endswith("-2")
            assert slack.user(JO) not in slack.channel(office.channel())["members"]
            await office.decide(LEE, office.card() or {})
            assert (await office.drill.settled(case)).state is CaseState.CONTAINED
            await office.wait(lambda: office.posts("Proof"))


async def test_what_was_posted_before_a_crash_is_found_and_not_posted_again(
    tmp_path: Path,
) -> None:
    """As if it died after Slack took the message and before we noted that."""
    with FakeSlack(world()) as slack:
        async with Office.of(tmp_path, slack) as office:
            await office.ask()
            card = await office.wait(office.card)
            await office.wait(lambda: office.parts.notifier.drained)
            await office.stop_bot()
            with office.drill.house.store.begin() as tx:
                tx.execute(
                    update(posts).where(posts.c.to == "case").values(state=SENDING, ts="", shown="")
                )
            before = len(slack.messages(office.channel()))
            await office.start_bot()
            await office.wait(lambda: office.parts.notifier.drained)
            assert len(slack.messages(office.channel())) == before
            assert slack.calls("pins.add")[-1].error == "already_pinned"
            await office.decide(LEE, card)
            await office.wait(lambda: buttons(office.card() or card) == [])


async def test_the_channel_made_before_a_crash_is_found(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        async with Office.of(tmp_path, slack) as office:
            slack.fault("drop-after", "conversations.create", times=1)
            await office.ask()
            await office.wait(office.card)
            names = [c["name"] for c in slack.channels(slack.bot) if c["is_private"]]
            assert len(names) == 1


async def test_without_the_scope_for_pins_all_goes_on_and_it_is_said_once(
    tmp_path: Path,
) -> None:
    with FakeSlack(world()) as slack:
        slack.space.scopes.discard("pins:write")
        async with Office.of(tmp_path, slack) as office:
            first = await office.ask()
            second = await office.ask(SOL, KIM)
            for case in (first, second):
                await office.wait(lambda case=case: office.card(case))
            await office.wait(lambda: office.parts.notifier.drained)
            (refused,) = slack.calls("pins.add")
            assert refused.error == "missing_scope"
            assert slack.channel(office.channel())["pins"] == []
            assert office.parts.notifier.degraded == ""


async def test_rate_limits_are_waited_out(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        async with Office.of(tmp_path, slack) as office:
            limited = {"status": 429, "headers": {"Retry-After": "1"}, "times": 2}
            slack.fault("status", "chat.postMessage", **limited)
            slack.fault("status", "chat.update", **limited)
            case = await office.killed()
            await office.wait(lambda: office.posts("Residual risk"))
            await office.wait(lambda: buttons(office.card() or {}) == [])
            assert office.case(case).state is CaseState.CONTAINED
            assert len(office.posts("Plan ·")) == 1


async def test_a_slow_slack_never_holds_up_a_case(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        async with Office.of(tmp_path, slack) as office:
            slack.fault("late", "chat.", seconds=3)
            case = await office.ask()
            await office.drill.until(case, lambda c: "lead" in c.gates)
            digest = office.case(case).gates["lead"].digest
            await office.drill.api.answer(case, "lead", "approve", person(LEE), digest=digest)
            view = await office.drill.settled(case)
            assert view.state is CaseState.CONTAINED
            slack.heal()
            await office.wait(lambda: office.posts("Proof"), 40)


async def test_edits_are_coalesced(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        async with Office.of(tmp_path, slack) as office:
            await office.killed()
            await office.wait(lambda: office.posts("Residual risk"))
            progress = (await office.wait(lambda: office.posts("Progress ·")))[0]
            edits = [c for c in slack.calls("chat.update") if c.args["ts"] == progress["ts"]]
            between = [b.at - a.at for a, b in itertools.pairwise(edits)]
            unsettled = between[:-1]
            assert all(seconds >= 2.9 for seconds in unsettled), between


async def test_a_case_of_the_terminal_appears_too(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        index = slack.add_channel("security-index", members=["kim"])
        async with Office.of(tmp_path, slack, bot={"index_channel": index}) as office:
            case = await office.drill.start()
            await office.wait(office.card)
            await office.decide(LEE, office.card() or {})
            await office.drill.settled(case)
            await office.wait(lambda: "Contained" in of_view(slack.messages("security-index")[-1]))
            (line,) = slack.messages("security-index")
            assert JO not in of_view(line)


async def test_open_gates_are_asked_again_after_an_outage_and_both_cards_are_one_gate(
    tmp_path: Path,
) -> None:
    """What was pressed meanwhile never arrives, so people are asked anew; decided gates are not."""
    assert OUTAGE == 10.0
    with FakeSlack(world()) as slack:
        async with Office.of(tmp_path, slack) as office:
            notifier = office.parts.notifier
            first = await office.ask()
            second = await office.ask(SOL, KIM)
            for case in (first, second):
                await office.wait(lambda case=case: office.card(case))
            await office.wait(lambda: notifier.drained)
            down(slack)
            notifier.look_now()
            await office.wait(lambda: notifier._down_since)
            slack.heal()  # it tries again after a second
            await office.wait(lambda: not notifier._down_since)
            await office.wait(lambda: notifier.drained)
            assert len(cards(office, first)) == 1, "that was a short one"

            notifier.outage = 0.5
            down(slack)
            notifier.look_now()
            digest = office.case(second).gates["lead"].digest
            await office.drill.api.answer(second, "lead", "deny", person(LEE), digest=digest)
            await office.wait(lambda: notifier._down_since)
            slack.heal()

            await office.wait(lambda: len(cards(office, first)) == 2)
            await office.wait(lambda: buttons(office.card(second) or {}) == [])
            assert len(cards(office, second)) == 1, "that gate is decided"
            await office.decide(LEE, cards(office, first)[0])  # the old card is as good
            assert (await office.drill.settled(first)).state is CaseState.CONTAINED
            await office.wait(lambda: all(buttons(c) == [] for c in cards(office, first)))


def down(slack: FakeSlack) -> None:
    """Every call is answered with 503 from now on."""
    slack.fault("status", status=503)


def cards(office: Office, case: str) -> list[dict[str, object]]:
    """Every card of that case's gate."""
    return [m for m in office.posts("gate `lead`", case) if "plan `" in of_view(m)]


async def test_slack_down_at_the_start_is_no_error(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        office = Office.of(tmp_path, slack)
        slack.stop()
        office.connects = False
        async with office:
            case = await office.drill.start()
            await office.drill.until(case, lambda c: "lead" in c.gates)
            slack.start()
            await slack.connected(seconds=30)
            await office.wait(office.card, 40)
