"""What ``playbook lint`` and ``alerts lint`` find wrong with a file, a line each."""

from __future__ import annotations

import typer

from killswitch.cli.context import context
from killswitch.model.errors import Invalid


def as_text(level: str, problem: Invalid) -> None:
    """``file:line: what is wrong (expected …)``, as compilers do; ``level``: error or warning."""
    place = f"{problem.file}:{problem.line}: " if problem.file else ""
    expected = f" (expected {problem.expected})" if problem.expected else ""
    kind = "warning: " if level == "warning" else ""
    typer.echo(f"{place}{kind}{problem.why}{expected}")


def as_json(level: str, problem: Invalid) -> None:
    """The same for a program: ``killswitch/lint/1``."""
    context.emit(
        {
            "schema": "killswitch/lint/1",
            "level": level,
            "file": problem.file,
            "line": problem.line,
            "why": problem.why,
            "expected": problem.expected,
        }
    )
