"""Secrets: killswitch.yaml says where one is, never what it is.

``{env: NAME}`` or ``{file: path}``; in a drill also ``{plain: text}``, as a simulator's tokens
open nothing. References are followed when a connection is made, not when the file is read.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from killswitch import typed
from killswitch.model.errors import Invalid
from killswitch.model.plan import Mode
from killswitch.strictyaml import Document, Where

EXPECTED = "{env: NAME} or {file: path}"


def places(kind: Any, data: Any, at: Where = ()) -> Iterator[tuple[Where, Any]]:
    """Where the data of that kind holds secrets, and what stands there."""
    if SecretStr in typed.branches([kind]):
        if data is not None:
            yield at, data
        return
    parts: Any = ()
    if isinstance(data, dict):
        parts = data.items()
    elif isinstance(data, list):
        parts = enumerate(data)
    for key, value in parts:
        for inner in typed.inside(kind, key):
            yield from places(inner, value, (*at, key))


def check(reference: Any, where: Where, document: Document, mode: Mode) -> Invalid | None:
    """What is wrong with a reference, without following it."""
    if not isinstance(reference, dict):
        return document.invalid(where, f"{typed.name(where)} is a secret in the file", EXPECTED)
    if list(reference) == ["plain"]:
        if mode is not Mode.DRILL:
            return document.invalid(where, "a plain secret outside a drill", EXPECTED)
    elif list(reference) not in (["env"], ["file"]):
        return document.invalid(where, f"{typed.name(where)} is no reference", EXPECTED)
    (value,) = reference.values()
    if not isinstance(value, str) or not value:
        return document.invalid(where, f"{typed.name(where)} refers to nothing", EXPECTED)
    return None


def follow(reference: dict[str, str], where: Where, document: Document, mode: Mode) -> str:
    """The secret itself. Raises Invalid when it is not there or others may read its file."""
    ((how, value),) = reference.items()
    if how == "plain":
        return value
    if how == "env":
        secret = os.environ.get(value, "")
        if not secret:
            raise document.invalid(
                where, f"the environment variable {value} is not set", f"export {value}=…"
            )
        return secret
    return _from_file(Path(document.file).parent / value, where, document, mode)


def _from_file(file: Path, where: Where, document: Document, mode: Mode) -> str:
    try:
        with file.open("rb") as stream:
            permissions = stat.S_IMODE(os.fstat(stream.fileno()).st_mode)
            if mode is not Mode.DRILL and permissions & 0o077:
                raise document.invalid(
                    where,
                    f"{file} can be read by others (mode {permissions:04o})",
                    f"mode 0600: chmod 600 {file}",
                )
            secret = stream.read().decode("utf-8").removesuffix("\n").removesuffix("\r")
    except OSError as error:
        raise document.invalid(where, f"{file}: {error.strerror}", "a readable file") from error
    except UnicodeDecodeError:  # its text would show a part of the secret
        raise document.invalid(where, f"{file} is not UTF-8", "text") from None
    if not secret:
        raise document.invalid(where, f"{file} is empty", "the secret in it")
    return secret
