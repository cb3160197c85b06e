"""``agent-kill playbook``: list, show, lint, schema."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from killswitch import catalogue, playbooks
from killswitch.cli import complaints, completion, lazy
from killswitch.cli.context import CONFIG_VARIABLE, context
from killswitch.cli.exits import Exit
from killswitch.config import Config
from killswitch.model.action import Undo
from killswitch.model.errors import Invalid, NotAllowed
from killswitch.model.playbook import Playbook, Step
from killswitch.report import words

app = lazy.group("Playbooks: list, show, lint, schema.")

NameArgument = Annotated[
    str,
    typer.Argument(
        help="A playbook's name, or a file.",
        show_default=False,
        autocompletion=completion.playbook_names,
    ),
]


@app.command("list")
def list_playbooks() -> None:
    """The playbooks: those that ship, or those in the configured directory.

    Example: agent-kill playbook list
    """
    policy = _policy()
    for name in playbooks.names(policy=policy):
        found = playbooks.lint(name, policy=policy)
        book = found.playbook
        if context.as_json:
            context.emit(
                {
                    "schema": "killswitch/playbook-line/1",
                    "playbook": name,
                    "version": book.version if book else None,
                    "subject": book.subject if book else None,
                    "summary": book.summary if book else "",
                    "file": found.file,
                    "errors": len(found.errors),
                }
            )
        elif book:
            context.out.print(f"{name:22} {book.subject:10} {book.summary}", markup=False)
        else:
            context.out.print(f"{name:22} INVALID: `agent-kill playbook lint`", markup=False)


@app.command("show")
def show(name: NameArgument) -> None:
    """What a playbook does: layers, gates, steps, what can be undone, what may live on.

    Examples:

      agent-kill playbook show agent-kill

      agent-kill playbook show ./mine.yaml
    """
    asked = Path(name) if _is_file(name) else name
    book = playbooks.load(asked, policy=_policy())
    if context.as_json:
        context.emit(_as_data(book))
    else:
        _print(book)


@app.command("lint")
def lint(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Files or directories; without: every known playbook."),
    ] = None,
    form: Annotated[str, typer.Option("--format", help="text, json or github.")] = "text",
) -> None:
    """Say everything that is wrong with playbooks, by file and line.

    Roles and policy are checked too where a killswitch.yaml is found.

    Examples:

      agent-kill playbook lint

      agent-kill playbook lint playbooks/ --format github
    """
    tell = _TELL.get("json" if context.as_json else form)
    if tell is None:
        raise NotAllowed(f"{form!r} is no format", hint=f"one of {', '.join(_TELL)}")
    policy = _policy()
    wanted: list[str | Path] = [*_files(paths)] if paths else [*playbooks.names(policy=policy)]
    found = [playbooks.lint(each, policy=policy) for each in wanted]
    for one in found:
        for level, problems in (("error", one.errors), ("warning", one.warnings)):
            for problem in problems:
                tell(level, problem)
    wrong = sum(bool(one.errors) for one in found)
    checked = words.counted(len(found), "playbook")
    context.err.print(
        f"{checked}, {wrong} with errors" if wrong else f"{checked}, no errors",
        style="red" if wrong else "green",
    )
    if policy is None:
        context.err.print("Without a killswitch.yaml, roles were not checked.", style="dim")
    raise typer.Exit(Exit.INVALID if wrong else Exit.DONE)


@app.command("schema")
def schema() -> None:
    """The JSON Schema of a playbook, for editors.

    Example: agent-kill playbook schema > schema.json
    """
    typer.echo(playbooks.schema_text(), nl=False)


def _policy() -> Config | None:
    """The configuration, if there is one. One that was named must be there and be right."""
    if context.config_file or os.environ.get(CONFIG_VARIABLE):
        return context.config
    try:
        context.find()
    except Invalid:
        return None
    return context.config


def _is_file(name: str) -> bool:
    return "/" in name or name.endswith((".yaml", ".yml"))


def _files(paths: list[Path]) -> list[Path]:
    """The files, and every ``*.yaml`` right inside the directories."""
    found: list[Path] = []
    for path in paths:
        found += sorted(path.glob("*.yaml")) if path.is_dir() else [path]
    return found


# -- lint ----------------------------------------------------------------------------------------


def _as_github(level: str, problem: Invalid) -> None:
    """A workflow command: GitHub shows it at the line, in the pull request."""
    expected = f" (expected {problem.expected})" if problem.expected else ""
    file = _escaped(problem.file).replace(":", "%3A").replace(",", "%2C")
    typer.echo(f"::{level} file={file},line={problem.line}::{_escaped(problem.why + expected)}")


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


_TELL: dict[str, Callable[[str, Invalid], None]] = {
    "text": complaints.as_text,
    "json": complaints.as_json,
    "github": _as_github,
}


# -- show ----------------------------------------------------------------------------------------


def _as_data(book: Playbook) -> dict[str, Any]:
    """The playbook, and beside each step what the catalogue says of its action."""
    steps = []
    for layer, step, gate in book.steps():
        action = catalogue.action(step.use)
        steps.append(
            {
                "layer": layer,
                "use": step.use,
                "with": step.with_,
                "gate": gate,
                "required": step.required,
                "undo": action.undo_kind,
                "scopes": sorted(action.scopes),
                "residual": vars(action.residual),
                "doc_url": action.doc_url,
            }
        )
    return {
        "schema": "killswitch/playbook/1",
        "digest": playbooks.digest(book),
        "playbook": book.model_dump(mode="json", by_alias=True),
        "steps": steps,
    }


def _print(book: Playbook) -> None:
    out = context.out
    written = book.model_dump(mode="json", by_alias=True)
    out.print(f"{book.playbook} {book.version}, for a {book.subject}: {book.summary}")
    out.print(f"digest {playbooks.digest(book)}")
    limits = ", ".join(f"{count} {what}" for what, count in written["limits"].items())
    out.print(f"at most {limits}\n")
    for name, gate in written["gates"].items():
        late = gate["on_timeout"]
        late = f"ask {late['escalate']}, then deny" if isinstance(late, dict) else late
        asks = f"{gate['quorum']} of {gate['approvers']}, at least {gate['assurance']}"
        out.print(f"gate {name}: {asks}; after {gate['timeout']}: {late}")
    volatile = [c.use for c in book.evidence.collect if catalogue.collector(c.use).volatile]
    out.print(
        f"\nevidence of {written['evidence']['window']}: "
        f"{words.counted(len(book.evidence.collect), 'collector')}; before the first change, for "
        f"up to {written['evidence']['deadline']}: {', '.join(volatile) or 'none'}",
    )
    for layer, plan in book.layers.items():
        shown = written["layers"][layer.value]
        out.print(f"\n{layer}: gate {plan.gate}, {shown['deadline']} until the next layer starts")
        for step in plan.steps:
            _print_step(step, plan.gate)
    watch = written["watch"]
    out.print(f"\nwatched for {watch['for']}, every {watch['every']}")
    out.print(f"restore waits for the gate {book.restore_gate}")


def _print_step(step: Step, gate: str) -> None:
    action = catalogue.action(step.use)
    options = "".join(f" {key}={value}" for key, value in step.with_.items())
    gone = action.undo_kind is Undo.NONE
    optional = "" if step.required else "  (optional)"
    context.out.print(f"  {step.use}{options}{optional}", style="bold")
    context.out.print(
        f"      gate {step.gate or gate}; {words.UNDO[action.undo_kind]}",
        style="red" if gone else "",
    )
    residual = action.residual
    figure = f" ({words.duration(residual.seconds)})" if residual.seconds else ""
    context.out.print(f"      scopes: {', '.join(sorted(action.scopes))}")
    context.out.print(f"      may live on: {residual.what}{figure}")
