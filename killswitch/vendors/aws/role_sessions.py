"""Sessions of IAM roles: refuse all that were issued before a moment."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from killswitch.model.action import Action, Layer, Probe, Residual, Target, Undo
from killswitch.model.errors import Denied, Missing
from killswitch.model.subject import Account
from killswitch.vendors.aws.client import Aws
from killswitch.vendors.aws.policies import (
    ROLE_QUOTA,
    Inline,
    just_after,
    revocation,
    revoked_before,
    role_policy,
    size,
    stored,
)
from killswitch.vendors.aws.principals import (
    OURSELVES,
    Principal,
    own_id,
    require_role,
    roles_of,
)

AWS_OWNED = ("/aws-service-role/", "/aws-reserved/")


@dataclass(frozen=True, kw_only=True)
class Role(Target):
    """An IAM role; ``since``: when it was planned, by the vendor's clock."""

    role_name: str
    arn: str
    policy: str
    since: str


@dataclass(frozen=True)
class Revoke(Action[Aws, Role, Inline]):
    """Deny the role's sessions that were issued before the first apply.

    The moment is fixed by the first apply. A second one finds it and puts it again: moved, it
    would end the sessions of those who have signed in anew since.
    """

    name = "aws.role_sessions.revoke"
    layer = Layer.CREDENTIALS
    undo_kind = Undo.EXACT
    scopes = frozenset(
        {
            "iam:GetAccountAuthorizationDetails",
            "iam:GetRole",
            "iam:GetRolePolicy",
            "iam:PutRolePolicy",
            "iam:DeleteRolePolicy",
        }
    )
    residual = Residual(
        "IAM is eventually consistent: AWS says that a policy may take a few minutes to take "
        "effect. Whoever may still assume the role can do so anew",
        None,
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_revoke-sessions.html",
    )
    doc_url = "https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html"

    async def locate(self, client: Aws, account: Account) -> AsyncIterator[Role]:
        """The roles of the person's agents. AWS lets nobody change those that it owns."""
        ours = await own_id(client)
        async for role in roles_of(client, account):
            yield Role(
                id=role.id,
                label=f"role {role.name}",
                manual=_manual(role, ours),
                role_name=role.name,
                arn=role.arn,
                policy=account.mark,
                since=role.seen.strftime("%Y-%m-%dT%H:%M:%SZ"),
            )

    async def capture(self, client: Aws, target: Role) -> Inline:
        """What stands under our policy's name. A cut-off from before the plan is not ours."""
        await require_role(client, target.id, target.role_name)
        answer = await role_policy(client, target.role_name, target.policy)
        if answer is None:
            return Inline(applied=False)
        text = stored(answer)
        moment = revoked_before(text)
        if moment and moment >= datetime.fromisoformat(target.since):
            return Inline(applied=True)
        return Inline(applied=False, other=text)

    def goal(self, target: Role, before: Inline) -> Inline:
        """A revocation is there whose moment is not before the plan."""
        return Inline(applied=True)

    async def apply(self, client: Aws, target: Role, before: Inline) -> None:
        """Put the revocation, at the moment that was fixed before or at the vendor's now."""
        role = await require_role(client, target.id, target.role_name)
        answer = await role_policy(client, target.role_name, target.policy)
        text = stored(answer) if answer else ""
        moment = revoked_before(text)
        if moment is None or moment < datetime.fromisoformat(target.since):
            text = revocation(just_after(role.at))
        await self._put(client, target, text)

    async def undo(self, client: Aws, target: Role, before: Inline) -> None:
        """Delete the revocation, or put back the exact text that stood under its name."""
        await require_role(client, target.id, target.role_name)
        if before.applied:  # the revocation was there before us and stays
            return
        if before.other:
            await self._put(client, target, before.other)
            return
        try:
            await client.call(
                "iam",
                "delete_role_policy",
                RoleName=target.role_name,
                PolicyName=target.policy,
            )
        except Missing:  # deleted already
            return

    async def probe(self, client: Aws, target: Role) -> Probe | None:
        """Ask IAM about a session issued when we planned; ``iam:SimulatePrincipalPolicy``."""
        try:
            answer = await client.call(
                "iam",
                "simulate_principal_policy",
                PolicySourceArn=target.arn,
                ActionNames=["s3:ListAllMyBuckets", "sts:AssumeRole"],
                ContextEntries=[
                    {
                        "ContextKeyName": "aws:TokenIssueTime",
                        "ContextKeyValues": [target.since],
                        "ContextKeyType": "date",
                    }
                ],
            )
        except Denied:
            return Probe(None, "our credential lacks iam:SimulatePrincipalPolicy")
        decisions = {r["EvalDecision"] for r in answer.data.get("EvaluationResults", [])}
        how = f"SimulatePrincipalPolicy: a session issued {target.since}"
        return Probe(decisions == {"explicitDeny"}, how)

    def impact(self, target: Role, before: Inline) -> str:
        """A role's sessions cannot be told apart by person."""
        return f"everyone who is in a session of the role {target.role_name} must assume it anew"

    async def _put(self, client: Aws, target: Role, text: str) -> None:
        await client.call(
            "iam",
            "put_role_policy",
            RoleName=target.role_name,
            PolicyName=target.policy,
            PolicyDocument=text,
        )


def _manual(role: Principal, ours: str) -> str:
    if role.id == ours:
        return OURSELVES
    if role.path.startswith(AWS_OWNED):
        return f"AWS owns the role {role.name}: end its sessions where it was granted"
    taken = size([p for p in role.policies if revoked_before(p) is None])
    if taken + len(revocation(role.seen)) > ROLE_QUOTA:
        return (
            f"the inline policies of {role.name} take {taken} of {ROLE_QUOTA} characters and "
            "leave no room: revoke its sessions with a managed policy by hand"
        )
    return ""
