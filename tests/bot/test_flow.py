"""What people can do in Slack besides the straight way, in one process."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from bot.tables import presses
from killswitch.model.case import CaseState
from killswitch.model.event import What
from killswitch.model.plan import Mode
from killswitch.model.playbook import Assurance
from tabletop.sims.slack import FakeSlack
from tests.bot.office import PLAYBOOK, Office, buttons, of_view, world
from tests.drill import DANA, JO, LEE, RIA, SOL, person

UNREADABLE = [
    ("", "Who should be stopped"),
    ("jo@corp.example --force", "'--force' is not known"),
    ("jo@corp.example —sudo", "'--sudo' is not known"),
    ("<mailto:evil@corp.example|jo@corp.example>", "shows another address"),
    ("j\u043e@corp.example", "outside ASCII"),
    ("<!subteam^S123|@eng>", "a group is not stopped"),
    ("<!channel>", "a channel or a broadcast"),
    ("<#C123|general>", "a channel or a broadcast"),
    ("@jo", "not resolved"),
    ("jo", "no e-mail address"),
    ("jo@elsewhere", "is not our domain"),
    ("status jo", "no case"),
]


async def test_what_cannot_be_read_is_said_starts_nothing_and_is_on_record(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        async with Office.of(tmp_path, slack) as office:
            for text, says in UNREADABLE:
                pressed = await slack.slash(DANA, text)
                told = "\n".join(pressed.texts)
                assert says.lower() in told.lower(), text
                assert "Nothing was started" in told
                assert pressed.views == []
            assert office.drill.api.list() == []
            kept = [row.work["misread"] for row in pressed_in(office)]
            assert len(kept) == len(UNREADABLE)
            assert all(says.lower() in why.lower() for (_, says), why in
                       zip(UNREADABLE, kept, strict=True))  # fmt: skip


PHONES = [
    ("jo@corp.example --reason “it’s pushing”", "it's pushing"),
    ("jo@corp.example it's pushing", "it's pushing"),
    ("jo@corp.example —reason pushes to main", "pushes to main"),
    ("jo@corp pushes to main", "pushes to main"),
    ("@jo pushes to main", "pushes to main"),
    ("jo\u200b@corp.example\u00a0pushes & pulls", "pushes & pulls"),
]


async def test_what_phones_and_slack_make_of_a_command_is_understood(tmp_path: Path) -> None:
    """As Slack sends it where a command asks for escaping: addresses and mentions marked up."""
    with FakeSlack(world()) as slack:
        async with Office.of(tmp_path, slack) as office:
            for text, reason in PHONES:
                pressed = await slack.slash(DANA, text, escape=True)
                assert not pressed.texts, pressed.texts
                await office.wait(lambda: office.shows(DANA, "This is who was found"))
                assert office.shows(DANA, "Jo Marsh"), text
                typed = (slack.view(DANA) or {})["state"]["values"]
                assert typed["subject"]["v"]["value"] == JO
                assert typed["reason"]["v"]["value"] == reason
                await slack.dismiss(DANA)
            assert office.drill.api.list() == [], "nothing was sent"


def pressed_in(office: Office) -> list[Any]:
    """The presses on record, oldest first."""
    with office.drill.house.store.read() as tx:
        return list(tx.execute(presses.select().order_by(presses.c.at)))


async def test_help_drill_list_and_status(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        async with Office.of(tmp_path, slack) as office:
            assert "/agent-kill jo@corp.example" in (await slack.slash("kim", "help")).texts[0]
            assert "tabletop" in (await slack.slash("kim", "drill")).texts[0]
            case = await office.ask()
            listed = await slack.slash(DANA, "list")
            await office.wait(lambda: case in "\n".join(listed.texts))
            hidden = await slack.slash("kim", "list")
            await office.wait(lambda: "no case that you may see" in "\n".join(hidden.texts))
            await office.wait(office.card)
            await slack.slash(DANA, f"status {case}")
            await office.wait(lambda: office.shows(DANA, "identity: 0 of 1"))
            await slack.slash(DANA, f"plan {case}")
            await office.wait(lambda: office.shows(DANA, "Who is hit"))
            await slack.slash("kim", f"status {case}")
            await office.wait(lambda: office.shows("kim", "not yours to see"))
            await slack.slash(DANA, "status K-99")
            await office.wait(lambda: office.shows(DANA, "there is no case K-99"))


async def test_a_dry_run_makes_the_plan_and_nothing_else(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        async with Office.of(tmp_path, slack) as office:
            await slack.slash(DANA, f"{JO} --dry-run --reason “only looking at it”")
            await office.wait(lambda: office.has_form(DANA, "mode"))
            await slack.submit(DANA)
            await office.wait(office.drill.api.list)
            view = await office.drill.settled("K-1")
            assert view.state is CaseState.PLANNED
            assert view.request.mode is Mode.PLAN
            assert view.request.reason == "only looking at it"
            await office.wait(lambda: office.posts("Who is hit"))
            assert office.drill.wrote() == []


async def test_the_form_says_who_was_found_before_it_is_sent(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        async with Office.of(tmp_path, slack) as office:
            jo = slack.user(JO)
            await slack.slash(DANA, f"<@{jo}|jo>")
            await office.wait(lambda: office.shows(DANA, "This is who was found"))
            assert office.shows(DANA, "Jo Marsh")
            await slack.slash(DANA, "nobody@corp.example")
            await office.wait(lambda: office.shows(DANA, "Nobody was found"))


async def test_shortcuts_and_home_open_the_form(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        slack.install(Path("bot/manifest.yaml"))
        async with Office.of(tmp_path, slack) as office:
            alert = slack.say(LEE, "general", "alert: kim@corp.example pushes secrets")
            await slack.shortcut(DANA, "kill_from_message", alert)
            await office.wait(lambda: office.has_form(DANA, "subject"))
            subject = slack.view(DANA)["state"]["values"]["subject"]["v"]["value"]
            assert not subject, "nobody is named by what a message says"
            await office.fill(DANA, JO)
            await office.wait(office.drill.api.list)
            assert alert["ts"].replace(".", "") in office.case().request.link

            await slack.shortcut(DANA, "kill_new")
            await office.wait(lambda: office.has_form(DANA, "subject"))
            await office.wait(office.card)
            home = await slack.home(LEE)
            assert "gate `lead`" in of_view(home)
            await slack.click(LEE, home, "gate.review", label="Review")
            await office.wait(lambda: office.has_form(LEE, "decision"))
            kims = await slack.home("kim")
            assert "K-1" not in of_view(kims)
            assert "New kill" not in of_view(kims)


async def test_a_decision_at_the_terminal_shows_within_three_seconds(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        async with Office.of(tmp_path, slack) as office:
            case = await office.ask()
            card = await office.wait(lambda: office.card(case))
            digest = office.case(case).gates["lead"].digest
            await office.drill.api.answer(case, "lead", "deny", person(LEE), digest=digest)
            start = time.monotonic()
            await office.wait(lambda: buttons(office.card(case) or card) == [])
            assert time.monotonic() - start < 3.0
            assert "via cli" in of_view(office.card(case))

            stale = await slack.click(RIA, card, "gate.review", label="Review", stale=True)
            assert not stale.error
            await office.wait(lambda: office.shows(RIA, "the gate `lead` is denied"))
            assert not office.has_form(RIA, "decision")


async def test_deny_ends_it(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        async with Office.of(tmp_path, slack) as office:
            case = await office.ask()
            card = await office.wait(lambda: office.card(case))
            await slack.click(LEE, card, "gate.deny", label="Deny")
            await office.wait(lambda: office.has_form(LEE, "decision"))
            await slack.submit(LEE, {"reason": {"v": "wrong person"}})
            assert (await office.drill.settled(case)).state is CaseState.DENIED
            await office.wait(lambda: office.posts("Denied after"))


async def test_the_requester_and_outsiders_cannot_approve(tmp_path: Path) -> None:
    roles = {"eng-leads": ["okta:eng-leads", DANA]}
    with FakeSlack(world()) as slack:
        async with Office.of(tmp_path, slack, roles=roles) as office:
            case = await office.ask()
            card = await office.wait(lambda: office.card(case))
            await office.decide(DANA, card)
            await office.wait(lambda: office.shows(DANA, "who asked for a kill does not approve"))
            await office.decide(SOL, card)
            await office.wait(lambda: office.shows(SOL, "does not hold the role"))
            away = office.drill.entries(case, What.TURNED_AWAY)
            assert [e.data["person"] for e in away] == [DANA, SOL]
            assert office.drill.entries(case, What.DECIDED) == []


async def test_a_forged_or_outdated_button_is_refused_and_on_record(tmp_path: Path) -> None:
    forged = [
        "K-1|lead|" + "0" * 12,
        "K-1|other|" + "0" * 12,
        "x",
        "K-9|lead|",
        "K-9|lead|" + "0" * 12,
    ]
    with FakeSlack(world()) as slack:
        async with Office.of(tmp_path, slack) as office:
            case = await office.ask()
            card = await office.wait(lambda: office.card(case))
            for value in forged:
                await slack.click(LEE, card, "gate.review", label="Review", value=value)
                await office.wait(lambda: office.shows(LEE, "Refused"))
                assert office.shows(LEE, "Nothing was started"), value
                await slack.dismiss(LEE)
            assert office.drill.entries(case, What.DECIDED) == []
            lee = slack.user(LEE)
            outcomes = [row.outcome for row in pressed_in(office) if row.user == lee]
            assert len(outcomes) == len(forged)
            assert all(outcome.startswith("refused: ") for outcome in outcomes)


async def test_a_button_of_one_case_does_not_open_the_gate_of_another(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        async with Office.of(tmp_path, slack) as office:
            first = await office.ask(DANA, JO)
            second = await office.ask(SOL, "kim@corp.example")
            card = await office.wait(lambda: office.card(first))
            await office.wait(lambda: office.card(second))
            other = office.case(second).gates["lead"].digest[:12]
            await slack.click(
                LEE, card, "gate.review", label="Review", value=f"{first}|lead|{other}"
            )
            await office.wait(lambda: office.shows(LEE, "another plan"))


async def test_a_gate_that_asks_for_more_than_slack_sends_to_the_terminal(tmp_path: Path) -> None:
    playbook = PLAYBOOK.replace("on_timeout: deny", "on_timeout: deny, assurance: ssh-signature")
    with FakeSlack(world()) as slack:
        async with Office.of(tmp_path, slack, playbook=playbook) as office:
            case = await office.ask()
            card = await office.wait(lambda: office.card(case))
            command = f"agent-kill approve {case} lead --digest"
            assert command in of_view(card)
            await slack.click(LEE, card, "gate.review", label="Review")
            await office.wait(lambda: office.shows(LEE, command))
            options = of_view(slack.view(LEE))
            assert "Approve\n" not in options
            assert office.case(case).gates["lead"].assurance == Assurance.SSH_SIGNATURE


async def test_two_people_and_a_second_press(tmp_path: Path) -> None:
    playbook = PLAYBOOK.replace("quorum: 1", "quorum: 2")
    with FakeSlack(world()) as slack:
        async with Office.of(tmp_path, slack, playbook=playbook) as office:
            case = await office.ask()
            card = await office.wait(lambda: office.card(case))
            await office.decide(LEE, card)
            await office.wait(lambda: "1 of 2" in of_view(office.card(case)))
            await office.decide(LEE, card)
            await office.wait(lambda: office.shows(LEE, "Your answer is on record"))
            await office.decide(RIA, card)
            assert (await office.drill.settled(case)).state is CaseState.CONTAINED


async def test_abort_from_the_headline(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        async with Office.of(tmp_path, slack) as office:
            case = await office.ask()
            headline = (await office.wait(lambda: office.posts("Asked by")))[0]
            await office.wait(lambda: office.card(case))
            await slack.click(SOL, headline, "case.abort", label="Abort")
            await office.wait(lambda: office.has_form(SOL, "reason"))
            await slack.submit(SOL, {"reason": {"v": "a false alarm"}})
            assert (await office.drill.settled(case)).state is CaseState.ABORTED
            await office.wait(lambda: buttons(office.card(case) or {"blocks": []}) == [])


async def test_a_second_asking_joins_the_open_case(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        async with Office.of(tmp_path, slack) as office:
            case = await office.ask()
            await slack.slash(SOL, JO)
            await office.fill(SOL, JO)
            await office.wait(lambda: office.shows(SOL, f"You joined *{case}*"))
            assert [c.id for c in office.drill.api.list()] == [case]


async def test_reminders_reach_those_who_have_not_answered(tmp_path: Path) -> None:
    playbook = PLAYBOOK.replace("timeout: 2m", "timeout: 6s")
    with FakeSlack(world()) as slack:
        async with Office.of(tmp_path, slack, playbook=playbook) as office:
            case = await office.ask()
            await office.drill.settled(case)
            reminded = [of_view(m) for m in slack.dm(RIA) if "gate" in of_view(m)]
            await office.wait(lambda: all(buttons(m) == [] for m in slack.dm(RIA)))
            assert len(reminded) >= 3, "the card and at least two reminders"
            texts = [of_view(c.args.get("blocks", "")) for c in slack.calls("chat.postMessage")]
            assert any("25 % of its time" in t or "50 % of its time" in t for t in texts)


async def test_an_unknown_button_is_answered(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        async with Office.of(tmp_path, slack) as office:
            case = await office.ask()
            card = await office.wait(lambda: office.card(case))
            odd = {**card, "blocks": [{"type": "actions", "block_id": "b", "elements": [
                {"type": "button", "action_id": "odd", "text": {"type": "plain_text", "text": "x"},
                 "value": "y"}]}]}  # fmt: skip
            await slack.click(LEE, odd, "odd", stale=True)
            await office.wait(lambda: [m for m in slack.ephemerals(LEE) if "not ours" in m["text"]])


async def test_no_secret_of_ours_is_ever_shown(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        async with Office.of(tmp_path, slack) as office:
            await office.killed()
            await office.wait(lambda: office.posts("Residual risk"))
            said = slack.transcript()
            for secret in slack.secrets():
                assert secret not in said
            for call in slack.calls("chat.postMessage"):
                assert call.args["unfurl_links"] in (False, "false")
                assert call.args["text"]
