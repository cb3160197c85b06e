"""Who may do what: the part of IAM's policy language that the simulator evaluates.

Allow and Deny on actions with wildcards, on every resource, with a condition on when the token
was issued. A policy that says more is refused when it is put, so nothing is quietly not enforced.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
DENY_ALL = "arn:aws:iam::aws:policy/AWSDenyAll"
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"


def document(effect: str, *actions: str) -> str:
    """A policy document of one statement on every resource."""
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [{"Effect": effect, "Action": list(actions), "Resource": "*"}],
        }
    )


MANAGED = {
    ADMINISTRATOR: document("Allow", "*"),
    DENY_ALL: document("Deny", "*"),
    READ_ONLY: document("Allow", "iam:Get*", "iam:List*", "s3:Get*", "s3:List*"),
}


def why_unsupported(text: str) -> str:
    """Why a document is malformed, or beyond what is evaluated here; "" if it is neither."""
    try:
        statements = _statements(text)
    except (ValueError, KeyError, TypeError):
        return "This policy contains invalid Json"
    for statement in statements:
        if statement.get("Effect") not in ("Allow", "Deny") or "Action" not in statement:
            return "Syntax errors in policy."
        if statement.get("Resource") != "*":
            return "the simulator evaluates policies on every resource only"
        for operator, keys in statement.get("Condition", {}).items():
            if operator != "DateLessThan" or set(keys) != {"aws:TokenIssueTime"}:
                return f"the simulator does not evaluate the condition {operator}"
    return ""


def decide(documents: Iterable[str], action: str, context: Mapping[str, str]) -> str:
    """``explicitDeny``, ``allowed`` or ``implicitDeny``: a Deny wins over every Allow."""
    effects = {
        statement["Effect"]
        for text in documents
        for statement in _statements(text)
        if _covers(statement, action) and _applies(statement, context)
    }
    if "Deny" in effects:
        return "explicitDeny"
    return "allowed" if "Allow" in effects else "implicitDeny"


def _statements(text: str) -> list[dict[str, Any]]:
    found = json.loads(text)["Statement"]
    return [found] if isinstance(found, dict) else list(found)


def _covers(statement: dict[str, Any], action: str) -> bool:
    patterns = statement["Action"]
    listed = [patterns] if isinstance(patterns, str) else patterns
    return any(fnmatchcase(action.lower(), pattern.lower()) for pattern in listed)


def _applies(statement: dict[str, Any], context: Mapping[str, str]) -> bool:
    """A key that the request lacks makes its condition false, as long-term keys lack this one."""
    before = statement.get("Condition", {}).get("DateLessThan", {}).get("aws:TokenIssueTime")
    issued = context.get("aws:TokenIssueTime", "")
    if before is None:
        return True
    return bool(issued) and datetime.fromisoformat(issued) < datetime.fromisoformat(before)
