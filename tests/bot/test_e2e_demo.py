"""``make demo ARGS=--show-slack``: what the bot posts is told as text, without a terminal."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
WITHIN = 60.0  # seconds; on a machine of its own it takes about ten


@contextmanager
def the_demo(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """The demo in a folder of its own, ended with all that it started."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tabletop.demo", "--show-slack"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=10)
        lock = folder / "demo" / "state" / "engine.lock"
        if lock.is_file() and lock.read_text().isdigit():  # in a session of its own
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(lock.read_text()), signal.SIGKILL)


def test_the_slack_side_is_shown_as_text(tmp_path: Path) -> None:
    wanted = {
        "Slack, channel: DRILL · K-1": "the headline",
        "the plan has": "the plan",
        "Slack, direct: DRILL · K-1": "those who approve are told",
    }
    shown: list[str] = []
    until = time.monotonic() + WITHIN
    with the_demo(tmp_path) as process:
        assert process.stdout is not None
        for line in process.stdout:
            shown.append(line)
            told = [text for text in shown if "Slack, " in text]
            if all(any(part in text for text in told) for part in wanted):
                break
            assert time.monotonic() < until, "".join(shown)
    told = [text for text in shown if "Slack, " in text]
    for part, why in wanted.items():
        assert any(part in text for text in told), why
