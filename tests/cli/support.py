"""The real command in a process of its own, against a drill home with simulated vendors."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabletop.home import prepare
from tabletop.sims.run import Simulators
from tabletop.sims.world import World
from tests.forks import agent_kill

REPOSITORY = Path(__file__).parents[2]
WITHIN = 60  # seconds for one command
JO, KIM = "jo@corp.example", "kim@corp.example"
DANA, SOL = "dana@corp.example", "sol@corp.example"  # secops; Dana sits at the keyboard
LEE, RIA = "lee@corp.example", "ria@corp.example"  # engineering leads
MAX, ADA = "max@corp.example", "ada@corp.example"  # duty director; administrator
CEO, OURSELVES = "ceo@corp.example", "svc-killswitch@corp.example"

# One vendor, one change: what these tests are about is the command line.
PLAYBOOK = """
playbook: {name}
version: 1
summary: Suspend one user.
subject: person
gates:
  lead: {{approvers: eng-leads, quorum: 1, timeout: 5m, assurance: {assurance}}}
evidence: {{deadline: 5s, collect: [okta.user]}}
layers:
  identity: {{gate: lead, deadline: 5s, keep_trying: 5s, steps: [okta.user.suspend]}}
watch: {{for: 0s, every: 1s}}
"""


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The standard output, every line of it one JSON value."""
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass
class Home:
    """A drill's folder and its simulators."""

    file: Path
    sims: Simulators

    @property
    def folder(self) -> Path:
        return self.file.parent

    def run(self, *words: str) -> Done:
        """``agent-kill --config <this home's> …``."""
        return run("--config", str(self.file), *words)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """The same, in the background."""
        return subprocess.Popen(
            command("--config", str(self.file), *words),
            env=environment(self.folder),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # Whoever runs the tests in the background has Ctrl-C ignored, and children inherit it.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509  # as said
        )

    def open(self, person: str, *words: str) -> str:
        """Open a case that waits at its gate; its id."""
        done = self.run("--json", "kill", person, "--no-wait", *words)
        assert done.code == 5, done
        return str(done.lines[0]["case"])

    def copy(self, folder: Path) -> Home:
        """All of it somewhere else, to be damaged there."""
        shutil.copytree(self.folder, folder, ignore=shutil.ignore_patterns("engine.lock"))
        return Home(folder / self.file.name, self.sims)


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "killswitch", *words]


def environment(home: Path, **more: str) -> dict[str, str]:
    """Nothing of the developer's own: no home, no configuration, no colours asked for."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", **more}


def run(*words: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> Done:
    """``agent-kill …``, to its end, in a process that is forked."""
    return Done(*agent_kill(words, _bare(env), cwd or Path.cwd(), WITHIN))


def run_anew(*words: str, env: dict[str, str] | None = None) -> Done:
    """The same from the interpreter's first step on, where that is what is tried."""
    done = subprocess.run(
        command(*words),
        env=_bare(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def _bare(more: dict[str, str] | None) -> dict[str, str]:
    return environment(Path("/nonexistent"), PYTHONPATH=str(REPOSITORY)) | (more or {})


@contextmanager
def a_home(folder: Path, *, engine: bool = True, **more: Any) -> Iterator[Home]:
    """A home whose simulators answer, with an engine that stays."""
    books = folder / "playbooks"
    books.mkdir(parents=True)
    for name, assurance in (("agent-kill", "os-login"), ("signed", "ssh-signature")):
        text = PLAYBOOK.format(name=name, assurance=assurance)
        (books / f"{name}.yaml").write_text(text)
    drill = {"watch_for": "0s", "watch_every": "1s"}
    how = {"playbooks": "playbooks", "drill": drill, **more}
    world = World.named("small")
    file, sims = prepare(folder, world, vendors=["okta"], unpaced=True, **how)
    with sims:
        home = Home(file, sims)
        serving = home.start("serve") if engine else None
        try:
            yield home
        finally:
            if serving:
                serving.terminate()
                serving.communicate(timeout=30)
