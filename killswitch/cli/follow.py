"""Follow a case until it is settled: line by line, with a moving foot, or as JSON lines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from rich.text import Text

from killswitch.api import Killswitch
from killswitch.cli import engine_process, exits, lines, personas
from killswitch.cli.board import Board
from killswitch.cli.context import context
from killswitch.cli.exits import Exit
from killswitch.model.case import SETTLED, Case, CaseState
from killswitch.model.event import Entry, What
from killswitch.report import words

ENGINE_EVERY = 2.0  # seconds between looks whether an engine runs
_COLOURS = {w.glyph: w.colour for group in (words.CASES, words.CHANGES) for w in group.values()}


@dataclass
class Follow:
    """Follows one case. ``until`` says when to stop; ``play`` answers gates in a drill."""

    api: Killswitch
    case: str
    until: Callable[[Case], bool]
    play: personas.Play | None = None
    wait: bool = True  # False: stop as soon as people are waited for
    after: int = 0  # show only what the journal holds after this entry

    async def run(self) -> Case:
        """Show what happens until the end; the case is returned."""
        board = Board()
        async with _engine_kept(self.case):
            return await self._until(board)

    async def _until(self, board: Board) -> Case:
        with board.shown():
            async for entry in self.api.follow(self.case, after=self.after):
                case = self.api.show(self.case)
                board.update(case)
                self._show(entry, case)
                if entry.what is What.OPENED and self.play:
                    board.pause()
                    await self.play.answer(self.api, self.case, entry.data["gate"])
                    board.resume()
                if entry.seq < case.last_seq:
                    continue
                asks = any(not gate.outcome for gate in case.gates.values())
                if self.until(case) or (asks and not self.wait):
                    return case
        raise AssertionError("follow ends only by returning")

    def _show(self, entry: Entry, case: Case) -> None:
        if context.as_json:
            context.emit(
                {
                    "schema": "killswitch/event/1",
                    "case": self.case,
                    "seq": entry.seq,
                    "at": entry.at,
                    "what": entry.what,
                    "data": entry.data,
                }
            )
            return
        text = lines.stamped(entry, case)
        if text:
            context.say(_coloured(text, drill=context.drill))


@asynccontextmanager
async def _engine_kept(case: str) -> AsyncIterator[None]:
    """While a case is followed, an engine runs: one that was just ending is started again."""

    async def keep() -> None:
        while True:
            await asyncio.sleep(ENGINE_EVERY)
            if not context.api.show(case).closed_at:
                await asyncio.to_thread(engine_process.ensure, context.config)

    keeping = asyncio.create_task(keep())
    try:
        yield
    finally:
        keeping.cancel()


def _coloured(text: str, *, drill: bool = False) -> Text:
    """The line, its glyph and state in the state's colour; a drill's says so."""
    body = text[10:]
    colour = _COLOURS.get(body[:1], "")
    return Text.assemble(
        (text[:10], "dim"),
        ("DRILL  " if drill else "", "magenta"),
        (body, colour if body[:1] in _COLOURS else ""),
    )


def settled(case: Case) -> bool:
    """Whether there is an answer; late changes of a partial case go on in the background."""
    return bool(case.closed_at) or case.state in SETTLED


def restored(number: int) -> Callable[[Case], bool]:
    """Whether that restore has come to an end."""
    return lambda case: len(case.restores) >= number and bool(case.restores[number - 1]["state"])


def follow(
    api: Killswitch,
    case: str,
    until: Callable[[Case], bool],
    *,
    play: personas.Play | None = None,
    wait: bool = True,
    after: int = 0,
) -> Case | Exit:
    """Follow; on Ctrl-C leave the case running and say so."""
    try:
        return asyncio.run(Follow(api, case, until, play, wait, after).run())
    except KeyboardInterrupt:
        context.say(
            f"\nYou left; {case} goes on. `agent-kill status {case} --watch` follows it again."
        )
        return Exit.INTERRUPTED


def exit_of(case: Case) -> Exit:
    """The exit code for how a case stands."""
    if case.state is CaseState.REFUSED:
        return exits.of_refusal(case.refusal.get("kind", ""))
    return exits.OF_STATE.get(case.state, Exit.WAITING)
