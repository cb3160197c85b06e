"""The command line: what it loads and what it costs until a vendor hears of a press."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.home import SUSPECT, Vendors, home
from killswitch import config as configuration
from killswitch.cli import engine_process

SDKS = ("okta", "githubkit", "boto3", "botocore", "anthropic", "splunklib", "dbos")
TICK = os.sysconf("SC_CLK_TCK")
_LISTING = f"""
import sys
from killswitch.cli.main import main
try:
    main()
except SystemExit:
    pass
loaded = [name for name in {SDKS!r} if name in sys.modules]
print("loaded:", *loaded, file=sys.stderr)
"""


def loaded(file: Path, *words: str) -> list[str]:
    """Which vendor SDKs, and whether DBOS, the command has loaded when it ends."""
    command = [sys.executable, "-c", _LISTING, "--config", str(file), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stderr.strip().rpartition("\n")[2].removeprefix("loaded:").split()


def cost(file: Path, *words: str) -> float:
    """Seconds of CPU that the command takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "killswitch", "--config", str(file), *words]
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def press(folder: Path, *, serving: bool) -> float:
    """Seconds of CPU, of the command and of the engine, from the press to the first request.

    ``serving``: the engine runs already. Else the command starts it, and all of its start counts.
    """
    file = home(folder)
    state = configuration.load(file).state
    with Vendors(file) as vendors:
        server = _serve(file, state) if serving else None
        try:
            before = _cpu(server.pid) if server else 0.0
            vendors.watch_for_first_request()
            command = _start(file, SUSPECT, "--reason", "a benchmark", "--no-input")
            vendors.wait_for_first_request()
            engine = server.pid if server else engine_process.running(state) or command.pid
            spent = _cpu(command.pid) + (_cpu(engine) - before if engine != command.pid else 0.0)
            command.terminate()
            command.wait(20)
        finally:
            _end(engine_process.running(state), server)
    return spent


def _serve(file: Path, state: Path) -> subprocess.Popen[bytes]:
    """``agent-kill serve``, when it has come to rest."""
    server = _start(file, "serve")
    until = time.monotonic() + 30
    while engine_process.running(state) is None:
        if time.monotonic() > until:
            raise RuntimeError("the engine did not start")
        time.sleep(0.05)
    quiet = _cpu(server.pid)
    while (now := _rest(server.pid)) - quiet > 0.03:
        quiet = now
    return server


def _rest(pid: int) -> float:
    time.sleep(0.5)
    return _cpu(pid)


def _start(file: Path, *words: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "killswitch", "--config", str(file), *words]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet)


def _end(engine: int | None, server: subprocess.Popen[bytes] | None) -> None:
    """End the engine that we have started, or that our command has."""
    if server is not None:
        server.terminate()
        server.wait(30)
    elif engine is not None:
        os.kill(engine, 15)
        while Path(f"/proc/{engine}").exists():
            time.sleep(0.05)


def _cpu(pid: int) -> float:
    """Seconds of CPU of a process so far, to a hundredth (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK
