"""``agent-kill restore``: give access back, exactly as it was."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from killswitch.cli import engine_process, follow, personas
from killswitch.cli.context import context
from killswitch.cli.decide import CaseArgument
from killswitch.cli.exits import Exit
from killswitch.cli.kill import AsOption, ReasonOption
from killswitch.cli.operator import at_the_keyboard
from killswitch.model.case import Case, ChangeState
from killswitch.model.errors import NotAllowed
from killswitch.model.plan import Mode
from killswitch.model.untrusted import clean
from killswitch.report import words


def restore(
    case: CaseArgument,
    reason: ReasonOption = "",
    only: Annotated[
        list[str] | None, typer.Option("--only", help="Only changes whose id has this in it.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Also what somebody changed since.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Stay until it is done.")] = True,
    play: Annotated[bool, typer.Option("--play", help="In a drill: play the approvers.")] = False,
    cast: Annotated[
        bool, typer.Option("--personas", help="In a drill: personas play the approvers.")
    ] = False,
    persona: AsOption = "",
) -> None:
    """Give access back, in reverse order, behind a gate of its own.

    What another case still holds stays; what somebody changed since is left for a person; what
    is gone for good is listed with who must issue it anew.

    Examples:

      agent-kill restore K-12 --reason "false alarm"

      agent-kill restore K-12 --only github.ruleset.lock
    """
    if (play or cast) and context.config.mode is not Mode.DRILL:
        raise NotAllowed("only a drill has parts to play")
    if context.config.mode is Mode.DRILL and not play and not persona:
        cast = cast or not context.at_terminal
        play = not cast
    person = at_the_keyboard(context.config, persona)

    async def ask() -> tuple[int, str]:
        try:
            return await context.api.restore(
                case, person, reason, only=tuple(only or ()), force=force
            )
        finally:
            await context.api.house.connections.aclose()

    seen = context.api.show(case).last_seq
    number, digest = asyncio.run(ask())
    engine_process.ensure(context.config)
    context.say(f"{case}: restore {number} asked; digest {digest[:12]}")
    actor = personas.Play(ask=play) if play or cast else None
    done = follow.follow(
        context.api, case, follow.restored(number), play=actor, wait=wait, after=seen
    )
    if isinstance(done, Exit):
        raise typer.Exit(done)
    _tell(done, number)
    state = done.restores[number - 1]["state"]
    raise typer.Exit(_EXITS.get(state, Exit.WAITING))


_EXITS = {
    "restored": Exit.DONE,
    "partial": Exit.PARTIAL,
    "denied": Exit.DENIED,
    "expired": Exit.DENIED,
    "aborted": Exit.DENIED,
}


def _tell(case: Case, number: int) -> None:
    del number
    again = [c for c in case.changes.values() if c.state is ChangeState.REISSUE]
    if again:
        context.say(f"\n{words.counted(len(again), 'thing')} must be issued anew:")
    for change in again:
        context.say(f"  · {clean(change.plan.label, 60)}: {clean(change.detail, 200)}")
