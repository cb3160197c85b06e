"""What things are called in Slack: codenames, button values, and the clock of a case."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from killswitch.model.case import Case, ChangeView, GateView
from killswitch.model.plan import Mode
from killswitch.report import words

_COLOURS = """
amber azure beige black blue bronze brown coral crimson cyan ebony emerald golden green grey indigo
ivory jade khaki lilac lime maroon mauve navy olive orange pearl pink plum purple red ruby rust
sand scarlet silver teal violet white yellow
""".split()  # noqa: SIM905  # reads better than thirty quotes
_ANIMALS = """
badger bear beaver bison crane curlew deer dingo dolphin eagle egret falcon ferret finch fox gecko
heron ibis jackal kestrel koala lemur lynx magpie marten newt ocelot orca osprey otter owl panda
puffin quail raven robin seal stork swan tapir tern toad vole walrus weasel wren
""".split()  # noqa: SIM905  # likewise
_VALUE = re.compile(r"(K-\d{1,9})\|([a-z0-9][a-z0-9/-]{0,80})\|([0-9a-f]{12,64})")
_CASE = re.compile(r"K-\d{1,9}")
_STEP = re.compile(r"(K-\d{1,9})\|([0-9a-f]{24})")
_ALERT = re.compile(r"A-([1-9]\d{0,17})")


def codename(case: str, turn: int = 0) -> str:
    """``amber-otter``: always the same for a case, and says nothing about anybody."""
    seed = hashlib.sha256(f"{case}/{turn}".encode()).digest()
    return f"{_COLOURS[seed[0] % len(_COLOURS)]}-{_ANIMALS[seed[1] % len(_ANIMALS)]}"


def channel_name(prefix: str, case: str, turn: int = 0, *, drill: bool = False) -> str:
    """``kill-1127-amber-otter``, in a drill ``drill-kill-1127-amber-otter``.

    A further one for a case whose channel was lost has a number.
    """
    first, again = "drill-" if drill else "", f"-{turn + 1}" if turn else ""
    return f"{first}{prefix}-{case.removeprefix('K-')}-{codename(case)}{again}"[:80]


def title(case: Case) -> str:
    """``DRILL · K-1127 · amber-otter``; a live case has no word before it."""
    mode = (
        ""
        if case.request.mode is Mode.LIVE
        else f"{words.word(words.MODES, case.request.mode).label} · "
    )
    return f"{mode}{case.id} · {codename(case.id)}"


@dataclass(frozen=True)
class GateRef:
    """Which gate of which plan a button or form is about."""

    case: str
    gate: str
    digest: str  # the first twelve characters or more

    @classmethod
    def of(cls, case: str, gate: GateView) -> GateRef:
        """The gate as it stands."""
        return cls(case, gate.name, gate.digest[:12])

    @classmethod
    def parse(cls, value: str) -> GateRef | None:
        """What a button says it is about; None where that cannot be."""
        found = _VALUE.fullmatch(value)
        return cls(*found.groups()) if found else None

    def __str__(self) -> str:
        return f"{self.case}|{self.gate}|{self.digest}"


@dataclass(frozen=True)
class StepRef:
    """Which change of which case a button or form is about."""

    case: str
    mark: str

    @classmethod
    def of(cls, case: str, change: str) -> StepRef:
        """The change of that id."""
        return cls(case, mark(change))

    @classmethod
    def parse(cls, value: str) -> StepRef | None:
        """What a button says it is about; None where that cannot be."""
        found = _STEP.fullmatch(value)
        return cls(*found.groups()) if found else None

    def find(self, case: Case) -> ChangeView | None:
        """The change, if the case has it."""
        return next((c for c in case.changes.values() if mark(c.plan.id) == self.mark), None)

    def __str__(self) -> str:
        return f"{self.case}|{self.mark}"


def mark(name: str) -> str:
    """A short value for a change or action: it means the same when it comes back from Slack."""
    return hashlib.sha256(name.encode()).hexdigest()[:24]


def case_id(value: str) -> str:
    """The case in a button's value; "" where it is none."""
    return value if _CASE.fullmatch(value) else ""


def alert_number(value: str) -> int:
    """The number of the alert in a button's value; 0 where it is none."""
    found = _ALERT.fullmatch(value)
    return int(found[1]) if found else 0


def since(case: Case, at: str) -> str:
    """``T+1:04``: minutes and seconds since the request."""
    seconds = int(words.between(case.requested_at, at) or 0)
    return f"T+{seconds // 60}:{seconds % 60:02d}"
