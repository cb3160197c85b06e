"""The frameworks' identifiers, with edition and date, from ``maps.yaml``.

Titles are the publishers'; the project claims support of a control, never compliance.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from killswitch import strictyaml

FILE = Path(__file__).with_name("maps.yaml")


@cache
def _all() -> dict[str, Any]:
    return strictyaml.read(FILE).data


def titles(framework: str) -> dict[str, str]:
    """Identifier -> title. Raises KeyError."""
    found: dict[str, str] = _all()[framework]["titles"]
    return found


def edition(framework: str) -> str:
    """``2026, published 2025-12``."""
    return str(_all()[framework]["edition"])
