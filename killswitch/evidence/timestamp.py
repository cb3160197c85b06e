"""Trusted time (RFC 3161): a third party signs that the manifest existed at a moment.

Optional. An authority that does not answer is recorded with the seal and stops nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

import httpx
from cryptography.x509 import Certificate
from rfc3161_client import (
    HashAlgorithm,
    PKIStatus,
    TimestampRequestBuilder,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from killswitch.model.errors import Broken, KillswitchError

# An address, or a function from request to response that raises NoTimestamp where it has none.
Authority = str | Callable[[bytes], bytes]
TIMEOUT = 10.0  # seconds for the whole exchange
_LARGEST = 64 * 1024  # bytes; a response is a few thousand


class NoTimestamp(KillswitchError):
    """The authority gave no valid time."""


async def stamp(message: bytes, authority: Authority) -> bytes:
    """The authority's response (DER) over the SHA-256 of the message. Raises NoTimestamp."""
    request = TimestampRequestBuilder(message, HashAlgorithm.SHA256).build()
    if isinstance(authority, str):
        answer = await _post(authority, request.as_bytes())
    else:
        answer = await asyncio.to_thread(authority, request.as_bytes())
    try:
        response = decode_timestamp_response(answer)
        granted = response.status == PKIStatus.GRANTED
        if not granted:
            raise NoTimestamp(f"the time authority refused: status {response.status}")
        info = response.tst_info
        if info.message_imprint.message != request.message_imprint.message:
            raise NoTimestamp("the time authority answered about other data")
        if info.nonce != request.nonce:
            raise NoTimestamp("the time authority answered another request")
    except ValueError as error:
        raise NoTimestamp(f"the time authority's answer cannot be read: {error}") from error
    return answer


def check(response: bytes, message: bytes, roots: Sequence[Certificate]) -> datetime:
    """The time that an authority under one of the roots gave the message. Raises Broken."""
    builder = VerifierBuilder(roots=list(roots))
    try:
        decoded = decode_timestamp_response(response)
        builder.build().verify_message(decoded, message)
    except (VerificationError, ValueError) as error:
        raise Broken(f"the timestamp does not hold: {error}") from error
    return decoded.tst_info.gen_time


async def _post(address: str, request: bytes) -> bytes:
    headers = {"content-type": "application/timestamp-query"}
    try:
        async with (
            asyncio.timeout(TIMEOUT),
            httpx.AsyncClient(timeout=TIMEOUT, trust_env=False) as client,
            client.stream("POST", address, content=request, headers=headers) as response,
        ):
            if response.status_code != 200:
                raise NoTimestamp(f"the time authority answered {response.status_code}")
            answer = b""
            async for chunk in response.aiter_bytes():
                answer += chunk
                if len(answer) > _LARGEST:
                    raise NoTimestamp("the time authority's answer is too long")
            return answer
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
        why = str(error) or type(error).__name__
        raise NoTimestamp(f"the time authority did not answer: {why}") from error
