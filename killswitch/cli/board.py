"""The line at the foot of a terminal that moves: the clock, the gates, the layers so far."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime

from rich.live import Live
from rich.text import Text

from killswitch.cli.context import context
from killswitch.model.case import Case, ChangeState
from killswitch.model.playbook import LAYERS
from killswitch.report import words


class Board:
    """Shown only where a person watches; elsewhere it is nothing at all."""

    def __init__(self) -> None:
        self._case: Case | None = None
        self._live: Live | None = None
        if context.at_terminal and not context.quiet:
            self._live = Live(
                console=context.out,
                get_renderable=self._foot,
                refresh_per_second=4,
                transient=True,
            )

    def shown(self) -> AbstractContextManager[object]:
        """For as long as the case is followed."""
        return self._live or nullcontext()

    def update(self, case: Case) -> None:
        """The case has moved."""
        self._case = case

    def pause(self) -> None:
        """Make room for a question."""
        if self._live:
            self._live.stop()

    def resume(self) -> None:
        """The question was answered."""
        if self._live:
            self._live.start()

    def _foot(self) -> Text:
        case = self._case
        if case is None:
            return Text("waiting for the engine …", style="dim")
        began = words.moment(case.requested_at) or datetime.now(UTC)
        seconds = int((datetime.now(UTC) - began).total_seconds())
        word = words.word(words.CASES, case.state)
        foot = Text("DRILL  " if context.drill else "", style="magenta")
        foot.append(f"{case.id}  T+{seconds // 60}:{seconds % 60:02d}  ", style="dim")
        foot.append(f"{word.glyph} {word.label}", style=word.colour)
        for gate in case.gates.values():
            if not gate.outcome:
                said = sum(d["decision"] == "approve" for d in gate.decisions)
                foot.append(f"   gate {gate.name} {said}/{gate.quorum}", style="blue")
        for layer in LAYERS:
            mine = [c for c in case.changes.values() if c.plan.layer is layer]
            done = sum(c.state is ChangeState.CONTAINED for c in mine)
            if mine:
                style = "green" if done == len(mine) else "dim"
                foot.append(f"   {layer} {done}/{len(mine)}", style=style)
        foot.append(f"   evidence {len(case.items)}", style="dim")
        return foot
