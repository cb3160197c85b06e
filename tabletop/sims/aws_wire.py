"""AWS on the wire: Query requests, XML and JSON 1.1 answers, the documented errors."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import Response

from tabletop.sims.base import Refusal
from tabletop.sims.world import World

NAMESPACES = {
    "iam": "https://iam.amazonaws.com/doc/2010-05-08/",
    "sts": "https://sts.amazonaws.com/doc/2011-06-15/",
}
_CREDENTIAL = re.compile(
    r"^AWS4-HMAC-SHA256 Credential=(\w+)/\d{8}/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request"
)


class Entries(dict[str, Any]):
    """A map, which the Query protocol writes as entries and not as fields."""


def aws_id(world: World, prefix: str, *names: str, length: int = 16) -> str:
    """An id of the vendor's shape, such as ``AKIA`` and sixteen of A-Z and 2-7."""
    digest = hashlib.sha256(world.id("", prefix, *names).encode()).digest()
    return prefix + base64.b32encode(digest).decode()[:length]


def iso(moment: float) -> str:
    """Epoch seconds as IAM writes a time."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def signature(request: Request) -> tuple[str, str, str] | None:
    """Access key id, region and service out of a Signature Version 4 header."""
    found = _CREDENTIAL.match(request.headers.get("authorization", ""))
    return (found[1], found[2], found[3]) if found else None


def query(body: bytes) -> dict[str, str]:
    """The parameters of a Query request."""
    return dict(parse_qsl(body.decode(), keep_blank_values=True))


def members(params: Mapping[str, Any], name: str) -> list[str]:
    """The values of ``name.member.1``, ``name.member.2`` and so on."""
    found: list[str] = []
    while (value := params.get(f"{name}.member.{len(found) + 1}")) is not None:
        found.append(value)
    return found


def action_of(target: str, body: bytes) -> str:
    """The operation: named by ``X-Amz-Target`` in JSON, by ``Action`` in Query."""
    return target.rpartition(".")[2] or query(body).get("Action", "")


def answer(
    service: str, action: str, result: Mapping[str, Any] | None, request_id: str
) -> Response:
    """A success of the service that was asked, in its protocol."""
    if service not in NAMESPACES:
        return Response(
            json.dumps(result or {}),
            media_type="application/x-amz-json-1.1",
            headers={"x-amzn-requestid": request_id},
        )
    inner = "" if result is None else f"<{action}Result>{_xml(result)}</{action}Result>"
    return Response(
        f'<{action}Response xmlns="{NAMESPACES[service]}">{inner}'
        f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>"
        f"</{action}Response>",
        media_type="text/xml",
        headers={"x-amzn-requestid": request_id},
    )


def refuse(service: str, status: int, code: str, message: str, request_id: str) -> Refusal:
    """A failure of the service that was asked, in its protocol."""
    headers = {"x-amzn-requestid": request_id}
    if service not in NAMESPACES:
        body = json.dumps({"__type": code, "Message": message})
        return Refusal(Response(body, status, headers, "application/x-amz-json-1.1"))
    side = "Receiver" if status >= 500 else "Sender"
    body = (
        f'<ErrorResponse xmlns="{NAMESPACES[service]}"><Error><Type>{side}</Type>'
        f"<Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        f"<RequestId>{request_id}</RequestId></ErrorResponse>"
    )
    return Refusal(Response(body, status, headers, "text/xml"))


def _xml(value: Any) -> str:
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, Entries):
        return "".join(
            f"<entry><key>{escape(k)}</key><value>{_xml(v)}</value></entry>"
            for k, v in value.items()
        )
    if isinstance(value, dict):
        return "".join(f"<{k}>{_xml(v)}</{k}>" for k, v in value.items() if v is not None)
    if isinstance(value, (list, tuple)):
        return "".join(f"<member>{_xml(v)}</member>" for v in value)
    if isinstance(value, bool):
        return str(value).lower()
    return escape(str(value))
