"""What each vendor's ``quality.yaml`` promises."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from killswitch import vendors

RULES = (
    "immutable-ids",
    "raw-evidence",
    "sdk-retries-off",
    "host-guard",
    "timeouts",
    "errors-by-type",
    "scopes-least",
    "probe",
    "exact-undo",
    "simulator-effects",
    "spec-checked",
    "docs",
)


@cache
def promises(vendor: str) -> dict[str, Any]:
    """The rules of that vendor: ``done``, or ``{exempt: why}``."""
    file = Path(vendors.__path__[0], vendor, "quality.yaml")
    read = yaml.safe_load(file.read_text())
    assert list(read) == ["rules"], f"{file}: only `rules` is known"
    found: dict[str, Any] = read["rules"]
    return found


def exempt(vendor: str, rule: str) -> bool:
    """Whether the vendor says that the rule does not hold there."""
    return promises(vendor)[rule] != "done"
