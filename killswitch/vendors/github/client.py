"""githubkit, wrapped once: raw JSON both ways, one error tree, one pool of connections.

What githubkit 0.16 would do if left alone, and doesn't here: validate bodies against the schema
it was built with (a rule type added since raises), wait for ever, send a POST again after a 502,
sleep through a rate limit, answer from a cache, obey proxy variables, and open and close a
connection around every call.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import httpx
from pydantic import SecretStr

from killswitch.model.errors import (
    Already,
    Denied,
    KillswitchError,
    Missing,
    Transient,
    Unexpected,
    VendorError,
)
from killswitch.model.vendor import Link
from killswitch.vendors.github.settings import GitHubSettings
from killswitch.vendors.http import LONGEST_WAIT, GuardedTransport, error_for, retry_after

VERSION = {"X-GitHub-Api-Version": "2022-11-28"}  # every product and release serves this one
PAGE = 100  # the most that GitHub gives in one answer
HOPS = 3  # a renamed repository redirects; more than this is a loop

# GraphQL answers 200 and says in `type` what went wrong.
GRAPHQL_ERRORS: dict[str, type[VendorError]] = {
    "NOT_FOUND": Missing,
    "FORBIDDEN": Denied,
    "INSUFFICIENT_SCOPES": Denied,
    "UNPROCESSABLE": Already,  # nothing to change, or its state forbids it; read back decides
}

T = TypeVar("T")
R = TypeVar("R")


class SharedTransport(GuardedTransport):
    """One pool for all calls, whichever task makes them.

    githubkit keeps its httpx client in a context variable: another task doesn't see it, opens
    one of its own and closes it, and the pool with it, under everybody else. So closing is
    ignored here until ``shut``.
    """

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send it, and make ``Retry-After`` a number."""
        response = await super().handle_async_request(request)
        if "retry-after" in response.headers:  # githubkit reads a number or dies of ValueError
            wait = retry_after(response.headers)
            response.headers["retry-after"] = str(math.ceil(60 if wait is None else wait))
        return response

    async def aclose(self) -> None:
        """Stay open; see ``shut``."""

    async def shut(self) -> None:
        """Close every connection."""
        await super().aclose()


class Api:
    """GitHub as one identity sees it: ourselves, an agent's App, or nobody."""

    def __init__(self, auth: Any, settings: GitHubSettings, transport: SharedTransport) -> None:
        from githubkit import GitHub  # the SDK is loaded on first use
        from githubkit.cache import MemCacheStrategy

        self._github = GitHub(
            auth,
            base_url=settings.url,
            user_agent="agent-kill",
            timeout=settings.timeout,
            follow_redirects=False,
            trust_env=False,
            http_cache=False,
            # The default cache is the process's: two connections would share minted tokens.
            cache_strategy=MemCacheStrategy(),
            auto_retry=False,
            rest_api_validate_body=False,
            async_transport=transport,
        )
        base = settings.url.rstrip("/")
        self._graphql = base.removesuffix("/v3") + "/graphql"

    async def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str | int | Sequence[str]] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        allow: Collection[int] = (),
        already: Collection[int] = (),
    ) -> httpx.Response:
        """Ask once; follow a renamed repository. Statuses in ``allow`` are returned as they are.

        ``already``: the error statuses that mean, at this endpoint, "it is so already".
        Raises the errors of our tree, ``Already`` included.
        """
        if params:
            url = f"{url}?{urlencode(params, doseq=True)}"
        for _ in range(HOPS):
            response = await self._once(method, url, body, headers or {}, allow, already)
            if not response.has_redirect_location:
                return response
            url = str(response.url.join(response.headers["location"]))
            if urlsplit(url).netloc != response.url.netloc.decode():
                break  # our token goes to no other host
        raise Unexpected(
            f"{method} {response.url.path} was redirected too often or to another host",
            operation=f"{method} {response.url.path}",
            request_id=request_id(response),
        )

    async def _once(
        self,
        method: str,
        url: str,
        body: Any,
        headers: Mapping[str, str],
        allow: Collection[int],
        already: Collection[int],
    ) -> httpx.Response:
        from githubkit.exception import RequestError, RequestFailed

        operation = f"{method} {urlsplit(url).path}"
        try:
            answer = await self._github.arequest(
                method, url, json=body, headers={**VERSION, **headers}
            )
        except RequestFailed as failed:
            response: httpx.Response = failed.response.raw_response
            if response.status_code in allow:
                return response
            raise _refused(failed, operation, already) from failed
        except RequestError as error:
            raise _broken(error.exc, operation, already) from error
        raw: httpx.Response = answer.raw_response
        return raw

    async def graphql(self, query: str, **variables: Any) -> dict[str, Any]:
        """The ``data`` of an answer. GitHub reports errors with status 200: raised here."""
        response = await self.request(
            "POST", self._graphql, body={"query": query, "variables": variables}
        )
        answer = parsed(response)
        for error in answer.get("errors") or ():
            raise _graphql_error(error, response)
        found: dict[str, Any] = answer.get("data") or {}
        return found


class GitHubClient:
    """One connection: ourselves at one organisation, and two ways to be somebody else."""

    def __init__(self, settings: GitHubSettings, link: Link) -> None:
        self.settings = settings
        self.connection = link.connection
        self.organization = settings.organization
        self._transport = SharedTransport(link)
        self._apis: dict[str, Api] = {}

    @property
    def api(self) -> Api:
        """Ourselves: the token, or the App's installation."""
        return self._as("", self._our_auth)

    @property
    def nobody(self) -> Api:
        """Without a credential: ``/credentials/revoke`` refuses every other caller."""
        return self._as("nobody", lambda: None)

    def app(self, slug: str) -> Api:
        """As that App of ours, by its JWT. Raises KeyError for an App that is not configured."""
        key = self.settings.agent_apps[slug]
        return self._as(f"app {slug}", lambda: _app_auth(key.app_id, key.private_key))

    def _as(self, who: str, auth: Callable[[], Any]) -> Api:
        if who not in self._apis:
            self._apis[who] = Api(auth(), self.settings, self._transport)
        return self._apis[who]

    def _our_auth(self) -> Any:
        ours = self.settings
        if ours.token is not None:
            return ours.token.get_secret_value()
        assert ours.app_id
        assert ours.private_key
        assert ours.installation_id  # the settings have checked all three
        return _app_auth(ours.app_id, ours.private_key).as_installation(ours.installation_id)

    async def get(
        self, path: str, *, allow: Collection[int] = (), accept: str = "", **params: Any
    ) -> httpx.Response:
        """Read one thing, fresh. Statuses in ``allow`` are returned as they are."""
        headers = {"Accept": accept} if accept else {}
        return await self.api.request("GET", path, params=params, headers=headers, allow=allow)

    async def send(
        self, method: str, path: str, body: Any = None, *, already: Collection[int] = ()
    ) -> httpx.Response:
        """Change something. Statuses in ``already`` raise Already."""
        return await self.api.request(method, path, body=body, already=already)

    async def pages(self, path: str, **params: Any) -> AsyncIterator[httpx.Response]:
        """A list's answers, to its end; GitHub's ``Link`` header says where the next one is."""
        response = await self.get(path, per_page=PAGE, **params)
        yield response
        while following := response.links.get("next", {}).get("url"):
            response = await self.api.request("GET", following)
            yield response

    async def items(self, path: str, key: str = "", **params: Any) -> AsyncIterator[dict[str, Any]]:
        """A list's entries, to its end. ``key``: where the entries are, if not at the top."""
        async for response in self.pages(path, **params):
            page = parsed(response)
            for item in page[key] if key else page:
                yield item

    async def repositories(self) -> list[dict[str, Any]]:
        """Every repository of the organisation that can be written to."""
        found = self.items(f"/orgs/{self.organization}/repos", type="all")
        return [r async for r in found if not r.get("archived") and not r.get("disabled")]

    async def each_repository(
        self, ask: Callable[[dict[str, Any]], Awaitable[list[T]]]
    ) -> AsyncIterator[T]:
        """What ``ask`` finds in every repository, a few repositories at a time."""
        repositories = await self.repositories()
        step = max(self.settings.concurrency, 1)
        for start in range(0, len(repositories), step):
            some = repositories[start : start + step]
            for found in await asyncio.gather(*(ask(repository) for repository in some)):
                for item in found:
                    yield item

    async def login_of(self, user_id: str) -> str:
        """The login that the numeric id has now: people rename themselves, ids stay."""
        login: str = parsed(await self.get(f"/user/{quote(user_id)}"))["login"]
        return login

    async def token_works(self, fingerprint: str) -> tuple[bool, str]:
        """Whether GitHub still takes a known credential, and whose it is (empty if it doesn't)."""
        value = self.settings.known_credentials[fingerprint].get_secret_value()
        headers = {"Authorization": f"Bearer {value}"}
        response = await self.nobody.request("GET", "/user", headers=headers, allow=(401,))
        if response.status_code == 401:
            return False, ""
        return True, str(parsed(response).get("login", ""))

    async def aclose(self) -> None:
        """Close every connection."""
        await self._transport.shut()


def connect(settings: GitHubSettings, link: Link) -> GitHubClient:
    """A client. Nothing is asked yet, and githubkit is not imported yet."""
    return GitHubClient(settings, link)


def repository_path(owner: str, name: str) -> str:
    """``/repos/acme/web``, with anything odd in the names escaped."""
    return f"/repos/{quote(owner, safe='')}/{quote(name, safe='')}"


def parsed(response: httpx.Response) -> Any:
    """The answer's JSON. Raises Unexpected where there is none."""
    try:
        return response.json()
    except ValueError as error:
        raise Unexpected(
            "the answer is no JSON",
            operation=f"{response.request.method} {response.url.path}",
            request_id=request_id(response),
        ) from error


def request_id(response: httpx.Response) -> str:
    """GitHub's own id of the request, to quote to their support."""
    return str(response.headers.get("x-github-request-id", ""))


def _app_auth(app_id: int, key: SecretStr) -> Any:
    from githubkit import AppAuthStrategy

    return AppAuthStrategy(app_id, key.get_secret_value())


def _refused(failed: Any, operation: str, already: Collection[int]) -> VendorError:
    """An error status, or a rate limit: GitHub answers 403 for both."""
    from githubkit.exception import RateLimitExceeded

    response: httpx.Response = failed.response.raw_response
    where: dict[str, Any] = {"operation": operation, "request_id": request_id(response)}
    if isinstance(failed, RateLimitExceeded):
        wait = min(failed.retry_after.total_seconds(), LONGEST_WAIT)
        return Transient(f"{operation}: GitHub's rate limit", retry_after=wait, **where)
    if response.status_code in already:
        return Already(f"{operation} answered {response.status_code}", **where)
    error = error_for(
        response.status_code,
        response.headers,
        response.text,
        operation,
        request_id=request_id(response),
    )
    if isinstance(error, Denied):
        error.scope = str(
            response.headers.get("x-accepted-github-permissions")
            or response.headers.get("x-accepted-oauth-scopes")
            or ""
        )
    if isinstance(error, Missing):
        error.hint = "GitHub answers 404 also for what our credential may not see"
    return error


def _broken(cause: Exception, operation: str, already: Collection[int]) -> Exception:
    """No answer: the guard said no, the network failed, or signing in did."""
    from githubkit.exception import RequestFailed

    if isinstance(cause, KillswitchError):
        return cause
    if isinstance(cause, RequestFailed):  # the App could not get its installation token
        return _refused(cause, f"{operation} (installation token)", already)
    if isinstance(cause, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)):
        return Transient(f"{operation}: {type(cause).__name__}", operation=operation)
    if isinstance(cause, httpx.TransportError):
        return Transient(f"{operation}: {type(cause).__name__}", sent=True, operation=operation)
    return Unexpected(f"{operation}: {type(cause).__name__} while asking", operation=operation)


def _graphql_error(error: dict[str, Any], response: httpx.Response) -> VendorError:
    kind = str(error.get("type", ""))
    path = ".".join(str(step) for step in error.get("path") or ())
    why = f"GraphQL {path or 'query'}: {kind or 'error'}: {str(error.get('message', ''))[:300]}"
    where: dict[str, Any] = {"operation": f"GraphQL {path}", "request_id": request_id(response)}
    if kind in ("RATE_LIMIT", "RATE_LIMITED"):
        return Transient(why, retry_after=retry_after(response.headers) or 60.0, **where)
    return GRAPHQL_ERRORS.get(kind, Unexpected)(why, **where)
