"""``approve``, ``deny``, ``abort``, ``attest``."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from killswitch import signatures
from killswitch.api import Person
from killswitch.cli import completion, engine_process
from killswitch.cli.context import context
from killswitch.cli.kill import AsOption, ReasonOption
from killswitch.cli.operator import at_the_keyboard
from killswitch.model.errors import NotAllowed
from killswitch.model.playbook import Assurance

CaseArgument = Annotated[
    str,
    typer.Argument(help="Such as K-12.", show_default=False, autocompletion=completion.case_ids),
]
GateArgument = Annotated[str, typer.Argument(help="Such as lead.", show_default=False)]
DigestOption = Annotated[
    str, typer.Option(help="What you were shown (12 characters or more); else refused.")
]
SignOption = Annotated[
    Path | None,
    typer.Option(help="Sign the decision with this SSH key; it says who you are.", metavar="KEY"),
]
SignatureOption = Annotated[
    Path | None,
    typer.Option(help="A signature that was made elsewhere, over what --message prints."),
]
MessageOption = Annotated[
    bool, typer.Option("--message", help="Print what is to be signed, and decide nothing.")
]


def approve(
    case: CaseArgument,
    gate: GateArgument,
    reason: ReasonOption = "",
    digest: DigestOption = "",
    sign: SignOption = None,
    signature: SignatureOption = None,
    message: MessageOption = False,
    persona: AsOption = "",
) -> None:
    """Approve a gate. Your first answer is final.

    Examples:

      agent-kill approve K-12 lead --digest 3f9a1c0d77e2 --sign ~/.ssh/id_ed25519

      agent-kill approve K-12 lead --message | ssh-keygen -Y sign -n killswitch -f KEY > k12.sig

      agent-kill approve K-12 lead --signature k12.sig
    """
    signed = Signed(sign, signature, message)
    _answer(case, gate, "approve", reason, digest, signed, persona)


def deny(
    case: CaseArgument,
    gate: GateArgument,
    reason: ReasonOption = "",
    digest: DigestOption = "",
    sign: SignOption = None,
    signature: SignatureOption = None,
    message: MessageOption = False,
    persona: AsOption = "",
) -> None:
    """Deny a gate; one denial ends it.

    Example: agent-kill deny K-12 dual --reason "wrong person"
    """
    _answer(case, gate, "deny", reason, digest, Signed(sign, signature, message), persona)


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


@dataclass(frozen=True)
class Signed:
    """How a decision is signed, if it is."""

    key: Path | None
    made: Path | None
    only_print: bool

    def person(self, text: bytes, persona: str) -> Person:
        """Who decides: whoever signed, else whoever is at the keyboard. Raises NotAllowed."""
        if self.key is None and self.made is None:
            return at_the_keyboard(context.config, persona)
        allowed = context.config.written.people.allowed_signers
        if allowed is None:
            raise NotAllowed(
                "no allowed-signers file is configured", hint="set people.allowed_signers"
            )
        proof = self.made.read_text() if self.made else signatures.sign(self.key or Path(), text)
        email = signatures.signer(context.config.path(allowed), text, proof)
        if persona and persona.lower() != email:
            raise NotAllowed(f"could not verify that as {persona}: the key is {email}'s")
        return Person(email, Assurance.SSH_SIGNATURE, "cli", proof)


def _answer(
    case: str, gate: str, decision: str, reason: str, digest: str, signed: Signed, persona: str
) -> None:
    if persona:
        at_the_keyboard(context.config, persona)  # only a drill has parts to play
    shown = context.api.show(case).gates.get(gate)
    text = signatures.message(case, gate, shown.digest if shown else "", decision)
    if signed.only_print:
        typer.echo(text, nl=False)
        return
    person = signed.person(text, persona)
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
