"""Tampering is found: every byte, every row, the tail, the heads, another database."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from securesystemslib.signer import CryptoSigner

from killswitch.audit.findings import Findings
from killswitch.audit.journal import GENESIS, Journal, entry_hash
from killswitch.audit.store import Store
from killswitch.audit.verify import verify
from killswitch.audit.witness import FileWitness, Head, sign, sign_head
from killswitch.model.errors import Broken
from killswitch.model.event import Event, What
from tests.audit.story import SUSPEND, a_lawful_case

COLUMNS = ("seq", "at", "what", "case_id", "key", "data", "prev", "hash")


@dataclass
class Scene:
    """A finished case in one file, its witness beside it, and tools of somebody who owns both."""

    database: Path
    witness: Path
    signer: CryptoSigner

    def audit(self) -> Findings:
        store = Store(self.database)
        try:
            return verify(Journal(store), [self.signer.public_key], [self.witness])
        finally:
            store.close()

    def sql(self, *statements: str) -> None:
        with sqlite3.connect(self.database, isolation_level=None) as connection:
            for statement in statements:
                connection.execute(statement)
        connection.close()

    def rows(self) -> list[tuple]:
        connection = sqlite3.connect(self.database)
        connection.text_factory = bytes
        try:
            return connection.execute(f"SELECT {', '.join(COLUMNS)} FROM journal").fetchall()
        finally:
            connection.close()

    def copy(self, folder: Path) -> Scene:
        folder.mkdir(parents=True, exist_ok=True)
        for path in (self.database, self.witness):
            shutil.copy(path, folder / path.name)
        return Scene(folder / self.database.name, folder / self.witness.name, self.signer)


def make(folder: Path, signer: CryptoSigner, *, unwitnessed: int = 0) -> Scene:
    """Heads after entries 3, 10 and the last; then some that no witness has heard of."""
    store = Store(folder / "killswitch.db")
    journal = Journal(store)
    witness = FileWitness(folder / "witness.jsonl")
    for number, event in enumerate(a_lawful_case().events(), 1):
        journal.append(event)
        if number in (3, 10):
            sign_head(journal, signer, [witness])
    sign_head(journal, signer, [witness])
    journal.append(*(Event(What.WATCHED, "K-1", f"K-1:w{n}", {}) for n in range(unwitnessed)))
    store.close()
    connection = sqlite3.connect(folder / "killswitch.db")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return Scene(folder / "killswitch.db", folder / "witness.jsonl", signer)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return make(tmp_path_factory.mktemp("original"), CryptoSigner.generate_ed25519())


@pytest.fixture
def scene(original: Scene, tmp_path: Path) -> Iterator[Scene]:
    return original.copy(tmp_path)


def whats(findings: Findings) -> set[str]:
    return {f.what for f in findings.found}


def test_an_untouched_journal_is_sound(scene: Scene) -> None:
    findings = scene.audit()
    assert findings.found == []
    assert findings.sound
    assert (findings.entries, findings.heads) == (len(a_lawful_case().events()), 3)
    assert findings.unanchored == 0


def test_postgres_is_audited_alike(postgres: str, tmp_path: Path) -> None:
    import psycopg

    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    signer = CryptoSigner.generate_ed25519()
    store, witness = Store(postgres), FileWitness(tmp_path / "witness.jsonl")
    journal = Journal(store)
    journal.append(*a_lawful_case().events())
    sign_head(journal, signer, [witness])
    assert verify(journal, [signer.public_key], [witness.path]).found == []
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("UPDATE journal SET data = '{}' WHERE seq = 5")
    findings = verify(journal, [signer.public_key], [witness.path])
    assert ("changed", 5) in {(f.what, f.where) for f in findings.found}
    store.close()


def test_what_no_witness_holds_is_counted(tmp_path: Path) -> None:
    scene = make(tmp_path, CryptoSigner.generate_ed25519(), unwitnessed=4)
    findings = scene.audit()
    assert (findings.found, findings.unanchored) == ([], 4)
    scene.witness.write_text("")
    assert scene.audit().unanchored == findings.entries


def test_a_changed_row(scene: Scene) -> None:
    scene.sql("UPDATE journal SET at = '2020-01-01T00:00:00.000000+00:00' WHERE seq = 7")
    (finding,) = scene.audit().found
    assert (finding.what, finding.where) == ("changed", 7)
    assert finding.says == "Entry 7 was changed after it was written."


def test_a_changed_row_with_a_hash_to_match(scene: Scene) -> None:
    """The forger mends the hash; the next entry, and every later head, give it away."""
    _rewrite(scene, lambda rows: rows[6].update(data='{"forged":true}'), mend=7)
    found = {(f.what, f.where) for f in scene.audit().found}
    assert ("order", 8) in found


def test_a_chain_rewritten_to_its_end(scene: Scene) -> None:
    """Every hash is right again; only the signed heads know."""
    _rewrite(scene, lambda rows: rows[6].update(key="forged"), mend=len(scene.rows()))
    findings = scene.audit()
    assert ("rewritten", 10) in {(f.what, f.where) for f in findings.found}
    assert "rewritten, or this is another database" in findings.found[-1].says


@pytest.mark.parametrize("seq", [1, 7, 12])
def test_a_missing_row(scene: Scene, seq: int) -> None:
    scene.sql(f"DELETE FROM journal WHERE seq = {seq}")
    found = {(f.what, f.where) for f in scene.audit().found}
    assert ("missing", seq) in found


def test_missing_rows(scene: Scene) -> None:
    scene.sql("DELETE FROM journal WHERE seq BETWEEN 4 AND 6")
    assert "Entries 4 to 6 are missing." in [f.says for f in scene.audit().found]


def test_rows_in_another_order(scene: Scene) -> None:
    scene.sql(
        "UPDATE journal SET seq = -1 WHERE seq = 4",
        "UPDATE journal SET seq = 4 WHERE seq = 5",
        "UPDATE journal SET seq = 5 WHERE seq = -1",
    )
    found = {(f.what, f.where) for f in scene.audit().found}
    assert {("changed", 4), ("changed", 5)} <= found


def test_a_row_too_many(scene: Scene) -> None:
    scene.sql(
        "INSERT INTO journal SELECT 1000, at, what, case_id, 'x', data, prev, hash "
        "FROM journal WHERE seq = 4"
    )
    assert ("changed", 1000) in {(f.what, f.where) for f in scene.audit().found}


@pytest.mark.parametrize("left", range(0, 25, 4))
def test_a_cut_tail(scene: Scene, left: int) -> None:
    scene.sql(f"DELETE FROM journal WHERE seq > {left}")
    findings = scene.audit()
    assert "cut" in whats(findings)
    assert any("is gone" in f.says for f in findings.found)


def test_a_cut_tail_whose_heads_were_cut_too(scene: Scene) -> None:
    """The witness alone remembers."""
    scene.sql("DELETE FROM journal WHERE seq > 10", "DELETE FROM heads WHERE seq > 10")
    findings = scene.audit()
    assert whats(findings) >= {"cut", "head"}
    assert any("that the database lacks" in f.says for f in findings.found)


def test_everything_gone(scene: Scene) -> None:
    scene.database.unlink()
    assert whats(scene.audit()) == {"cut", "head"}


def test_another_database(scene: Scene, tmp_path: Path) -> None:
    """A sound journal with sound heads of the same key, but not this one."""
    other = make(tmp_path / "other", scene.signer)
    shutil.copy(other.database, scene.database)
    assert other.audit().sound
    assert "rewritten" in whats(scene.audit())


def test_heads_of_another_key(scene: Scene) -> None:
    forger = CryptoSigner.generate_ed25519()
    (seq, own) = scene.rows()[9][0], scene.rows()[9][7].decode()
    forged = sign(Head(seq, own, "t"), forger)
    connection = sqlite3.connect(scene.database, isolation_level=None)
    connection.execute("UPDATE heads SET signature = ? WHERE seq = 10", (forged,))
    connection.close()
    scene.witness.write_text(forged + "\n")
    says = [f.says for f in scene.audit().found if f.what == "signature"]
    assert says == [
        f"file:{scene.witness}, line 1: none of the known keys signed it.",
        "The head of entry 10: none of the known keys signed it.",
    ]


@pytest.mark.parametrize(
    ("column", "value"),
    [("hash", "'x'"), ("at", "'x'"), ("signature", "'{}'"), ("witnesses", "'x'"), ("seq", "11")],
)
def test_a_changed_head(scene: Scene, column: str, value: str) -> None:
    scene.sql(f"UPDATE heads SET {column} = {value} WHERE seq = 10")
    assert not scene.audit().sound


def test_a_head_missing_from_the_database(scene: Scene) -> None:
    scene.sql("DELETE FROM heads WHERE seq = 10")
    (finding,) = scene.audit().found
    assert (finding.what, finding.where) == ("head", 10)


def test_a_head_missing_from_its_witness(scene: Scene) -> None:
    lines = [line for line in scene.witness.read_text().splitlines() if line]
    scene.witness.write_text("\n".join([lines[0], lines[2]]))
    (finding,) = scene.audit().found
    assert (finding.what, finding.where) == ("witness", 10)


def test_two_heads_of_one_entry(scene: Scene) -> None:
    with scene.witness.open("a") as file:
        file.write(sign(Head(10, "f" * 64, "t"), scene.signer) + "\n")
    assert "two heads of entry 10" in " ".join(f.says for f in scene.audit().found)


def test_a_witness_that_cannot_be_read(scene: Scene) -> None:
    scene.witness.unlink()
    findings = scene.audit()
    assert any("cannot be read" in f.says for f in findings.found)
    assert not findings.sound


def test_a_line_cut_short_in_the_witness_is_said(scene: Scene) -> None:
    with scene.witness.open("a") as file:
        file.write('{"payload":"ha')
    (finding,) = scene.audit().found
    assert "is no signed head" in finding.says


def test_a_broken_rule_in_a_sound_chain(tmp_path: Path) -> None:
    story = a_lawful_case()
    story.drop(What.DECIDED, gate="lead")
    store = Store(tmp_path / "killswitch.db")
    journal = Journal(store)
    journal.append(*story.events())
    (finding,) = verify(journal, []).found
    assert finding.what == "approval"
    assert SUSPEND in finding.says
    store.close()


def test_a_file_that_is_no_database_any_more(scene: Scene) -> None:
    raw = bytearray(scene.database.read_bytes())
    store = Store(scene.database)
    raw[8192:] = b"\xaa" * (len(raw) - 8192)
    scene.database.write_bytes(raw)
    findings = verify(Journal(store), [scene.signer.public_key], [scene.witness])
    store.close()
    assert "database" in whats(findings)


def test_every_byte_of_one_entry(scene: Scene) -> None:
    """Every bit position of every byte of an entry's text, through the file itself."""
    whole = scene.database.read_bytes()
    row = scene.rows()[8]
    start = whole.index(row[5], 0) if whole.count(row[5]) == 1 else whole.index(row[7])
    for position in range(start, start + 40):
        _flip_and_check(scene, whole, position, 1 << (position % 8))


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_flipped_bit_of_the_file_is_found_or_changes_nothing(
    scene: Scene, original: Scene, place: float, bit: int
) -> None:
    whole = original.database.read_bytes()
    _flip_and_check(scene, whole, int(place * len(whole)), 1 << bit)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    row=st.integers(0, 20),
    column=st.sampled_from(COLUMNS),
    place=st.integers(0),
    bit=st.integers(0, 7),
)
def test_any_flipped_bit_of_any_field_is_found(
    scene: Scene, original: Scene, row: int, column: str, place: int, bit: int
) -> None:
    _put(scene, original.database.read_bytes())
    seq = original.rows()[row][0]
    connection = sqlite3.connect(scene.database, isolation_level=None)
    connection.text_factory = bytes
    (old,) = connection.execute(f"SELECT {column} FROM journal WHERE seq = ?", (seq,)).fetchone()
    if column == "seq":
        new: object = old ^ (1 << (bit + 6))
    else:
        raw = bytearray(old)
        raw[place % len(raw)] ^= 1 << bit
        new = bytes(raw)
    kind = "INTEGER" if column == "seq" else "TEXT"
    try:
        connection.execute(
            f"UPDATE journal SET {column} = CAST(? AS {kind}) WHERE seq = ?", (new, seq)
        )
    except sqlite3.IntegrityError:
        return  # the key of another entry: the database itself refuses
    finally:
        connection.close()
    assert not scene.audit().sound


def _put(scene: Scene, content: bytes) -> None:
    """The database file with this content, and nothing of an earlier one beside it."""
    for leftover in scene.database.parent.glob("*.db-*"):
        leftover.unlink()
    scene.database.write_bytes(content)


def _flip_and_check(scene: Scene, whole: bytes, position: int, mask: int) -> None:
    flipped = bytearray(whole)
    flipped[position] ^= mask
    _put(scene, whole)
    rows = scene.rows()
    _put(scene, flipped)
    try:
        findings = scene.audit()
    except Broken:
        return  # it does not even open: found
    if findings.sound:
        assert scene.rows() == rows, f"byte {position} changed an entry unseen"


def _rewrite(scene: Scene, change: Callable[[list[dict]], None], *, mend: int) -> None:
    """Change rows and put the hashes right up to an entry, as somebody who knows how would."""
    rows = [
        {n: v.decode() if isinstance(v, bytes) else v for n, v in zip(COLUMNS, row, strict=True)}
        for row in scene.rows()
    ]
    change(rows)
    prev = GENESIS
    for row in rows[:mend]:
        row["prev"] = prev
        prev = row["hash"] = entry_hash(row)
    connection = sqlite3.connect(scene.database, isolation_level=None)
    connection.execute("DELETE FROM journal")
    connection.executemany(
        f"INSERT INTO journal ({', '.join(COLUMNS)}) VALUES (:{', :'.join(COLUMNS)})", rows
    )
    connection.close()


def test_an_audit_while_heads_are_being_signed_finds_nothing(tmp_path: Path) -> None:
    """The database says that a witness took a head after the witness's file was read."""
    store, signer = Store(tmp_path / "killswitch.db"), CryptoSigner.generate_ed25519()
    journal, witness = Journal(store), FileWitness(tmp_path / "heads.jsonl")
    stop = threading.Event()

    def go_on() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            journal.append(Event(What.COLLECTING, f"K-{number}", f"e{number}", {}))
            sign_head(journal, signer, [witness])

    journal.append(Event(What.COLLECTING, "K-0", "e0", {}))
    sign_head(journal, signer, [witness])
    worker = threading.Thread(target=go_on)
    worker.start()
    try:
        for _ in range(15):
            found = verify(journal, [signer.public_key], [tmp_path / "heads.jsonl"]).found
            assert [f.says for f in found if "head" in f.says or "lacks" in f.says] == []
    finally:
        stop.set()
        worker.join()
        store.close()
