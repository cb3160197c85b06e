"""What time it is: the machine's, or in a drill the drill's.

A drill may skip the minutes in which everything waits for people. How far its clock is ahead
stands in a file that the drill keeps (``drill: {clock: …}`` in killswitch.yaml); gates open,
expire and are journalled by that clock. Live there is no such file, and none is looked for.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from killswitch.model.errors import Broken

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The machine's time, UTC."""
    return datetime.now(UTC)


def ahead(file: Path) -> Clock:
    """A clock that runs ahead of the machine's by the seconds in the file, read each time.

    The clock raises Broken when the file is gone or holds no number: a gate must not be judged
    by two clocks.
    """

    def now() -> datetime:
        try:
            lead = float(file.read_text())
        except (OSError, ValueError) as error:
            raise Broken(
                f"the drill's clock {file} cannot be read", hint="the drill writes it when it runs"
            ) from error
        return utc_now() + timedelta(seconds=max(0.0, lead))

    return now
