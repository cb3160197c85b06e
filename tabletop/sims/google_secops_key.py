"""The simulated service account: its key opens nothing but the simulator.

The key is the same in every run, as a killswitch.yaml that was written yesterday holds it.
"""

from __future__ import annotations

import base64
import json
from functools import cache
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

EMAIL = "killswitch@fake-secops.iam.gserviceaccount.com"
ID = "100000000000000000042"
KEY_ID = "fake0123456789abcdef0123456789abcdef0123"
_P = int(
    "f805f435e9f92a841cef408371bba716d49c2f3c8ab180b45760f7b9a8f0973ec2ce58c647df2dfd"
    "64b61a1aa7105c929abfd663c8c4b9fdf63e8466f6568b9f2894a36875985a20e415e7472d22eb36"
    "db44c453508026cee0144138a3e1726022675cddd26f5e7715951ab3a45bd1964e6123ba2fc46205"
    "06c7c86332cde113",
    16,
)
_Q = int(
    "d2f58c812d591f1da05cb298649e826e4d25edc5c38fba57752d73e0d6fc3ce4ff7cd1d905eb51e8"
    "81b051ed76f9145a777969474c4e17ae13ac5d4e3b9c25ecfab819a37864d96c03f398baed0bcf94"
    "da1d296560da1fc4e6f127eb3305632d8d03651907fc3bd8d82b9df8c2fda1a45a1170e76633ef9b"
    "a6d48cc7e94d8fd5",
    16,
)
_E = 65537


@cache
def private_key() -> rsa.RSAPrivateKey:
    """The account's key."""
    d = pow(_E, -1, (_P - 1) * (_Q - 1))
    public = rsa.RSAPublicNumbers(_E, _P * _Q)
    return rsa.RSAPrivateNumbers(
        _P, _Q, d, d % (_P - 1), d % (_Q - 1), pow(_Q, -1, _P), public
    ).private_key()


@cache
def pem() -> str:
    """The key as it stands in the file."""
    der = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private_key().private_bytes(*der).decode()


def key_file(token_uri: str) -> str:
    """The JSON file that Google gives out for a key."""
    return json.dumps(
        {
            "type": "service_account",
            "project_id": "fake-secops",
            "private_key_id": KEY_ID,
            "private_key": pem(),
            "client_email": EMAIL,
            "client_id": ID,
            "token_uri": token_uri,
        }
    )


def claims(assertion: str) -> dict[str, Any]:
    """What a JWT says, if our key has signed it with RS256. Raises ValueError if not."""
    head, body, signature = assertion.split(".")
    if json.loads(_bytes(head)).get("alg") != "RS256":
        raise ValueError("alg")
    try:
        private_key().public_key().verify(
            _bytes(signature), f"{head}.{body}".encode(), PKCS1v15(), SHA256()
        )
    except InvalidSignature as error:
        raise ValueError("signature") from error
    said: dict[str, Any] = json.loads(_bytes(body))
    return said


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
