"""A plan on a terminal: who is hit, what changes, what cannot be undone, what breaks."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from killswitch.cli.context import context
from killswitch.model.plan import Change, Plan
from killswitch.model.playbook import LAYERS
from killswitch.model.untrusted import clean
from killswitch.report import words


def show(plan: Plan) -> None:
    """Print it."""
    mode = words.word(words.MODES, plan.mode)
    drill = "DRILL  " if context.drill and plan.mode != "drill" else ""  # a plan of one
    context.say(f"\n{drill}{mode.label}  {plan.case}  {plan.subject}  playbook {plan.playbook}")
    context.say(f"digest {plan.digest}\n")
    if plan.automatic:
        context.say(f"{words.GOES_AHEAD}\n")
    for account in plan.accounts:
        data = account.data
        admin = "  ADMINISTRATOR" if data.get("admin") else ""
        context.say(f"  {account.connection:12} {clean(data['label'], 50)}  {data['id']}{admin}")
    for layer in LAYERS:
        changes = [c for c in plan.changes if c.layer is layer]
        if changes:
            context.say("")
            context.out.print(_table(str(layer), changes))
    _list("What breaks for others", [c.impact for c in plan.changes if c.impact])
    _list(
        "Not done here",
        [f"{b.connection}: {b.use}: {clean(b.why, 160)}" for b in plan.blanks],
    )
    _list("By hand", [c.manual for c in plan.changes if c.manual])
    _list("Not checked", list(plan.warnings))


def _table(layer: str, changes: list[Change]) -> Table:
    table = Table(title=layer, title_justify="left", box=None, pad_edge=False, expand=False)
    for heading in ("action", "target", "gate", "undo"):
        table.add_column(heading, overflow="fold")
    for change in changes:
        undo = words.UNDO[change.undo_kind]
        already = " (so already)" if change.already else ""
        table.add_row(
            change.action,
            Text(clean(change.label, 60) + already),
            change.gate,
            Text(undo, style="red" if change.undo_kind == "none" else ""),
        )
    return table


def _list(title: str, texts: list[str]) -> None:
    unique = list(dict.fromkeys(texts))
    if unique:
        context.say(f"\n{title}:")
    for text in unique:
        context.say(f"  · {clean(text, 300)}")
