"""The seal: a signed list of what was collected, with what is missing, and when that was said.

A manifest names every object by its SHA-256, so one signature over it covers all the evidence.
It is canonical JSON in a DSSE envelope (Ed25519), kept in the vault like any other object.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from killswitch import __version__
from killswitch.clock import Clock, utc_now
from killswitch.evidence import timestamp
from killswitch.evidence.vault import Vault
from killswitch.model.case import Case
from killswitch.model.codec import canonical
from killswitch.model.errors import Broken
from killswitch.model.event import Entry
from killswitch.model.evidence import Item

if TYPE_CHECKING:  # it brings boto3 along, which a command that signs nothing need not load
    from securesystemslib.dsse import Envelope
    from securesystemslib.signer import Key, Signer

FORMAT = "killswitch/manifest/1"
PAYLOAD_TYPE = "application/vnd.killswitch.manifest+json"


class Chain(Protocol):
    """What a seal needs of the journal: where it stood."""

    def last(self) -> Entry | None:
        """The newest entry."""


@dataclass(frozen=True)
class Problem:
    """One thing that does not hold. ``where``: the object, file or manifest it is about."""

    where: str
    says: str


async def seal_case(
    case: Case,
    which: str,
    *,
    vault: Vault,
    journal: Chain,
    signer: Signer,
    tsa: timestamp.Authority | None = None,
    now: Clock = utc_now,
) -> dict[str, Any]:
    """Seal a case's evidence so far; ``which``: ``volatile`` (only that) or ``final`` (all).

    Returns what the journal says of the seal: the manifest's digest in the vault, how many items
    and gaps it lists, and the digest of the timestamp or why there is none. Raises Broken, or
    VaultFull, when the manifest cannot be kept.
    """
    listed = manifest(case, which, journal.last(), now())
    envelope = sign(listed, signer)
    kept = await vault.put(envelope)
    said: dict[str, Any] = {
        "manifest": kept.sha256,
        "items": len(listed["items"]),
        "gaps": len(listed["gaps"]),
        "timestamp": "",
    }
    if tsa is not None:
        try:
            token = await timestamp.stamp(envelope, tsa)
        except timestamp.NoTimestamp as error:
            said["no_timestamp"] = error.why
        else:
            said["timestamp"] = (await vault.put(token)).sha256
    return said


def manifest(case: Case, which: str, head: Entry | None, now: datetime) -> dict[str, Any]:
    """What is sealed: every item, every gap, the plan, where the journal stood, and the times."""
    everything = which != "volatile"
    items = [Item.model_validate(item) for item in case.items]
    return {
        "format": FORMAT,
        "which": which,
        "case": case.id,
        "subject": case.request.subject,
        "mode": case.request.mode.value,
        "plan": case.digest,
        "items": [i.model_dump(mode="json") for i in items if everything or i.volatile],
        "gaps": [gap for gap in case.gaps if everything or gap.get("volatile")],
        "journal": {"seq": head.seq, "hash": head.hash, "at": head.at} if head else None,
        "times": case.times,
        "sealed_at": now.astimezone(UTC).isoformat(timespec="microseconds"),
        "tool": f"killswitch {__version__}",
    }


def sign(listed: dict[str, Any], signer: Signer) -> bytes:
    """The manifest in a signed DSSE envelope, as canonical JSON."""
    from securesystemslib.dsse import Envelope

    envelope = Envelope(canonical(listed), PAYLOAD_TYPE, {})
    envelope.sign(signer)
    return canonical(envelope.to_dict())


def read_envelope(envelope: bytes) -> Envelope:
    """The envelope around a manifest, not yet verified. Raises Broken."""
    from securesystemslib.dsse import Envelope

    try:
        read = Envelope.from_dict(json.loads(envelope))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Broken(f"that is no signed manifest: {error}") from error
    if read.payload_type != PAYLOAD_TYPE:
        raise Broken(f"a {read.payload_type} where a manifest was expected")
    return read


def open_manifest(envelope: bytes, keyring: Sequence[Key]) -> dict[str, Any]:
    """The manifest in an envelope that one of the keys signed. Raises Broken."""
    from securesystemslib.exceptions import VerificationError

    read = read_envelope(envelope)
    try:
        read.verify(list(keyring), threshold=1)
        listed: dict[str, Any] = json.loads(read.payload)
    except VerificationError as error:
        raise Broken("none of the known keys signed the manifest") from error
    except ValueError as error:
        raise Broken(f"the signed manifest cannot be read: {error}") from error
    if listed.get("format") != FORMAT:
        raise Broken(f"the manifest's format is {listed.get('format')!r}, not {FORMAT}")
    return listed


def verify(sha256: str, vault: Vault, keyring: Sequence[Key]) -> list[Problem]:
    """Check a manifest in the vault and every object that it lists. Empty: all is as sealed."""
    try:
        listed = open_manifest(vault.read(sha256), keyring)
    except Broken as error:
        return [Problem(sha256, error.why)]
    problems = []
    for item in listed["items"]:
        try:
            size = sum(len(chunk) for chunk in vault.chunks(item["sha256"]))
        except Broken as error:
            problems.append(Problem(item["sha256"], f"{item['name']!r}: {error.why}"))
            continue
        if size != item["size"]:
            problems.append(
                Problem(item["sha256"], f"{item['name']!r} has {size} bytes, not {item['size']}")
            )
    return problems
