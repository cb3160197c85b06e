"""The engine's process: it starts by itself, outlives the command, and ends when idle."""

from __future__ import annotations

import json
import os
import re
import signal
import time
import urllib.error
import urllib.request
from pathlib import Path

from killswitch.cli.engine_process import lock_file
from tabletop.home import _free_port
from tests.cli.support import JO, KIM, LEE, Home, a_home


def engine(home: Home) -> int | None:
    """The process that has this home, if it lives."""
    try:
        pid = int(lock_file(home.folder / "state").read_text() or 0)
        os.kill(pid, 0)
    except (FileNotFoundError, ProcessLookupError):
        return None
    return pid or None


def ends(home: Home, within: float = 40.0) -> bool:
    until = time.monotonic() + within
    while time.monotonic() < until:
        if engine(home) is None:
            return True
        time.sleep(0.2)
    return False


def test_ctrl_c_leaves_and_the_case_goes_on_to_its_end(tmp_path: Path) -> None:
    with a_home(tmp_path / "home", engine=False) as home:
        assert engine(home) is None
        following = home.start(JO)
        assert following.stdout is not None
        shown = ""
        for line in following.stdout:
            shown += line
            if "  gate  " in line:
                break
        case = re.findall(r"K-\d+", shown)[0]
        following.send_signal(signal.SIGINT)
        rest, _ = following.communicate(timeout=30)
        assert following.returncode == 130
        assert f"{case} goes on" in rest

        assert engine(home) is not None  # started by the kill, not stopped by Ctrl-C
        assert home.run("approve", case, "lead", "--as", LEE).code == 0
        assert home.run("status", case, "--watch").code == 0
        assert ends(home), "nothing is open and it still runs"
        assert home.run("status", case).code == 0


def test_one_engine_for_one_home_and_its_health(tmp_path: Path) -> None:
    port = _free_port()
    with a_home(tmp_path / "home", engine=False) as home:
        serving = home.start("serve", "--port", str(port))
        try:
            assert _health(port)["ok"] is True
            second = home.run("serve")
            assert second.code == 75
            assert f"process {serving.pid}" in second.err
            assert home.run(KIM, "--personas").code == 0  # it takes the one that runs
            assert engine(home) == serving.pid
        finally:
            serving.terminate()
            serving.communicate(timeout=30)
        assert serving.returncode == 0


def _health(port: int) -> dict[str, object]:
    until = time.monotonic() + 40
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
                found: dict[str, object] = json.load(answer)
                return found
        except urllib.error.URLError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
