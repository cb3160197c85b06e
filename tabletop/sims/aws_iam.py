"""IAM as the simulator serves it: one function an operation, over the account's plain data."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from tabletop.sims.aws_policy import MANAGED, decide, why_unsupported
from tabletop.sims.aws_wire import Entries, iso, members

USER_POLICY_SIZE = 2048
ROLE_POLICY_SIZE = 10_240
KEYS_PER_USER = 2


class Failure(Exception):
    """An operation ends with one of the service's documented errors."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


@dataclass
class Call:
    """One authenticated and authorised request."""

    state: dict[str, Any]
    params: Mapping[str, Any]
    now: float
    page: int
    used: Mapping[str, dict[str, Any]]  # key id -> last use since the start
    new_key: Callable[[str], str]
    policies: Callable[[str], list[str]]  # of ``user/jo``
    listed: Callable[[list[Any], int, int], Sequence[Any]]
    caller: str = ""  # ``user/jo``
    killswitch: Callable[[str], bool] | None = None  # may it? set if it is asked about itself

    def text(self, name: str) -> str:
        """A required parameter."""
        if not (value := self.params.get(name)):
            raise Failure(400, "ValidationError", f"{name} must not be empty")
        return str(value)

    def user(self) -> tuple[str, dict[str, Any]]:
        """The user that is named."""
        return self._named("users", "user", self.text("UserName"))

    def role(self) -> tuple[str, dict[str, Any]]:
        """The role that is named."""
        return self._named("roles", "role", self.text("RoleName"))

    def _named(self, table: str, noun: str, name: str) -> tuple[str, dict[str, Any]]:
        found = self.state[table].get(name)
        if found is None:
            raise Failure(404, "NoSuchEntity", f"The {noun} with name {name} cannot be found.")
        return name, found

    def paged(self, **lists: Iterable[Any]) -> dict[str, Any]:
        """The lists, cut into pages one after the other as a single sequence."""
        every = [(name, item) for name, items in lists.items() for item in items]
        marker = str(self.params.get("Marker") or "")
        try:
            start = int(base64.b64decode(marker)) if marker else 0
        except ValueError:
            raise Failure(400, "ValidationError", "Invalid Marker") from None
        size = min(int(self.params.get("MaxItems") or self.page), self.page)
        end = start + size
        shown = self.listed(every, start, size)
        answer: dict[str, Any] = {name: [] for name in lists}
        for name, item in shown[start:end]:
            answer[name].append(item)
        answer["IsTruncated"] = end < len(shown)
        if end < len(shown):
            answer["Marker"] = base64.b64encode(str(end).encode()).decode()
        return answer


Operation = Callable[[Call], "dict[str, Any] | None"]


def _tags(thing: dict[str, Any]) -> list[dict[str, str]]:
    return [{"Key": k, "Value": v} for k, v in thing["tags"].items()]


def _inline(thing: dict[str, Any]) -> list[dict[str, str]]:
    return [
        {"PolicyName": name, "PolicyDocument": quote(text, safe="")}
        for name, text in thing["inline"].items()
    ]


def _attached(thing: dict[str, Any]) -> list[dict[str, str]]:
    return [{"PolicyName": arn.rpartition("/")[2], "PolicyArn": arn} for arn in thing["attached"]]


def _brief(kind: str, name: str, thing: dict[str, Any]) -> dict[str, Any]:
    return {
        "Path": thing.get("path", "/"),
        f"{kind}Name": name,
        f"{kind}Id": thing["id"],
        "Arn": thing["arn"],
        "CreateDate": iso(thing["created"]),
    }


def _role(name: str, role: dict[str, Any]) -> dict[str, Any]:
    statement = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"AWS": role["trusted"]},
    }
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    return {
        **_brief("Role", name, role),
        "AssumeRolePolicyDocument": quote(trust, safe=""),
    }


def _authorization_details(call: Call) -> dict[str, Any]:
    state = call.state
    wanted = set(members(call.params, "Filter")) or {"User", "Group", "Role"}
    page = call.paged(
        UserDetailList=state["users"] if "User" in wanted else [],
        GroupDetailList=state["groups"] if "Group" in wanted else [],
        RoleDetailList=state["roles"] if "Role" in wanted else [],
        Policies=[],
    )
    page["UserDetailList"] = [
        {
            **_brief("User", name, user := state["users"][name]),
            "UserPolicyList": _inline(user),
            "GroupList": user["groups"],
            "AttachedManagedPolicies": _attached(user),
            "Tags": _tags(user),
        }
        for name in page["UserDetailList"]
    ]
    page["GroupDetailList"] = [
        {
            **_brief("Group", name, group := state["groups"][name]),
            "GroupPolicyList": _inline(group),
            "AttachedManagedPolicies": _attached(group),
        }
        for name in page["GroupDetailList"]
    ]
    page["RoleDetailList"] = [
        {
            **_role(name, role := state["roles"][name]),
            "InstanceProfileList": [],
            "RolePolicyList": _inline(role),
            "AttachedManagedPolicies": _attached(role),
            "Tags": _tags(role),
        }
        for name in page["RoleDetailList"]
    ]
    return page


def _list_users(call: Call) -> dict[str, Any]:
    return call.paged(Users=[_brief("User", n, u) for n, u in call.state["users"].items()])


def _get_user(call: Call) -> dict[str, Any]:
    name, user = call.user()
    return {"User": {**_brief("User", name, user), "Tags": _tags(user)}}


def _groups_for_user(call: Call) -> dict[str, Any]:
    groups = call.state["groups"]
    return call.paged(Groups=[_brief("Group", g, groups[g]) for g in call.user()[1]["groups"]])


def _login_profile(call: Call) -> dict[str, Any]:
    name, user = call.user()
    if not user["login"]:
        raise Failure(404, "NoSuchEntity", f"Login Profile for User {name} cannot be found.")
    return {"LoginProfile": {"UserName": name, "CreateDate": iso(user["created"])}}


def _list_keys(call: Call) -> dict[str, Any]:
    name, _ = call.user()
    return call.paged(
        AccessKeyMetadata=[
            {
                "UserName": name,
                "AccessKeyId": key,
                "Status": its["status"],
                "CreateDate": iso(its["created"]),
            }
            for key, its in call.state["keys"].items()
            if its["user"] == name
        ]
    )


def _key_last_used(call: Call) -> dict[str, Any]:
    key = call.text("AccessKeyId")
    if key not in call.state["keys"]:  # the real service hides whose key it is
        raise Failure(403, "AccessDenied", f"not authorized on resource: access key {key}")
    its = call.state["keys"][key]
    used = call.used.get(key) or its["used"]
    return {
        "UserName": its["user"],
        "AccessKeyLastUsed": {
            "LastUsedDate": iso(used["at"]) if used else None,
            "ServiceName": used["service"] if used else "N/A",
            "Region": used["region"] if used else "N/A",
        },
    }


def _own_key(call: Call) -> dict[str, Any]:
    name, _ = call.user()
    key = call.state["keys"].get(call.text("AccessKeyId"))
    if key is None or key["user"] != name:
        raise Failure(404, "NoSuchEntity", "The Access Key with that id cannot be found.")
    found: dict[str, Any] = key
    return found


def _update_key(call: Call) -> None:
    key = _own_key(call)
    if (status := call.text("Status")) not in ("Active", "Inactive"):
        raise Failure(400, "ValidationError", "Status must be Active or Inactive")
    key["status"] = status


def _create_key(call: Call) -> dict[str, Any]:
    name, _ = call.user()
    if sum(k["user"] == name for k in call.state["keys"].values()) >= KEYS_PER_USER:
        raise Failure(409, "LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2")
    key = call.new_key(name)
    call.state["keys"][key] = {
        "user": name,
        "status": "Active",
        "created": call.now,
        "used": None,
        "made_by": call.caller,
    }
    return {
        "AccessKey": {
            "UserName": name,
            "AccessKeyId": key,
            "Status": "Active",
            "SecretAccessKey": "EXAMPLE" + key,
            "CreateDate": iso(call.now),
        }
    }


def _delete_key(call: Call) -> None:
    _own_key(call)
    del call.state["keys"][call.text("AccessKeyId")]


def _policy(kind: str, owner: Callable[[Call], tuple[str, dict[str, Any]]]) -> dict[str, Operation]:
    """The operations on inline and managed policies, alike for users and roles."""
    quota = USER_POLICY_SIZE if kind == "User" else ROLE_POLICY_SIZE

    def put(call: Call) -> None:
        name, thing = owner(call)
        if thing.get("path", "").startswith("/aws-service-role/"):
            raise Failure(400, "UnmodifiableEntity", f"Cannot perform the operation on {name}")
        text = call.text("PolicyDocument")
        if why := why_unsupported(text):
            raise Failure(400, "MalformedPolicyDocument", why)
        after = {**thing["inline"], call.text("PolicyName"): text}
        if sum(len("".join(t.split())) for t in after.values()) > quota:
            raise Failure(409, "LimitExceeded", f"Maximum policy size of {quota} bytes exceeded")
        thing["inline"] = after

    def get(call: Call) -> dict[str, Any]:
        name, thing = owner(call)
        policy = call.text("PolicyName")
        if policy not in thing["inline"]:
            raise Failure(404, "NoSuchEntity", f"The policy with name {policy} cannot be found.")
        text = quote(thing["inline"][policy], safe="")
        return {f"{kind}Name": name, "PolicyName": policy, "PolicyDocument": text}

    def delete(call: Call) -> None:
        get(call)
        del owner(call)[1]["inline"][call.text("PolicyName")]

    def attach(call: Call) -> None:
        if (arn := call.text("PolicyArn")) not in MANAGED:
            raise Failure(404, "NoSuchEntity", f"Policy {arn} does not exist.")
        if arn not in (attached := owner(call)[1]["attached"]):
            attached.append(arn)

    def detach(call: Call) -> None:
        if (arn := call.text("PolicyArn")) not in (attached := owner(call)[1]["attached"]):
            raise Failure(404, "NoSuchEntity", f"Policy {arn} was not found.")
        attached.remove(arn)

    return {
        f"Put{kind}Policy": put,
        f"Get{kind}Policy": get,
        f"Delete{kind}Policy": delete,
        f"List{kind}Policies": lambda call: call.paged(PolicyNames=owner(call)[1]["inline"]),
        f"Attach{kind}Policy": attach,
        f"Detach{kind}Policy": detach,
        f"ListAttached{kind}Policies": lambda call: call.paged(
            AttachedPolicies=_attached(owner(call)[1])
        ),
        f"List{kind}Tags": lambda call: call.paged(Tags=_tags(owner(call)[1])),
    }


def _list_roles(call: Call) -> dict[str, Any]:
    return call.paged(Roles=[_role(n, r) for n, r in call.state["roles"].items()])


def _get_role(call: Call) -> dict[str, Any]:
    name, role = call.role()
    return {"Role": {**_role(name, role), "Tags": _tags(role)}}


def _account_summary(call: Call) -> dict[str, Any]:
    counts = {k.title(): len(call.state[k]) for k in ("users", "groups", "roles")}
    quotas = {
        "UserPolicySizeQuota": USER_POLICY_SIZE,
        "AccessKeysPerUserQuota": KEYS_PER_USER,
    }
    return {"SummaryMap": Entries(counts | quotas)}


def _simulate(call: Call) -> dict[str, Any]:
    source = call.text("PolicySourceArn").partition(":iam::")[2].partition(":")[2]
    kind, name = source.partition("/")[0], source.rpartition("/")[2]
    if name not in call.state.get(f"{kind}s", {}):
        raise Failure(404, "NoSuchEntity", f"The {kind} with name {name} cannot be found.")
    context = {
        str(call.params[f"ContextEntries.member.{n}.ContextKeyName"]): str(
            call.params[f"ContextEntries.member.{n}.ContextKeyValues.member.1"]
        )
        for n in range(1, 9)
        if f"ContextEntries.member.{n}.ContextKeyName" in call.params
    }

    def decision(action: str) -> str:
        if call.killswitch is not None:
            return "allowed" if call.killswitch(action) else "implicitDeny"
        return decide(call.policies(f"{kind}/{name}"), action, context)

    return call.paged(
        EvaluationResults=[
            {"EvalActionName": a, "EvalResourceName": "*", "EvalDecision": decision(a)}
            for a in members(call.params, "ActionNames")
        ]
    )


OPERATIONS: dict[str, Operation] = {
    "GetAccountAuthorizationDetails": _authorization_details,
    "GetAccountSummary": _account_summary,
    "ListUsers": _list_users,
    "GetUser": _get_user,
    "ListGroupsForUser": _groups_for_user,
    "GetLoginProfile": _login_profile,
    "ListAccessKeys": _list_keys,
    "GetAccessKeyLastUsed": _key_last_used,
    "UpdateAccessKey": _update_key,
    "CreateAccessKey": _create_key,
    "DeleteAccessKey": _delete_key,
    "ListRoles": _list_roles,
    "GetRole": _get_role,
    "SimulatePrincipalPolicy": _simulate,
    **_policy("User", Call.user),
    **_policy("Role", Call.role),
}
