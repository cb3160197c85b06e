"""This machine: whether what a kill writes down can be written, and who is at the keyboard."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import delete, insert, select

from killswitch import apart
from killswitch.audit.store import Store
from killswitch.audit.tables import inbox
from killswitch.config import Config
from killswitch.doctor.finding import Finding
from killswitch.engine.house import House
from killswitch.evidence import keys
from killswitch.evidence.vault import Vault
from killswitch.model.errors import Broken, KillswitchError
from killswitch.report.words import size

ROOM = 2 * 1000**3  # bytes that should be free: transcripts can be large
LEAST = 100 * 1000**2  # bytes below which even the journal is in danger
AREA = "machine"


def keeping_apart(config: Config) -> list[Finding]:
    """Whether state, signing key and witness are this mode's own: drill and live share nothing."""
    name = "drill and live apart"
    try:
        found = list(apart.clashes(config))
    except Broken as error:
        return [Finding(AREA, name, ok=False, detail=error.why, fix="check who owns the file")]
    if not found:
        detail = f"what is named here is used in mode {config.mode} alone"
        return [Finding(AREA, name, ok=True, detail=detail)]
    return [
        Finding(AREA, name, ok=False, detail=f"{c}; this is mode {config.mode}", fix=c.fix)
        for c in found
    ]


def signing_key(config: Config) -> Finding:
    """Whether the key that seals and heads are signed with is there and ours alone."""
    path = config.signing_key
    if not os.path.lexists(path):
        detail = f"{path}: none yet; it is made on first use"
        return Finding(AREA, "signing key", None, detail)
    try:
        key = keys.load(path).public_key
    except Broken as error:
        return Finding(AREA, "signing key", ok=False, detail=error.why, fix=error.hint)
    return Finding(AREA, "signing key", ok=True, detail=f"{path}, key id {key.keyid[:16]}")


def journal(house: House) -> Finding:
    """Write a row, read it back from the disk, delete it. The chain itself is not touched."""
    probe = f"doctor:{secrets.token_hex(8)}"
    now = house.now().isoformat()
    try:
        with house.store.begin() as tx:
            row = insert(inbox).values(
                kind="doctor", case_id=probe, payload={}, at=now, taken_at=now
            )
            tx.execute(row)
        with house.store.read() as tx:
            there = tx.execute(select(inbox.c.id).where(inbox.c.case_id == probe)).scalar()
        with house.store.begin() as tx:
            tx.execute(delete(inbox).where(inbox.c.case_id == probe))
        last = house.journal.last()
    except Broken as error:
        return Finding(AREA, "journal", ok=False, detail=error.why, fix=error.hint)
    if there is None:
        fix = "what is written there is not kept: look at the disk"
        return Finding(AREA, "journal", ok=False, detail="a row did not read back", fix=fix)
    detail = f"written and read back; {last.seq if last else 0} entries"
    return Finding(AREA, "journal", ok=True, detail=detail)


async def vault(kept: Vault) -> Finding:
    """Keep an object, read it back, remove it."""
    content = f"killswitch doctor {secrets.token_hex(16)}".encode()
    try:
        stored = await kept.put(content)
        same = kept.read(stored.sha256) == content
        kept.path(stored.sha256).unlink()
    except KillswitchError as error:
        return Finding(
            AREA, "vault", ok=False, detail=error.why, fix=error.hint or "look at the disk"
        )
    except OSError as error:
        detail = f"{kept.folder}: {error.strerror}"
        return Finding(AREA, "vault", ok=False, detail=detail, fix="check the folder's owner")
    if not same:
        fix = "what is kept there is not what was given: look at the disk"
        return Finding(AREA, "vault", ok=False, detail="an object read back otherwise", fix=fix)
    return Finding(AREA, "vault", ok=True, detail=f"{kept.folder}: written and read back")


def witness(config: Config) -> Finding:
    """Whether heads can be appended. Nothing is written: a witness keeps what it was told."""
    written = config.written.witness
    if written is None:
        detail = "none: whoever owns this machine could rewrite the journal unseen"
        fix = "set `witness:` to a file that this host can only append to"
        return Finding(AREA, "witness", ok=False, detail=detail, fix=fix, blocks=False)
    path = config.path(written.file)
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600))
    except OSError as error:
        detail = f"{path}: {error.strerror}"
        return Finding(AREA, "witness", ok=False, detail=detail, fix="create its folder, or mount")
    return Finding(AREA, "witness", ok=True, detail=f"{path} can be appended to")


def disk(config: Config) -> Finding:
    """Room for evidence and the journal."""
    free = shutil.disk_usage(_nearest(config.state)).free
    detail = f"{size(free)} free at {config.state}"
    if free >= ROOM:
        return Finding(AREA, "disk", ok=True, detail=detail)
    fix = f"evidence may need {size(ROOM)}: free some"
    return Finding(AREA, "disk", ok=False, detail=detail, fix=fix, blocks=free < LEAST)


def _nearest(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path


def signatures(config: Config) -> Iterator[Finding]:
    """Where approvals may be signed with SSH keys: the tool and the list of signers."""
    allowed = config.written.people.allowed_signers
    if allowed is None:
        return
    path, tool = config.path(allowed), shutil.which("ssh-keygen")
    yield Finding(
        AREA,
        "ssh-keygen",
        ok=tool is not None,
        detail=tool or "not found",
        fix="" if tool else "install the OpenSSH client: signed approvals need it",
    )
    there = path.is_file() and os.access(path, os.R_OK)
    yield Finding(
        AREA,
        "allowed signers",
        ok=there,
        detail=str(path),
        fix="" if there else "create it; its format is in ssh-keygen(1), ALLOWED SIGNERS",
    )


def store(config: Config) -> Finding | None:
    """What is wrong with the database, where it cannot even be opened."""
    try:
        config.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        Store(config.state / "killswitch.db").close()
        Vault(config.state / "vault")
    except OSError as error:
        detail = f"{config.state}: {error.strerror}"
        return Finding(AREA, "state", ok=False, detail=detail, fix="check `state:` and its owner")
    except KillswitchError as error:
        return Finding(AREA, "state", ok=False, detail=error.why, fix=error.hint)
    return None
