"""At AWS: calls, new credentials, and attempts to undo what was done to their IAM users.

Every act tries each access key and session of the person's, until one is let through.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import httpx

from tabletop.acts.act import Act, Doing, Options, Outcome, known, outcome, told, until_let_in
from tabletop.sims.aws import Aws
from tabletop.sims.aws_policy import ADMINISTRATOR
from tabletop.sims.aws_suspect import ask, keys_of, roles_of, sessions_of, text_of, users_of
from tabletop.sims.run import Simulators
from tabletop.sims.world import Person

OURS = "killswitch-"  # how the policies begin that a case puts


async def call(http: httpx.AsyncClient, sims: Simulators, person: Person, options: Options) -> Act:
    """Call AWS with everything they have."""
    known(options)
    aws: Aws = sims["aws"]
    held = _credentials(aws, person)
    ended = [await _ask(http, aws, key, token, Action="ListUsers") for key, token in held]
    let_in = sum(one.worked for one in ended)
    says = f"{let_in} of {len(held)} AWS credentials of {person.login} were let through"
    return Act("aws.call", bool(let_in), says)


async def create_access_key(
    http: httpx.AsyncClient, sims: Simulators, person: Person, options: Options
) -> Act:
    """Mint an access key for ``user``, or for one of their users.

    IAM allows two a user: where there are two already, one that is Inactive is deleted first.
    """
    known(options, "user")
    aws: Aws = sims["aws"]

    async def minted(user: str, key: str, token: str) -> Outcome:
        asked = {"Action": "CreateAccessKey", "UserName": user}
        ended = await _ask(http, aws, key, token, **asked)
        if ended.why == "LimitExceeded" and await _made_room(http, aws, key, token, user):
            ended = await _ask(http, aws, key, token, **asked)
        return ended

    ended = await until_let_in(
        minted(user, key, token)
        for user in _users(aws, person, options)
        for key, token in _credentials(aws, person)
    )
    return told("aws.create_access_key", f"new AWS access key by {person.login}", ended)


async def assume_role(
    http: httpx.AsyncClient, sims: Simulators, person: Person, options: Options
) -> Act:
    """Begin a new session in ``role``, or in one of their agents' roles."""
    known(options, "role")
    aws: Aws = sims["aws"]
    arn = f"arn:aws:iam::{aws.state['account']}:role/"
    roles = [str(options["role"])] if "role" in options else roles_of(aws, person)
    asked = {"Action": "AssumeRole", "RoleSessionName": f"act-{len(aws.sessions) + 1}"}
    ended = await until_let_in(
        _ask(http, aws, key, token, "sts", RoleArn=arn + role, **asked)
        for role in roles
        for key, token in _credentials(aws, person)
    )
    return told("aws.assume_role", f"new AWS session by {person.login}", ended)


async def delete_deny_policy(
    http: httpx.AsyncClient, sims: Simulators, person: Person, options: Options
) -> Act:
    """Delete an inline policy that denies everything from ``user``, or from one of their users."""
    known(options, "user")
    aws: Aws = sims["aws"]

    async def deleted(user: str, key: str, token: str) -> Outcome:
        listed = await _ask(http, aws, key, token, Action="ListUserPolicies", UserName=user)
        names = [name for name in _members(listed, "PolicyNames") if name.startswith(OURS)]
        if not names:
            return Outcome(False, "there is none") if listed.worked else listed
        asked = {"UserName": user, "PolicyName": names[0]}
        return await _ask(http, aws, key, token, Action="DeleteUserPolicy", **asked)

    ended = await until_let_in(
        deleted(user, key, token)
        for user in _users(aws, person, options)
        for key, token in _credentials(aws, person)
    )
    return told("aws.delete_deny_policy", f"deletion of a deny policy by {person.login}", ended)


async def reattach_policy(
    http: httpx.AsyncClient, sims: Simulators, person: Person, options: Options
) -> Act:
    """Attach the managed ``policy``, AdministratorAccess if unsaid, to ``user`` or to theirs."""
    known(options, "user", "policy")
    aws: Aws = sims["aws"]
    policy = str(options.get("policy", ADMINISTRATOR))
    asked = {"Action": "AttachUserPolicy", "PolicyArn": policy}
    ended = await until_let_in(
        _ask(http, aws, key, token, UserName=user, **asked)
        for user in _users(aws, person, options)
        for key, token in _credentials(aws, person)
    )
    what = f"{policy.rpartition('/')[2]} attached again by {person.login}"
    return told("aws.reattach_policy", what, ended)


async def activate_access_key(
    http: httpx.AsyncClient, sims: Simulators, person: Person, options: Options
) -> Act:
    """Set a key of theirs that is Inactive to Active again."""
    known(options)
    aws: Aws = sims["aws"]
    every = keys_of(aws, person).items()
    off = [(k, user) for k, user in every if aws.state["keys"][k]["status"] == "Inactive"]
    asked = {"Action": "UpdateAccessKey", "Status": "Active"}
    ended = await until_let_in(
        _ask(http, aws, key, token, UserName=user, AccessKeyId=inactive, **asked)
        for inactive, user in off
        for key, token in _credentials(aws, person)
    )
    return told("aws.activate_access_key", f"activation of an access key by {person.login}", ended)


def _users(aws: Aws, person: Person, options: Options) -> list[str]:
    return [str(options["user"])] if "user" in options else users_of(aws, person)


def _credentials(aws: Aws, person: Person) -> list[tuple[str, str]]:
    """Access key ids, with the session token where there is one."""
    sessions = sessions_of(aws, person).items()
    return [*((key, "") for key in keys_of(aws, person)), *((k, s["token"]) for k, s in sessions)]


async def _made_room(http: httpx.AsyncClient, aws: Aws, key: str, token: str, user: str) -> bool:
    """Whether an Inactive key of that user could be deleted."""
    listed = await _ask(http, aws, key, token, Action="ListAccessKeys", UserName=user)
    text = listed.answer.text if listed.worked and listed.answer is not None else ""
    pairs = re.findall(r"<AccessKeyId>(\w+)</AccessKeyId><Status>Inactive</Status>", text)
    for old in pairs:
        asked = {"Action": "DeleteAccessKey", "UserName": user, "AccessKeyId": old}
        if (await _ask(http, aws, key, token, **asked)).worked:
            return True
    return False


def _members(ended: Outcome, name: str) -> Iterable[str]:
    """The texts of a list in the answer."""
    text = ended.answer.text if ended.worked and ended.answer is not None else ""
    found = re.search(rf"<{name}>(.*?)</{name}>", text, re.DOTALL)
    return re.findall(r"<member>([^<]*)</member>", found[1]) if found else []


async def _ask(
    http: httpx.AsyncClient, aws: Aws, key: str, token: str, service: str = "iam", **params: str
) -> Outcome:
    """How the request ended; AWS says why by a code."""
    ended = await outcome(ask(http, aws.url, key, service, token, rehearsal=False, **params))
    if ended.worked or ended.answer is None:
        return ended
    return Outcome(False, text_of(ended.answer, "Code") or ended.why, ended.answer)


ACTS: dict[str, Doing] = {
    "aws.call": call,
    "aws.create_access_key": create_access_key,
    "aws.assume_role": assume_role,
    "aws.delete_deny_policy": delete_deny_policy,
    "aws.reattach_policy": reattach_policy,
    "aws.activate_access_key": activate_access_key,
}
