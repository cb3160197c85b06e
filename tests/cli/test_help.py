"""Help, version, words that are wrong: what needs no configuration and must come at once."""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from killswitch.cli.main import Commands, app
from killswitch.reference.commands import SCHEMAS
from tests.cli.support import REPOSITORY, environment, run

SDKS = {"okta", "githubkit", "boto3", "botocore", "anthropic", "splunklib", "msgraph", "gitlab"}
HEAVY = SDKS | {"dbos", "sqlalchemy", "pydantic", "httpx", "uvicorn", "jinja2"}


def loaded_by(statement: str) -> set[str]:
    """The packages that a fresh interpreter has loaded after a statement."""
    told = subprocess.run(
        [sys.executable, "-c", f"{statement}\nimport sys, json\nprint(json.dumps([*sys.modules]))"],
        env=environment(Path("/nonexistent"), PYTHONPATH=str(REPOSITORY)),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return {name.partition(".")[0] for name in json.loads(told.splitlines()[-1])}


def test_the_help_loads_nothing_heavy() -> None:
    statement = (
        "import sys\nfrom killswitch.cli.main import main\nsys.argv = ['agent-kill', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass"
    )
    assert loaded_by(statement) & HEAVY == set()


@pytest.mark.parametrize("module", ["show", "kill", "decide", "playbook", "doctor", "evidence"])
def test_no_command_loads_a_vendor_sdk_or_the_workflow_library(module: str) -> None:
    # What is None here cannot be imported; a signing library that looks for boto3 does without.
    loaded_by(
        f"import sys\nfor name in {sorted(SDKS | {'dbos'})}:\n    sys.modules[name] = None\n"
        f"import killswitch.cli.{module}, killswitch.wiring\n"
        "from killswitch import catalogue\n[catalogue.vendor(v) for v in catalogue.VENDORS]"
    )


def test_the_help_is_there_at_once() -> None:
    def spent() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    took = []
    for _ in range(3):
        before = spent()
        assert run("--help").code == 0
        took.append(spent() - before)
    assert min(took) < 0.6  # seconds of processor time, the others' load left out


def test_every_command_has_a_help_that_says_how_and_gives_an_example() -> None:
    root: Any = typer.main.get_command(app)
    with root.make_context("agent-kill", [], resilient_parsing=True) as ctx:
        for name in root.list_commands(ctx):
            _, command, _ = root.resolve_command(ctx, [name])
            parts = getattr(command, "commands", {name: command})
            for part in parts.values():
                assert "xample" in part.help, part.name
                assert "agent-kill" in part.help


def test_the_listed_line_is_what_the_command_says_of_itself() -> None:
    for name, (_, says) in Commands.table.items():
        root: Any = typer.main.get_command(app)
        with root.make_context("agent-kill", [], resilient_parsing=True) as ctx:
            _, command, _ = root.resolve_command(ctx, [name])
        assert command.help.startswith(says.removesuffix(".")), name


def test_every_json_shape_is_in_the_reference() -> None:
    written = set()
    for file in (REPOSITORY / "killswitch" / "cli").glob("*.py"):
        written |= set(re.findall(r'"schema": "([^"]+)"', file.read_text()))
    assert written == set(SCHEMAS)


def test_the_version() -> None:
    done = run("--version")
    assert done.code == 0
    assert re.fullmatch(r"agent-kill \d+\.\d+\.\d+\n", done.out)


@pytest.mark.parametrize(
    "words",
    [["statu"], ["kill"], ["kill", "jo@corp.example", "--frobnicate"], ["playbook", "lnt"]],
)
def test_a_wrong_word_is_2_and_says_where_the_help_is(words: list[str]) -> None:
    done = run(*words)
    assert done.code == 2
    assert "-h' for help" in done.err
    assert "Traceback" not in done.err


def test_a_near_miss_is_guessed() -> None:
    assert "Did you mean 'status'" in run("statu").err


def test_without_a_configuration_the_error_names_the_command_that_writes_one(
    tmp_path: Path,
) -> None:
    done = run("status", cwd=tmp_path)
    assert done.code == 10
    assert "agent-kill init" in done.err


def test_the_options_of_every_command_may_stand_after_it(tmp_path: Path) -> None:
    missing = str(tmp_path / "none.yaml")
    done = run("status", "--json", "--config", missing)
    assert done.code == 10
    assert done.lines[0]["schema"] == "killswitch/error/1"
    assert missing in done.lines[0]["why"]
