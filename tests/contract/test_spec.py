"""The checker itself: it must find what is wrong and pass what is right."""

from __future__ import annotations

import json
from dataclasses import replace

from tabletop.sims.base import Exchange
from tests.contract import spec

DOCUMENT = {
    "openapi": "3.0.3",
    "servers": [{"url": "https://vendor.example/v1"}],
    "paths": {
        "/things/{id}": {
            "parameters": [{"in": "path", "name": "id", "schema": {"type": "string"}}],
            "put": {
                "parameters": [
                    {"in": "query", "name": "deep", "schema": {"type": "boolean"}},
                    {"in": "query", "name": "page", "schema": {"type": "integer", "maximum": 9}},
                ],
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/T"}}},
                },
                "responses": {
                    "200": {
                        "description": "",
                        "content": {
                            "application/json": {"schema": {"$ref": "#/components/schemas/T"}}
                        },
                    },
                    "204": {"description": ""},
                },
            },
        },
        "/things/me": {"put": {"responses": {"2XX": {"description": ""}}}},
    },
    "components": {
        "schemas": {
            "Id": {"type": "string", "readOnly": True},
            "Kind": {"type": "string", "enum": ["a", "b"], "nullable": True},
            "T": {
                "type": "object",
                "required": ["id", "example"],
                "properties": {
                    "id": {"$ref": "#/components/schemas/Id"},
                    "example": {"type": "string"},
                    "kind": {"$ref": "#/components/schemas/Kind"},
                    "part": {"allOf": [{"$ref": "#/components/schemas/T"}], "nullable": True},
                    "when": {"type": "string", "format": "date-time", "nullable": True},
                },
            },
        }
    },
}
THING = {"id": "1", "example": "x", "kind": None, "part": None, "when": None}
JSON = {"Content-Type": "application/json; charset=utf-8"}
GOOD = Exchange(
    "PUT", "/v1/things/1", "deep=true&page=2", JSON, b'{"example": "x"}', 200, JSON,
    json.dumps(THING).encode(),
)  # fmt: skip


def found(**different: object) -> list[str]:
    """What is wrong with the good exchange after the change."""
    exchange = replace(GOOD, **different)
    operation, findings = spec.Document(DOCUMENT).examine(exchange)
    return [f"{operation}: {where}: {what}" for where, what in findings]


def answered(**different: object) -> list[str]:
    return found(response_body=json.dumps({**THING, **different}).encode())


def test_what_the_document_says_passes_nulls_and_read_only_fields_included() -> None:
    assert found() == []
    assert answered(kind="a", part=THING, when="2026-01-02T03:04:05Z") == []
    assert found(status=204, response_body=b"") == []
    assert found(path="/v1/things/me", request_body=b"", query="", status=201,
                 response_body=b"") == []  # fmt: skip


def test_an_answer_that_breaks_its_schema_is_named_by_place() -> None:
    assert answered(kind="c")[0].startswith("PUT /things/{id}: response 200 $.kind: ")
    assert answered(when="yesterday")[0].startswith("PUT /things/{id}: response 200 $.when: ")
    assert answered(example=None)[0].startswith("PUT /things/{id}: response 200 $.example: ")
    assert len(answered(part={"id": "1"})) == 1
    assert len(found(response_body=b'{"example": "x"}')) == 1, "answers carry read-only fields"


def test_what_is_not_declared_is_named() -> None:
    assert found(path="/v1/other") == ["PUT /v1/other: operation: not in the document"]
    assert found(method="GET") == ["GET /v1/things/1: operation: not in the document"]
    assert found(status=418)[0].startswith("PUT /things/{id}: status 418: undeclared")
    assert found(query="deeper=1") == ["PUT /things/{id}: query deeper: no such parameter"]
    assert len(found(query="deep=maybe")) == 1
    assert len(found(query="page=10")) == 1


def test_bodies_must_be_there_or_not_as_declared() -> None:
    assert found(request_body=b"") == ["PUT /things/{id}: request: a body is required"]
    assert len(found(request_body=b"{}")) == 1
    assert len(found(response_body=b"")) == 1
    assert len(found(response_body=b"{")) == 1
    assert len(found(status=204)) == 1
    assert len(found(response_headers={"content-type": "text/html"})) == 1


def test_an_answer_that_a_fault_made_up_is_not_held_to_it_but_the_request_is() -> None:
    assert found(fault="status", status=599, response_body=b"") == []
    assert len(found(fault="status", status=599, query="deeper=1")) == 1
