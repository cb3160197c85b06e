"""The shape of the house: arrows, imports, what is loaded when, sizes, and pages that are named."""

from __future__ import annotations

import ast
import json
import pkgutil
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import killswitch
from killswitch import catalogue

ROOT = Path(__file__).parents[2]
LONGEST = 450  # lines
TREES = [
    tree
    for tree in ("killswitch", "tabletop", "playbooks", "bot", "tests")
    if (ROOT / tree).is_dir()
]
BELOW = {"aws": {"botocore"}, "claude": {"httpx2"}}  # what an SDK stands on, and its client touches
CLOCKS = {"now", "utcnow", "today", "time", "time_ns", "monotonic"}


@cache
def sdks() -> set[str]:
    """The packages of the vendors' extras in pyproject.toml, as they are imported."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = {
        re.split(r"[\[<>=!~ ;]", requirement, maxsplit=1)[0].lower()
        for extra, requirements in project["optional-dependencies"].items()
        if extra not in ("all", "test")
        for requirement in requirements
    }
    modules = packages_distributions().items()
    named = {m for m, dists in modules if extras & {d.lower() for d in dists}}
    return {m for m in named if not m.startswith("_")} | set().union(*BELOW.values())


def sources(tree: str) -> Iterator[Path]:
    return (f for f in sorted((ROOT / tree).rglob("*.py")) if "__pycache__" not in f.parts)


def imported(file: Path) -> set[str]:
    """The top-level packages that a file imports, anywhere in it, by statement or by name."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            found |= {a.value for a in node.args if isinstance(a, ast.Constant)}
    return {name.partition(".")[0] for name in found}


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )


def loaded_by(code: str) -> dict[str, list[str]]:
    """What a fresh interpreter has loaded, and which threads it runs, after that code."""
    report = (
        "import json, sys, threading\n"
        "print(json.dumps({'modules': sorted({m.partition('.')[0] for m in sys.modules}),"
        " 'threads': [t.name for t in threading.enumerate()]}), file=sys.stderr)"
    )
    done = run(sys.executable, "-c", f"{code}\n{report}")
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = json.loads(done.stderr.splitlines()[-1])
    return found


def test_the_sdks_are_known() -> None:
    assert {"okta", "githubkit", "boto3", "botocore", "anthropic", "splunklib"} <= sdks()
    assert not {"httpx", "killswitch", "pydantic"} & sdks()


def test_arrows_point_one_way() -> None:
    done = run(str(Path(sys.executable).with_name("lint-imports")))
    assert done.returncode == 0, done.stdout


def test_importing_everything_loads_no_sdk_and_starts_nothing() -> None:
    found = pkgutil.walk_packages(killswitch.__path__, "killswitch.")
    names = [m.name for m in found if not m.name.endswith(".__main__")]  # scripts
    assert len(names) > 80
    loaded = loaded_by("\n".join(f"import {name}" for name in names))
    assert sdks() & set(loaded["modules"]) == set()
    assert loaded["threads"] == ["MainThread"]


@pytest.mark.parametrize("arguments", [["--help"], ["kill", "--help"]])
def test_help_loads_no_sdk_and_no_engine(arguments: list[str]) -> None:
    loaded = loaded_by(
        "import runpy, sys\n"
        f"sys.argv[1:] = {arguments!r}\n"
        "try: runpy.run_module('killswitch', run_name='__main__')\n"
        "except SystemExit as ended: assert not ended.code, ended.code"
    )
    assert (sdks() | {"dbos"}) & set(loaded["modules"]) == set()
    assert loaded["threads"] == ["MainThread"]


def test_one_file_knows_dbos() -> None:
    knows = [str(f.relative_to(ROOT)) for f in sources("killswitch") if "dbos" in imported(f)]
    assert knows == ["killswitch/engine/durable.py"]


def test_an_sdk_is_imported_by_its_vendors_client_alone() -> None:
    users = {f: imported(f) & sdks() for f in sources("killswitch")}
    strays = {str(f): found for f, found in users.items() if found and f.name != "client.py"}
    assert strays == {}
    homes: dict[str, set[str]] = {}
    for file, found in users.items():
        for sdk in found:
            homes.setdefault(sdk, set()).add(file.parent.name)
    assert all(len(vendors) == 1 for vendors in homes.values()), homes
    assert set().union(*homes.values()) <= catalogue.VENDORS.keys()


@pytest.mark.parametrize("tree", TREES)
def test_files_are_short_enough_to_read(tree: str) -> None:
    long = {str(f.relative_to(ROOT)): len(f.read_text().splitlines()) for f in sources(tree)}
    assert {file: lines for file, lines in long.items() if lines > LONGEST} == {}


def test_the_model_has_no_clock_and_no_io() -> None:
    for file in sources("killswitch/model"):
        forbidden = imported(file) & {"time", "os", "pathlib", "socket", "httpx", "sqlalchemy"}
        assert not forbidden, file
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                assert node.func.attr not in CLOCKS, f"{file}:{node.lineno}"
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id != "open", f"{file}:{node.lineno}"


def test_every_module_says_what_it_is() -> None:
    for tree in ("killswitch", "tabletop"):
        for file in sources(tree):
            assert ast.get_docstring(ast.parse(file.read_text())), file


@pytest.mark.parametrize("name", catalogue.VENDORS)
def test_a_vendor_is_found_where_a_reader_looks(name: str) -> None:
    vendor = catalogue.vendor(name)
    for place in (
        f"killswitch/vendors/{name}/vendor.py",
        f"killswitch/vendors/{name}/client.py",
        *([f"killswitch/vendors/{name}/evidence.py"] if vendor.collectors else []),
        *([f"killswitch/vendors/{name}/alerts.py"] if vendor.alerts else []),
        f"killswitch/vendors/{name}/quality.yaml",
        f"tabletop/sims/{name}.py",
        f"tests/vendors/{name}",
        f"docs/vendors/{name}.md",
    ):
        assert (ROOT / place).exists(), place


def test_every_file_that_the_architecture_names_exists() -> None:
    page = ROOT / "ARCHITECTURE.md"
    text = page.read_text()
    linked = set(re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text))
    places = set(re.findall(r"`([\w.-]+/[\w./-]+|[A-Z]+\.md)`", text))
    assert linked | places
    gone = {n for n in linked if not (page.parent / n).exists()}
    assert gone | {n for n in places if not _somewhere(n)} == set()


def _somewhere(name: str) -> bool:
    """At the root, or, as the page shortens it, inside a package."""
    return any((ROOT / at / name).exists() for at in ("", "killswitch", "tabletop", "docs"))
