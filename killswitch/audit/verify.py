"""The audit: whether the journal is what was written, and every case went by the rules.

The chain shows that an entry was changed; the signed heads show that entries were cut, or that
the whole database is another one. Needs nothing but the database, the public keys and the
files of the witnesses.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, RowMapping, select

from killswitch.audit.findings import Findings
from killswitch.audit.journal import GENESIS, Journal, entry_hash, entry_of
from killswitch.audit.lifecycle import check_case
from killswitch.audit.tables import heads as heads_table
from killswitch.audit.tables import journal as journal_table
from killswitch.audit.witness import FileWitness, Head, open_head
from killswitch.model.errors import Broken
from killswitch.model.event import Entry

if TYPE_CHECKING:  # it brings boto3 along, which reading the journal need not load
    from securesystemslib.signer import Key


def verify(
    journal: Journal, keyring: Sequence[Key], witness_files: Sequence[Path] = ()
) -> Findings:
    """Check every entry, every head and every case. Finds; changes nothing; does not raise."""
    findings = Findings()
    witnessed = _from_witnesses(witness_files, keyring, findings)
    try:
        with journal.store.read() as tx:
            _check_database(tx, findings)
            hashes, cases = _check_chain(tx, findings)
            # Read again: what the snapshot says a witness took, it has taken by now.
            since = _from_witnesses(witness_files, keyring, Findings())
            kept = _check_kept_heads(tx, keyring, since, findings)
    except Broken as error:
        findings.broken("database", 0, f"The database cannot be read: {error.why}.")
        return findings
    _check_heads_against_chain(hashes, kept, witnessed, findings)
    for entries in cases.values():
        findings.found += check_case(entries)
    findings.found.sort(key=lambda finding: finding.where)
    return findings


def _check_database(tx: Connection, findings: Findings) -> None:
    """SQLite's own check: damage that an index shows and the rows do not."""
    if tx.dialect.name != "sqlite":
        return
    for line in tx.exec_driver_sql("PRAGMA integrity_check(20)").scalars():
        if line != "ok":
            findings.broken("database", 0, f"The database file is damaged: {line}.")


def _check_chain(
    tx: Connection, findings: Findings
) -> tuple[dict[int, str], dict[str, list[Entry]]]:
    """Every entry's hash and its tie to the one before. Returns hashes, and the sound entries."""
    hashes: dict[int, str] = {}
    cases: dict[str, list[Entry]] = defaultdict(list)
    expected, prev, at = 1, GENESIS, ""
    for row in tx.execute(select(journal_table).order_by(journal_table.c.seq)).mappings():
        seq = row["seq"]
        if not isinstance(seq, int):
            findings.broken("changed", 0, f"An entry's number was changed to {seq!r}.")
            continue
        findings.entries += 1
        if seq != expected:
            gap = f"Entry {expected} is missing" if seq == expected + 1 else _gap(expected, seq)
            findings.broken("missing", min(expected, seq), gap + ".")
        elif row["prev"] != prev:
            findings.broken("order", seq, f"Entry {seq} does not follow the entry before it.")
        if row["hash"] != _hash_or_none(row):
            findings.broken("changed", seq, f"Entry {seq} was changed after it was written.")
        else:
            if row["at"] < at:
                findings.broken("order", seq, f"Entry {seq} is older than the entry before it.")
            at = row["at"]
            _keep_entry(row, cases, findings)
        hashes[seq] = prev = row["hash"]
        expected = seq + 1
    return hashes, cases


def _gap(expected: int, seq: int) -> str:
    if seq < expected:
        return f"Entry {seq} stands where entry {expected} should"
    return f"Entries {expected} to {seq - 1} are missing"


def _hash_or_none(row: RowMapping) -> str | None:
    """The hash that the row should carry; none where it holds no JSON values any more."""
    try:
        return entry_hash(row)
    except (ValueError, TypeError, AttributeError):
        return None


def _keep_entry(row: RowMapping, cases: dict[str, list[Entry]], findings: Findings) -> None:
    try:
        entry = entry_of(row)
    except Broken as error:
        findings.broken("unreadable", row["seq"], f"{error.why}.")
    else:
        if entry.case:
            cases[entry.case].append(entry)


def _from_witnesses(
    files: Sequence[Path], keyring: Sequence[Key], findings: Findings
) -> dict[str, dict[int, Head]]:
    """The heads that each witness holds, by number. A line that is no signed head is a finding."""
    held: dict[str, dict[int, Head]] = {}
    for path in files:
        name = FileWitness(path).name
        held[name] = {}
        try:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError as error:
            findings.broken("witness", 0, f"{name} cannot be read: {error.strerror}.")
            continue
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                head = open_head(line, keyring)
            except Broken as error:
                findings.broken("signature", 0, f"{name}, line {number}: {error.why}.")
                continue
            known = held[name].setdefault(head.seq, head)
            if known != head:
                findings.broken(
                    "rewritten", head.seq, f"{name} holds two heads of entry {head.seq}."
                )
    return held


def _check_kept_heads(
    tx: Connection,
    keyring: Sequence[Key],
    witnessed: dict[str, dict[int, Head]],
    findings: Findings,
) -> dict[int, Head]:
    """The heads in the database: signed by us, as their columns say, and where they say."""
    kept: dict[int, Head] = {}
    for row in tx.execute(select(heads_table).order_by(heads_table.c.seq)).mappings():
        seq, findings.heads = row["seq"], findings.heads + 1
        where = seq if isinstance(seq, int) else 0
        try:
            head = open_head(row["signature"], keyring)
        except Broken as error:
            findings.broken("signature", where, f"The head of entry {seq}: {error.why}.")
            continue
        if (seq, row["hash"], row["at"]) != (head.seq, head.hash, head.at):
            findings.broken("head", where, f"The head of entry {seq} is not what was signed.")
        kept[head.seq] = head
        for took in _names(row["witnesses"], where, findings):
            for name, held in witnessed.items():
                if _same_file(took, name) and held.get(head.seq) != head:
                    findings.broken(
                        "witness", where, f"{name} took the head of entry {seq} and lacks it now."
                    )
    return kept


def _same_file(took: str, name: str) -> bool:
    """Whether a witness file is the one that took a head, or a copy of it in another folder."""
    return took.startswith("file:") and Path(took).name == Path(name).name


def _names(text: Any, where: int, findings: Findings) -> list[str]:
    try:
        return [str(name) for name in json.loads(text)]
    except (ValueError, TypeError):
        findings.broken("head", where, f"Who took the head of entry {where} was changed.")
        return []


def _check_heads_against_chain(
    hashes: dict[int, str],
    kept: dict[int, Head],
    witnessed: dict[str, dict[int, Head]],
    findings: Findings,
) -> None:
    """What was signed once must be in the journal still, and the heads in the database too."""
    for head in kept.values():
        _check_head(head, "the database", hashes, findings)
    anchored = 0
    for name, held in witnessed.items():
        for head in held.values():
            anchored = max(anchored, head.seq if hashes.get(head.seq) == head.hash else 0)
            _check_head(head, name, hashes, findings)
            if head.seq not in kept:
                findings.broken(
                    "head",
                    head.seq,
                    f"{name} holds a head of entry {head.seq} that the database lacks.",
                )
    findings.unanchored = sum(seq > anchored for seq in hashes)


def _check_head(head: Head, holder: str, hashes: dict[int, str], findings: Findings) -> None:
    if head.seq not in hashes:
        findings.broken(
            "cut",
            head.seq,
            f"Entry {head.seq} was signed on {head.at} ({holder}) and is gone.",
        )
    elif hashes[head.seq] != head.hash:
        findings.broken(
            "rewritten",
            head.seq,
            f"Entry {head.seq} is not the one that was signed on {head.at} ({holder}): the "
            "journal was rewritten, or this is another database.",
        )
