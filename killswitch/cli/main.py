"""``agent-kill``: the command line. It must work when nothing else does."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, ClassVar

import typer

from killswitch import __version__
from killswitch.cli.context import Context, context
from killswitch.cli.lazy import LazyGroup
from killswitch.model.errors import KillswitchError


class Commands(LazyGroup):
    """Every command: where it is, and the first line of its help."""

    table: ClassVar[dict[str, tuple[str, str]]] = {
        "kill": (
            "killswitch.cli.kill:kill",
            "Stop everything that a person's coding agents can do.",
        ),
        "plan": ("killswitch.cli.kill:plan", "Show everything that would happen."),
        "status": ("killswitch.cli.show:status", "How a case stands, line by line."),
        "approve": ("killswitch.cli.decide:approve", "Approve a gate."),
        "deny": ("killswitch.cli.decide:deny", "Deny a gate; one denial ends it."),
        "abort": ("killswitch.cli.decide:abort", "Start nothing more in a case."),
        "attest": ("killswitch.cli.decide:attest", "Vouch that a manual step was done."),
        "restore": ("killswitch.cli.restore:restore", "Give access back."),
        "report": (
            "killswitch.cli.show:report",
            "The containment report: one self-contained file.",
        ),
        "list": ("killswitch.cli.show:list_cases", "The cases, newest first."),
        "evidence": (
            "killswitch.cli.evidence:app",
            "What was collected: list, export, verify, add.",
        ),
        "audit": ("killswitch.cli.audit:app", "The journal: show it, verify it."),
        "playbook": ("killswitch.cli.playbook:app", "Playbooks: list, show, lint, schema."),
        "alerts": (
            "killswitch.cli.alerts:app",
            "Alerts in: list, show, start, dismiss, test, replay, lint.",
        ),
        "tabletop": (
            "tabletop.cli:app",
            "Drills: list, show, lint, run, report, compare, new.",
        ),
        "doctor": ("killswitch.cli.doctor:doctor", "Check that a kill would work."),
        "init": ("killswitch.cli.init:init", "Write a commented killswitch.yaml."),
        "serve": (
            "killswitch.cli.serve:serve",
            "Run the engine: it carries out what was asked.",
        ),
    }


app = typer.Typer(
    name="agent-kill",
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # locals of a traceback can hold tokens
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"agent-kill {__version__}")
        raise typer.Exit


@app.callback()
def root(
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="killswitch.yaml.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON, one value a line.")] = False,
    plain: Annotated[bool, typer.Option("--plain", help="No colours, no moving parts.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Results only.")] = False,
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_tell_version, is_eager=True),
    ] = False,
) -> None:
    """Stop what a person's coding agents can do: everywhere, in order, with proof and a way back.

    agent-kill jo@corp.example        stop Jo's agents

    agent-kill status --watch         follow it

    agent-kill restore K-12           give access back

    The options below may stand before or after the command.

    Exit codes: 0 done, 3 not contained, 4 partial, 5 waiting, 6 denied, 7 refused by policy,
    8 not found, 9 integrity, 10 invalid file, 11 drill, 12 doctor, 75 try later, 130 you left.
    """
    del version
    made = Context(config, as_json, quiet, plain)
    context.__dict__.update(made.__dict__)


def main() -> None:
    """Run the command line. A subject in the place of a command means ``kill``."""
    try:
        app(_with_command(_globals_first(sys.argv[1:])), prog_name="agent-kill")
    except KillswitchError as error:
        from killswitch.cli import exits

        _explain(error)
        sys.exit(exits.of_error(error))
    except KeyboardInterrupt:
        sys.exit(130)


_FLAGS = ("--json", "--plain", "--quiet", "-q")
_WITH_VALUE = ("--config", "-c")


def _globals_first(words: list[str]) -> list[str]:
    """The options of every command, brought to where the parser wants them: before it."""
    first, rest = [], []
    left = iter(words)
    for word in left:
        if word == "--":
            rest += [word, *left]
        elif word in _FLAGS or word.startswith("--config="):
            first.append(word)
        elif word in _WITH_VALUE:
            first += [word, *[value for value in [next(left, None)] if value is not None]]
        else:
            rest.append(word)
    return [*first, *rest]


def _with_command(words: list[str]) -> list[str]:
    """``jo@corp.example`` becomes ``kill jo@corp.example``; options before it stay before."""
    place = 0
    while place < len(words) and words[place].startswith("-"):
        place += 2 if words[place] in _WITH_VALUE else 1
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
    context.say_that_it_is_a_drill()
    context.err.print(f"agent-kill: {error}", style="red", markup=False)
    if error.hint and error.hint not in str(error):
        context.err.print(f"            {error.hint}", markup=False)
