"""``agent-kill init``: a commented killswitch.yaml to begin with."""

from __future__ import annotations

import json
import os
import pwd
import re
from pathlib import Path
from typing import Annotated

import typer

from killswitch import config as configuration
from killswitch.cli.context import context
from killswitch.model.errors import KillswitchError, NotAllowed

NAME = "killswitch.yaml"
_EXAMPLE = "    dana: dana@corp.example\n"  # the line of the example that this login replaces
_PLAIN = re.compile(r"[a-z_][a-z0-9_-]*")  # a login that YAML reads as text without quotes


class NotWritten(KillswitchError):
    """The file could not be written."""


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="Where to write it.", show_default=False)
    ] = Path(),
    force: Annotated[
        bool, typer.Option("--force", help="Write over a killswitch.yaml that is there.")
    ] = False,
) -> None:
    """Write a commented killswitch.yaml. Nothing is connected and nothing is started.

    Examples:

      agent-kill init

      agent-kill init /etc/killswitch
    """
    file = folder.expanduser() / NAME
    if os.path.lexists(file) and not force:
        raise NotAllowed(f"{file} is there already", hint="--force writes over it")
    login = pwd.getpwuid(os.getuid()).pw_name
    _write(file, _example(login))
    if context.as_json:
        context.emit({"schema": "killswitch/done/1", "file": str(file)})
        return
    place = "" if file.parent == Path() else f"-c {file} "
    context.say(f"{file} written. Next:")
    steps = (
        (f"edit {file}", f"people, roles, connections; your login here is {login}"),
        (f"agent-kill {place}doctor", "do the connections answer, and do their scopes suffice?"),
        (f"agent-kill {place}plan SUBJECT", "what a kill would do; nothing is changed"),
    )
    for command, why in steps:
        context.say(f"  {command:40} {why}")


def _example(login: str) -> str:
    """The example, with this machine's login where it has somebody else's."""
    key = login if _PLAIN.fullmatch(login) else json.dumps(login)
    mine = f"    {key}: you@corp.example # your login here: put your own address\n"
    return configuration.example().replace(_EXAMPLE, mine)


def _write(file: Path, text: str) -> None:
    """As a whole or not at all; the folder is made, ours alone, if it is not there."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft.write_text(text, encoding="utf-8")
        draft.replace(file)
    except OSError as error:
        raise NotWritten(
            f"{file} cannot be written: {error.strerror}", hint="name a folder of your own"
        ) from error
