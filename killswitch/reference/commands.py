"""The command line: every command, every option, every exit code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer
from typer.core import TyperGroup

from killswitch.cli import context, exits
from killswitch.cli.main import app
from killswitch.reference.markdown import code, table

SCHEMAS = {
    "killswitch/alert-line/1": "`alerts list`: one alert",
    "killswitch/alert-test/1": "`alerts test`: what would become of it",
    "killswitch/alert/1": "`alerts show`: one alert, with its decisions and its text",
    "killswitch/audit/1": "`audit verify`: the result, after its findings",
    "killswitch/case-line/1": "`list`: one case",
    "killswitch/check/1": "`doctor`: one check",
    "killswitch/done/1": "it is done, where there is nothing else to say",
    "killswitch/entry/1": "`audit show`: one journal entry, with its hash",
    "killswitch/error/1": "why it could not be done, and what to do next",
    "killswitch/event/1": "`kill`, `plan`, `restore`, `status --watch`: an entry, as it comes",
    "killswitch/evidence-check/1": "`evidence verify`: the result, after its problems",
    "killswitch/finding/1": "`audit verify`: one finding",
    "killswitch/gap/1": "`evidence list`: what could not be collected",
    "killswitch/item/1": "`evidence list`, `evidence add`: one item",
    "killswitch/lint/1": "`playbook lint`, `alerts lint`: one complaint",
    "killswitch/playbook-line/1": "`playbook list`: one playbook",
    "killswitch/playbook/1": "`playbook show`",
    "killswitch/problem/1": "`evidence verify`, `evidence export`: one problem",
    "killswitch/seal/1": "`evidence list`: one seal",
}


_QUIETLY: dict[str, Any] = {"resilient_parsing": True, "terminal_width": 100}


def page() -> str:
    """docs/reference/cli.md."""
    return "\n".join(_parts())


def _parts() -> Iterator[str]:
    root = typer.main.get_command(app)
    yield "# The command line\n"
    with root.make_context("agent-kill", [], **_QUIETLY) as ctx:
        yield from _command(root, ctx)
        yield "## Exit codes\n"
        yield table(
            ("code", "name", "means"),
            [(str(e.value), e.name.lower(), exits.MEANS[e]) for e in exits.Exit],
        )
        yield (
            "## Output\n\nResults go to the standard output, messages to the standard error. "
            "With `--json` every line of the standard output is one JSON value whose `schema` "
            "names its shape; `status` gives the whole containment report. `NO_COLOR`, "
            "`TERM=dumb` and `--plain` switch colours off.\n"
        )
        yield table(("schema", "written by"), [(code(k), v) for k, v in SCHEMAS.items()])
        places = ", ".join(code(place) for place in context.PLACES)
        yield (
            f"## Where the configuration is\n\n`--config`, else `${context.CONFIG_VARIABLE}`, "
            f"else the first of {places}.\n"
        )
        yield from _commands(root, ctx, 2)


def _commands(group: Any, ctx: Any, level: int) -> Iterator[str]:
    """The commands of a group, with what is below them."""
    for name in group.list_commands(ctx):
        _, command, _ = group.resolve_command(ctx, [name])
        with command.make_context(name, [], parent=ctx, **_QUIETLY) as below:
            yield f"{'#' * level} {below.command_path}\n"
            yield from _command(command, below)
            if isinstance(command, TyperGroup):
                yield from _commands(command, below, level + 1)


def _command(command: Any, ctx: Any) -> Iterator[str]:
    yield f"```\n{command.get_usage(ctx).removeprefix('Usage: ')}\n```\n"
    yield _help(command.help or "")
    params = [p.get_help_record(ctx) for p in command.get_params(ctx)]
    rows = [
        (code(record[0]), record[1])
        for record in params
        if record and not record[0].startswith(("-h,", "--install-", "--show-"))
    ]
    if rows:
        yield table(("", ""), rows)


def _help(text: str) -> str:
    """The help, its examples as code: they are the paragraphs that begin with our name."""
    parts = []
    for part in text.strip().split("\n\n"):
        line = " ".join(part.split())
        label, found, example = line.partition("Example: ")
        if line.startswith("agent-kill "):
            parts.append(f"    {part.strip()}")
        elif found and not label:
            parts.append(f"Example:\n\n    {example}")
        else:
            parts.append(line)
    return "\n\n".join(parts) + "\n"
