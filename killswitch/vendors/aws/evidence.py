"""Evidence at AWS: the keys, the users and roles as they are configured, and what they did."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, ClassVar

from killswitch.model.collector import Artifact, Collector, Window
from killswitch.model.subject import Account
from killswitch.vendors.aws.client import Answer, Aws
from killswitch.vendors.aws.principals import roles_of, users_of

REFERENCE = "https://docs.aws.amazon.com/IAM/latest/APIReference/"
LAG = (
    "management events of up to 90 days; CloudTrail shows a call some 5 to 15 minutes late, "
    "so the last minutes may be missing"
)
MOST_SESSIONS = 100  # sessions that are followed up, so that a busy role cannot take all night


@dataclass(frozen=True)
class AccessKeys(Collector[Aws]):
    """The access keys of the person's users, and where each was last used."""

    name: ClassVar[str] = "aws.access_keys"
    volatile: ClassVar[bool] = False
    scopes: ClassVar[frozenset[str]] = frozenset(
        {
            "iam:GetAccountAuthorizationDetails",
            "iam:ListAccessKeys",
            "iam:GetAccessKeyLastUsed",
        }
    )
    doc_url: ClassVar[str] = REFERENCE + "API_GetAccessKeyLastUsed.html"

    async def collect(
        self, client: Aws, account: Account, window: Window
    ) -> AsyncIterator[Artifact]:
        """One artifact a page of keys, then one a key."""
        async for user in users_of(client, account):
            async for page in client.pages("list_access_keys", UserName=user.name):
                yield _iam(f"access keys of {user.name}", "ListAccessKeys", page)
                for key in page.data["AccessKeyMetadata"]:
                    used = await client.call(
                        "iam", "get_access_key_last_used", AccessKeyId=key["AccessKeyId"]
                    )
                    yield _iam(f"last use of {key['AccessKeyId']}", "GetAccessKeyLastUsed", used)


@dataclass(frozen=True)
class User(Collector[Aws]):
    """The person's users and roles: tags, groups, attached and inline policies."""

    name: ClassVar[str] = "aws.user"
    volatile: ClassVar[bool] = False
    scopes: ClassVar[frozenset[str]] = frozenset(
        {
            "iam:GetAccountAuthorizationDetails",
            "iam:GetUser",
            "iam:ListGroupsForUser",
            "iam:ListAttachedUserPolicies",
            "iam:ListUserPolicies",
            "iam:GetUserPolicy",
            "iam:GetRole",
            "iam:ListAttachedRolePolicies",
            "iam:ListRolePolicies",
            "iam:GetRolePolicy",
        }
    )
    doc_url: ClassVar[str] = REFERENCE + "API_GetUser.html"

    async def collect(
        self, client: Aws, account: Account, window: Window
    ) -> AsyncIterator[Artifact]:
        """One artifact an answer: the user, their groups, their policies; then the roles."""
        async for user in users_of(client, account):
            yield _iam(
                f"user {user.name}",
                "GetUser",
                await client.call("iam", "get_user", UserName=user.name),
            )
            async for page in client.pages("list_groups_for_user", UserName=user.name):
                yield _iam(f"groups of {user.name}", "ListGroupsForUser", page)
            async for artifact in _policies(client, "User", user.name):
                yield artifact
        async for role in roles_of(client, account):
            yield _iam(
                f"role {role.name}",
                "GetRole",
                await client.call("iam", "get_role", RoleName=role.name),
            )
            async for artifact in _policies(client, "Role", role.name):
                yield artifact


@dataclass(frozen=True)
class CloudTrail(Collector[Aws]):
    """What the person's users, keys and role sessions did, in every configured region.

    A session's calls carry its own temporary key, so the sessions that were made are found first
    and then looked up in turn. Regions are searched side by side, each at the vendor's pace; one
    that fails doesn't stop the others and is reported at the end.
    """

    name: ClassVar[str] = "aws.cloudtrail"
    volatile: ClassVar[bool] = False
    scopes: ClassVar[frozenset[str]] = frozenset(
        {"iam:GetAccountAuthorizationDetails", "iam:ListAccessKeys", "cloudtrail:LookupEvents"}
    )
    doc_url: ClassVar[str] = (
        "https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html"
    )

    pages: int = 40  # of 50 events, for one key or name in one region

    async def collect(
        self, client: Aws, account: Account, window: Window
    ) -> AsyncIterator[Artifact]:
        """One artifact a page of events."""
        asked: list[tuple[str, str]] = []
        async for user in users_of(client, account):
            if not account.session:
                asked.append(("Username", user.name))
            async for page in client.pages("list_access_keys", UserName=user.name):
                asked += [("AccessKeyId", k["AccessKeyId"]) for k in page.data["AccessKeyMetadata"]]
        if account.session:
            asked = [("AccessKeyId", account.session)]
        else:
            asked += [("ResourceName", role.arn) async for role in roles_of(client, account)]
        sessions: dict[str, None] = {}  # in the order in which they were found
        async with aclosing(self._everywhere(client, asked, window, sessions)) as found:
            async for artifact in found:
                yield artifact
        followed = [("AccessKeyId", key) for key in list(sessions)[:MOST_SESSIONS]]
        async with aclosing(self._everywhere(client, followed, window, sessions)) as found:
            async for artifact in found:
                yield artifact

    async def _everywhere(
        self,
        client: Aws,
        asked: list[tuple[str, str]],
        window: Window,
        sessions: dict[str, None],
    ) -> AsyncGenerator[Artifact, None]:
        """All regions side by side; artifacts as they come, then the first region's error."""
        queue: asyncio.Queue[Artifact | None] = asyncio.Queue()

        async def search(region: str) -> None:
            try:
                async for artifact in self._region(client, region, asked, window, sessions):
                    queue.put_nowait(artifact)
            finally:
                queue.put_nowait(None)

        searches = [asyncio.create_task(search(region)) for region in client.settings.regions]
        try:
            running = len(searches)
            while running:
                artifact = await queue.get()
                if artifact is None:
                    running -= 1
                else:
                    yield artifact
        finally:
            for task in searches:
                task.cancel()
            ended = await asyncio.gather(*searches, return_exceptions=True)
        for outcome in ended:
            if isinstance(outcome, BaseException):
                raise outcome

    async def _region(
        self,
        client: Aws,
        region: str,
        asked: list[tuple[str, str]],
        window: Window,
        sessions: dict[str, None],
    ) -> AsyncIterator[Artifact]:
        for key, value in asked:
            ask: dict[str, Any] = {
                "LookupAttributes": [{"AttributeKey": key, "AttributeValue": value}],
                "StartTime": window.since,
                "EndTime": window.until,
                "MaxResults": 50,
            }
            for number in range(1, self.pages + 1):
                page = await client.call("cloudtrail", "lookup_events", region=region, **ask)
                sessions.update(dict.fromkeys(_sessions_made(page.need("Events"))))
                more = page.data.get("NextToken")
                last = number == self.pages
                yield Artifact(
                    name=f"cloudtrail {region} {key}={value}, page {number}",
                    body=page.body,
                    media_type="application/x-amz-json-1.1",
                    source=f"cloudtrail:LookupEvents {region}",
                    query=json.dumps(ask, default=str),
                    request_id=page.request_id,
                    truncated=bool(more) and last,
                    note=LAG + (f"; stopped after {number} pages" if more and last else ""),
                )
                await asyncio.sleep(1 / client.settings.lookup_rate)
                if not more:
                    break
                ask["NextToken"] = more


async def _policies(client: Aws, kind: str, name: str) -> AsyncIterator[Artifact]:
    """The managed and inline policies of a user or role."""
    whose = {f"{kind}Name": name}
    noun = kind.lower()
    async for page in client.pages(f"list_attached_{noun}_policies", **whose):
        yield _iam(f"attached policies of {name}", f"ListAttached{kind}Policies", page)
    async for page in client.pages(f"list_{noun}_policies", **whose):
        yield _iam(f"inline policies of {name}", f"List{kind}Policies", page)
        for policy in page.data["PolicyNames"]:
            text = await client.call("iam", f"get_{noun}_policy", PolicyName=policy, **whose)
            yield _iam(f"inline policy {policy} of {name}", f"Get{kind}Policy", text)


def _sessions_made(events: Iterable[dict[str, Any]]) -> list[str]:
    """The temporary keys that STS gave out in these events."""
    found: list[str] = []
    for event in events:
        record = json.loads(event.get("CloudTrailEvent") or "{}")
        made = ((record.get("responseElements") or {}).get("credentials") or {}).get("accessKeyId")
        if isinstance(made, str):
            found.append(made)
    return found


def _iam(name: str, operation: str, answer: Answer) -> Artifact:
    return Artifact(
        name=name,
        body=answer.body,
        media_type="text/xml",
        source=f"iam:{operation}",
        request_id=answer.request_id,
    )
