"""Commands that are listed by name and imported only when one of them is run.

In an incident nobody waits for the parts of the program that the command at hand doesn't need.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup


class Listed(TyperCommand):
    """A command as the help lists it: a name, one line, and where the command itself is."""

    def __init__(self, name: str, where: str, says: str) -> None:
        super().__init__(name, help=says)
        self.where = where

    def load(self) -> Any:
        """The command: a function ``module:name``, or the commands of a ``typer.Typer``."""
        module, _, attribute = self.where.partition(":")
        found = getattr(import_module(module), attribute)
        if isinstance(found, typer.Typer):
            app = found
        else:
            app = typer.Typer(
                add_completion=False,
                rich_markup_mode=None,
                context_settings={"help_option_names": ["-h", "--help"]},
            )
            app.command(self.name)(found)
        command = typer.main.get_command(app)
        command.name = self.name
        return command


class LazyGroup(TyperGroup):
    """A group over a table: command -> where it is, and its line in the help."""

    table: ClassVar[dict[str, tuple[str, str]]] = {}

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        for name, (where, says) in self.table.items():
            self.commands[name] = Listed(name, where, says)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The command that the first word names, imported now."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.load() if isinstance(command, Listed) else command, rest


def group(says: str) -> typer.Typer:
    """A command that has commands of its own: ``agent-kill playbook lint``."""
    return typer.Typer(
        help=says,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
