"""``agent-kill``: the command line. It must work when nothing else does."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from killswitch import __version__
from killswitch.cli import decide, exits, kill, restore, show
from killswitch.cli.context import Context, context
from killswitch.cli.exits import Exit
from killswitch.model.errors import KillswitchError

app = typer.Typer(
    name="agent-kill",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # locals of a traceback can hold tokens
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("kill")(kill.kill)
app.command("plan")(kill.plan)
app.command("status")(show.status)
app.command("approve")(decide.approve)
app.command("deny")(decide.deny)
app.command("abort")(decide.abort)
app.command("attest")(decide.attest)
app.command("restore")(restore.restore)
app.command("report")(show.report)
app.command("list")(show.list_cases)


@app.command("serve")
def serve(
    port: Annotated[
        int | None, typer.Option(help="Health endpoint on 127.0.0.1; none if left out.")
    ] = None,
    until_idle: Annotated[
        bool, typer.Option("--until-idle", help="End when nothing is open.")
    ] = False,
) -> None:
    """Run the engine: it carries out what was asked, and goes on after a restart.

    Example: agent-kill serve --port 8642
    """
    from killswitch.cli.serve import serve as run

    run(context.config, port=port, until_idle=until_idle)


@app.callback()
def root(
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="killswitch.yaml.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON, one value a line.")] = False,
    plain: Annotated[bool, typer.Option("--plain", help="No colours, no moving parts.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Results only.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> None:
    """Stop what a person's coding agents can do: everywhere, in order, with proof and a way back.

    agent-kill jo@corp.example        stop Jo's agents

    agent-kill status --watch         follow it

    agent-kill restore K-12           give access back

    Exit codes: 0 done, 3 not contained, 4 partial, 5 waiting, 6 denied, 7 refused by policy,
    8 not found, 9 integrity, 10 invalid file, 12 doctor, 75 try later, 130 you left.
    """
    if version:
        typer.echo(f"agent-kill {__version__}")
        raise typer.Exit
    made = Context(config, as_json, quiet, plain)
    context.__dict__.update(made.__dict__)


def main() -> None:
    """Run the command line. A subject in the place of a command means ``kill``."""
    try:
        app(_with_command(sys.argv[1:]), standalone_mode=True)
    except KillswitchError as error:
        _explain(error)
        sys.exit(exits.of_error(error))
    except KeyboardInterrupt:
        sys.exit(Exit.INTERRUPTED)


def _with_command(words: list[str]) -> list[str]:
    """``jo@corp.example`` becomes ``kill jo@corp.example``; options before it stay before."""
    takes_value = {"--config", "-c"}
    place = 0
    while place < len(words) and words[place].startswith("-"):
        place += 2 if words[place] in takes_value else 1
    if place < len(words) and ("@" in words[place] or ":" in words[place]):
        return [*words[:place], "kill", *words[place:]]
    return words


def _explain(error: KillswitchError) -> None:
    if context.as_json:
        context.emit(
            {
                "schema": "killswitch/error/1",
                "error": type(error).__name__,
                "why": str(error),
                "hint": error.hint,
            }
        )
        return
    context.err.print(f"agent-kill: {error}", style="red", markup=False)
    if error.hint and error.hint not in str(error):
        context.err.print(f"            {error.hint}", markup=False)
