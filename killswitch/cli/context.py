"""What every command starts with: the configuration, the API, and where output goes."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from killswitch.model.errors import Invalid

if TYPE_CHECKING:  # `agent-kill --help` needs none of them
    from rich.console import Console
    from rich.text import Text

    from killswitch.api import Killswitch
    from killswitch.config import Config

CONFIG_VARIABLE = "KILLSWITCH_CONFIG"
PLACES = (
    "killswitch.yaml",
    "~/.config/killswitch/killswitch.yaml",
    "/etc/killswitch/killswitch.yaml",
)


@dataclass
class Context:
    """Made once by the root command."""

    config_file: Path | None = None
    as_json: bool = False
    quiet: bool = False
    plain: bool = False
    told_drill: bool = False

    @property
    def out(self) -> Console:
        """For results."""
        self.say_that_it_is_a_drill()
        return self._out

    @cached_property
    def _out(self) -> Console:
        return self._console(sys.stdout)

    @cached_property
    def err(self) -> Console:
        """For messages."""
        return self._console(sys.stderr)

    @property
    def at_terminal(self) -> bool:
        """Whether a person watches: colours move and questions may be asked."""
        return self.out.is_terminal and sys.stdin.isatty() and not self.as_json

    @cached_property
    def config(self) -> Config:
        """killswitch.yaml: ``--config``, the variable, or the first of the usual places."""
        from killswitch import config

        return config.load(self.find())

    def find(self) -> Path:
        """The configuration file. Raises Invalid when there is none."""
        given = self.config_file or os.environ.get(CONFIG_VARIABLE)
        if given:
            return Path(given).expanduser()
        for place in PLACES:
            if (file := Path(place).expanduser()).is_file():
                return file
        raise Invalid(
            "there is no killswitch.yaml",
            expected=f"one of {', '.join(PLACES)}; `agent-kill init` writes one",
        )

    @cached_property
    def api(self) -> Killswitch:
        """The API over this configuration's database."""
        from killswitch import wiring
        from killswitch.cli import logs

        logs.for_a_command()
        from killswitch.api import Killswitch
        from killswitch.cli.engine_process import confine

        confine(self.config)  # who holds a role is asked at the vendor
        return Killswitch(wiring.build(self.config))

    @property
    def drill(self) -> bool:
        """Whether the configuration in use is a drill's."""
        config: Config | None = self.__dict__.get("config")
        return config is not None and config.mode == "drill"

    def say_that_it_is_a_drill(self) -> None:
        """Once, before anything else, to standard error: results stay as they are."""
        if self.told_drill or not self.drill or self.as_json or self.quiet:
            return
        from killswitch.report import words

        self.told_drill = True
        word = words.MODES["drill"]
        self.err.print(f"{word.glyph} {word.label}: every vendor is simulated.", style=word.colour)

    def say(self, text: str | Text, **style: Any) -> None:
        """A message for a person; left out with --quiet and --json."""
        if not self.quiet and not self.as_json:
            self.out.print(text, **style, highlight=False)

    def emit(self, data: Any) -> None:
        """A result for a program: one JSON value a line."""
        sys.stdout.write(json.dumps(data, sort_keys=True, default=str) + "\n")
        sys.stdout.flush()

    def _console(self, stream: Any) -> Console:
        from rich.console import Console

        bare = self.plain or os.environ.get("TERM") == "dumb"
        return Console(
            file=stream,
            no_color=bare or None,
            force_terminal=False if bare else None,
            soft_wrap=not stream.isatty(),
            highlight=False,
        )


context = Context()
