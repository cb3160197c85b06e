"""The two inline policies that we put, and how one of our name is read back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote

from killswitch.model.errors import Missing
from killswitch.vendors.aws.client import Answer, Aws

# The most characters, blanks aside, that all inline policies of one user or role may have.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
USER_QUOTA = 2_048
ROLE_QUOTA = 10_240


@dataclass(frozen=True)
class Inline:
    """Our inline policy on one user or role.

    ``applied``: it is there and says what ours says. ``other``: the exact text that stands under
    our name instead, put there by somebody else.
    """

    applied: bool
    other: str = ""


def _document(**condition: Any) -> dict[str, Any]:
    statement = {"Effect": "Deny", "Action": "*", "Resource": "*", **condition}
    return {"Version": "2012-10-17", "Statement": [statement]}


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"))


DENY_ALL = _text(_document())


def revocation(before: datetime) -> str:
    """The policy that refuses every session that was issued before the moment."""
    moment = before.strftime("%Y-%m-%dT%H:%M:%SZ")
    return _text(_document(Condition={"DateLessThan": {"aws:TokenIssueTime": moment}}))


def just_after(moment: datetime) -> datetime:
    """A second later, on the whole second: what was issued in this second is refused as well."""
    return moment.replace(microsecond=0) + timedelta(seconds=1)


def denies_all(text: str) -> bool:
    """Whether a policy is ours that denies everything, however it is laid out."""
    return bool(_parsed(text) == _document())


def revoked_before(text: str) -> datetime | None:
    """The moment of a policy that is a revocation of ours; None if it is anything else."""
    policy = _parsed(text)
    try:
        stated = policy["Statement"][0]["Condition"]["DateLessThan"]["aws:TokenIssueTime"]
        moment = datetime.fromisoformat(stated)
    except (KeyError, IndexError, TypeError, ValueError):  # of another shape: not ours
        return None
    return moment if policy == _parsed(revocation(moment)) else None


def size(texts: list[str]) -> int:
    """How much of the quota the policies take: blanks don't count."""
    return sum(len("".join(text.split())) for text in texts)


def stored(answer: Answer) -> str:
    """The exact text of the policy in an answer; IAM percent-encodes it."""
    return unquote(answer.data["PolicyDocument"])


async def user_policy(client: Aws, user: str, name: str) -> Answer | None:
    """The inline policy of that name; None if the user has none."""
    try:
        return await client.call("iam", "get_user_policy", UserName=user, PolicyName=name)
    except Missing:
        return None


async def role_policy(client: Aws, role: str, name: str) -> Answer | None:
    """The inline policy of that name; None if the role has none."""
    try:
        return await client.call("iam", "get_role_policy", RoleName=role, PolicyName=name)
    except Missing:
        return None


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:  # nothing of ours
        return None
