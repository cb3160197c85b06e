"""Whether this machine's clock and a vendor's agree, by the Date header of any answer.

A clock that is wrong cuts evidence windows short, expires gates at the wrong time and, at AWS
from five minutes on, makes every signature invalid.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from killswitch.doctor.finding import Finding
from killswitch.engine.connections import Connection
from killswitch.vendors.http import GuardedTransport

SKEW = 60.0  # seconds that may be between them
_WITHIN = 5.0  # seconds for the one request


async def differs(connection: Connection) -> Finding:
    """One request without any credential to the connection's address; its Date, held to ours."""
    try:
        async with httpx.AsyncClient(
            transport=GuardedTransport(connection.link), timeout=_WITHIN, trust_env=False
        ) as http:
            answer = await http.head(connection.address)
        at = parsedate_to_datetime(answer.headers.get("date", ""))
    except httpx.HTTPError as error:
        return Finding(connection.name, "clock", None, f"could not be asked: {error!r}"[:200])
    except ValueError:
        return Finding(connection.name, "clock", None, "the server names no time")
    ahead = (at - datetime.now(UTC)).total_seconds()
    agrees = abs(ahead) <= SKEW
    fix = "" if agrees else "set this machine's clock (NTP)"
    return Finding(connection.name, "clock", agrees, f"differs by {ahead:+.0f} s", fix)
