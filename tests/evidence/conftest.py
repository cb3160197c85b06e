"""A vault with a collected case, and the tools that an auditor has."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from securesystemslib.signer import CryptoSigner

from killswitch.evidence.vault import Vault
from killswitch.model.case import Request
from killswitch.model.codec import digest
from killswitch.model.event import Entry, What
from killswitch.model.evidence import Item
from killswitch.model.plan import Mode
from tests.evidence.authority import Authority

Tell = Callable[..., Entry]


class Told:
    """A case's entries as a journal would hold them, chained, without a database."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        request = Request(
            subject="person:jo@corp.example",
            playbook={},
            playbook_digest="0" * 64,
            mode=Mode.DRILL,
            requester="dana@corp.example",
            door="cli",
        )
        self.tell(What.REQUESTED, request=request.model_dump(mode="json"))

    def tell(self, what: What, **data: Any) -> Entry:
        seq = len(self.entries) + 1
        row = {
            "seq": seq,
            "at": f"2026-11-21T20:00:{seq:02}.000000+00:00",
            "what": what.value,
            "case": "K-1",
            "key": f"K-1:{seq}",
            "data": data,
            "prev": self.entries[-1].hash if self.entries else "0" * 64,
        }
        entry = Entry(**{**row, "what": what}, hash=digest(row))
        self.entries.append(entry)
        return entry

    def last(self) -> Entry:
        return self.entries[-1]


HOSTILE_NAMES = [
    "../../../etc/passwd",
    "/etc/shadow",
    "a" * 5000,
    "nul\x00byte",
    "new\nline\r",
    "right-to-left \u202e gpj.exe",
    "",
    ".",
    "CON",
    "<script>alert(1)</script>",
    "%2e%2e%2f",
]


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(tmp_path / "vault")


@pytest.fixture
async def told(vault: Vault) -> Told:
    """Volatile and lasting evidence under hostile names, and one gap."""
    told = Told()
    for number, name in enumerate(HOSTILE_NAMES):
        stored = await vault.put(f"evidence {number}".encode())
        item = Item(
            sha256=stored.sha256,
            size=stored.size,
            name=name,
            media_type="text/plain",
            collector="okta.sessions",
            connection="okta",
            volatile=number % 2 == 0,
            truncated=number == 3,
        )
        told.tell(What.STORED, item=item.model_dump(mode="json"))
    told.tell(What.GAP, collector="x.y", connection="okta", why="not there", volatile=True)
    return told


@pytest.fixture(scope="session")
def signer() -> CryptoSigner:
    return CryptoSigner.generate_ed25519()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    return Authority.set_up(tmp_path_factory.mktemp("authority"))
