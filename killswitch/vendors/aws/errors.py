"""AWS's answers as our errors: by the vendor's error code, else by status; never by text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

from killswitch.model.errors import (
    Already,
    Denied,
    Missing,
    Transient,
    Unexpected,
    VendorError,
)
from killswitch.vendors.http import error_for, retry_after

DENIED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "MissingAuthenticationToken",
        "NotAuthorized",
        "OptInRequired",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnauthorizedOperation",
        "UnrecognizedClientException",
    }
)
SLOW_DOWN = frozenset(
    {
        "BandwidthLimitExceeded",
        "PriorRequestNotComplete",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
BUSY = frozenset({"ConcurrentModification", "EntityTemporarilyUnmodifiable"})  # nothing was done
BROKEN = frozenset({"InternalError", "InternalFailure", "ServiceFailure", "ServiceUnavailable"})


@dataclass(frozen=True)
class Seen:
    """The last HTTP answer of a thread, before botocore parsed it."""

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def request_id(self) -> str:
        """The vendor's id for the request."""
        return self.headers.get("x-amzn-requestid", "")

    @property
    def epoch(self) -> float | None:
        """The vendor's clock when it answered; None if it does not say."""
        try:
            return parsedate_to_datetime(self.headers.get("date", "")).timestamp()
        except (TypeError, ValueError):  # no date, or none that can be read
            return None

    @property
    def cut_short(self) -> bool:
        """Whether fewer bytes came than were promised: botocore takes that for the whole."""
        promised = self.headers.get("content-length", "")
        return promised.isdigit() and len(self.body) < int(promised)


def of_service(code: str, why: str, seen: Seen, operation: str, scope: str) -> VendorError:
    """The error for an answer of AWS, by its documented error code, else by its status."""
    request_id = seen.request_id
    text = f"{operation} answered {seen.status} {code}: {why[:300]}"
    if code in DENIED:
        return Denied(text, scope=scope, operation=operation, request_id=request_id)
    if code in SLOW_DOWN or code in BUSY:
        wait = retry_after(seen.headers)
        return Transient(text, retry_after=wait, operation=operation, request_id=request_id)
    if code in BROKEN:
        wait = retry_after(seen.headers)
        return Transient(
            text, retry_after=wait, sent=True, operation=operation, request_id=request_id
        )
    if code == "NoSuchEntity":
        return Missing(text, operation=operation, request_id=request_id)
    if code == "EntityAlreadyExists":
        return Already(text, operation=operation, request_id=request_id)
    if code == "LimitExceeded":  # a quota of the account, not a pace: waiting does not help
        return Unexpected(
            text, operation=operation, request_id=request_id, hint="an IAM quota is used up"
        )
    if seen.status in (401, 403):
        return Denied(text, scope=scope, operation=operation, request_id=request_id)
    return error_for(seen.status, seen.headers, f"{code}: {why}", operation, request_id=request_id)


def of_answer(seen: Seen, operation: str) -> VendorError:
    """The error for an answer that botocore could not read."""
    if seen.status >= 300:
        return error_for(seen.status, seen.headers, "", operation, request_id=seen.request_id)
    return Unexpected(
        f"{operation} answered {seen.status} with what is not its result",
        operation=operation,
        request_id=seen.request_id,
    )
