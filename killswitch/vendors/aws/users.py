"""IAM users: deny everything, with one inline policy that carries the case's name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from killswitch.model.action import Action, Layer, Probe, Residual, Target, Undo
from killswitch.model.errors import Denied, Missing
from killswitch.model.subject import Account
from killswitch.vendors.aws.client import Aws
from killswitch.vendors.aws.policies import (
    DENY_ALL,
    USER_QUOTA,
    Inline,
    denies_all,
    size,
    stored,
    user_policy,
)
from killswitch.vendors.aws.principals import OURSELVES, own_id, user_name, users_of

# What an agent would reach for; a policy that denies everything answers each the same.
TRIED = ("iam:CreateAccessKey", "sts:AssumeRole", "s3:ListAllMyBuckets", "bedrock:InvokeModel")


@dataclass(frozen=True, kw_only=True)
class User(Target):
    """An IAM user; ``policy`` is the name of the inline policy that is ours."""

    user_name: str
    arn: str
    policy: str


@dataclass(frozen=True)
class DenyAll(Action[Aws, User, Inline]):
    """Deny the user everything. Sessions made with their keys are denied with them."""

    name = "aws.user.deny_all"
    layer = Layer.CREDENTIALS
    undo_kind = Undo.EXACT
    scopes = frozenset(
        {
            "iam:GetAccountAuthorizationDetails",
            "iam:GetUser",
            "iam:GetUserPolicy",
            "iam:PutUserPolicy",
            "iam:DeleteUserPolicy",
        }
    )
    residual = Residual(
        "IAM is eventually consistent: AWS says that a policy may take a few minutes to take "
        "effect. Role sessions that were assumed before are not the user's: "
        "aws.role_sessions.revoke ends those",
        None,
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_control-access_disable-perms.html",
    )
    doc_url = "https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutUserPolicy.html"

    async def locate(self, client: Aws, account: Account) -> AsyncIterator[User]:
        """The person's users. A person must act where IAM leaves no room for the policy."""
        ours = await own_id(client)
        async for user in users_of(client, account):
            manual = OURSELVES if user.id == ours else ""
            taken = size([p for p in user.policies if not denies_all(p)])
            if not manual and taken + len(DENY_ALL) > USER_QUOTA:
                manual = (
                    f"the inline policies of {user.name} take {taken} of {USER_QUOTA} characters "
                    "and leave no room: attach the managed policy AWSDenyAll by hand"
                )
            yield User(
                id=user.id,
                label=f"user {user.name}",
                manual=manual,
                user_name=user.name,
                arn=user.arn,
                policy=account.mark,
            )

    async def capture(self, client: Aws, target: User) -> Inline:
        """What stands under our policy's name."""
        name = await user_name(client, target.id, target.user_name)
        answer = await user_policy(client, name, target.policy)
        if answer is None:
            return Inline(applied=False)
        text = stored(answer)
        return Inline(applied=True) if denies_all(text) else Inline(applied=False, other=text)

    def goal(self, target: User, before: Inline) -> Inline:
        """The policy is there, and says what ours says."""
        return Inline(applied=True)

    async def apply(self, client: Aws, target: User, before: Inline) -> None:
        """Put the policy, over whatever stands under its name."""
        await self._put(client, target, DENY_ALL)

    async def undo(self, client: Aws, target: User, before: Inline) -> None:
        """Delete the policy, or put back the exact text that stood under its name."""
        if before.applied or before.other:
            await self._put(client, target, before.other or DENY_ALL)
            return
        name = await user_name(client, target.id, target.user_name)
        try:
            await client.call("iam", "delete_user_policy", UserName=name, PolicyName=target.policy)
        except Missing:  # deleted already
            return

    async def probe(self, client: Aws, target: User) -> Probe | None:
        """Ask IAM what the user may do now; needs ``iam:SimulatePrincipalPolicy``."""
        how = "SimulatePrincipalPolicy: " + ", ".join(TRIED)
        try:
            answer = await client.call(
                "iam",
                "simulate_principal_policy",
                PolicySourceArn=target.arn,
                ActionNames=list(TRIED),
            )
        except Denied:
            return Probe(None, "our credential lacks iam:SimulatePrincipalPolicy")
        decisions = {r["EvalDecision"] for r in answer.data.get("EvaluationResults", [])}
        return Probe(decisions == {"explicitDeny"}, how)

    async def _put(self, client: Aws, target: User, text: str) -> None:
        name = await user_name(client, target.id, target.user_name)
        await client.call(
            "iam",
            "put_user_policy",
            UserName=name,
            PolicyName=target.policy,
            PolicyDocument=text,
        )
