"""The drilled engine: the same ``agent-kill serve`` as live, in a process that can be killed."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from killswitch.cli.engine_process import running
from killswitch.config import Config
from killswitch.model.errors import KillswitchError

STARTS_WITHIN = 40.0  # seconds
ENDS_WITHIN = 20.0
NO_BYTE_MORE = (1, resource.RLIM_INFINITY)
NO_LIMIT = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


class DrillFailed(KillswitchError):
    """The drill itself cannot go on; says nothing about the tool's containment."""


class Engine:
    """One engine process at a time over a drill's home. Its log is ``engine.log`` there.

    ``program``: the module to run and its first arguments; tests drill an engine with a defect.
    """

    def __init__(self, config: Config, program: Sequence[str] = ("killswitch",)) -> None:
        self.config, self._program = config, program
        self.log: Path = config.file.with_name("engine.log")
        self.crashes = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def begin(self) -> None:
        """Start the process; it works a second or two later."""
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(  # noqa: S603  # our own program
                [
                    sys.executable,
                    "-m",
                    *self._program,
                    "--config",
                    str(self.config.file),
                    "serve",
                ],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                start_new_session=True,  # Ctrl-C at the drill's keyboard is not for it
            )

    async def ready(self) -> None:
        """Wait until it has taken the state directory. Raises DrillFailed with its last lines."""
        until = time.monotonic() + STARTS_WITHIN
        while running(self.config.state) is None:
            if not self.alive or time.monotonic() > until:
                last = self.log.read_text()[-2000:] if self.log.exists() else ""
                raise DrillFailed(f"the engine did not start: {last}", hint=f"see {self.log}")
            await asyncio.sleep(0.02)

    def crash(self) -> None:
        """SIGKILL, as the kernel or a power cut would."""
        if self._process is not None and self.alive:
            os.kill(self._process.pid, signal.SIGKILL)
            self._process.wait(ENDS_WITHIN)
            self.crashes += 1

    def fill_disk(self) -> None:
        """No file of the engine takes another byte: journal, vault, reports and log."""
        if self._process is not None and self.alive:
            resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, NO_BYTE_MORE)

    def free_disk(self) -> None:
        """There is space again."""
        if self._process is not None and self.alive:
            resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, NO_LIMIT)

    async def end(self) -> None:
        """SIGTERM, then SIGKILL for one that does not go."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.terminate()
        until = time.monotonic() + ENDS_WITHIN
        while process.poll() is None and time.monotonic() < until:  # noqa: ASYNC110  # it is polled
            await asyncio.sleep(0.05)
        if process.poll() is None:
            process.kill()
            process.wait(ENDS_WITHIN)
