"""Where a vendor's published document is wrong or silent, and why we say so.

An entry lets one finding of ``spec.violations`` pass. Everything else is a failure: a simulator
that strays from its vendor's document teaches the wrong thing.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True)
class Allowed:
    """``operation`` may hold ``*`` for anything; ``where`` is the finding's place, verbatim.

    ``what`` is how the finding begins, where only one kind of it is excused.
    """

    document: str
    operation: str
    where: str
    reason: str
    what: str = ""

    def excuses(self, document: str, operation: str, where: str, what: str) -> bool:
        """Whether that finding is this one."""
        return (
            self.document == document
            and fnmatchcase(operation, self.operation)
            and self.where == where
            and what.startswith(self.what)
        )


OKTA_NULL_LOG_FIELDS = (
    "actor.detailEntry",
    "authenticationContext.authenticationProvider",
    "authenticationContext.credentialProvider",
    "authenticationContext.credentialType",
    "authenticationContext.interface",
    "authenticationContext.issuer",
    "client.geographicalContext.city",
    "client.geographicalContext.geolocation",
    "client.geographicalContext.postalCode",
    "client.geographicalContext.state",
    "client.id",
    "client.zone",
    "legacyEventType",
    "outcome.reason",
    "request.ipChain[*].geographicalContext.city",
    "request.ipChain[*].geographicalContext.geolocation",
    "request.ipChain[*].geographicalContext.postalCode",
    "request.ipChain[*].geographicalContext.state",
    "target",
    "target[*].detailEntry",
)

GITHUB_LEFT_OUT = (
    "POST /api/graphql",
    "GET /user/*",  # by account_id
    "GET /orgs/*/members",
    "POST /repos/*/rerun",
    "POST /orgs/*/credential-authorizations/*/revoke",
)

ALLOWED = [
    Allowed(
        "okta-management",
        "*",
        "status 401",
        "the document declares no 401, which every route answers to a bad token (E0000011)",
    ),
    Allowed(
        "okta-management",
        "GET /api/v1/iam/assignees/users",
        "operation",
        "documented by Okta, and not in the slice that we have",
    ),
    Allowed(
        "okta-management",
        "GET /api/v1/users/{userId}/roles",
        "response 200 $[*]",
        "StandardRole and CustomRole overlap: the document's own examples match both of its oneOf",
        '{"assignmentType"',
    ),
    *(
        Allowed(
            "okta-management",
            "GET /api/v1/users/{userId}/clients",
            f"response 200 $[*].{field}",
            "null in the document's own example",
            "null is not",
        )
        for field in ("client_uri", "logo_uri")
    ),
    *(
        Allowed(
            "okta-management",
            "GET /api/v1/logs",
            f"response 200 $[*].{field}",
            "the document forbids the nulls that its own example and the live API are full of",
            "null is not",
        )
        for field in OKTA_NULL_LOG_FIELDS
    ),
    *(
        Allowed("github-ghec", operation, "operation", "GitHub's, and not in the slice we have")
        for operation in GITHUB_LEFT_OUT
    ),
    Allowed(
        "github-ghec",
        "GET /repos/{owner}/{repo}/pulls/{pull_number}",
        "response 200",
        "its media types are named in the prose, application/vnd.github.diff first",
        "application/vnd.github.diff",
    ),
    Allowed(
        "github-ghec",
        "GET /repos/{owner}/{repo}/actions/runs",
        "query created $",
        "declared a date-time, described as a range in the search syntax: >=2026-11-14",
    ),
]
