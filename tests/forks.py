"""Processes that start in a tenth of a second, and ``agent-kill`` in one of them.

They are forked from a server that has imported everything already (multiprocessing's fork server,
one for a run of tests), and share nothing else with each other or with the tests. That a bare
``python -m killswitch`` starts as well is seen wherever a test starts one: every home of the
command line's tests has its engine so, and every drill.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

from killswitch.cli.main import main

forks = multiprocessing.get_context("forkserver")
forks.set_forkserver_preload(["pytest", "tests.warm"])


def agent_kill(
    words: tuple[str, ...], env: dict[str, str], cwd: Path, within: float
) -> tuple[int, str, str]:
    """``agent-kill WORDS`` to its end, without standard input: exit code, output, messages."""
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        process = forks.Process(target=_run, args=(words, env, cwd, out, err))
        process.start()
        process.join(within)
        code = process.exitcode
        process.kill()
        process.join()
        told = [f.read_text(encoding="utf-8") if f.exists() else "" for f in (out, err)]
        assert code is not None, f"{words} took longer than {within:g} s: {told}"
        return code, told[0], told[1]


def _run(words: tuple[str, ...], env: dict[str, str], cwd: Path, out: Path, err: Path) -> None:
    """In the new process: as the shell would start it."""
    die_with_the_tests()
    tell(out, err)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    os.chdir(cwd)
    sys.argv = ["agent-kill", *words]
    main()


def tell(out: Path, err: Path) -> None:
    """Let output and messages of this process, and of what it starts, go to these files."""
    for stream, file in ((sys.stdout, out), (sys.stderr, err)):
        descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.dup2(descriptor, stream.fileno())
        os.close(descriptor)
        stream.reconfigure(encoding="utf-8", line_buffering=True)


def die_with_the_tests() -> None:
    """End this process as soon as the tests' own has ended, however that came."""
    tests = multiprocessing.parent_process()
    assert tests is not None

    def watch() -> None:
        tests.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
