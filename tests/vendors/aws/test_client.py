"""What boto3 is made to do and not to do, and its errors as ours."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from killswitch.model.errors import (
    Already,
    Denied,
    KillswitchError,
    Missing,
    Refused,
    Transient,
    Unexpected,
    VendorError,
)
from killswitch.model.subject import Subject
from killswitch.vendors.aws.client import Aws
from killswitch.vendors.aws.errors import Seen
from killswitch.vendors.aws.settings import AwsSettings
from killswitch.vendors.aws.vendor import VENDOR
from tabletop.sims.aws import Aws as Cloud
from tests.support import LoopbackLink
from tests.vendors.aws.conftest import connect

SECRET = "fake-secret-of-a-test"


def refusal(code: str) -> str:
    """An error of the Query protocol."""
    return (
        '<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error>'
        f"<Type>Sender</Type><Code>{code}</Code><Message>words</Message></Error>"
        "<RequestId>r-1</RequestId></ErrorResponse>"
    )


async def get_user(client: Aws, **more: Any) -> Any:
    return await client.call("iam", "get_user", UserName="jo", **more)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (403, "AccessDenied", Denied),
        (403, "InvalidClientTokenId", Denied),
        (403, "ExpiredToken", Denied),
        (400, "RequestExpired", Denied),
        (403, "SomethingNew", Denied),
        (404, "NoSuchEntity", Missing),
        (409, "EntityAlreadyExists", Already),
        (409, "EntityTemporarilyUnmodifiable", Transient),
        (409, "ConcurrentModification", Transient),
        (409, "LimitExceeded", Unexpected),
        (400, "MalformedPolicyDocument", Unexpected),
        (400, "Throttling", Transient),
        (429, "TooManyRequestsException", Transient),
        (500, "ServiceFailure", Transient),
        (503, "ServiceUnavailable", Transient),
        (502, "SomethingNew", Transient),
    ],
)
async def test_errors_are_told_by_code_then_by_status(
    client: Aws, cloud: Cloud, status: int, code: str, kind: type[VendorError]
) -> None:
    cloud.fault(
        "status",
        status=status,
        body=refusal(code),
        headers={"x-amzn-requestid": "r-1", "content-type": "text/xml"},
    )
    with pytest.raises(KillswitchError) as caught:
        await get_user(client)
    assert type(caught.value) is kind
    assert isinstance(caught.value, VendorError)
    assert caught.value.operation == "iam:GetUser"
    assert caught.value.request_id == "r-1"
    if isinstance(caught.value, Denied):
        assert caught.value.scope == "iam:GetUser"
    if isinstance(caught.value, Transient):
        assert caught.value.sent is (status >= 500)
    assert len(cloud.record()) == 1, "boto3 must not try again by itself"


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, Denied), (403, Denied), (404, Missing), (429, Transient), (503, Transient)],
)
@pytest.mark.parametrize("body", ["", "<html>busy", '{"message": "busy"}'])
async def test_an_error_page_is_told_by_its_status(
    client: Aws, cloud: Cloud, status: int, kind: type[VendorError], body: str
) -> None:
    cloud.fault("status", status=status, body=body, headers={"retry-after": "7"})
    with pytest.raises(VendorError) as caught:
        await get_user(client)
    assert type(caught.value) is kind
    if isinstance(caught.value, Transient):
        assert caught.value.retry_after == 7


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html>sign in to the hotel network</html>",
        '{"User": {}}',
        "<GetUserResponse></GetUserResponse>",
        "<GetUserResponse><GetUserResult></GetUserResult></GetUserResponse>",
        "<GetUserResponse><GetUserResult><User><CreateDate>then</CreateDate></User>"
        "</GetUserResult></GetUserResponse>",
    ],
)
async def test_a_success_without_its_result_is_unexpected(
    client: Aws, cloud: Cloud, body: str
) -> None:
    cloud.fault("garble", body=body)
    with pytest.raises(Unexpected):
        await get_user(client)


@pytest.mark.parametrize("body", ["", "{}", "<html>sign in</html>"])
async def test_no_answer_is_never_read_as_nothing_there(
    client: Aws, cloud: Cloud, body: str
) -> None:
    cloud.fault("garble", "GetAccountAuthorizationDetails|LookupEvents", body=body)
    with pytest.raises(Unexpected):
        await VENDOR.resolve(client, Subject.parse("jo@corp.example"))
    with pytest.raises(Unexpected):
        (await client.call("cloudtrail", "lookup_events")).need("Events")


@pytest.mark.parametrize("headers", [{}, {"date": "yesterday"}])
def test_a_vendor_without_a_clock_is_put_up_with(headers: dict[str, str]) -> None:
    assert Seen(200, headers).epoch is None


async def test_an_answer_cut_short_is_never_taken_for_the_whole(client: Aws, cloud: Cloud) -> None:
    before = cloud.world.snapshot()
    cloud.fault("drop", times=1)
    with pytest.raises(Transient) as caught:
        await client.call(
            "iam",
            "update_access_key",
            UserName="jo",
            AccessKeyId=next(iter(cloud.state["keys"])),
            Status="Inactive",
        )
    assert caught.value.sent, "the request had left us"
    assert cloud.world.snapshot() == before


async def test_late_answers_end_at_the_timeout(cloud: Cloud) -> None:
    client = connect(cloud, timeout=0.2)
    cloud.fault("late", seconds=0.6, times=1)
    start = time.monotonic()
    with pytest.raises(Transient) as caught:
        await get_user(client)
    assert caught.value.sent
    assert time.monotonic() - start < 3
    await client.aclose()


async def test_a_closed_port_was_never_sent() -> None:
    settings = AwsSettings(
        url="http://127.0.0.1:9", access_key_id="AKIAFAKE", secret_access_key=SECRET
    )
    client = VENDOR.connect(settings, LoopbackLink("aws"))
    with pytest.raises(Transient) as caught:
        await get_user(client)
    assert not caught.value.sent
    await client.aclose()


async def test_a_wrong_key_is_denied(cloud: Cloud) -> None:
    client = connect(cloud, access_key_id="AKIANOSUCHKEY2222222")
    with pytest.raises(Denied):
        await client.whoami()
    await client.aclose()


async def test_json_services_say_denied_too(client: Aws, cloud: Cloud) -> None:
    cloud.granted = set()
    with pytest.raises(Denied) as caught:
        await client.call("cloudtrail", "lookup_events")
    assert caught.value.scope == "cloudtrail:LookupEvents"


async def test_pages_end_even_if_the_vendor_turns_in_circles(client: Aws, cloud: Cloud) -> None:
    cloud.page = 3
    names = [
        user["UserName"] async for page in client.pages("list_users") for user in page.data["Users"]
    ]
    assert sorted(names) == sorted(cloud.state["users"])
    cloud.fault(
        "garble",
        body="<ListUsersResponse><ListUsersResult><Users/><IsTruncated>true</IsTruncated>"
        "<Marker>MA==</Marker></ListUsersResult></ListUsersResponse>",
    )
    with pytest.raises(Unexpected):
        _ = [page async for page in client.pages("list_users")]


async def test_every_address_is_shown_to_the_link(cloud: Cloud) -> None:
    link = LoopbackLink("aws")
    client = VENDOR.connect(AwsSettings(**cloud.settings()), link)
    await client.whoami()
    await get_user(client)
    await client.call("cloudtrail", "lookup_events", region="eu-west-1")
    assert link.asked == [f"{cloud.url}/"] * 3
    await client.aclose()


async def test_a_host_that_the_link_refuses_gets_nothing() -> None:
    settings = AwsSettings(
        url="https://iam.amazonaws.com", access_key_id="AKIAFAKE", secret_access_key=SECRET
    )
    link = LoopbackLink("aws")
    client = VENDOR.connect(settings, link)
    for call in (client.whoami(), get_user(client), client.call("cloudtrail", "lookup_events")):
        with pytest.raises(Refused):
            await call
    assert {url.split("/")[2] for url in link.asked} == settings.hosts
    await client.aclose()


async def test_the_environment_moves_no_request(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ENDPOINT_URL_IAM": "http://127.0.0.1:9",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "AKIAAMBIENT",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_SESSION_TOKEN": "ambient",
        "AWS_PROFILE": "no-such-profile",
        "AWS_DEFAULT_REGION": "mars-1",
        "AWS_MAX_ATTEMPTS": "9",
    }.items():
        monkeypatch.setenv(name, value)
    client = connect(cloud)
    assert (await client.whoami())["Arn"].endswith(":user/killswitch")
    await client.aclose()


async def test_nothing_ambient_stands_in_for_a_profile(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", cloud.settings()["access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:9/")
    config = tmp_path / "config"
    config.write_text("[profile empty]\nregion = us-east-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    for profile in ("empty", "absent"):
        client = connect(cloud, profile=profile, access_key_id="", secret_access_key="")
        with pytest.raises(Denied):
            await client.whoami()
        await client.aclose()
    assert not cloud.record()


async def test_a_profile_signs_in_and_its_own_calls_are_guarded(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    key = cloud.settings()["access_key_id"]
    config = tmp_path / "config"
    config.write_text(
        f"[profile keys]\naws_access_key_id = {key}\naws_secret_access_key = {SECRET}\n"
        "[profile role]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = keys\n"
        "region = us-east-1\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    nothing = {"access_key_id": "", "secret_access_key": ""}
    client = connect(cloud, profile="keys", **nothing)
    assert (await client.whoami())["Arn"].endswith(":user/killswitch")
    await client.aclose()
    client = connect(cloud, profile="role", **nothing)
    with pytest.raises(Refused):  # it would ask the real STS
        await client.whoami()
    await client.aclose()


async def test_a_role_is_assumed_and_seen_as_ourselves(cloud: Cloud) -> None:
    role = cloud.state["roles"]["killswitch"]
    client = connect(cloud, role_arn=role["arn"], external_id="corp-1")
    me = await VENDOR.whoami(client)
    assert me.id == role["id"]
    assert me.login == "assumed-role/killswitch/killswitch"
    await get_user(client)
    assert sum("Action=AssumeRole" in e.line for e in cloud.record()) == 1
    await client.aclose()
    client = connect(cloud, role_arn=role["arn"].replace("killswitch", "ci-deploy-not"))
    with pytest.raises(Denied) as caught:
        await client.whoami()
    assert caught.value.scope == "sts:AssumeRole"
    await client.aclose()


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"access_key_id": "AKIAFAKE"},
        {"secret_access_key": SECRET},
        {"profile": "p", "access_key_id": "AKIAFAKE", "secret_access_key": SECRET},
    ],
)
def test_exactly_one_identity_must_be_given(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        AwsSettings(url="https://iam.amazonaws.com", **wrong)


@pytest.mark.parametrize(
    ("url", "region", "hosts"),
    [
        (
            "https://iam.amazonaws.com",
            "us-east-1",
            {
                "iam.amazonaws.com",
                "sts.us-east-1.amazonaws.com",
                "cloudtrail.us-east-1.amazonaws.com",
            },
        ),
        (
            "https://iam.cn-north-1.amazonaws.com.cn",
            "cn-north-1",
            {
                "iam.cn-north-1.amazonaws.com.cn",
                "sts.cn-north-1.amazonaws.com.cn",
                "cloudtrail.cn-north-1.amazonaws.com.cn",
            },
        ),
        (
            "https://iam.us-gov.amazonaws.com",
            "us-gov-west-1",
            {
                "iam.us-gov.amazonaws.com",
                "sts.us-gov-west-1.amazonaws.com",
                "cloudtrail.us-gov-west-1.amazonaws.com",
            },
        ),
        ("http://127.0.0.1:4566", "us-east-1", {"127.0.0.1"}),
    ],
)
async def test_the_hosts_that_are_announced_are_those_that_are_asked(
    url: str, region: str, hosts: set[str]
) -> None:
    settings = AwsSettings(
        url=url, region=region, access_key_id="AKIAFAKE", secret_access_key=SECRET
    )
    assert settings.hosts == hosts
    link = NoLink("aws")
    client = VENDOR.connect(settings, link)
    for call in (client.whoami(), get_user(client), client.call("cloudtrail", "lookup_events")):
        with pytest.raises(Refused):
            await call
    assert {u.split("/")[2].partition(":")[0] for u in link.asked} == hosts
    await client.aclose()


class NoLink(LoopbackLink):
    """A link that allows nothing at all."""

    def allow(self, url: str) -> None:
        self.asked.append(url)
        raise Refused(url)


async def test_calls_run_on_threads_of_the_connection(client: Aws, cloud: Cloud) -> None:
    await asyncio.gather(*(get_user(client) for _ in range(12)))
    names = {t.name for t in threading.enumerate() if t.name.startswith("aws-aws")}
    assert 1 <= len(names) <= client.settings.concurrency
    assert len(client._clients) == 1


def test_the_sdk_is_loaded_on_first_use_only() -> None:
    code = (
        "import sys, killswitch.vendors.aws.vendor;"
        "sys.exit(any(m.startswith(('boto3', 'botocore')) for m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ}, check=False)
    assert done.returncode == 0
