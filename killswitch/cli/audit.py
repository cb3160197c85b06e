"""``agent-kill audit``: show the journal, verify it."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Annotated, Any

import typer

from killswitch.api import NoSuchCase
from killswitch.audit import verify as auditing
from killswitch.audit.findings import Findings, Severity
from killswitch.audit.witness import kept_heads
from killswitch.cli import completion, lazy, lines
from killswitch.cli.context import context
from killswitch.cli.exits import Exit
from killswitch.evidence import keys
from killswitch.model.case import Case
from killswitch.model.errors import Broken
from killswitch.model.event import Entry, What
from killswitch.model.untrusted import clean
from killswitch.report.words import counted, size

app = lazy.group("The journal: show it, verify it.")


@app.command("show")
def show(
    case: Annotated[
        str,
        typer.Argument(
            help="Such as K-12; without: every case.",
            show_default=False,
            autocompletion=completion.case_ids,
        ),
    ] = "",
    after: Annotated[int, typer.Option("--after", help="Only entries after this number.")] = 0,
    limit: Annotated[int, typer.Option("--limit", help="At most so many; 0: all.")] = 0,
) -> None:
    """The journal's entries as they were written, oldest first.

    Examples:

      agent-kill audit show K-12

      agent-kill audit show --after 400 --json
    """
    journal = context.api.house.journal
    if case:
        context.api.show(case)
    for entry in journal.entries(case=case or None, after=after, limit=limit or None):
        if context.as_json:
            context.emit({"schema": "killswitch/entry/1", **vars(entry)})
        else:
            told = clean(_line(entry), 300)
            context.out.print(
                f"{entry.seq:>6}  {entry.at[:19]}Z  {entry.case:8} {entry.what:22} {told}",
                markup=False,
                soft_wrap=True,
            )


@app.command("verify")
def verify() -> None:
    """Check every entry, every signed head and whether every case went by the rules.

    Ends with 9 if anything is wrong. Entries under a head that a witness holds are anchored:
    not even the owner of this machine can change those unseen.

    Example: agent-kill audit verify
    """
    try:
        findings = _verified()
    except Broken as error:  # not even the database can be opened
        findings = Findings()
        findings.broken("database", 0, f"{error.why[:1].upper()}{error.why[1:]}.")
    if context.as_json:
        _emit(findings)
    else:
        _print(findings)
    raise typer.Exit(Exit.DONE if findings.sound else Exit.INTEGRITY)


def _verified() -> Findings:
    config, journal = context.config, context.api.house.journal
    witnesses = [config.path(config.written.witness.file)] if config.written.witness else []
    if not kept_heads(journal):  # nothing was signed yet, so no witness can be expected to exist
        witnesses = [path for path in witnesses if path.exists()]
    keyring = [keys.load(config.signing_key).public_key]
    return auditing.verify(journal, keyring, witnesses)


def _emit(findings: Findings) -> None:
    for finding in findings.found:
        context.emit({"schema": "killswitch/finding/1", **vars(finding)})
    context.emit(
        {
            "schema": "killswitch/audit/1",
            "sound": findings.sound,
            "entries": findings.entries,
            "heads": findings.heads,
            "anchored": findings.entries - findings.unanchored,
        }
    )


def _print(findings: Findings) -> None:
    for finding in findings.found:
        broken = finding.severity is Severity.BROKEN
        glyph, colour = ("✗", "red") if broken else ("!", "yellow")
        context.out.print(f"{glyph} {clean(finding.says, 400)}", style=colour, markup=False)
    anchored = findings.entries - findings.unanchored
    context.say(
        f"{counted(findings.entries, 'entry', 'entries')}, "
        f"{counted(findings.heads, 'signed head')}; {anchored} anchored by a witness, "
        f"{findings.unanchored} not"
    )
    if findings.entries and not anchored:
        told = "No witness anchors any of them: who owns this machine could rewrite them all."
        context.say(told, style="yellow")
    if findings.sound:
        context.say("✓ The journal is whole, and every case went by the rules.", style="green")
    else:
        context.say("✗ The journal cannot be trusted as it is. Keep it unchanged.", style="red")


def _line(entry: Entry) -> str:
    """As people read it while it happens; what only machines need, as it is."""
    if entry.what is What.STORED:
        item = entry.data["item"]
        return f"{item['collector']} {item['name']} {size(item['size'])} {item['sha256'][:12]}"
    if entry.what is What.ALERTS:
        return _alerts(entry.data["alerts"])
    case = _case(entry.case) if entry.case else None
    told = lines.line(entry, case) if case else ""
    return told or ", ".join(
        f"{key} {value}"
        for key, value in entry.data.items()
        if isinstance(value, str | int) and value != ""
    )


def _alerts(decided: list[dict[str, Any]]) -> str:
    """``A-3 … A-52: 2 started, 48 joined``; with the reason where there is only one."""
    first, last = decided[0], decided[-1]
    if first is last:
        who = f" by {first['by']}" if first.get("by") else ""
        return f"{first['alert']}: {first['outcome']}{who} {first.get('why', '')}"
    counts = Counter(one["outcome"] for one in decided)
    told = ", ".join(f"{count} {outcome}" for outcome, count in counts.most_common())
    return f"{first['alert']} … {last['alert']}: {told}"


@cache
def _case(case: str) -> Case | None:
    """None where the entries do not add up: they are shown all the same."""
    try:
        return context.api.show(case)
    except (Broken, NoSuchCase):
        return None
