"""``agent-kill SUBJECT`` and ``agent-kill plan SUBJECT``."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from killswitch import playbooks
from killswitch.api import Person, Started
from killswitch.cli import completion, engine_process, follow, personas, planview
from killswitch.cli.context import context
from killswitch.cli.exits import Exit
from killswitch.cli.operator import at_the_keyboard
from killswitch.model.case import Case, CaseState, Request
from killswitch.model.errors import NotAllowed, Refused
from killswitch.model.plan import Mode
from killswitch.model.subject import Subject
from killswitch.report import words

SubjectArgument = Annotated[
    str, typer.Argument(help="jo@corp.example, person:jo@…, credential:AKIA…", show_default=False)
]
PlaybookOption = Annotated[
    str,
    typer.Option(
        "--playbook",
        "-p",
        help="Playbook; default by the kind of subject.",
        autocompletion=completion.playbook_names,
    ),
]
ReasonOption = Annotated[str, typer.Option("--reason", "-r", help="Why; kept in the journal.")]
AsOption = Annotated[str, typer.Option("--as", help="In a drill: who you play.", metavar="E-MAIL")]


def kill(
    subject: SubjectArgument,
    playbook: PlaybookOption = "",
    reason: ReasonOption = "",
    severity: Annotated[str, typer.Option(help="low, medium, high or critical.")] = "high",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Only make and show the plan.")
    ] = False,
    evidence_only: Annotated[
        bool,
        typer.Option("--evidence-only", help="Only collect and seal evidence; change nothing."),
    ] = False,
    confirm: Annotated[
        str, typer.Option(help="The subject again, instead of typing it.", metavar="SUBJECT")
    ] = "",
    no_input: Annotated[bool, typer.Option("--no-input", help="Never ask anything.")] = False,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Stay until settled, or leave at the gates.")
    ] = True,
    break_glass: Annotated[
        bool,
        typer.Option("--break-glass", help="Reversible steps without approval; needs --reason."),
    ] = False,
    play: Annotated[bool, typer.Option("--play", help="In a drill: play the approvers.")] = False,
    cast: Annotated[
        bool, typer.Option("--personas", help="In a drill: personas play the approvers.")
    ] = False,
    persona: AsOption = "",
) -> None:
    """Stop everything that a person's coding agents can do.

    Evidence first, then identity, credentials and repositories, each behind its gate, each read
    back. The case goes on if you leave with Ctrl-C.

    Examples:

      agent-kill jo@corp.example --reason "pushes to payments nobody asked for"

      agent-kill credential:AKIAEXAMPLEKEY000001 -r "found in a public gist"

      agent-kill jo@corp.example --dry-run

      agent-kill jo@corp.example --evidence-only
    """
    parsed = Subject.parse(subject)
    if dry_run and evidence_only:
        raise Refused("a dry run collects nothing", hint="--dry-run or --evidence-only, not both")
    looks = Mode.PLAN if dry_run else Mode.EVIDENCE if evidence_only else None
    mode = looks or context.config.mode
    if mode is Mode.LIVE:
        confirmed(parsed, confirm, no_input)
    if (play or cast) and context.config.mode is not Mode.DRILL:
        raise NotAllowed("only a drill has parts to play")
    actor = personas.Play(ask=play) if play or cast else None
    found = _run(parsed, playbook, reason, severity, mode, persona, break_glass, actor, wait)
    if isinstance(found, Exit):
        raise typer.Exit(found)
    _tell(found)
    raise typer.Exit(follow.exit_of(found))


def plan(
    subject: SubjectArgument,
    playbook: PlaybookOption = "",
    reason: ReasonOption = "",
    persona: AsOption = "",
) -> None:
    """Show everything that would happen. Nothing is changed and nobody is asked.

    Example: agent-kill plan jo@corp.example
    """
    parsed = Subject.parse(subject)
    found = _run(parsed, playbook, reason, "low", Mode.PLAN, persona, False, None, True)
    if isinstance(found, Exit):
        raise typer.Exit(found)
    _tell(found)
    raise typer.Exit(follow.exit_of(found))


def _run(
    subject: Subject,
    playbook: str,
    reason: str,
    severity: str,
    mode: Mode,
    persona: str,
    break_glass: bool,
    actor: personas.Play | None,
    wait: bool,
) -> Case | Exit:
    config = context.config
    person = at_the_keyboard(config, persona)
    name = playbook or playbooks.default(subject.kind)
    request = playbooks.request(
        playbooks.load(name, policy=config),
        subject,
        mode=mode,
        requester=person.email,
        door="cli",
        assurance=person.assurance,
        severity=severity,
        reason=reason,
        break_glass=break_glass,
    )
    started = asyncio.run(_start(request, person))
    engine_process.ensure(config)
    if started.joined:
        context.say(f"{started.case} is open for {subject} already; you joined it.")
    return follow.follow(context.api, started.case, follow.settled, play=actor, wait=wait)


async def _start(request: Request, person: Person) -> Started:
    try:
        return await context.api.start(request, person)
    finally:
        await context.api.house.connections.aclose()


def confirmed(subject: Subject, confirm: str, no_input: bool) -> None:
    """A live kill is confirmed by typing the subject; scripts give it twice."""
    if confirm and Subject.parse(confirm) == subject:
        return
    if not confirm and not no_input and context.at_terminal:
        typed = context.out.input(f"Type {subject.name} to start a LIVE kill: ", markup=False)
        if typed.strip().lower() == subject.name:
            return
    raise NotAllowed(
        "a live kill is confirmed by naming the subject twice",
        hint=f"--confirm {subject.name}",
    )


def _tell(case: Case) -> None:
    """How it stands, and what to do next."""
    if context.as_json:
        return
    if case.plan and case.state is CaseState.PLANNED:
        planview.show(case.plan)
        return
    if case.state is CaseState.REFUSED:
        return
    _residual(case)
    _next_steps(case)


def _residual(case: Case) -> None:
    lines = dict.fromkeys(
        f"{c.plan.residual.what}"
        + (f" (up to {words.duration(c.plan.residual.seconds)})" if c.plan.residual.seconds else "")
        for c in case.changes.values()
        if c.held and c.plan.residual.seconds != 0
    )
    if lines:
        context.say("\nWhat may live on, by the vendors' own figures:")
    for text in lines:
        context.say(f"  · {text}")


def _next_steps(case: Case) -> None:
    report = context.config.state / "reports" / case.id
    if case.state is CaseState.COLLECTED:
        steps = [
            (f"agent-kill evidence list {case.id}", "what was collected"),
            (f"agent-kill evidence verify {case.id}", "is it untouched?"),
            (f"agent-kill report {case.id}", f"the report: {report}"),
            (f"agent-kill {case.request.subject}", "stop them"),
        ]
    else:
        steps = _after_a_kill(case, report)
    context.say("\nNext:")
    for command, why in steps:
        context.say(f"  {command:36} {why}")


def _after_a_kill(case: Case, report: Path) -> list[tuple[str, str]]:
    return [
        (f"agent-kill status {case.id}", "how it stands, line by line"),
        (f"agent-kill report {case.id}", f"the report: {report}"),
        (f"agent-kill restore {case.id}", "give access back, exactly as it was"),
        ("agent-kill audit verify", "is the journal whole?"),
        (f"agent-kill evidence verify {case.id}", "is the evidence untouched?"),
    ]
