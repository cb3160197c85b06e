"""Who somebody is at AWS, who administers it, and what doctor says."""

from __future__ import annotations

import pytest

from killswitch.model.errors import Denied
from killswitch.model.subject import Subject
from killswitch.vendors.aws.client import Aws
from killswitch.vendors.aws.policies import DENY_ALL
from killswitch.vendors.aws.vendor import VENDOR
from tabletop.sims.aws import Aws as Cloud
from tests.vendors.aws.conftest import JO, connect, keys_of


async def resolve(client: Aws, subject: str) -> list[object]:
    return list(await VENDOR.resolve(client, Subject.parse(subject)))


async def test_a_person_is_their_tagged_users_and_roles(client: Aws, cloud: Cloud) -> None:
    [found] = await VENDOR.resolve(client, Subject.parse(JO))
    assert (found.id, found.login) == (cloud.state["users"]["jo"]["id"], "jo")
    assert found.aliases == ("codex-jo", "agent-claude-code-jo", "agent-codex-jo")
    assert found.email == JO
    assert not found.admin


async def test_the_local_part_alone_is_nobody(client: Aws, cloud: Cloud) -> None:
    for thing in (*cloud.state["users"].values(), *cloud.state["roles"].values()):
        thing["tags"] = {"owner": "jo"}
    assert await resolve(client, JO) == []
    cloud.state["users"]["jo"]["tags"] = {"Owner": JO}
    assert await resolve(client, JO) == [], "tag keys have upper and lower case"


async def test_a_user_named_by_the_whole_address_is_the_person(client: Aws, cloud: Cloud) -> None:
    cloud.state["users"]["Jo@corp.example"] = {
        **cloud.state["users"].pop("jo"),
        "tags": {},
        "created": 1_800_000_000,
    }
    [found] = await VENDOR.resolve(client, Subject.parse(JO))
    assert found.login == "Jo@corp.example"
    assert "codex-jo" in found.aliases


async def test_another_tag_can_say_who_owns_what(cloud: Cloud) -> None:
    cloud.state["users"]["lee"]["tags"] = {"person": JO}
    client = connect(cloud, owner_tag="person")
    [found] = await VENDOR.resolve(client, Subject.parse(JO))
    assert found.login == "lee"
    await client.aclose()


async def test_whoever_has_roles_only_is_found_by_them(client: Aws, cloud: Cloud) -> None:
    for name in ("jo", "codex-jo"):
        del cloud.state["users"][name]
    [found] = await VENDOR.resolve(client, Subject.parse(JO))
    assert found.id == cloud.state["roles"]["agent-claude-code-jo"]["id"]


async def test_people_are_found_on_later_pages(client: Aws, cloud: Cloud) -> None:
    cloud.page = 2
    [found] = await VENDOR.resolve(client, Subject.parse("max@corp.example"))
    assert found.login == "max"


async def test_a_leaked_key_is_its_users(client: Aws, cloud: Cloud) -> None:
    key = keys_of(cloud, "codex-jo")[0]
    [found] = await VENDOR.resolve(client, Subject.parse(f"credential:{key}"))
    assert (found.login, found.session, found.email) == ("codex-jo", key, JO)
    assert key in found.label


async def test_another_accounts_key_is_nobodys_here(client: Aws) -> None:
    assert await resolve(client, "credential:AKIANOSUCHKEY2222222") == []


async def test_a_key_that_we_may_not_ask_about_is_not_called_foreign(
    client: Aws, cloud: Cloud
) -> None:
    cloud.granted = {"sts:GetAccessKeyInfo"}
    with pytest.raises(Denied) as caught:
        await resolve(client, f"credential:{keys_of(cloud, 'jo')[0]}")
    assert caught.value.scope == "iam:GetAccessKeyLastUsed"


@pytest.mark.parametrize(
    "subject", ["credential:ASIAXXXXXXXXXXXXXXXX", "credential:sk-1", "agent:a"]
)
async def test_what_is_no_access_key_is_not_asked_about(
    client: Aws, cloud: Cloud, subject: str
) -> None:
    assert await resolve(client, subject) == []
    assert not cloud.record()


async def test_whoami_is_the_user_of_our_key(client: Aws, cloud: Cloud) -> None:
    me = await VENDOR.whoami(client)
    assert me.id == cloud.state["users"]["killswitch"]["id"]
    assert me.login == "user/killswitch"


async def test_admins_are_those_who_can_still_sign_in(client: Aws, cloud: Cloud) -> None:
    assert VENDOR.admins
    assert {a.login for a in await VENDOR.admins(client)} == {"ada", "ben"}
    [ada] = await VENDOR.resolve(client, Subject.parse("ada@corp.example"))
    assert ada.admin
    users, keys = cloud.state["users"], cloud.state["keys"]
    for key in keys_of(cloud, "ada"):
        keys[key]["status"] = "Inactive"
    assert "ada" in {a.login for a in await VENDOR.admins(client)}, "the password is left"
    users["ada"]["login"] = False
    assert {a.login for a in await VENDOR.admins(client)} == {"ben"}
    users["ben"]["inline"]["killswitch-K-1"] = DENY_ALL
    assert await VENDOR.admins(client) == []
    cloud.state["roles"]["ci-deploy"]["attached"].append(
        "arn:aws:iam::aws:policy/AdministratorAccess"
    )
    assert {a.login for a in await VENDOR.admins(client)} == {"ci-deploy"}


async def test_doctor_says_what_we_may_do(client: Aws, cloud: Cloud) -> None:
    checks = {c.name: c for c in await VENDOR.check(client)}
    assert all(c.ok for c in checks.values())
    assert "iam:PutUserPolicy" in checks
    cloud.granted = {"iam:SimulatePrincipalPolicy", "iam:GetUser"}
    checks = {c.name: c for c in await VENDOR.check(client)}
    assert checks["owner tags"].ok is False
    assert checks["iam:GetUser"].ok is True
    assert checks["iam:PutUserPolicy"].ok is False
    assert checks["iam:PutUserPolicy"].fix
    cloud.granted = set()
    checks = {c.name: c for c in await VENDOR.check(client)}
    assert checks["credential"].ok is True
    assert checks["iam:PutUserPolicy"].ok is None


async def test_doctor_names_a_key_that_does_not_work(cloud: Cloud) -> None:
    client = connect(cloud, access_key_id="AKIANOSUCHKEY2222222")
    [only] = await VENDOR.check(client)
    assert (only.name, only.ok) == ("credential", False)
    await client.aclose()


async def test_doctor_misses_the_owner_tags(client: Aws, cloud: Cloud) -> None:
    for thing in (*cloud.state["users"].values(), *cloud.state["roles"].values()):
        thing["tags"] = {}
    checks = {c.name: c for c in await VENDOR.check(client)}
    assert checks["owner tags"].ok is False


async def test_doctor_asks_about_the_role_that_we_are_in(cloud: Cloud) -> None:
    client = connect(cloud, role_arn=cloud.state["roles"]["killswitch"]["arn"])
    checks = {c.name: c for c in await VENDOR.check(client)}
    assert checks["iam:PutRolePolicy"].ok is True
    await client.aclose()
