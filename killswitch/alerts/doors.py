"""Whether a delivery comes from its source: the three ways in which vendors can show it.

``hmac``: a signature over time and body, for senders that we can program. ``header``: a secret
in a header, for Datadog, Elastic and most others. ``path``: a secret at the end of the address,
for Splunk's built-in webhook, which can send nothing else. Two secrets may be valid at once, so
that one can be changed without losing an alert.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from killswitch.written import Source

TIMESTAMP = "x-killswitch-timestamp"  # seconds since 1970, decimal
SIGNATURE = "x-killswitch-signature"  # v1=<hex of HMAC-SHA256 over "timestamp.body">
SKEW = timedelta(minutes=5)
_SECONDS = re.compile(r"[0-9]{1,12}")


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The signature that a sender puts into its header."""
    mac = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256)
    return f"v1={mac.hexdigest()}"


def needs_body(source: Source) -> bool:
    """Whether the sender is known only when the whole body is there."""
    return source.auth == "hmac"


def known(
    source: Source,
    secrets: tuple[str, ...],
    *,
    headers: Mapping[str, str],
    in_path: str,
    body: bytes,
    now: datetime,
) -> bool:
    """Whether the delivery proves one of the secrets. Compared in constant time."""
    match source.auth:
        case "path":
            return _any([_same(secret, in_path) for secret in secrets])
        case "header":
            given = headers.get(source.header.lower(), "")
            return _any([_same(secret, given) for secret in secrets])
    timestamp = headers.get(TIMESTAMP, "")
    given = headers.get(SIGNATURE, "")
    signed = _any([_same(sign(secret, timestamp, body), given) for secret in secrets])
    return signed and _recent(timestamp, now)


def _same(ours: str, given: str) -> bool:
    """Digests are compared, so that not even the length shows in the time taken."""
    digests = [hashlib.sha256(t.encode("utf-8", "surrogateescape")).digest() for t in (ours, given)]
    return bool(ours) and hmac.compare_digest(*digests)


def _any(found: list[bool]) -> bool:
    """A list, not a generator: every secret is tried, whichever matches."""
    return any(found)


def _recent(timestamp: str, now: datetime) -> bool:
    if not _SECONDS.fullmatch(timestamp):
        return False
    return abs(now.timestamp() - int(timestamp)) <= SKEW.total_seconds()
