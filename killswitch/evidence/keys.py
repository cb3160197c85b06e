"""The Ed25519 key that seals manifests and journal heads, and what an auditor needs of it.

The private key is one PEM file (PKCS #8), readable by its owner alone. It belongs on another
volume than the database: whoever can change both can sign anything.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from killswitch.model.errors import Broken

# Before the PEM itself, where RFC 7468 lets an explanation stand: readers skip it.
_OF_A_DRILL = b"DRILL: made in a drill. What this key signs was rehearsed.\n"

if TYPE_CHECKING:  # it brings boto3 along, which a command that signs nothing need not load
    from securesystemslib.signer import CryptoSigner, Key


def create(path: Path) -> CryptoSigner:
    """Make a new key and write it to a file that must not exist yet (0600). Raises Broken."""
    try:
        return signer(_create(path))
    except FileExistsError as error:
        raise Broken(f"the signing key {path} cannot be created: {error.strerror}") from error


def load(path: Path) -> CryptoSigner:
    """The key in the file. Raises Broken if it is missing, no Ed25519 key, or open to others."""
    return signer(_load(path))


def load_or_create(path: Path) -> CryptoSigner:
    """The key in the file; a new one where there is no file. Raises Broken."""
    return signer(private_key(path))


def private_key(path: Path, *, drill: bool = False) -> Ed25519PrivateKey:
    """As ``load_or_create``, not yet ready to sign. Raises Broken.

    ``drill``: a key that is made now says in its file that it is a drill's.
    """
    if not os.path.lexists(path):
        with contextlib.suppress(FileExistsError):  # another process made it just now
            return _create(path, _OF_A_DRILL if drill else b"")
    return _load(path)


def of_a_drill(path: Path) -> bool:
    """Whether the key in the file was made in a drill. False where there is no key to read."""
    try:
        with path.open("rb") as file:
            return file.read(len(_OF_A_DRILL)) == _OF_A_DRILL
    except OSError:  # whoever loads it says what is wrong with it
        return False


def signer(private: Ed25519PrivateKey) -> CryptoSigner:
    """What signs with the key."""
    from securesystemslib.signer import CryptoSigner

    return CryptoSigner(private)


def _create(path: Path, note: bytes = b"") -> Ed25519PrivateKey:
    """Make the file whole, then give it its name: whoever looks sees all of it or nothing.

    Raises FileExistsError when another process was first, Broken when it cannot be written.
    """
    private = Ed25519PrivateKey.generate()
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft.unlink(missing_ok=True)
        file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(file, "wb") as out:
            pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            out.write(note + pem)
            out.flush()
            os.fsync(out.fileno())
        try:
            os.link(draft, path)  # never over another file
        finally:
            draft.unlink()
    except FileExistsError:
        raise
    except OSError as error:
        raise Broken(f"the signing key {path} cannot be created: {error.strerror}") from error
    return private


def _load(path: Path) -> Ed25519PrivateKey:
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:
        raise Broken(
            f"the signing key {path} cannot be opened: {error.strerror}",
            hint="`agent-kill init` makes one; a symbolic link is not followed",
        ) from error
    with os.fdopen(file, "rb") as opened:
        mode = stat.S_IMODE(os.fstat(opened.fileno()).st_mode)
        if mode & 0o077:
            raise Broken(
                f"the signing key {path} is open to others (mode {mode:04o})",
                hint=f"chmod 600 {path}; if others could read it, make a new key",
            )
        pem = opened.read()
    try:
        private = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise Broken(f"the signing key {path} is no private key in PEM") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise Broken(f"the signing key {path} is no Ed25519 key")
    return private


def public_pem(key: Key, *, drill: bool = False) -> str:
    """The public key as PEM, which openssl and securesystemslib read; a drill's says so."""
    public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key.keyval["public"]))
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return ((_OF_A_DRILL if drill else b"") + pem).decode()


def read_public(pem: str | bytes) -> Key:
    """The public key in PEM; its ``keyid`` is the one that signatures name. Raises Broken."""
    try:
        public = load_pem_public_key(pem.encode() if isinstance(pem, str) else pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Broken("that is no public key in PEM") from error
    if not isinstance(public, Ed25519PublicKey):
        raise Broken("that is no Ed25519 public key")
    from securesystemslib.signer import SSlibKey

    key: Key = SSlibKey.from_crypto(public)
    return key
