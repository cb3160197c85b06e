"""The drill at a terminal: what happens, line by line, and what the facilitator types.

The facilitator sees what is to come, fires injects by hand, pauses, takes notes, and lets
somebody at this keyboard take a role over. ``stop`` is the stop word: it ends the drill at once.
"""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

from killswitch.model.case import Case
from killswitch.model.errors import KillswitchError
from killswitch.model.subject import Subject
from killswitch.report import words
from tabletop.director import Director, Stopped
from tabletop.record import Moment

if TYPE_CHECKING:
    from tabletop.people import People

HELP = """\
  next                what is to come          who                 the roles, and who plays them
  inject ID           let it happen now        note TEXT           for the report
  take ROLE           you play it              leave ROLE          the persona plays it again
  kill ADDRESS WHY…   ask for a kill           plan                what the open gates ask about
  approve GATE        decide, as a role of     deny GATE           yours that is asked
  pause / go          the drill's clock        stop                the stop word: ends the drill"""


@dataclass
class Console:
    """Lines in, lines out. ``say`` prints; ``source`` is where lines are typed."""

    say: Callable[[str], None]
    source: TextIO = field(default_factory=lambda: sys.stdin)
    notes: list[str] = field(default_factory=list)
    live: Callable[[], str] = lambda: ""  # the id of a real case that has begun, if any
    people: People | None = None
    _typed: queue.SimpleQueue[str] = field(default_factory=queue.SimpleQueue)
    _asked: set[tuple[str, str, str]] = field(default_factory=set)
    _real: str = ""

    def listen(self) -> None:
        """Take lines from now on, in a thread of its own: a blocked read holds nobody up."""
        threading.Thread(target=self._read, name="console", daemon=True).start()

    def _read(self) -> None:
        for line in self.source:
            self._typed.put(line.strip())

    def told(self, moment: Moment) -> None:
        """Print the moment."""
        minutes, seconds = divmod(int(moment.t), 60)
        self.say(f"T+{minutes:02}:{seconds:02}  {moment.lane:12}  {moment.says}")

    async def orders(self, director: Director) -> None:
        """Carry out what was typed; ask a person who plays a role; look for a real case."""
        self._look_for_the_real(director)
        self._ask()
        while not self._typed.empty():
            line = self._typed.get()
            if not line:
                continue
            verb, _, rest = line.partition(" ")
            order = getattr(self, f"_do_{verb}", None)
            if order is None:
                self.say(f"? {verb}: not known here\n{HELP}")
                continue
            try:
                await order(director, rest.strip())
            except (KillswitchError, KeyError, LookupError) as refused:
                self.say(f"✗ {getattr(refused, 'why', refused)}")

    def _look_for_the_real(self, director: Director) -> None:
        real = self.live()
        if real and real != self._real:
            self._real = real
            director.paused = True
            director.tell("tool", f"real:{real}", f"paused: {real} is REAL, not part of the drill")
            self.say("THE DRILL IS PAUSED: something real began. `go` resumes it, `stop` ends it.")

    def _ask(self) -> None:
        """Each question once, when it comes up for a role that is played here."""
        people = self.people
        for role in sorted(people.played) if people else []:
            assert people is not None
            for case, gate in people.open_for(role):
                if (role, case.id, gate) not in self._asked:
                    self._asked.add((role, case.id, gate))
                    self.say(_question(role, people.email(role), case, gate))

    # -- orders --------------------------------------------------------------------------------

    async def _do_help(self, director: Director, rest: str) -> None:
        del director, rest
        self.say(HELP)

    async def _do_next(self, director: Director, rest: str) -> None:
        del rest
        now = int(director.clock.t)
        self.say(f"  T+{now // 60:02}:{now % 60:02}  now{', paused' if director.paused else ''}")
        for t, name in director.upcoming():
            when = "  waits " if t is None else f"T+{int(t) // 60:02}:{int(t) % 60:02}"
            self.say(f"  {when}  {name}")

    async def _do_who(self, director: Director, rest: str) -> None:
        del director, rest
        assert self.people is not None
        for role in self.people.scenario.people:
            by = "YOU" if role in self.people.played else self.people.persona[role]
            self.say(f"  {role:16} {self.people.email(role):28} {by}")

    async def _do_inject(self, director: Director, rest: str) -> None:
        if not await director.by_hand(rest):
            self.say(f"✗ there is no inject {rest!r}; `next` lists them")

    async def _do_note(self, director: Director, rest: str) -> None:
        self.notes.append(f"T+{int(director.clock.t)} s: {rest}")
        self.say("  noted")

    async def _do_take(self, director: Director, rest: str) -> None:
        assert self.people is not None
        self.people.take(rest)
        director.tell("person", f"take:{rest}:{director.clock.t:.3f}", f"a person plays {rest}")

    async def _do_leave(self, director: Director, rest: str) -> None:
        assert self.people is not None
        self.people.leave(rest)
        director.tell("person", f"leave:{rest}:{director.clock.t:.3f}", f"a persona plays {rest}")

    async def _do_plan(self, director: Director, rest: str) -> None:
        del director, rest
        assert self.people is not None
        for case in self.people.api.list(limit=100):
            for name, gate in case.gates.items():
                if not gate.outcome:
                    self.say("\n".join(_changes(case, name)))

    async def _do_kill(self, director: Director, rest: str) -> None:
        del director
        assert self.people is not None
        subject, _, why = rest.partition(" ")
        role = next((r for r in self.people.played if r == "oncall"), None)
        if role is None:
            raise LookupError("nobody here plays the on-call: `take oncall`")
        parsed = Subject.parse(subject if ":" in subject else f"person:{subject}")
        playbook = self.people.playbook(str(parsed))
        case = await self.people.hands.kill(
            self.people.email(role), str(parsed), playbook, why, "drill"
        )
        self.say(f"  taken: {case}")

    async def _do_approve(self, director: Director, rest: str) -> None:
        del director
        await self._decide(rest, "approve")

    async def _do_deny(self, director: Director, rest: str) -> None:
        del director
        await self._decide(rest, "deny")

    async def _decide(self, rest: str, decision: str) -> None:
        """As the first role played here that is asked at that gate."""
        assert self.people is not None
        gate, _, why = rest.partition(" ")
        for role in sorted(self.people.played):
            for case, name in self.people.open_for(role):
                if name == gate:
                    await self.people.hands.decide(
                        self.people.email(role), case.id, name, decision, why or "at the terminal"
                    )
                    self.say(f"  {self.people.email(role)} has decided: {decision}")
                    return
        raise LookupError(f"no role of yours is asked at {gate!r}")

    async def _do_pause(self, director: Director, rest: str) -> None:
        del rest
        director.paused = True
        director.tell("tool", f"pause:{director.clock.t:.3f}", "paused by the facilitator")

    async def _do_go(self, director: Director, rest: str) -> None:
        del rest
        director.paused = False
        director.tell("tool", f"go:{director.clock.t:.3f}", "goes on")

    async def _do_stop(self, director: Director, rest: str) -> None:
        del director
        raise Stopped(rest or "the stop word was given", "stopped")

    async def _do_abort(self, director: Director, rest: str) -> None:
        del director
        raise Stopped(f"aborted by the facilitator{': ' + rest if rest else ''}", "aborted")


def _question(role: str, email: str, case: Case, gate: str) -> str:
    told = "\n".join(_changes(case, gate))
    return (
        f"\n  You play {role}, {email}. Gate {gate!r} of {case.id} asks you:\n{told}\n"
        f"  Type `approve {gate}` or `deny {gate}`.\n"
    )


def _changes(case: Case, gate: str) -> list[str]:
    """The lines of the plan behind one gate."""
    behind = [c for c in case.changes.values() if c.plan.gate == gate]
    lines = [f"  {case.id} · {gate} · {words.counted(len(behind), 'change')}"]
    for change in behind:
        mark = "  CANNOT BE UNDONE" if change.plan.undo_kind == "none" else ""
        lines.append(f"    {change.plan.action:34} {change.plan.label}{mark}")
    return lines
