"""``status``, ``list``, ``report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from killswitch.cli import completion, engine_process, follow, planview
from killswitch.cli.context import context
from killswitch.cli.exits import Exit
from killswitch.model.case import Case
from killswitch.model.errors import NotAllowed
from killswitch.model.untrusted import clean
from killswitch.report import words

NewestCase = Annotated[
    str,
    typer.Argument(
        help="Such as K-12; without: the newest.",
        show_default=False,
        autocompletion=completion.case_ids,
    ),
]


def status(
    case: NewestCase = "",
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Follow it as it goes.")] = False,
    plan: Annotated[bool, typer.Option("--plan", help="Show the whole plan too.")] = False,
) -> None:
    """How a case stands, line by line.

    Examples:

      agent-kill status

      agent-kill status K-12 --watch

      agent-kill status K-12 --json | jq .state
    """
    found = context.api.show(case) if case else _newest()
    if watch:
        done = follow.follow(context.api, found.id, lambda c: bool(c.closed_at))
        if isinstance(done, Exit):
            raise typer.Exit(done)
        found = done
    if context.as_json:
        from killswitch.report.data import containment

        context.emit(containment(found, head=None, now=context.api.house.now().isoformat()))
    else:
        _board(found)
        if plan and found.plan:
            planview.show(found.plan)
    raise typer.Exit(follow.exit_of(found))


def list_cases(
    limit: Annotated[int, typer.Option("--limit", help="How many, newest first.")] = 20,
) -> None:
    """The cases, newest first.

    Example: agent-kill list --limit 5
    """
    found = context.api.list(limit=limit)
    if context.as_json:
        for case in found:
            context.emit(_row(case))
        return
    if not found:
        context.say("No cases yet. `agent-kill SUBJECT` opens one.")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("case", "opened (UTC)", "mode", "subject", "state"):
        table.add_column(heading, overflow="fold")
    for case in found:
        word = words.word(words.CASES, case.state)
        table.add_row(
            case.id,
            words.utc(case.requested_at)[:19],
            ("DRILL " if context.drill else "") + case.request.mode.removeprefix("drill"),
            Text(clean(case.request.subject, 60)),
            Text(f"{word.glyph} {word.label}", style=word.colour),
        )
    context.out.print(table)


def report(
    case: NewestCase = "",
    form: Annotated[
        str,
        typer.Option(
            "--format", help="html, md or json; a review is md or json.", show_default=False
        ),
    ] = "",
    out: Annotated[Path | None, typer.Option(help="Write it here, not just say where.")] = None,
    review: Annotated[
        bool, typer.Option("--review", help="The draft of the review instead: md or json.")
    ] = False,
) -> None:
    """The containment report: one self-contained file; with --review what people look back on.

    Examples:

      agent-kill report K-12

      agent-kill report K-12 --format md --out K-12.md

      agent-kill report K-12 --review
    """
    from killswitch.report import files

    found = context.api.show(case) if case else _newest()
    form = form or ("md" if review else "html")
    formats = files.REVIEW_FORMATS if review else files.FORMATS
    if form not in formats:
        raise NotAllowed(f"{form!r} is no format", hint=f"one of {', '.join(formats)}")
    render = files.render_review if review else files.render
    text = render(found, form, now=context.api.house.now())
    if out:
        out.write_text(text)
        context.say(f"{out} written")
        return
    if form == "html":
        written = files.write(found, context.config.state / "reports" / found.id)
        context.out.print(written["html"], soft_wrap=True)
    else:
        context.out.print(text, markup=False, soft_wrap=True)


def _newest() -> Case:
    found = context.api.list(limit=1)
    if not found:
        raise NotAllowed("there is no case yet", hint="agent-kill SUBJECT opens one")
    return found[0]


def _board(case: Case) -> None:
    mode = words.word(words.MODES, case.request.mode)
    word = words.word(words.CASES, case.state)
    drill = "DRILL  " if context.drill and case.request.mode != "drill" else ""  # a plan of one
    about = f"{case.id}  {case.request.subject}  {case.request.reason}".rstrip()
    context.say(f"{drill}{mode.label}  {about}")
    context.say(f"{word.glyph} {word.label}. {word.means}", style=word.colour)
    for name, gate in case.gates.items():
        shown = words.word(words.GATES, gate.outcome)
        said = ", ".join(f"{d['person']} {d['decision']}" for d in gate.decisions)
        context.say(f"  gate {name}: {shown.label}  {said}")
    for change in case.changes.values():
        state = words.word(words.CHANGES, change.state)
        detail = f"  {clean(change.detail, 120)}" if change.detail else ""
        context.say(
            f"  {state.glyph} {state.label:14} {change.plan.action:34} "
            f"{clean(change.plan.label, 60)}{detail}",
            style=state.colour,
        )
    if case.plan:
        late = {(c.plan.connection, c.plan.step) for c in case.changes.values()}
        for blank in case.plan.blanks:
            if blank.later and (blank.connection, blank.step) in late:
                continue  # it answered later, and what was found stands above
            context.say(f"  – {blank.connection:12} {blank.use:34} {clean(blank.why, 120)}")
    context.say(f"  evidence: {len(case.items)} items, {len(case.gaps)} gaps")
    if not case.closed_at and engine_process.running(context.config.state) is None:
        context.say("  No engine runs: `agent-kill serve` goes on with it.", style="yellow")


def _row(case: Case) -> dict[str, str]:
    return {
        "schema": "killswitch/case-line/1",
        "case": case.id,
        "opened_at": case.requested_at,
        "mode": case.request.mode,
        "subject": case.request.subject,
        "state": case.state,
    }
