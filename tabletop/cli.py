"""``agent-kill tabletop``: list, show, lint, run, report, compare, new."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from killswitch.cli import lazy
from killswitch.cli.context import context
from killswitch.cli.exits import Exit
from killswitch.model.errors import Invalid

if TYPE_CHECKING:  # the acts' and measures' modules: `--help` needs none
    from tabletop.scenario import Scenario

DRILLS = Path("drills")

app = lazy.group("Drills: list, show, lint, run, report, compare, new.")

NameArgument = Annotated[
    str, typer.Argument(help="A scenario's name, or a .yaml file.", show_default=False)
]


@app.command("list")
def list_scenarios() -> None:
    """The scenarios, and the one-fault atomics for CI.

    Example: agent-kill tabletop list
    """
    from tabletop import scenario

    for name in scenario.names():
        found = scenario.load(name)
        if context.as_json:
            context.emit(_line(found))
            continue
        size = f"{words_of(found.duration.total_seconds())}"
        lacks = f"  (needs: {len(found.needs)})" if found.needs else ""
        title = f"{found.title}{lacks}"
        context.out.print(f"{name:26} {found.kind:9} {size:>6}  {title}", markup=False)


@app.command("show")
def show(
    name: NameArgument,
    facilitator: Annotated[
        bool, typer.Option("--facilitator", help="With what the players must not know.")
    ] = False,
) -> None:
    """What the players are told; with --facilitator the notes, injects and faults as well.

    Examples:

      agent-kill tabletop show key-in-the-prompt

      agent-kill tabletop show key-in-the-prompt --facilitator
    """
    from tabletop import scenario

    found = scenario.load(_asked(name))
    if context.as_json:
        data = found.model_dump(mode="json")
        hidden = ("facilitator", "timeline", "faults", "response")
        context.emit({k: v for k, v in data.items() if facilitator or k not in hidden})
        return
    print(_told(found, facilitator=facilitator))


@app.command("lint")
def lint(
    names: Annotated[
        list[str] | None, typer.Argument(help="Names or files; all that ship if left out.")
    ] = None,
) -> None:
    """Check scenarios: every key, act, measure, role and identifier. Ends with 10 on errors.

    Example: agent-kill tabletop lint ./ours.yaml
    """
    from tabletop import scenario

    wrong = 0
    for name in names or scenario.names():
        errors = scenario.lint(_asked(name))
        wrong += len(errors)
        for error in errors:
            context.err.print(str(error), markup=False, soft_wrap=True)
        if not errors:
            context.say(f"✓ {name}")
    raise typer.Exit(Exit.INVALID if wrong else Exit.DONE)


@app.command("run")
def run(
    names: Annotated[
        list[str], typer.Argument(help="Scenarios; `atomics` means all of those, `all` everything.")
    ],
    speed: Annotated[
        str, typer.Option(help="The clock while people are waited for: 1, a factor, or max.")
    ] = "",
    play: Annotated[
        list[str] | None, typer.Option("--play", help="A role that you play here.", metavar="ROLE")
    ] = None,
    personas: Annotated[
        bool, typer.Option("--personas", help="Nobody plays: personas answer everything.")
    ] = False,
    seed: Annotated[int | None, typer.Option(help="Another seed than the scenario's.")] = None,
    slack: Annotated[
        bool, typer.Option("--slack", help="People press buttons in a simulated Slack.")
    ] = False,
    slack_from: Annotated[
        Path | None,
        typer.Option(help="A killswitch.yaml whose real Slack people answer in.", metavar="FILE"),
    ] = None,
    jobs: Annotated[
        int, typer.Option(min=1, help="How many simulations side by side, of several.")
    ] = 3,
    out: Annotated[Path, typer.Option(help="Where drills are kept.")] = DRILLS,
    live: Annotated[
        Path | None,
        typer.Option(
            help="The live killswitch.yaml: a real case pauses the drill.", metavar="FILE"
        ),
    ] = None,
) -> None:
    """Rehearse the real kill against simulated vendors, and score it.

    With --play, or at a terminal without --personas, it is a drill for people: the clock runs
    as it does, `help` lists what can be typed. With personas alone it is a simulation, as fast
    as the machine. Ends with 11 when a drill is not ready.

    Examples:

      agent-kill tabletop run key-in-the-prompt

      agent-kill tabletop run key-in-the-prompt --play eng-lead

      agent-kill tabletop run all --personas
    """
    from killswitch.loopback import only_loopback
    from tabletop.playing import Wanted
    from tabletop.playing import play as play_one
    from tabletop.several import play_all

    roles = frozenset(play or ())
    drill = bool(roles) or (context.at_terminal and not personas)
    if slack_from and not drill:
        raise Invalid(
            "a real Slack needs people", expected="--play ROLE for each who answers there"
        )
    only_loopback()  # this process holds simulators and presses buttons; the engine has its own
    chosen = _chosen(names)
    for _, found in chosen:
        if lost := roles - set(found.people):
            known = ", ".join(found.people)
            raise Invalid(f"{found.scenario} has no role {min(lost)!r}", expected=known)
    wanted = Wanted(roles, drill, _speed(speed, drill=drill), seed, slack, slack_from, out, live)
    if len(chosen) > 1 and drill:
        raise Invalid("people play one scenario at a time", expected="one name, or --personas")
    if len(chosen) > 1:
        ready = play_all(chosen, wanted, jobs)
    else:
        ready = play_one(chosen[0][1], wanted).verdict != "not ready"
    raise typer.Exit(Exit.DONE if ready else Exit.OBJECTIVES)


@app.command("report")
def report(
    drill: Annotated[
        Path | None, typer.Argument(help="A drill's folder; the newest if left out.")
    ] = None,
    form: Annotated[str, typer.Option("--format", help="path, md, html or json.")] = "path",
    out: Annotated[Path, typer.Option(help="Where drills are kept.")] = DRILLS,
) -> None:
    """The after-action report, once its signature is checked. Ends with 9 if it was touched.

    Examples:

      agent-kill tabletop report

      agent-kill tabletop report drills/drill-2027-01-15-key-in-the-prompt-4711 --format md
    """
    folder = drill or _newest(out)
    from killswitch.evidence import keys
    from tabletop.aar import signing
    from tabletop.playing import KEY

    key = folder.parent / KEY
    problems = signing.verify(folder, [keys.load(key).public_key] if key.exists() else [])
    for problem in problems:
        context.err.print(f"✗ {problem.where}: {problem.says}", style="red", markup=False)
    files = {"md": "report.md", "html": "report.html", "json": "journal.json"}
    if form == "path":
        context.say(str((folder / "report.html").resolve()))
    elif form in files:
        print((folder / files[form]).read_text(), end="")
    else:
        raise Invalid(f"no format {form!r}", expected="path, md, html or json")
    raise typer.Exit(Exit.INTEGRITY if problems else Exit.DONE)


@app.command("compare")
def compare(
    drills: Annotated[list[Path], typer.Argument(help="Drills' folders, or journal.json files.")],
) -> None:
    """What changed between drills of the same scenario, oldest first.

    Refuses drills of different scenarios or versions; says where a playbook or the tool differ.

    Example: agent-kill tabletop compare drills/*key-in-the-prompt*
    """
    from tabletop.compare import as_json, as_text
    from tabletop.compare import compare as compared

    found = compared([_journal(path) for path in drills])
    if context.as_json:
        context.emit(as_json(found))
    else:
        print(as_text(found), end="")


@app.command("new")
def new(
    name: Annotated[str, typer.Argument(help="The new scenario's id, such as our-worst-day.")],
    out: Annotated[Path, typer.Option(help="The folder to write it into.")] = Path(),
) -> None:
    """Write a scenario to start from: small, commented, and playable as it is.

    Example: agent-kill tabletop new our-worst-day
    """
    file = out / f"{name}.yaml"
    if file.exists():
        raise Invalid(f"{file} is there already", expected="another name")
    template = Path(__file__).with_name("template.yaml").read_text()
    file.write_text(template.replace("the-template", name))
    context.say(f"{file}\nNext: agent-kill tabletop lint {file}")


# -- reading what was typed ------------------------------------------------------------------------


def _chosen(names: list[str]) -> list[tuple[str | Path, Scenario]]:
    """What was asked for, each as it was asked and as it reads."""
    from tabletop import scenario

    several = {"atomics": scenario.names("atomic"), "all": scenario.names()}
    asked = [_asked(one) for name in names for one in several.get(name, [name])]
    return [(one, scenario.load(one)) for one in asked]


def _speed(text: str, *, drill: bool) -> float | None:
    """The factor; None for as fast as it goes. People get real time unless they ask otherwise."""
    if not text:
        return 1.0 if drill else None
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 1 <= speed <= 10_000:
        raise Invalid(f"no speed {text!r}", expected="1, a factor such as 10, or max")
    return speed


def _asked(name: str) -> str | Path:
    return Path(name) if name.endswith((".yaml", ".yml")) else name


def _journal(path: Path) -> dict[str, Any]:
    file = path / "journal.json" if path.is_dir() else path
    try:
        data = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise Invalid(
            f"{file} is no drill's journal: {error}", expected="a journal.json"
        ) from error
    if not isinstance(data, dict):
        raise Invalid(f"{file} is no drill's journal", expected="a journal.json")
    return data


def _newest(out: Path) -> Path:
    found = sorted(out.glob("*/journal.json"), key=lambda f: f.stat().st_mtime)
    if not found:
        raise Invalid(f"there is no drill in {out}", expected="agent-kill tabletop run SCENARIO")
    return found[-1].parent


def _line(found: Scenario) -> dict[str, Any]:
    return {
        "schema": "killswitch/scenario-line/1",
        "scenario": found.scenario,
        "title": found.title,
        "kind": found.kind,
        "version": found.version,
        "difficulty": found.difficulty,
        "minutes": found.duration.total_seconds() / 60,
        "needs": list(found.needs),
    }


def _told(found: Scenario, *, facilitator: bool) -> str:
    head = [
        f"{found.title}  ({found.scenario}, version {found.version})",
        f"{words_of(found.duration.total_seconds())}, difficulty {found.difficulty} of 5",
        "",
        found.situation.strip(),
        "",
        "Roles: " + ", ".join(f"{r} ({p.plays})" for r, p in found.people.items()),
        "",
        *(f"{o.id}  {o.title}{'  (critical)' if o.critical else ''}" for o in found.objectives),
        "",
        *(f"not played here: {need}" for need in found.needs),
    ]
    if not facilitator:
        return "\n".join(head)
    body = ["", "FOR THE FACILITATOR ONLY", "", found.facilitator.strip(), ""]
    body += [f"{_moment(i):34} {i.id:20} {i.title}" for i in found.timeline]
    body += ["", "Faults", ""]
    body += [f"{_moment(f):34} {f.id:20} {f.title or f.kind}" for f in found.faults]
    return "\n".join([*head, *body])


def _moment(when: Any) -> str:
    if when.at is not None:
        return f"T+{words_of(when.at.total_seconds())}"
    after = when.after.total_seconds()
    return f"{when.when} + {words_of(after)}" if when.when else "by hand"


def words_of(seconds: float) -> str:
    """``6m 20s``."""
    from killswitch.report import words

    return words.duration(seconds)
