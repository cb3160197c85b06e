"""boto3, wrapped once: explicit credentials, no retries, guarded hosts, raw answers.

boto3 blocks, so each call runs on one of the connection's own threads: a slow AWS must not use
up the threads of other connections.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any

from killswitch.model.errors import Denied, Transient, Unexpected, VendorError
from killswitch.model.vendor import Link
from killswitch.vendors.aws.errors import Seen, of_answer, of_service
from killswitch.vendors.aws.settings import AwsSettings

CONNECT = 5.0  # seconds to reach the vendor, at most

# Where botocore would look for credentials that nobody gave to this connection.
AMBIENT = ("env", "container-role", "iam-role", "ec2-credentials-file", "boto-config")


@dataclass(frozen=True)
class Answer:
    """One answer: parsed, raw, the request's id and the vendor's clock when it answered."""

    data: dict[str, Any]
    body: bytes
    request_id: str
    at: datetime

    def need(self, member: str) -> Any:
        """A member that the vendor always sends, even if its models don't say so.

        Raises Unexpected: what lacks it is no answer, and must not be read as "nothing there".
        """
        if member not in self.data:
            raise Unexpected(f"the answer has no {member}", request_id=self.request_id)
        return self.data[member]


class Aws:
    """One AWS account. The session and its clients are built on first use."""

    def __init__(self, settings: AwsSettings, link: Link) -> None:
        self.settings = settings
        self._link = link
        self._threads = ThreadPoolExecutor(
            settings.concurrency, thread_name_prefix=f"aws-{link.connection}"
        )
        self._lock = threading.Lock()  # building boto3's clients is not safe from two threads
        self._session: Any = None
        self._clients: dict[tuple[str, str], Any] = {}
        self._thread = threading.local()

    @property
    def connection(self) -> str:
        """The connection's name in killswitch.yaml."""
        return self._link.connection

    async def aclose(self) -> None:
        """Close the sockets; calls under way end with their time-out."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for client in self._clients.values():
            client.close()

    async def call(
        self, service: str, operation: str, *, region: str = "", **params: Any
    ) -> Answer:
        """One request, such as ``call("iam", "get_user", UserName="jo")``.

        Raises VendorError, and Refused if the link does not allow the host.
        """
        where = region or self.settings.region
        run = asyncio.get_running_loop().run_in_executor
        await run(self._threads, self._client, service, where)
        async with self._link.turn():
            work = run(self._threads, partial(self._ask, service, where, operation, params))
            try:
                async with asyncio.timeout(self.settings.timeout):
                    return await work
            except TimeoutError:
                raise Transient(
                    f"{service}:{operation} took longer than {self.settings.timeout:g} s",
                    sent=True,
                    operation=f"{service}:{operation}",
                ) from None

    async def pages(self, operation: str, **params: Any) -> AsyncIterator[Answer]:
        """Every page of an IAM list. Raises Unexpected if the vendor turns in circles."""
        seen: set[str] = set()
        while True:
            answer = await self.call("iam", operation, **params)
            yield answer
            if not answer.need("IsTruncated"):
                return
            marker = answer.data.get("Marker", "")
            if not marker or marker in seen:
                raise Unexpected(f"iam:{operation} says that there is more and not where")
            seen.add(marker)
            params["Marker"] = marker

    async def whoami(self) -> dict[str, str]:
        """``UserId``, ``Account`` and ``Arn`` of our own credential. It needs no permission."""
        answer = await self.call("sts", "get_caller_identity")
        return {member: answer.need(member) for member in ("UserId", "Account", "Arn")}

    def _ask(self, service: str, region: str, operation: str, params: dict[str, Any]) -> Answer:
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError

        self._thread.seen = Seen()
        client = self._client(service, region)
        model = client.meta.service_model.operation_model(
            client.meta.method_to_api_mapping[operation]
        )
        name = f"{service}:{model.name}"
        try:
            data = getattr(client, operation)(**params)
        except ClientError as error:
            said = error.response.get("Error", {})
            asked = f"{service}:{error.operation_name}"  # AssumeRole, when a session was renewed
            raise of_service(
                said.get("Code", ""), said.get("Message", ""), self._thread.seen, asked, asked
            ) from error
        except BotoCoreError as error:
            raise _of_network(error, name) from error
        except (ResponseParserError, KeyError, ValueError) as error:
            # botocore's own for no XML, for no result element in it, and for values of no type
            raise of_answer(self._thread.seen, name) from error
        required = model.output_shape.required_members if model.output_shape else []
        if any(member not in data for member in required):
            raise of_answer(self._thread.seen, name)
        seen: Seen = self._thread.seen
        at = datetime.now(UTC) if seen.epoch is None else datetime.fromtimestamp(seen.epoch, UTC)
        return Answer(data, seen.body, seen.request_id, at)

    def _client(self, service: str, region: str) -> Any:
        from botocore.exceptions import BotoCoreError

        with self._lock:
            if (service, region) in self._clients:
                return self._clients[service, region]
            try:
                self._session = self._session or self._signed_in()
                client = self._new_client(self._session, service, region)
            except BotoCoreError as error:  # such as a profile that is not there
                raise _of_network(error, f"{service}: sign-in") from error
            self._clients[service, region] = client
            return client

    def _new_client(self, session: Any, service: str, region: str) -> Any:
        from botocore.config import Config
        from botocore.handlers import json_decode_policies

        client = session.client(
            service,
            region_name=region,
            endpoint_url=self.settings.endpoint,
            config=Config(
                retries={"mode": "standard", "total_max_attempts": 1},
                connect_timeout=min(CONNECT, self.settings.timeout),
                read_timeout=self.settings.timeout,
                max_pool_connections=self.settings.concurrency,
                proxies={},  # an empty value, or botocore takes them from the environment
                ignore_configured_endpoint_urls=True,
                user_agent_extra="killswitch",
            ),
        )
        # Policies stay the exact text that is stored: undo must give back the same bytes.
        client.meta.events.unregister("after-call.iam", json_decode_policies)
        return client

    def _signed_in(self) -> Any:
        """A boto3 session that knows the credentials of our settings and no others."""
        import boto3

        own = self.settings
        core = self._core()
        if own.profile:
            chain = core.get_component("credential_provider")
            for ambient in AMBIENT:
                chain.remove(ambient)
            base = boto3.Session(botocore_session=core)
        else:
            base = boto3.Session(
                botocore_session=core,
                aws_access_key_id=own.access_key_id,
                aws_secret_access_key=own.secret_access_key.get_secret_value(),
                aws_session_token=own.session_token.get_secret_value() or None,
            )
        return self._in_role(base) if own.role_arn else base

    def _core(self) -> Any:
        """The session under boto3's; with a key pair none of the files in ``~/.aws``."""
        import botocore.session

        own = self.settings
        variables: dict[str, Any] = {"profile": (None, None, None, None)}
        if not own.profile:
            nowhere = (None, None, os.devnull, None)
            variables |= {"config_file": nowhere, "credentials_file": nowhere}
        core = botocore.session.Session(session_vars=variables, profile=own.profile or None)
        core.register_component("data_loader", _models())
        # Every client inherits these two, also those that fetch a profile's credentials.
        core.register("before-send", self._guard)
        core.register("before-parse", self._look)
        return core

    def _in_role(self, base: Any) -> Any:
        """A session in the role of our settings; boto3 renews it before it runs out."""
        import boto3
        from botocore.credentials import (
            CredentialProvider,
            CredentialResolver,
            DeferredRefreshableCredentials,
        )

        sts = self._new_client(base, "sts", self.settings.region)
        asked = {"RoleArn": self.settings.role_arn, "RoleSessionName": "killswitch"}
        if self.settings.external_id:
            asked["ExternalId"] = self.settings.external_id

        def assume() -> dict[str, str]:
            got = sts.assume_role(**asked)["Credentials"]
            return {
                "access_key": got["AccessKeyId"],
                "secret_key": got["SecretAccessKey"],
                "token": got["SessionToken"],
                "expiry_time": got["Expiration"].isoformat(),
            }

        class InRole(CredentialProvider):  # type: ignore[misc]  # botocore is untyped
            METHOD = "killswitch-role"

            def load(self) -> Any:
                return DeferredRefreshableCredentials(assume, self.METHOD)

        core = self._core()
        core.register_component("credential_provider", CredentialResolver([InRole()]))
        return boto3.Session(botocore_session=core)

    def _guard(self, request: Any, **_: Any) -> None:
        """Before each request: the link refuses a host that this connection may not reach."""
        self._link.allow(request.url)

    def _look(self, response_dict: dict[str, Any], operation_model: Any, **_: Any) -> None:
        """After each answer: keep the bytes as they came, and refuse half an answer."""
        headers = {k.lower(): v for k, v in response_dict["headers"].items()}
        seen = Seen(response_dict["status_code"], headers, response_dict["body"])
        self._thread.seen = seen
        if seen.cut_short:
            operation = f"{operation_model.service_model.signing_name}:{operation_model.name}"
            raise Transient(
                f"{operation}: the answer was cut short", sent=True, operation=operation
            )


@cache
def _models() -> Any:
    """The services as AWS describes them: megabytes, so one copy for all connections."""
    from botocore.loaders import create_loader

    return create_loader()


def _of_network(error: Exception, operation: str) -> VendorError:
    """Our error for one of botocore's own: no connection, no answer, no credentials."""
    from botocore import exceptions as sdk

    why = f"{operation}: {type(error).__name__}: {error}"
    if isinstance(error, sdk.SSLError):
        return Unexpected(why, operation=operation, hint="check the certificate")
    if isinstance(error, sdk.ConnectTimeoutError | sdk.EndpointConnectionError):
        return Transient(why, operation=operation)
    if isinstance(error, sdk.HTTPClientError):  # read time-outs and resets among them
        return Transient(why, sent=True, operation=operation)
    credentials = (
        sdk.CredentialRetrievalError,
        sdk.NoCredentialsError,
        sdk.PartialCredentialsError,
        sdk.ProfileNotFound,
        sdk.SSOError,
        sdk.TokenRetrievalError,
    )
    if isinstance(error, credentials):
        return Denied(why, operation=operation)
    return Unexpected(why, operation=operation)
