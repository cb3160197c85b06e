"""Signed heads reach their witnesses, catch up, and never stop anything."""

from __future__ import annotations

import json
import stat
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from securesystemslib.dsse import Envelope
from securesystemslib.signer import CryptoSigner
from sqlalchemy import text

from killswitch.audit.journal import Journal
from killswitch.audit.witness import (
    PAYLOAD_TYPE,
    FileWitness,
    Head,
    WitnessDown,
    kept_heads,
    open_head,
    sign_head,
)
from killswitch.model.errors import Broken
from killswitch.model.event import Event, What


@dataclass
class Moody:
    """A witness somewhere else that is down now and then."""

    name: str = "moody"
    up: bool = True
    heads: list[str] = field(default_factory=list)

    def tell(self, envelope: str) -> None:
        if not self.up:
            raise WitnessDown("moody is down")
        self.heads.append(envelope)


@pytest.fixture(scope="module")
def signer() -> CryptoSigner:
    return CryptoSigner.generate_ed25519()


def add(journal: Journal, key: str) -> None:
    journal.append(Event(What.STATE, "K-1", key, {}))


def test_head_is_signed_over_the_newest_entry(journal: Journal, signer: CryptoSigner) -> None:
    add(journal, "a")
    add(journal, "b")
    signed = sign_head(journal, signer)
    last = journal.last()
    assert signed is not None
    assert last is not None
    assert signed.head == Head(2, last.hash, last.at)
    envelope = Envelope.from_dict(json.loads(signed.envelope))
    assert list(envelope.verify([signer.public_key], 1)) == [signer.public_key.keyid]
    assert envelope.payload_type == PAYLOAD_TYPE
    assert json.loads(envelope.payload) == {"seq": 2, "hash": last.hash, "at": last.at}
    assert open_head(signed.envelope, [signer.public_key]) == signed.head
    assert kept_heads(journal) == [signed.envelope]


def test_nothing_to_sign(journal: Journal, signer: CryptoSigner) -> None:
    assert sign_head(journal, signer) is None


def test_file_witness(journal: Journal, signer: CryptoSigner, tmp_path: Path) -> None:
    witness = FileWitness(tmp_path / "witness.jsonl")
    for key in "abc":
        add(journal, key)
        signed = sign_head(journal, signer, [witness])
        assert signed is not None
        assert (signed.taken, signed.failed) == ((witness.name,), {})
    lines = [line for line in witness.path.read_text().splitlines() if line]
    assert lines == kept_heads(journal)
    assert stat.S_IMODE(witness.path.stat().st_mode) == 0o600


def test_a_line_that_a_crash_cut_short_spoils_only_itself(
    journal: Journal, signer: CryptoSigner, tmp_path: Path
) -> None:
    path = tmp_path / "witness.jsonl"
    path.write_text('{"payload":"half a li')
    add(journal, "a")
    signed = sign_head(journal, signer, [FileWitness(path)])
    assert signed is not None
    assert signed.envelope in path.read_text().splitlines()


def test_a_witness_that_is_down_is_reported_and_caught_up(
    journal: Journal, signer: CryptoSigner, tmp_path: Path
) -> None:
    moody, steady = Moody(up=False), FileWitness(tmp_path / "witness.jsonl")
    add(journal, "a")
    first = sign_head(journal, signer, [moody, steady])
    assert first is not None
    assert first.failed == {"moody": "moody is down"}
    assert first.taken == (steady.name,)
    moody.up = True
    second = sign_head(journal, signer, [moody, steady])
    assert second is not None
    assert (second.envelope, second.failed) == (first.envelope, {})
    assert moody.heads == [first.envelope]
    assert steady.path.read_text().count("payloadType") == 1
    sign_head(journal, signer, [moody, steady])
    assert len(moody.heads) == 1


@pytest.mark.parametrize("where", ["missing/witness.jsonl", "folder", "link"])
def test_a_file_that_cannot_be_written_is_reported(
    journal: Journal, signer: CryptoSigner, tmp_path: Path, where: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    add(journal, "a")
    witness = FileWitness(tmp_path / where)
    signed = sign_head(journal, signer, [witness])
    assert signed is not None
    assert "did not take the head" in signed.failed[witness.name]
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_reported(journal: Journal, signer: CryptoSigner) -> None:
    add(journal, "a")
    witness = FileWitness(Path("/dev/full"))
    signed = sign_head(journal, signer, [witness])
    assert signed is not None
    assert "No space left" in signed.failed[witness.name]


def test_a_damaged_journal_is_not_signed(journal: Journal, signer: CryptoSigner) -> None:
    add(journal, "a")
    with journal.store.begin() as tx:
        tx.execute(text("UPDATE journal SET data = '[]'"))
    with pytest.raises(Broken, match="was changed"):
        sign_head(journal, signer)


def test_a_head_of_another_journal_is_not_handed_on(journal: Journal, signer: CryptoSigner) -> None:
    add(journal, "a")
    sign_head(journal, signer)
    with journal.store.begin() as tx:
        tx.execute(text("DELETE FROM journal"))
    add(journal, "another first entry")
    moody = Moody()
    with pytest.raises(Broken, match="is not of this journal"):
        sign_head(journal, signer, [moody])
    assert moody.heads == []


@pytest.mark.parametrize(
    "spoiled",
    ["", "{}", "[]", "null", '{"payload": 1}', "{"],
)
def test_what_is_no_head(signer: CryptoSigner, spoiled: str) -> None:
    with pytest.raises(Broken, match="no signed head"):
        open_head(spoiled, [signer.public_key])


def test_a_signature_over_something_else_is_no_head(signer: CryptoSigner) -> None:
    envelope = Envelope(b'{"seq":1,"hash":"h","at":"t"}', "application/json", {})
    envelope.sign(signer)
    with pytest.raises(Broken, match="where a journal head was expected"):
        open_head(json.dumps(envelope.to_dict()), [signer.public_key])


def test_a_signature_of_somebody_else(journal: Journal, signer: CryptoSigner) -> None:
    add(journal, "a")
    signed = sign_head(journal, CryptoSigner.generate_ed25519())
    assert signed is not None
    with pytest.raises(Broken, match="none of the known keys"):
        open_head(signed.envelope, [signer.public_key])
    with pytest.raises(Broken):
        open_head(signed.envelope, [])
