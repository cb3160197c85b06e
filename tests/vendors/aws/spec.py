"""Exchanges held to AWS's own service models, as botocore ships them.

The models are the vendor's published description of each operation: what a request may carry,
what an answer holds, which errors there are.
"""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any
from urllib.parse import parse_qsl
from xml.etree import ElementTree as ET

import botocore.session
import re2

from tabletop.sims.base import Exchange

# Errors that every service may answer with; the models list only an operation's own.
# https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html
COMMON = {
    "AccessDenied",
    "AccessDeniedException",
    "ExpiredToken",
    "InvalidAction",
    "InvalidClientTokenId",
    "MissingAuthenticationToken",
    "ThrottlingException",
    "UnrecognizedClientException",
    "ValidationError",
}


@cache
def model(service: str) -> Any:
    return botocore.session.Session().get_service_model(service)


def violations(exchange: Exchange) -> list[str]:
    """What in one exchange the vendor's model does not allow."""
    asked = dict(parse_qsl(exchange.query))
    service, action = asked["Service"], asked["Action"]
    operation = model(service).operation_model(action)
    found = _request(service, operation, exchange)
    if exchange.status >= 300:
        return found + _error(service, operation, exchange)
    if service == "cloudtrail":
        return found + _value("", json.loads(exchange.response_body), operation.output_shape)
    root = _stripped(ET.fromstring(exchange.response_body))
    if root.tag != f"{action}Response" or root.find("ResponseMetadata/RequestId") is None:
        found.append(f"{action}: <{root.tag}> without a request id")
    result = root.find(f"{action}Result")
    if operation.output_shape is None:
        return found + ([f"{action} has no result"] if result is not None else [])
    if result is None:
        return [*found, f"{action}: no result"]
    return found + _element(action, result, operation.output_shape)


def _request(service: str, operation: Any, exchange: Exchange) -> list[str]:
    if service == "cloudtrail":
        return _value("", json.loads(exchange.request_body), operation.input_shape)
    sent = dict(parse_qsl(exchange.request_body.decode(), keep_blank_values=True))
    names = {name.partition(".")[0] for name in sent} - {"Action", "Version"}
    known = set(operation.input_shape.members) if operation.input_shape else set()
    required = set(operation.input_shape.required_members) if operation.input_shape else set()
    return [f"{operation.name}: asks with {n}" for n in names - known] + [
        f"{operation.name}: asks without {n}" for n in required - names
    ]


def _error(service: str, operation: Any, exchange: Exchange) -> list[str]:
    if service == "cloudtrail":
        code = json.loads(exchange.response_body)["__type"]
    else:
        root = _stripped(ET.fromstring(exchange.response_body))
        code = root.findtext("Error/Code", "")
        if not root.findtext("RequestId"):
            return [f"{operation.name}: an error without a request id"]
    own = {
        s.metadata.get("error", {}).get("code", s.name): s.metadata.get("error", {})
        for s in operation.error_shapes
    }
    if code in COMMON:
        return []
    if code not in own:
        return [f"{operation.name}: no such error {code}"]
    status = own[code].get("httpStatusCode", 400)
    return [] if status == exchange.status else [f"{code} is {status}, not {exchange.status}"]


def _stripped(root: ET.Element) -> ET.Element:
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def _element(where: str, element: ET.Element, shape: Any) -> list[str]:
    """An XML element against its shape."""
    if shape.type_name == "structure":
        got = {child.tag: child for child in element}
        found = [f"{where}: <{tag}> is unknown" for tag in got.keys() - shape.members.keys()]
        found += [f"{where}: no <{tag}>" for tag in set(shape.required_members) - got.keys()]
        for tag in got.keys() & shape.members.keys():
            found += _element(f"{where}/{tag}", got[tag], shape.members[tag])
        return found
    if shape.type_name == "list":
        return [
            wrong
            for child in element
            for wrong in (
                _element(where, child, shape.member)
                if child.tag == "member"
                else [f"{where}: <{child.tag}> in a list"]
            )
        ]
    if shape.type_name == "map":
        return [
            wrong
            for entry in element
            for wrong in (
                _scalar(where, entry.findtext("key", ""), shape.key)
                + _scalar(where, entry.findtext("value", ""), shape.value)
            )
        ]
    return _scalar(where, element.text or "", shape)


def _value(where: str, value: Any, shape: Any) -> list[str]:
    """A JSON value against its shape."""
    if shape.type_name == "structure":
        found = [f"{where}: {name} is unknown" for name in value.keys() - shape.members.keys()]
        found += [f"{where}: no {name}" for name in set(shape.required_members) - value.keys()]
        for name in value.keys() & shape.members.keys():
            found += _value(f"{where}/{name}", value[name], shape.members[name])
        return found
    if shape.type_name == "list":
        return [wrong for one in value for wrong in _value(where, one, shape.member)]
    if shape.type_name == "timestamp":
        return [] if isinstance(value, int | float) else [f"{where}: {value!r} is no time"]
    return _scalar(where, str(value), shape)


def _scalar(where: str, text: str, shape: Any) -> list[str]:
    facts = shape.metadata
    if shape.type_name == "integer":
        return [] if text.lstrip("-").isdigit() else [f"{where}: {text!r} is no number"]
    if shape.type_name == "boolean":
        return [] if text in ("true", "false") else [f"{where}: {text!r} is no boolean"]
    if shape.type_name == "timestamp":
        iso = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
        return [] if re.fullmatch(iso, text) else [f"{where}: {text!r} is no time"]
    found: list[str] = []
    if facts.get("enum") and text not in facts["enum"]:
        found.append(f"{where}: {text!r} is not one of {facts['enum']}")
    if not facts.get("min", 0) <= len(text) <= facts.get("max", 10**9):
        found.append(f"{where}: {len(text)} characters")
    if (pattern := facts.get("pattern")) and not _matches(pattern, text):
        found.append(f"{where}: {text!r} does not match {pattern}")
    return found


def _matches(pattern: str, text: str) -> bool:
    """The model's patterns are Java's, which RE2 reads but for how it spells code points."""
    spelled = re.sub(r"\\u\{?([0-9A-Fa-f]{4,6})\}?", r"\\x{\1}", pattern)
    return re2.fullmatch(f"(?s:{spelled})", text) is not None
