"""The engine's process: whether one runs for this state directory, and starting one."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from killswitch.config import Config
from killswitch.hosts import Origin, loopback
from killswitch.loopback import only_loopback
from killswitch.model.errors import KillswitchError
from killswitch.model.plan import Mode

START_WITHIN = 30.0  # seconds


class NoEngine(KillswitchError):
    """No engine runs, and none could be started."""


class EngineRuns(KillswitchError):
    """Another engine has this state directory."""


def lock_file(state: Path) -> Path:
    """Held by the engine for as long as it lives; holds its process id."""
    return state / "engine.lock"


def confine(config: Config) -> None:
    """In a drill: keep this process on this machine, for good. Live: nothing.

    The one host outside is Slack's, where `slack:` names a real workspace: there people answer.
    """
    if config.mode is not Mode.DRILL:
        return
    slack = config.written.slack
    if slack is None or loopback(slack.api_base_url):
        only_loopback()
    else:
        only_loopback(beside=Origin.of(slack.api_base_url).host)


@contextmanager
def only_engine(state: Path) -> Iterator[None]:
    """Be the one engine of this state directory. Raises EngineRuns."""
    with lock_file(state).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise EngineRuns(
                f"an engine runs already for {state} (process {running(state)})",
                hint="there is one engine for one state directory",
            ) from None
        file.seek(0)
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()
        yield


def running(state: Path) -> int | None:
    """The process id of the engine that has this state directory, if one lives."""
    try:
        with lock_file(state).open("r") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(file.read() or 0) or None
    except FileNotFoundError:
        return None
    return None


def ensure(config: Config) -> int:
    """An engine's process id; one is started in the background where none runs.

    It ends by itself when nothing is open. Its log is ``engine.log`` in the state directory.
    Raises NoEngine.
    """
    if pid := running(config.state):
        return pid
    config.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = config.state / "engine.log"
    with log.open("ab") as out:
        log.chmod(0o600)
        process = subprocess.Popen(  # our own program
            [
                sys.executable,
                "-m",
                "killswitch",
                "--config",
                str(config.file.resolve()),
                "serve",
                "--until-idle",
            ],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,  # Ctrl-C at the keyboard is not for it
        )
    until = time.monotonic() + START_WITHIN
    while time.monotonic() < until:
        if pid := running(config.state):
            return pid
        if process.poll() is not None:
            break
        time.sleep(0.02)
    raise NoEngine(
        "the engine did not start; the request is kept and waits for one",
        hint=f"look into {log}, then run `agent-kill serve`",
    )
