"""The signature over a drill's files, so that an auditor can accept that it was held.

A list of the files with their SHA-256, as canonical JSON in a DSSE envelope (Ed25519), like the
seal of the evidence. The hot-wash form is not on it: people write into it afterwards.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from killswitch.evidence.seal import Problem
from killswitch.model.codec import canonical
from killswitch.model.errors import Broken
from tabletop.record import Record

if TYPE_CHECKING:  # it brings boto3 along, which a command that signs nothing need not load
    from securesystemslib.signer import Key, Signer

FORMAT = "killswitch/drill-files/1"
PAYLOAD_TYPE = "application/vnd.killswitch.drill+json"
FILE = "drill.sig.json"
SIGNED = ("report.html", "report.md", "journal.json", "improvement-plan.csv")


def sign(record: Record, folder: Path, signer: Signer) -> bytes:
    """The signed list of the files in the folder, as they are now. Raises OSError."""
    from securesystemslib.dsse import Envelope

    listed = {
        "format": FORMAT,
        "drill": record.id,
        "scenario": {key: record.scenario.get(key) for key in ("id", "version", "digest")},
        "score": record.score,
        "verdict": record.verdict,
        "ended_at": record.ended_at,
        "tool": record.tool,
        "files": {name: _sha256(folder / name) for name in SIGNED},
    }
    envelope = Envelope(canonical(listed), PAYLOAD_TYPE, {})
    envelope.sign(signer)
    return canonical(envelope.to_dict())


def verify(folder: Path, public_keys: Sequence[Key]) -> list[Problem]:
    """What does not hold of a drill's files. Empty: they are as one of the keys signed them."""
    try:
        listed = _open(folder / FILE, public_keys)
    except Broken as error:
        return [Problem(FILE, error.why)]
    found = []
    for name in SIGNED:
        wanted = listed["files"].get(name)
        if wanted is None:
            found.append(Problem(name, "it is not on the signed list"))
            continue
        try:
            seen = _sha256(folder / name)
        except OSError as error:
            found.append(Problem(name, f"it cannot be read: {error.strerror}"))
            continue
        if seen != wanted:
            found.append(Problem(name, "it was changed after it was signed"))
    return found


def _open(file: Path, public_keys: Sequence[Key]) -> dict[str, Any]:
    """The signed list. Raises Broken."""
    from securesystemslib.dsse import Envelope
    from securesystemslib.exceptions import VerificationError

    try:
        read = Envelope.from_dict(json.loads(file.read_bytes()))
    except OSError as error:
        raise Broken(f"there is no signature to check: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Broken(f"that is no signed list of files: {error}") from error
    if read.payload_type != PAYLOAD_TYPE:
        raise Broken(f"a {read.payload_type} where a list of a drill's files was expected")
    if not public_keys:
        raise Broken("there is no public key to check it with")
    try:
        read.verify(list(public_keys), threshold=1)
        listed = json.loads(read.payload)
    except VerificationError as error:
        raise Broken("none of the known keys signed it") from error
    except ValueError as error:
        raise Broken(f"the signed list cannot be read: {error}") from error
    if not isinstance(listed, dict) or not isinstance(listed.get("files"), dict):
        raise Broken("the signed list names no files")
    if listed.get("format") != FORMAT:
        raise Broken(f"the list's format is {listed.get('format')!r}, not {FORMAT}")
    return listed


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
