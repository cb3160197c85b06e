"""What the prose names is there: files, links, commands; and its example really runs."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

from killswitch.cli import main
from killswitch.cli.lazy import Listed
from killswitch.report import words

ROOT = Path(__file__).parents[1]
ADRS = sorted((ROOT / "docs/adr").glob("*.md"))
PAGES = [
    *(ROOT / f"{name}.md" for name in ("README", "ARCHITECTURE", "CONTRIBUTING", "SECURITY")),
    ROOT / "CHANGELOG.md",
    *(ROOT / "docs" / f"{name}.md" for name in ("runbook", "playbooks", "tabletop")),
    *(ROOT / "docs" / f"{name}.md" for name in ("alerts", "detections")),
    *ADRS,
]
GENERATED = {ROOT / "docs/reference"}  # by `make docs`

LINK = re.compile(r"\]\(([^)\s]+)\)")
# `tests/audit/story.py`, `tabletop/worlds/`: what begins with a folder of ours is a path of ours.
NAMED = re.compile(
    r"`((?:killswitch|tabletop|playbooks|tests|docs|requirements|benchmarks)/[\w./-]*)`"
)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXAMPLE = "acme"

pages = pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))


@pages
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text()):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists() or target in GENERATED, link
        if anchor:
            assert anchor in _anchors(target), link


@pages
def test_every_path_that_is_named_exists(page: Path) -> None:
    for path in NAMED.findall(FENCE.sub("", page.read_text())):
        target = ROOT / path
        assert target.exists() or target in GENERATED or EXAMPLE in path, path


def test_engine_files_that_the_architecture_names_exist() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    drawn = set(re.findall(r"\b([a-z]+\.py)\b", text))
    there = {file.name for file in (ROOT / "killswitch").rglob("*.py")}
    assert drawn <= there | {file.name for file in (ROOT / "tabletop").rglob("*.py")}


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}


# Commands


def _commands(page: Path) -> Iterator[list[str]]:
    """The words of every `agent-kill …`, in fences and between backquotes."""
    text = page.read_text()
    lines = [line for _, fence in FENCE.findall(text) for line in fence.splitlines()]
    lines += re.findall(r"`([^`\n]*agent-kill [^`\n]*)`", FENCE.sub("", text))
    for line in lines:
        for part in re.split(r" [|>] ", line.partition(" #")[0]):
            found = re.match(r"(?:\$ |sudo -u killswitch )?agent-kill (.+)", part.strip())
            if found and not re.match(r"(SUBJECT|…)", found[1]):
                yield shlex.split(found[1])


def _command(words_: list[str]) -> tuple[Any, list[str]]:
    """The command that the words name, and what follows it."""
    found: Any = typer.main.get_command(main.app)
    rest = main._with_command(main._globals_first(words_))
    while isinstance(found, TyperGroup):
        known = {o for p in found.params for o in (*p.opts, *p.secondary_opts)}
        while rest and rest[0].startswith("-"):
            assert rest[0] in known, f"{rest[0]} is no option of {found.name}"
            rest = rest[2 if rest[0] in main._WITH_VALUE else 1 :]
        if not rest:
            break
        name, *rest = rest
        listed = found.commands.get(name)
        assert listed is not None, f"{found.name} has no command {name!r}"
        found = listed.load() if isinstance(listed, Listed) else listed
    return found, rest


@pages
def test_every_command_and_option_is_one(page: Path) -> None:
    for line in _commands(page):
        command, rest = _command(line)
        known = {o for p in command.params for o in (*p.opts, *p.secondary_opts)}
        for word in rest:
            if word.startswith("-"):
                assert word.partition("=")[0] in known, f"{command.name} {word}, in {line}"


def test_the_readme_has_commands_to_check() -> None:
    named = {line[0] for line in _commands(ROOT / "README.md")}
    assert {"init", "doctor", "plan", "approve", "restore"} <= named


def test_every_make_target_is_one() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        for target in re.findall(r"(?:^|`)make ([a-z]+)\b", page.read_text(), re.MULTILINE):
            assert target in targets, f"{page.name}: make {target}"


def test_every_exit_code_is_told() -> None:
    from killswitch.cli.exits import Exit

    table = (ROOT / "README.md").read_text().partition("## Exit codes")[2].partition("##")[0]
    told = {int(code) for code in re.findall(r"\| (\d+) \|", table)}
    assert told == {int(code) for code in Exit}


def test_the_runbook_explains_every_state_that_a_change_can_end_in() -> None:
    text = (ROOT / "docs/runbook.md").read_text()
    for state in ("contained", "unverified", "failed", "manual", "skipped", "retrying"):
        word = words.CHANGES[state]
        assert f"{word.glyph} {word.label}" in text, state


# Decisions, playbooks


def test_decisions_are_numbered_once_and_without_gaps() -> None:
    numbers = [int(file.name[:4]) for file in ADRS]
    assert numbers == list(range(1, len(ADRS) + 1))


@pytest.mark.parametrize("file", ADRS, ids=lambda f: f.name)
def test_a_decision_says_context_choice_and_cost_on_a_page(file: Path) -> None:
    text = file.read_text()
    assert text.startswith(f"# {file.name[:4]} ")
    places = [text.find(f"**{part}") for part in ("Context", "Choice", "Cost")]
    assert -1 not in places
    assert places == sorted(places)
    assert len(text.split()) < 400


def test_the_playbook_is_explained_as_it_ships() -> None:
    shipped = (ROOT / "playbooks/agent-kill.yaml").read_text()
    for kind, text in FENCE.findall((ROOT / "docs/playbooks.md").read_text()):
        if kind == "yaml":
            for line in text.splitlines():
                assert line in shipped, line


# The example of CONTRIBUTING.md

RUN = """
import sys, pytest
import killswitch.vendors, tabletop.sims
killswitch.vendors.__path__.append(sys.argv[1] + "/killswitch/vendors")
tabletop.sims.__path__.append(sys.argv[1] + "/tabletop/sims")
where = sys.argv[1] + "/tests/vendors/acme"
options = ["-c", "pyproject.toml", "--rootdir=.", "-p", "no:cacheprovider", "-p", "tests.conftest"]
sys.exit(pytest.main([*options, "--confcutdir=" + sys.argv[1], where]))
"""


def _example() -> dict[str, str]:
    """Path and text of every file in CONTRIBUTING.md's example."""
    found = {}
    for kind, text in FENCE.findall((ROOT / "CONTRIBUTING.md").read_text()):
        if kind == "python":
            path, _, body = text.partition("\n")
            found[path.removeprefix("# ")] = body
    return found


def test_the_example_passes_its_own_tests(tmp_path: Path) -> None:
    files = _example()
    assert f"tests/vendors/{EXAMPLE}/test_users.py" in files
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    (tmp_path / f"killswitch/vendors/{EXAMPLE}/__init__.py").write_text('"""Acme."""\n')
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\b[2-9] passed", done.stdout)


@pytest.mark.parametrize("path", _example())
def test_the_example_is_in_our_style(path: str) -> None:
    ruff = Path(sys.executable).with_name("ruff")
    ours = 'lint.isort.known-first-party = ["killswitch", "tabletop", "tests"]'  # not there to see
    for how in (["check", "-q", "--config", ours], ["format", "--diff", "-q"]):
        done = subprocess.run(
            [ruff, *how, f"--stdin-filename={path}", "-"],
            cwd=ROOT,
            input=_example()[path],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
