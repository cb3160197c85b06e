"""What the shell is told on TAB."""

from __future__ import annotations

from pathlib import Path

import pytest

from killswitch import playbooks
from tests.cli.support import ADA, Home, run


def tab(line: str, **more: str) -> list[str]:
    """What bash would offer at the end of the line."""
    words = line.split(" ")
    asked = {"_AGENT_KILL_COMPLETE": "complete_bash", "COMP_WORDS": line}
    done = run(env={**asked, "COMP_CWORD": str(len(words) - 1), **more})
    assert done.err == ""
    return done.out.split()


def test_commands() -> None:
    assert tab("agent-kill ev") == ["evidence"]
    assert "doctor" in tab("agent-kill ")
    assert tab("agent-kill playbook l") == ["list", "lint"]


def test_playbooks() -> None:
    assert tab("agent-kill playbook show ") == playbooks.names()
    assert tab("agent-kill kill -p le") == ["leaked-credential"]


def test_cases(home: Home) -> None:
    case = str(home.run("--json", "plan", ADA).lines[0]["case"])
    assert case in tab("agent-kill status K-", KILLSWITCH_CONFIG=str(home.file))
    assert case in tab(f"agent-kill -c {home.file} approve ")


@pytest.mark.parametrize("text", ["mode: nonsense\n", "mode: drill\n"])
def test_a_broken_configuration_or_no_case_offers_nothing(tmp_path: Path, text: str) -> None:
    file = tmp_path / "killswitch.yaml"
    file.write_text(text)
    assert tab("agent-kill status ", KILLSWITCH_CONFIG=str(file)) == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_can_be_shown(shell: str) -> None:
    done = run("--show-completion", shell, env={"SHELL": "/bin/bash"})
    assert done.code == 0
    assert "agent-kill" in done.out
