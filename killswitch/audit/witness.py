"""Signed heads: the newest entry's hash, signed, and told to places that this host cannot erase.

A head is a DSSE envelope over ``{seq, hash, at}``. Whoever cuts or rewrites the journal after a
witness took a head is found out by ``audit.verify``. A witness that is down is reported and
caught up with the next head; it never stops anything.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import insert, select, update

from killswitch.audit.journal import Journal
from killswitch.audit.tables import heads
from killswitch.model.codec import canonical
from killswitch.model.errors import Broken, KillswitchError

if TYPE_CHECKING:  # it brings boto3 along, which a command that signs nothing need not load
    from securesystemslib.signer import Key, Signer

PAYLOAD_TYPE = "application/vnd.killswitch.journal-head+json"
DRILL_PAYLOAD_TYPE = "application/vnd.killswitch.DRILL-journal-head+json"  # legible on the line


class WitnessDown(KillswitchError):
    """A witness did not take the head."""


class Witness(Protocol):
    """A place that keeps signed heads: another host, an Object Lock bucket, a SIEM index."""

    @property
    def name(self) -> str:
        """How it is called in the heads table and in reports."""

    def tell(self, envelope: str) -> None:
        """Keep the head; return when it is safe. Raises WitnessDown."""


@dataclass(frozen=True)
class FileWitness:
    """One head a line, appended and synced: a file on another mount, or one that is shipped."""

    path: Path

    @property
    def name(self) -> str:
        """``file:`` and the path."""
        return f"file:{self.path}"

    def tell(self, envelope: str) -> None:
        """Append the line and wait until it is on the disk. Raises WitnessDown."""
        # It begins on a line of its own, whatever a crash left before it.
        line = b"\n" + envelope.encode() + b"\n"
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
        try:
            file = os.open(self.path, flags, 0o600)
            try:
                if os.write(file, line) != len(line):
                    raise WitnessDown(f"{self.name} took only a part of the head")
                os.fsync(file)
            finally:
                os.close(file)
        except OSError as error:
            raise WitnessDown(f"{self.name} did not take the head: {error.strerror}") from error


@dataclass(frozen=True)
class Head:
    """The newest entry when it was signed."""

    seq: int
    hash: str
    at: str


@dataclass(frozen=True)
class Signed:
    """A signed head, who holds it now, and who does not and why."""

    head: Head
    envelope: str  # DSSE, as canonical JSON
    taken: tuple[str, ...] = ()
    failed: dict[str, str] = field(default_factory=dict)


def sign_head(
    journal: Journal,
    signer: Signer,
    witnesses: Sequence[Witness] = (),
    *,
    drill: bool = False,
) -> Signed | None:
    """Sign the newest entry's hash, keep it, tell the witnesses. None: the journal is empty.

    Called again without new entries, it tells only the witnesses that have missed it.
    ``drill``: the head says that it is of a drill's journal. Raises Broken when the journal
    cannot be read or the head cannot be kept.
    """
    kept = _keep(journal, signer, drill)
    if kept is None:
        return None
    taken, failed = list(kept.taken), {}
    for witness in witnesses:
        if witness.name in kept.taken:
            continue
        try:
            witness.tell(kept.envelope)
        except WitnessDown as error:
            failed[witness.name] = error.why
        else:
            taken.append(witness.name)
    if len(taken) > len(kept.taken):
        with journal.store.begin() as tx:
            row = update(heads).where(heads.c.seq == kept.head.seq)
            tx.execute(row.values(witnesses=canonical(taken).decode()))
    return Signed(kept.head, kept.envelope, tuple(taken), failed)


def _keep(journal: Journal, signer: Signer, drill: bool) -> Signed | None:
    """The head of the newest entry from the table; signed and put there if it is new.

    Kept before any witness hears of it: a witness must never hold a head that we do not.
    """
    with journal.store.begin() as tx:
        last = journal.last()
        if last is None:
            return None
        row = tx.execute(select(heads).where(heads.c.seq == last.seq)).mappings().first()
        if row is None:
            head = Head(last.seq, last.hash, last.at)
            envelope = sign(head, signer, drill=drill)
            tx.execute(insert(heads), [{**vars(head), "signature": envelope, "witnesses": "[]"}])
            return Signed(head, envelope)
    if (row["hash"], row["at"]) != (last.hash, last.at):
        raise Broken(
            f"the signed head at entry {last.seq} is not of this journal",
            hint="stop, keep the database, run `agent-kill audit verify`",
        )
    return Signed(
        Head(row["seq"], row["hash"], row["at"]),
        row["signature"],
        tuple(json.loads(row["witnesses"])),
    )


def sign(head: Head, signer: Signer, *, drill: bool = False) -> str:
    """The head in a signed DSSE envelope, as canonical JSON."""
    from securesystemslib.dsse import Envelope

    kind = DRILL_PAYLOAD_TYPE if drill else PAYLOAD_TYPE
    envelope = Envelope(canonical(vars(head)), kind, {})
    envelope.sign(signer)
    return canonical(envelope.to_dict()).decode()


def open_head(envelope: str, keyring: Sequence[Key]) -> Head:
    """The head in an envelope that one of the keys signed. Raises Broken."""
    from securesystemslib.dsse import Envelope
    from securesystemslib.exceptions import VerificationError

    try:
        signed = Envelope.from_dict(json.loads(envelope))
        if signed.payload_type not in (PAYLOAD_TYPE, DRILL_PAYLOAD_TYPE):
            raise Broken(f"a {signed.payload_type} where a journal head was expected")
        signed.verify(list(keyring), threshold=1)
        data: Any = json.loads(signed.payload)
        return Head(data["seq"], data["hash"], data["at"])
    except VerificationError as error:
        raise Broken("none of the known keys signed it") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Broken(f"it is no signed head: {error}") from error


def of_a_drill(path: Path) -> bool:
    """Whether a witness's file holds heads of a drill's journal. False where nothing can be read.

    Its first line tells: one file is never a witness of both.
    """
    try:
        with path.open("rb") as file:
            first = next((line for line in file if line.strip()), b"")
    except OSError:  # a witness that is down is shown with each head, never fatal
        return False
    return DRILL_PAYLOAD_TYPE.encode() in first


def kept_heads(journal: Journal) -> list[str]:
    """The signed heads in the database, oldest first, as a bundle hands them on. Raises Broken."""
    with journal.store.read() as tx:
        return list(tx.execute(select(heads.c.signature).order_by(heads.c.seq)).scalars())
