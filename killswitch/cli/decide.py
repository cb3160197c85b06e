"""``approve``, ``deny``, ``abort``, ``attest``."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from killswitch.cli import engine_process, ssh
from killswitch.cli.context import context
from killswitch.cli.kill import AsOption, ReasonOption
from killswitch.cli.operator import at_the_keyboard

CaseArgument = Annotated[str, typer.Argument(help="Such as K-12.", show_default=False)]
GateArgument = Annotated[str, typer.Argument(help="Such as lead.", show_default=False)]
DigestOption = Annotated[
    str, typer.Option(help="What you were shown (12 characters or more); else refused.")
]
SignOption = Annotated[
    Path | None, typer.Option(help="Sign the decision with this SSH key.", metavar="KEY")
]


def approve(
    case: CaseArgument,
    gate: GateArgument,
    reason: ReasonOption = "",
    digest: DigestOption = "",
    sign: SignOption = None,
    persona: AsOption = "",
) -> None:
    """Approve a gate. Your first answer is final.

    Example: agent-kill approve K-12 lead --digest 3f9a1c0d77e2 --sign ~/.ssh/id_ed25519
    """
    _answer(case, gate, "approve", reason, digest, sign, persona)


def deny(
    case: CaseArgument,
    gate: GateArgument,
    reason: ReasonOption = "",
    digest: DigestOption = "",
    sign: SignOption = None,
    persona: AsOption = "",
) -> None:
    """Deny a gate; one denial ends it.

    Example: agent-kill deny K-12 dual --reason "wrong person"
    """
    _answer(case, gate, "deny", reason, digest, sign, persona)


def abort(case: CaseArgument, reason: ReasonOption = "", persona: AsOption = "") -> None:
    """Start nothing more in a case. What was contained stays contained.

    Example: agent-kill abort K-12 --reason "false alarm"
    """
    person = at_the_keyboard(context.config, persona)
    _do(context.api.abort(case, person, reason))
    context.say(f"{case}: aborted. What was contained stays so until `agent-kill restore {case}`.")
    _done(case)


def attest(
    case: CaseArgument,
    change: Annotated[str, typer.Argument(help="The manual step, as `status` names it.")],
    reason: ReasonOption = "",
    persona: AsOption = "",
) -> None:
    """Vouch that a manual step was done.

    Example: agent-kill attest K-12 github/github.app_installation.suspend/99 -r "done in the UI"
    """
    person = at_the_keyboard(context.config, persona)
    _do(context.api.attest(case, change, person, reason))
    context.say(f"{case}: attested by {person.email}.")


def _answer(
    case: str, gate: str, decision: str, reason: str, digest: str, key: Path | None, persona: str
) -> None:
    person = at_the_keyboard(context.config, persona)
    if key is not None:
        shown = context.api.show(case).gates.get(gate)
        person = ssh.signed(
            context.config, person, key, case, gate, shown.digest if shown else "", decision
        )
    view = _do(context.api.answer(case, gate, decision, person, reason=reason, digest=digest))
    context.say(f"{case}: {decision} of {gate} by {person.email} taken ({view.digest[:12]}).")
    engine_process.ensure(context.config)
    _done(case)


def _do(work: Coroutine[Any, Any, Any]) -> Any:
    async def closing() -> Any:
        try:
            return await work
        finally:
            await context.api.house.connections.aclose()

    return asyncio.run(closing())


def _done(case: str) -> None:
    if context.as_json:
        context.emit({"schema": "killswitch/done/1", "case": case})
