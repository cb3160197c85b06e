"""``python -m killswitch.reference [ROOT]``: write docs/reference and playbooks/schema.json."""

from __future__ import annotations

import sys
from pathlib import Path

from killswitch.reference.pages import pages


def main(root: Path) -> None:
    """Write every generated page below ``root``, and say which."""
    for path, text in pages().items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        sys.stdout.write(f"{file}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path())
