"""Access tokens for a Google service account: a signed JWT is exchanged for one (RFC 7523).

Only the endpoint of the settings is asked. The address that stands in the key file is not used:
whoever could alter the file would else be sent our signatures.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import SecretStr

from killswitch.model.errors import Denied, Transient, Unexpected, VendorError
from killswitch.model.vendor import Link
from killswitch.vendors.http import GuardedTransport, error_for

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LIFE = 3600  # seconds: the longest that Google takes a JWT for
EARLY = 120.0  # seconds before its end a token is not used any more
# RFC 6749, 5.2: the codes that say that it is the credential, and nothing else, that is wrong
REFUSED = frozenset({"invalid_grant", "invalid_client", "unauthorized_client", "invalid_scope"})


@dataclass(frozen=True)
class Key:
    """A service account's key. ``id`` and ``email`` name the account, ``key_id`` the key."""

    id: str
    email: str
    key_id: str
    private: RSAPrivateKey

    @classmethod
    def read(cls, text: SecretStr) -> Key:
        """The key in Google's JSON file. Raises Denied, without its text, if there is none."""
        try:
            data = json.loads(text.get_secret_value())
            email, pem = data["client_email"], data["private_key"]
            private = load_pem_private_key(pem.encode(), password=None)
        except (ValueError, TypeError, KeyError, AttributeError, UnsupportedAlgorithm):
            raise Denied("`service_account` is not the JSON key of a service account") from None
        if not isinstance(private, RSAPrivateKey) or not isinstance(email, str):
            raise Denied("`service_account` is not the JSON key of a service account")
        own = str(data.get("client_id") or email)
        return cls(own, email, str(data.get("private_key_id") or ""), private)

    def assertion(self, audience: str, scope: str, now: int) -> str:
        """A JWT that says who we are and what we want, signed with RS256."""
        head = {"alg": "RS256", "typ": "JWT", "kid": self.key_id}
        claims = {
            "iss": self.email,
            "scope": scope,
            "aud": audience,
            "iat": now,
            "exp": now + LIFE,
        }
        said = f"{_part(head)}.{_part(claims)}"
        return f"{said}.{_base64(self.private.sign(said.encode(), PKCS1v15(), SHA256()))}"


class Tokens:
    """Tokens of one service account: one is fetched when it is needed, and kept for its life."""

    def __init__(self, url: str, key: SecretStr, scope: str, timeout: float, link: Link) -> None:
        self._url = url
        self._text = key
        self._scope = scope
        self._timeout = timeout
        self._link = link
        self._kept: tuple[str, float] | None = None  # the token, and until when it is used
        self._fetching = asyncio.Lock()

    @property
    def key(self) -> Key:
        """The key, read anew. Raises Denied if it is none."""
        return Key.read(self._text)

    async def token(self) -> str:
        """A token that is good for two minutes at least. Raises VendorError if none is given."""
        async with self._fetching:
            if self._kept is None or time.monotonic() > self._kept[1]:
                began = time.monotonic()
                token, life = await self._fetch()
                self._kept = token, began + life - EARLY
            return self._kept[0]

    def forget(self) -> None:
        """The token was refused: fetch another one next time."""
        self._kept = None

    async def _fetch(self) -> tuple[str, float]:
        """A token and its life in seconds."""
        key = self.key
        assertion = key.assertion(self._url, self._scope, int(time.time()))
        operation = f"POST {urlsplit(self._url).path}"
        try:
            async with asyncio.timeout(self._timeout), self._http() as http:
                form = {"grant_type": GRANT, "assertion": assertion}
                response = await http.post(self._url, data=form)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise Transient(f"{operation}: {type(error).__name__}", operation=operation) from error
        except (httpx.HTTPError, TimeoutError) as error:
            why = f"{operation}: {type(error).__name__}"
            raise Transient(why, sent=True, operation=operation) from error
        if not response.is_success:
            raise _refusal(response, operation)
        match _json(response):
            case {"access_token": str(token), "expires_in": int() | float() as life} if token:
                return token, float(life)
        raise Unexpected(f"{operation} answered no token", operation=operation)

    def _http(self) -> httpx.AsyncClient:
        """A client for one request: an hour lies between two."""
        return httpx.AsyncClient(
            transport=GuardedTransport(self._link),
            timeout=self._timeout,
            headers={"accept": "application/json"},
            follow_redirects=False,
            trust_env=False,
        )


def _refusal(response: httpx.Response, operation: str) -> VendorError:
    """Google answers 400 where it does not know the account or its key: our credential is wrong."""
    match _json(response):
        case {"error": str(code)} if response.status_code == 400 and code in REFUSED:
            return Denied(f"{operation} answered {code}", operation=operation)
    return error_for(response.status_code, response.headers, response.text, operation)


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:  # whoever asks looks for a shape, and this is none
        return None


def _part(data: Mapping[str, object]) -> str:
    return _base64(json.dumps(data, separators=(",", ":")).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
