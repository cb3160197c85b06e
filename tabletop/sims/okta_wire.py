"""How Okta says no, and how it searches: shared by the routes of its simulator."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from typing import Any

from starlette.responses import JSONResponse

from tabletop.sims.base import Refusal

Json = dict[str, Any]

SUMMARIES = {
    "E0000001": (400, "Api validation failed: {}"),
    "E0000004": (401, "Authentication failed"),
    "E0000006": (403, "You do not have permission to perform the requested action"),
    "E0000007": (404, "Not found: Resource not found: {}"),
    "E0000011": (401, "Invalid token provided"),
    "E0000031": (400, "Invalid search criteria."),
}
CLAUSE = re.compile(r'([\w.]+) eq "((?:[^"\\]|\\.)*)"')
WORD = re.compile(r'[\w.]+ eq "(?:[^"\\]|\\.)*"|[^\s()]+')


def refusal(code: str, about: str = "", *, scope: str = "") -> Refusal:
    """Okta's error of that code."""
    status, summary = SUMMARIES[code]
    body = {
        "errorCode": code,
        "errorSummary": summary.format(about),
        "errorLink": code,
        "errorId": "oae" + secrets.token_hex(11),
        "errorCauses": [],
    }
    headers = {"x-okta-request-id": "req-of-refusal"}
    if scope:
        headers["www-authenticate"] = f'Bearer error="insufficient_scope", scope="{scope}"'
    return Refusal(JSONResponse(body, status, headers))


def oauth_refusal(status: int, error: str, description: str) -> Refusal:
    """The token endpoint's error, which has another shape."""
    return Refusal(JSONResponse({"error": error, "error_description": description}, status))


def matches(search: str, item: Json) -> bool:
    """Whether the item is meant by ``a eq "x" or (b eq "y" and c eq "z")``.

    ``or`` binds last, so the parentheses that killswitch writes change nothing. Other operators
    are refused.
    """
    words = WORD.findall(search)
    return not words or any(all(clauses) for clauses in _alternatives(words, item))


def _alternatives(words: list[str], item: Json) -> Iterator[list[bool]]:
    clauses: list[bool] = []
    for word in words:
        if word == "or":
            yield clauses
            clauses = []
        elif clause := CLAUSE.fullmatch(word):
            wanted = re.sub(r"\\(.)", r"\1", clause[2]).lower()
            clauses.append(wanted in [v.lower() for v in _values(item, clause[1].split("."))])
        elif word != "and":
            raise refusal("E0000031")
    yield clauses


def _values(item: Any, path: list[str]) -> list[str]:
    """The text at the path, through lists."""
    if isinstance(item, list):
        return [v for each in item for v in _values(each, path)]
    if not path:
        return [item] if isinstance(item, str) else []
    return _values(item.get(path[0]), path[1:]) if isinstance(item, dict) else []
