"""Hold what went over the wire to a vendor's published OpenAPI 3.0 document.

The documents are large and not ours to ship; they lie beside the checkout in ``shared/specs``.
A test module that needs one calls ``require("okta-management")`` first and is skipped, visibly,
where it is absent. Then ``violations("okta-management", sim.record())`` names every difference:
operations, statuses and query parameters that the document does not declare, and bodies of
requests and answers that break its schemas. Known errors of a document are in ``allowed.py``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

import jsonschema_rs
import pytest

from tabletop.sims.base import Exchange
from tests.contract.allowed import ALLOWED

SPECS = Path(__file__).parents[2] / "../shared/specs"
METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
OURS = {"", "late", "stale"}  # faults after which the answer is still the simulator's own

Direction = Literal["request", "response"]
Finding = tuple[str, str]  # where, what


def require(document_name: str) -> None:
    """Skip the calling test or module where the vendor's document is not there."""
    if not (SPECS / f"{document_name}.json").is_file():
        pytest.skip(f"{document_name}.json is not in shared/specs", allow_module_level=True)


def violations(document_name: str, exchanges: Iterable[Exchange]) -> list[str]:
    """Every difference between the exchanges and the document, once each, as a sentence.

    Answers that a fault invented are not held to it; the requests that met them are.
    """
    document = _document(document_name)
    found: dict[str, None] = {}
    for exchange in exchanges:
        operation, findings = document.examine(exchange)
        for where, what in findings:
            if not any(a.excuses(document_name, operation, where, what) for a in ALLOWED):
                found[f"{operation}: {where}: {what}"] = None
    return list(found)


@cache
def _document(name: str) -> Document:
    return Document(json.loads((SPECS / f"{name}.json").read_bytes()))


class Document:
    """One OpenAPI 3.0 document, ready to be asked about exchanges."""

    def __init__(self, raw: dict[str, Any]) -> None:
        if not str(raw.get("openapi", "")).startswith("3.0"):
            raise ValueError("only OpenAPI 3.0 documents can be checked against")
        self._raw = raw
        self._prefix = urlsplit(raw["servers"][0]["url"]).path.rstrip("/")
        self._routes = sorted(
            ((_pattern(path), path) for path in raw["paths"]),
            key=lambda route: (route[1].count("{"), route[1]),  # literal segments win
        )
        self._validators: dict[tuple[str, ...], jsonschema_rs.Validator] = {}
        self._registries: dict[Direction, jsonschema_rs.Registry] = {}

    def examine(self, exchange: Exchange) -> tuple[str, list[Finding]]:
        """The operation that the exchange was, and what is wrong with it."""
        method = exchange.method.lower()
        path = exchange.path.removeprefix(self._prefix)
        template = next(
            (t for p, t in self._routes if p.fullmatch(path) and method in self._raw["paths"][t]),
            None,
        )
        if template is None:
            return f"{exchange.method} {exchange.path}", [("operation", "not in the document")]
        item = self._raw["paths"][template]
        name = f"{exchange.method} {template}"
        operation = item[method]
        findings = [
            *self._query(name, item, operation, exchange),
            *self._request_body(name, operation, exchange),
        ]
        if exchange.fault in OURS:
            findings += self._answer(name, operation, exchange)
        return name, findings

    def _query(
        self, name: str, item: dict[str, Any], operation: dict[str, Any], exchange: Exchange
    ) -> Iterator[Finding]:
        declared = {
            p["name"]: p
            for p in map(
                self._resolve, [*item.get("parameters", []), *operation.get("parameters", [])]
            )
            if p["in"] == "query"
        }
        given = dict(parse_qsl(exchange.query, keep_blank_values=True))
        for key, text in given.items():
            if key.removesuffix("[]") not in {d.removesuffix("[]") for d in declared}:
                yield f"query {key}", "no such parameter"
            elif key in declared and "schema" in declared[key]:
                schema = declared[key]["schema"]
                value = _typed(text, self._resolve(schema))
                yield from self._check((name, "query", key), "request", schema, value)
        for key, parameter in declared.items():
            if parameter.get("required") and key not in given:
                yield f"query {key}", "required and not given"

    def _request_body(
        self, name: str, operation: dict[str, Any], exchange: Exchange
    ) -> Iterator[Finding]:
        body = self._resolve(operation.get("requestBody", {}))
        if not exchange.request_body:
            if body.get("required"):
                yield "request", "a body is required"
            return
        yield from self._body(
            (name, "request"),
            "request",
            body.get("content", {}),
            exchange.request_headers,
            exchange.request_body,
        )

    def _answer(
        self, name: str, operation: dict[str, Any], exchange: Exchange
    ) -> Iterator[Finding]:
        status = str(exchange.status)
        answers = operation["responses"]
        declared = answers.get(status, answers.get(f"{status[0]}XX", answers.get("default")))
        if declared is None:
            yield f"status {status}", f"undeclared; there are {', '.join(answers)}"
            return
        content = self._resolve(declared).get("content", {})
        place = (name, f"response {status}")
        if not exchange.response_body:
            if content:
                yield place[1], "empty, and a body is declared"
            return
        yield from self._body(
            place, "response", content, exchange.response_headers, exchange.response_body
        )

    def _body(
        self,
        place: tuple[str, ...],
        direction: Direction,
        content: dict[str, Any],
        headers: dict[str, str],
        body: bytes,
    ) -> Iterator[Finding]:
        sent = _media({k.lower(): v for k, v in headers.items()}.get("content-type", ""))
        media = next((m for t, m in content.items() if _media(t) in (sent, "*/*")), None)
        if media is None:
            yield (
                place[1],
                f"{sent or 'no media type'}, and {', '.join(content) or 'none'} declared",
            )
        elif not sent.endswith("json") or "schema" not in media:
            return
        else:
            try:
                value = json.loads(body)
            except ValueError as error:
                yield place[1], f"not JSON: {error}"
            else:
                yield from self._check(place, direction, media["schema"], value)

    def _check(
        self, place: tuple[str, ...], direction: Direction, schema: dict[str, Any], value: Any
    ) -> Iterator[Finding]:
        if place not in self._validators:
            self._validators[place] = jsonschema_rs.Draft4Validator(
                self._schema(schema, direction),
                registry=self._registry(direction),
                validate_formats=True,
            )
        for error in self._validators[place].iter_errors(value):
            where = "".join(
                "[*]" if isinstance(step, int) else f".{step}" for step in error.instance_path
            )
            yield f"{' '.join(place[1:])} ${where}", error.message[:300]

    def _registry(self, direction: Direction) -> jsonschema_rs.Registry:
        if direction not in self._registries:
            schemas = {
                name: self._schema(schema, direction)
                for name, schema in self._raw["components"]["schemas"].items()
            }
            self._registries[direction] = jsonschema_rs.Registry(
                [("urn:document", {"components": {"schemas": schemas}})],
                draft=jsonschema_rs.Draft4,
            )
        return self._registries[direction]

    def _resolve(self, part: dict[str, Any]) -> dict[str, Any]:
        """The part itself, or what its ``$ref`` names."""
        while "$ref" in part:
            found: Any = self._raw
            for step in part["$ref"].removeprefix("#/").split("/"):
                found = found[unquote(step).replace("~1", "/").replace("~0", "~")]
            part = found
        return part

    def _schema(self, schema: Any, direction: Direction) -> Any:
        """An OpenAPI 3.0 schema as JSON Schema, draft 4.

        ``nullable`` becomes a union with null, beside ``allOf`` and its like too. What only the
        other direction carries (``readOnly``, ``writeOnly``) is not required.
        """
        if not isinstance(schema, dict):
            return schema
        if "$ref" in schema:
            return {"$ref": "urn:document" + schema["$ref"]}
        new = {k: v for k, v in schema.items() if k not in ("nullable", "example", "discriminator")}
        if "properties" in schema:
            properties = schema["properties"]
            new["properties"] = {k: self._schema(v, direction) for k, v in properties.items()}
            foreign = "readOnly" if direction == "request" else "writeOnly"
            new["required"] = [
                k
                for k in schema.get("required", [])
                if not self._resolve(properties.get(k, {})).get(foreign)
            ]
            if not new["required"]:  # draft 4 wants at least one
                del new["required"]
        for key in ("items", "additionalProperties", "not"):
            if key in schema:
                new[key] = self._schema(schema[key], direction)
        for key in ("allOf", "anyOf", "oneOf"):
            if key in schema:
                new[key] = [self._schema(s, direction) for s in schema[key]]
        return _or_null(new) if schema.get("nullable") else new


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    if not schema.keys() & {"allOf", "anyOf", "oneOf", "not"}:
        if "enum" in schema and None not in schema["enum"]:
            schema["enum"] = [*schema["enum"], None]
        if "type" in schema:
            schema["type"] = [schema["type"], "null"]
        return schema
    return {"anyOf": [schema, {"type": "null"}]}


def _pattern(template: str) -> re.Pattern[str]:
    parts = re.split(r"\{[^}]+\}", template)
    return re.compile("[^/]+".join(re.escape(part) for part in parts))


def _media(text: str) -> str:
    return text.partition(";")[0].strip().lower()


def _typed(text: str, schema: dict[str, Any]) -> Any:
    """A query parameter's text as the type that its schema asks for; itself if it is none."""
    wanted = schema.get("type")
    if wanted == "integer" and re.fullmatch(r"-?\d+", text):
        return int(text)
    if wanted == "number" and re.fullmatch(r"-?\d+(\.\d+)?", text):
        return float(text)
    if wanted == "boolean" and text in ("true", "false"):
        return text == "true"
    if wanted == "array":
        return text.split(",")
    return text
