"""``agent-kill evidence``: list, export, verify, add."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from killswitch.cli import lazy
from killswitch.cli.context import context
from killswitch.cli.decide import CaseArgument
from killswitch.cli.exits import Exit
from killswitch.cli.kill import AsOption
from killswitch.cli.operator import at_the_keyboard
from killswitch.evidence import bundle, keys, seal
from killswitch.evidence.seal import Problem
from killswitch.model.case import Case
from killswitch.model.errors import Broken, Invalid
from killswitch.model.evidence import Item
from killswitch.model.untrusted import clean
from killswitch.report import words

if TYPE_CHECKING:
    from securesystemslib.signer import Key

app = lazy.group("What was collected: list, export, verify, add.")


@app.command("list")
def list_evidence(case: CaseArgument) -> None:
    """Every item in the vault, every gap, every seal.

    Examples:

      agent-kill evidence list K-12

      agent-kill evidence list K-12 --json | jq -r .sha256
    """
    found = context.api.show(case)
    items = [Item.model_validate(item) for item in found.items]
    if context.as_json:
        for item in items:
            context.emit({"schema": "killswitch/item/1", **item.model_dump(mode="json")})
        for gap in found.gaps:
            context.emit({"schema": "killswitch/gap/1", **gap})
        for made in found.seals:
            context.emit({"schema": "killswitch/seal/1", **made})
        return
    for item in items:
        context.out.print(_row(item), soft_wrap=True)
    for gap in found.gaps:
        context.say(
            f"GAP  {gap['connection']} {gap['collector']}: {clean(gap['why'], 200)}",
            style="yellow",
        )
    for made in found.seals:
        told = f"{words.counted(made['items'], 'item')}, {words.counted(made['gaps'], 'gap')}"
        context.say(f"sealed {made['which']}: {told}, manifest {made['manifest'][:16]}")
    unsealed = len(_unsealed(found))
    if unsealed:
        context.say(f"{words.counted(unsealed, 'item')} not under a seal yet", style="yellow")


@app.command("export")
def export(
    case: CaseArgument,
    out: Annotated[
        Path | None, typer.Option("--out", help="A folder that is not there yet.", metavar="DIR")
    ] = None,
) -> None:
    """Write the case's evidence as one BagIt bag that others can check without killswitch.

    It holds raw evidence, and so may hold secrets: it is readable by you alone.

    Example: agent-kill evidence export K-12 --out /mnt/evidence/K-12
    """
    from killswitch.audit.witness import kept_heads

    house = context.api.house
    context.api.show(case)
    made = bundle.export(
        house.journal.entries(case=case),
        kept_heads(house.journal),
        vault=house.vault,
        signer=keys.load(context.config.signing_key),
        to=out or Path(f"{'DRILL-' if context.drill else ''}{case}-evidence"),
    )
    _tell_problems(made.problems)
    if context.as_json:
        context.emit(
            {"schema": "killswitch/done/1", "case": case, "path": str(made.path.absolute())}
        )
    else:
        context.out.print(str(made.path), markup=False, soft_wrap=True)
        context.say(f"`agent-kill evidence verify {made.path}` checks it, and so does its README.")
    raise typer.Exit(Exit.INTEGRITY if made.problems else Exit.DONE)


@app.command("verify")
def verify(
    what: Annotated[str, typer.Argument(metavar="CASE|PATH", help="A case, or an exported bag.")],
    key: Annotated[
        Path | None, typer.Option("--key", help="The public key to trust (PEM).", metavar="FILE")
    ] = None,
) -> None:
    """Check every object against the signed manifests. Ends with 9 if anything was touched.

    A bag is checked against --key, else against this installation's own key, else against the
    key that lies in the bag; it says which.

    Examples:

      agent-kill evidence verify K-12

      agent-kill evidence verify ./K-12-evidence --key their-public-key.pem
    """
    try:
        said, problems = _check_bag(Path(what), key) if Path(what).is_dir() else _check_case(what)
    except Broken as error:
        said, problems = f"{what}: cannot be checked", [Problem(what, error.why)]
    _tell_problems(problems)
    if context.as_json:
        data = {"of": what, "sound": not problems, "problems": len(problems), "says": said}
        context.emit({"schema": "killswitch/evidence-check/1", **data})
    elif problems:
        found = words.counted(len(problems), "problem")
        context.say(f"✗ {said}; {found}. Keep everything as it is.", style="red")
    else:
        context.say(f"✓ {said}; untouched.", style="green")
    raise typer.Exit(Exit.INTEGRITY if problems else Exit.DONE)


@app.command("add")
def add(
    case: CaseArgument,
    paths: Annotated[list[Path], typer.Argument(help="Files, or folders with files.")],
    persona: AsOption = "",
) -> None:
    """Hand files over into a case, such as transcripts from somebody's laptop.

    They are kept and sealed like collected evidence, with your name. For operators.

    Example: agent-kill evidence add K-12 ~/.claude/projects/payments
    """
    person = at_the_keyboard(context.config, persona)
    files = list(_files(paths))

    async def hand_over() -> list[Item]:
        try:
            return await context.api.hand_over(case, files, person)
        finally:
            await context.api.house.connections.aclose()

    for item in asyncio.run(hand_over()):
        if context.as_json:
            context.emit({"schema": "killswitch/item/1", **item.model_dump(mode="json")})
        else:
            context.say(f"{item.sha256[:16]}  {words.size(item.size):>8}  {clean(item.name, 80)}")


def _files(paths: list[Path]) -> Iterator[Path]:
    """The files themselves, and every file below the folders; links are left out."""
    for path in paths:
        if not path.is_dir():
            yield path.absolute()
            continue
        below = [p for p in sorted(path.rglob("*")) if p.is_file() and not p.is_symlink()]
        if not below:
            raise Invalid(f"there is no file in {path}", expected="a folder with files")
        yield from (p.absolute() for p in below)


def _row(item: Item) -> Text:
    marks = (
        "volatile" if item.volatile else "",
        "CUT SHORT" if item.truncated else "",
        clean(item.note, 120),
    )
    told = f"{item.collector:32} {words.size(item.size):>8}  {clean(item.name, 60):40}"
    return Text.assemble(
        (f"{item.sha256[:16]}  ", "dim"), told, "  ", ", ".join(m for m in marks if m)
    )


def _check_case(case: str) -> tuple[str, list[Problem]]:
    """Every manifest of the case, and what no manifest covers yet by its name alone."""
    found = context.api.show(case)
    vault = context.api.house.vault
    keyring = [keys.load(context.config.signing_key).public_key]
    problems: list[Problem] = []
    for made in found.seals:
        problems += seal.verify(made["manifest"], vault, keyring)
    unsealed = _unsealed(found)
    for item in unsealed:
        try:
            for _ in vault.chunks(item["sha256"]):
                pass
        except Broken as error:
            problems.append(Problem(item["sha256"], f"{item['name']!r}: {error.why}"))
    once = {(p.where, p.says): p for p in problems}  # an object may be under two seals
    said = f"{found.id}: {words.counted(len(found.items), 'item')}, "
    said += words.counted(len(found.seals), "seal")
    if unsealed:
        said += f", {len(unsealed)} under no seal yet (looked at by name)"
    return said, list(once.values())


def _unsealed(case: Case) -> list[dict[str, Any]]:
    """The items that came after the last seal over everything."""
    last = max((s["at"] for s in case.seals if s["which"] == "final"), default="")
    return [item for item in case.items if item["collected_at"] > last]


def _check_bag(path: Path, key: Path | None) -> tuple[str, list[Problem]]:
    keyring, whose = _keyring(path, key)
    return f"{path}, against {whose}", bundle.verify_bundle(path, keyring)


def _keyring(path: Path, key: Path | None) -> tuple[list[Key], str]:
    if key is not None:
        try:
            return [keys.read_public(key.read_bytes())], f"the key in {key}"
        except OSError as error:
            raise Invalid(
                f"{key} cannot be read: {error.strerror}", expected="a public key"
            ) from error
    try:
        return [keys.load(context.config.signing_key).public_key], "this installation's key"
    except (Invalid, Broken):  # no configuration here: an auditor's machine
        own = keys.read_public((path / "data" / "public-key.pem").read_bytes())
        return [], f"the key in the bag itself, id {own.keyid[:16]}: compare it"


def _tell_problems(problems: Sequence[Problem]) -> None:
    for problem in problems:
        if context.as_json:
            context.emit({"schema": "killswitch/problem/1", **vars(problem)})
        else:
            context.out.print(f"{problem.where}: {clean(problem.says, 300)}", markup=False)
