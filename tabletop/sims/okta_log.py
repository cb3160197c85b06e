"""The System Log of the simulated Okta org, kept in the world's events for the SIEM to read."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from tabletop.sims.world import World

Json = dict[str, Any]


def stamp(when: float) -> str:
    """Epoch seconds as Okta writes time."""
    moment = datetime.fromtimestamp(when, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def happened(
    world: World,
    kind: str,
    says: str,
    *,
    actor: Json,
    targets: list[Json] | None = None,
    when: float | None = None,
    failed: str = "",
    agent: str = "",
    by: str = "",
    session: str = "",
    ip: str = "198.51.100.7",
) -> None:
    """One event of the System Log, full of nulls as the live one is, for the SIEM too.

    ``actor`` and ``targets`` are users, or things with ``id``, ``type`` and ``name``. ``by`` is
    the User-Agent.
    """
    when = time.time() if when is None else when
    number = world.id("", "okta-event", str(len(world.events)), length=32)
    place = {
        "city": None,
        "state": None,
        "country": "Netherlands",
        "postalCode": None,
        "geolocation": None,
    }
    event = {
        "actor": _party(actor),
        "client": {
            "userAgent": {"rawUserAgent": by or None, "os": "Unknown", "browser": "UNKNOWN"},
            "zone": None,
            "device": "Unknown",
            "id": None,
            "ipAddress": ip,
            "geographicalContext": place,
        },
        "device": None,
        "authenticationContext": {
            "authenticationProvider": None,
            "credentialProvider": None,
            "credentialType": None,
            "issuer": None,
            "interface": None,
            "authenticationStep": 0,
            "rootSessionId": session or "unknown",
            "externalSessionId": session or "unknown",
        },
        "displayMessage": says,
        "eventType": kind,
        "outcome": {"result": "FAILURE" if failed else "SUCCESS", "reason": failed or None},
        "published": stamp(when),
        "securityContext": {
            "asNumber": None,
            "asOrg": None,
            "isp": None,
            "domain": None,
            "isProxy": None,
        },
        "severity": "WARN" if failed else "INFO",
        "debugContext": {"debugData": {"requestId": number}},
        "legacyEventType": None,
        "transaction": {"type": "WEB", "id": number, "detail": {}},
        "uuid": "-".join((number[:8], number[8:12], number[12:16], number[16:20], number[20:])),
        "version": "0",
        "request": {"ipChain": [{"ip": ip, "geographicalContext": place, "version": "V4"}]},
        "target": [_party(t) for t in targets] if targets else None,
    }
    outcome = "FAILURE" if failed else "SUCCESS"
    subject = next((p for p in (*(targets or []), actor) if "profile" in p), actor)
    world.log(
        _time=when,
        source="okta",
        action=kind,
        user=subject.get("profile", {}).get("email", ""),
        session_id=session,
        agent=agent,
        outcome=outcome,
        src_ip=ip,
        okta=event,
    )


def _party(thing: Json) -> Json:
    profile = thing.get("profile", {})
    return {
        "id": thing["id"],
        "type": thing.get("type", "User") if not profile else "User",
        "alternateId": profile.get("login", "unknown"),
        "displayName": profile.get("firstName", thing.get("name", "")),
        "detailEntry": None,
    }
