"""Alerts that wait for people: the list in its channel, and the forms to look and to act. Pure.

Whatever quotes an alert stands in plain text, cleaned, without secrets: strangers wrote it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from bot.blocks import (
    TEXT,
    Block,
    Message,
    actions,
    button,
    context,
    cut,
    divider,
    header,
    message,
    modal,
    said,
    section,
    text_field,
    words_only,
)
from bot.modals import typed_again
from bot.queue import MOST, Looked, about
from killswitch.alerts.people import Waiting
from killswitch.model.untrusted import clean
from killswitch.report import words

START, DISMISS = "alert-start", "alert-dismiss"
SHOWN = 10  # alerts in a message
LISTED = 40  # in a form
_WHY = {
    "triage": "not clear enough to act on",
    "held": "clear, and over a cap",
}
_CONFIRMED = {
    "read": "confirmed: read again at its source",
    "hmac": "confirmed: signed by its sender",
    "": "not confirmed: nobody vouches for what it says",
}


def board(
    waiting: Sequence[Waiting], readers: Collection[str] | None, held: Sequence[str]
) -> Message:
    """The live list. ``readers``: who reads the channel, or None where that is not only operators.

    Only operators are shown whom an alert names and why it waits, and nobody is shown that of an
    alert about somebody who reads along. ``held``: rules that came over a cap within the hour.
    """
    head, held = heading(waiting), held if waiting else ()
    blocks = [header(head), *(section(f":warning: {_over_a_cap(rule)}.") for rule in held)]
    for alert in waiting[:SHOWN]:
        open_ = readers is not None and not about(alert, readers)
        blocks.append(_row(alert, f"{line(alert)}\n{_about(alert)}" if open_ else line(alert)))
    if len(waiting) > SHOWN:
        blocks.append(context(f"and {_more(waiting, SHOWN)}: `/agent-kill alerts`"))
    if waiting:
        blocks.append(context("Operators open a case or dismiss it. Nothing is started by itself."))
    return message(". ".join([*(_over_a_cap(rule) for rule in held[-1:]), head]), blocks)


def over(posted_at: str) -> Message:
    """What the list was, when a newer one is there: where to look. ``posted_at``: as Slack's ts."""
    seconds = int(float(posted_at))
    utc = datetime.fromtimestamp(seconds, UTC)
    at = f"<!date^{seconds}^{{time_secs}}|{utc:%H:%M:%S} UTC>"
    return message(
        "The list of alerts goes on in a newer message",
        [context(f"The alerts that wait for people stand in a newer message, of {at}.")],
    )


def heading(waiting: Sequence[Waiting]) -> str:
    """``3 alerts wait for people``."""
    if not waiting:
        return "No alert waits for people"
    if len(waiting) >= MOST:
        return f"{MOST} alerts or more wait for people"
    verb = "waits" if len(waiting) == 1 else "wait"
    return f"{words.counted(len(waiting), 'alert')} {verb} for people"


def line(alert: Waiting) -> str:
    """One alert without a word of what it says."""
    rule = f" · rule {said(alert.rule, 60)}" if alert.rule else ""
    sure = _CONFIRMED.get(alert.confirmed, _CONFIRMED[""])
    return (
        f"{alert.alert} · {said(alert.source, 60)}{rule} · "
        f"{_WHY.get(alert.outcome, said(alert.outcome, 40))} · {sure}"
    )


def rows(waiting: Sequence[Waiting], most: int) -> list[Block]:
    """The alerts with everything, for an operator; a button each."""
    found = [_row(alert, f"{line(alert)}\n{_about(alert)}") for alert in waiting[:most]]
    if len(waiting) > most:
        found.append(context(f"and {_more(waiting, most)}: `agent-kill alerts list`"))
    return found or [context("None.")]


def listing(waiting: Sequence[Waiting]) -> Block:
    """The list as a form that only shows, for an operator."""
    blocks = [section(f"*{heading(waiting)}*"), *(rows(waiting, LISTED) if waiting else [])]
    return modal("told", "Alerts", blocks)


def review(looked: Looked, says: Sequence[str]) -> Block:
    """What the alert says and why it waits, with the two ways on; or what became of it."""
    alert = looked.alert
    blocks = [*_facts(alert), divider(), section("*What the alert says*")]
    blocks.append(words_only(cut("\n".join(said(s, 300) for s in says) or "nothing", TEXT)))
    if alert.link:
        blocks.append(context(f"<{said(alert.link, 500)}|Open it at its source>"))
    if looked.ended:
        return modal("told", f"Alert {alert.alert}", [_ended(looked), *blocks])
    blocks.append(
        actions(
            button("Start a case…", "alert.start", alert.alert, "primary"),
            button("Dismiss…", "alert.dismiss", alert.alert),
        )
    )
    return modal("told", f"Alert {alert.alert}", blocks)


def ended(looked: Looked) -> Block:
    """Somebody has dealt with it meanwhile."""
    return modal("told", f"Alert {looked.alert.alert}", [_ended(looked)])


def start(looked: Looked, *, live: bool) -> Block:
    """Open a case for it: about whom, and why."""
    alert = looked.alert
    blocks = [
        *_facts(alert),
        text_field("subject", "Who", _prefilled(alert), "jo@corp.example"),
        text_field("reason", "Why", "", "kept in the journal", least=10, lines=True),
    ]
    if live:
        blocks.append(typed_again())
    blocks.append(
        context("The case is opened in your name, with the alert as its first evidence, by the "
                "rule's playbook or else the usual one. Its gates ask people.")
    )  # fmt: skip
    return modal(
        START, f"Case for {alert.alert}", blocks, submit="Start the case", private=_private(alert)
    )


def dismiss(looked: Looked) -> Block:
    """Take it off the list: why nothing is to be done."""
    blocks = [
        *_facts(looked.alert),
        text_field("reason", "Why is nothing to be done?", "", "kept in the journal", least=3,
                   lines=True),
        context("It stays on record, with your name and your reason."),
    ]  # fmt: skip
    name = f"Dismiss {looked.alert.alert}"
    return modal(DISMISS, name, blocks, submit="Dismiss", private=_private(looked.alert))


def _prefilled(alert: Waiting) -> str:
    return clean(alert.subject.removeprefix("person:"), 200)


def _row(alert: Waiting, text: str) -> Block:
    press = button(f"Review {alert.alert}", "alert.review", alert.alert)
    return words_only(text, accessory=press)


def _about(alert: Waiting) -> str:
    """Whom it names and why it waits, which quotes it."""
    return f"{said(alert.subject, 120) or 'names nobody plainly'} · {said(alert.why, 300)}"


def _facts(alert: Waiting) -> list[Block]:
    at = f"received {words.utc(alert.received_at)}"
    happened = f" · happened {words.utc(alert.occurred)}" if alert.occurred else ""
    return [words_only(f"{line(alert)}\n{_about(alert)}\n{at}{happened}")]


def _ended(looked: Looked) -> Block:
    return words_only(f"{looked.alert.alert} does not wait any more. {said(looked.ended, 600)}")


def _over_a_cap(rule: str) -> str:
    return f"Over a cap: what the rule {said(rule, 80)} finds is held for people"


def _more(waiting: Sequence[Waiting], shown: int) -> str:
    left = len(waiting) - shown
    return f"{left} or more further alerts" if len(waiting) >= MOST else f"{left} more"


def _private(alert: Waiting) -> str:
    return json.dumps({"alert": alert.alert})
