"""One line of the doctor's answer."""

from __future__ import annotations

from dataclasses import dataclass

from killswitch.model.errors import Denied, Invalid, KillswitchError
from killswitch.model.vendor import Check


@dataclass(frozen=True)
class Finding:
    """What was looked at and how it is.

    ``ok`` None: it could not be told, which is never shown as well. ``blocks``: where it is not
    well, a kill or its proof would fail; otherwise it is advice.
    """

    area: str  # a connection's name, or roles, protected, machine, …
    name: str
    ok: bool | None
    detail: str
    fix: str = ""
    blocks: bool = True

    @property
    def blocking(self) -> bool:
        """Whether this keeps the doctor from being content."""
        return self.ok is False and self.blocks

    @classmethod
    def of(cls, area: str, check: Check) -> Finding:
        """A vendor's own check."""
        return cls(area, check.name, check.ok, check.detail, check.fix)


def fix_of(error: KillswitchError) -> str:
    """What the error says to do next, unless that is to run the doctor."""
    if isinstance(error, Denied):
        return ""
    return error.expected if isinstance(error, Invalid) else error.hint
