"""``agent-kill evidence`` and ``audit``: shown, exported, handed over; and tampering shows."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.support import DANA, JO, LEE, Home, a_home, run


@pytest.fixture(scope="module")
def done_case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home with one case, K-1, that is contained and closed; its engine has nothing to do."""
    with a_home(tmp_path_factory.mktemp("evidence") / "home") as home:
        assert home.run(JO, "--personas").code == 0
        assert home.run("status", "K-1", "--watch").code == 0
        yield home


def test_the_list_names_items_and_seals(done_case: Home) -> None:
    shown = done_case.run("evidence", "list", "K-1")
    assert shown.code == 0
    assert "okta.user" in shown.out
    assert "sealed final" in shown.out
    schemas = [line["schema"] for line in done_case.run("evidence", "list", "K-1", "--json").lines]
    assert {"killswitch/item/1", "killswitch/seal/1"} <= set(schemas)


def test_the_reviews_draft_is_beside_the_report_and_had_as_markdown_and_json(
    done_case: Home, tmp_path: Path
) -> None:
    folder = done_case.folder / "state" / "reports" / "K-1"
    assert {"containment.html", "review.md", "review.json"} <= {p.name for p in folder.iterdir()}
    file = tmp_path / "review.md"
    assert done_case.run("report", "K-1", "--review", "--out", str(file)).code == 0
    assert file.read_text().startswith("# DRILL · Review of K-1: DRAFT")
    data = json.loads(done_case.run("report", "--review", "--format", "json").out)
    assert data["format"] == "killswitch/review/1"
    refused = done_case.run("report", "K-1", "--review", "--format", "html")
    assert refused.code == 7
    assert "one of md, json" in refused.err


def test_untouched_evidence_is_0(done_case: Home) -> None:
    done = done_case.run("evidence", "verify", "K-1")
    assert done.code == 0
    assert "untouched" in done.out


def test_a_changed_object_is_9_and_named(done_case: Home, tmp_path: Path) -> None:
    home = done_case.copy(tmp_path / "copy")
    (item, *_) = home.run("evidence", "list", "K-1", "--json").lines
    path = home.folder / "state" / "vault" / "objects" / item["sha256"][:2] / item["sha256"]
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    done = home.run("evidence", "verify", "K-1")
    assert done.code == 9
    assert item["sha256"] in done.out
    (*_, last) = home.run("evidence", "verify", "K-1", "--json").lines
    assert (last["sound"], last["problems"]) == (False, 1)
    exported = home.run("evidence", "export", "K-1", "--out", str(tmp_path / "bag"))
    assert exported.code == 9
    assert item["sha256"] in exported.out


def test_a_bag_can_be_checked_elsewhere_and_tampering_shows(
    done_case: Home, tmp_path: Path
) -> None:
    bag = tmp_path / "bag"
    done = done_case.run("evidence", "export", "K-1", "--out", str(bag))
    assert done.code == 0
    assert done.out.splitlines()[0] == str(bag)
    assert done_case.run("evidence", "export", "K-1", "--out", str(bag)).code == 75

    alone = run("evidence", "verify", str(bag), cwd=tmp_path)
    assert alone.code == 0
    assert "the key in the bag itself" in alone.out
    public = bag / "data" / "public-key.pem"
    assert run("evidence", "verify", str(bag), "--key", str(public), cwd=tmp_path).code == 0

    journal = bag / "data" / "journal.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b"jo@corp", b"ed@corp"))
    assert run("evidence", "verify", str(bag), cwd=tmp_path).code == 9


def test_another_key_does_not_verify(done_case: Home, tmp_path: Path) -> None:
    from killswitch.evidence import keys

    bag, other = tmp_path / "bag", tmp_path / "other.pem"
    done_case.run("evidence", "export", "K-1", "--out", str(bag))
    other.write_text(keys.public_pem(keys.create(tmp_path / "private.pem").public_key))
    done = run("evidence", "verify", str(bag), "--key", str(other), cwd=tmp_path)
    assert done.code == 9


def test_files_are_handed_over_sealed_and_signed_for(done_case: Home, tmp_path: Path) -> None:
    home = done_case.copy(tmp_path / "copy")
    folder = tmp_path / "transcripts" / "payments"
    folder.mkdir(parents=True)
    (folder / "a.jsonl").write_bytes(b'{"said": "a"}\n')
    (folder / "b.jsonl").write_bytes(b'{"said": "b"}\n')
    (folder / "link").symlink_to("/etc/passwd")
    done = home.run("evidence", "add", "K-1", str(folder.parent), "--json")
    assert done.code == 0, done
    assert [line["name"] for line in done.lines] == ["a.jsonl", "b.jsonl"]
    assert done.lines[0]["sha256"] == hashlib.sha256(b'{"said": "a"}\n').hexdigest()
    assert {line["collector"] for line in done.lines} == {"handed-over"}
    assert all(DANA in line["note"] for line in done.lines)
    checked = home.run("evidence", "verify", "K-1")
    assert checked.code == 0
    assert "no seal yet" not in checked.out
    assert home.run("audit", "verify").code == 0
    assert home.run("report", "K-1", "--format", "md").code == 0

    again = home.run("evidence", "add", "K-1", str(folder / "a.jsonl"), "--json")
    assert again.lines == done.lines[:1]  # the first entry stands


def test_handing_over_is_for_operators(done_case: Home, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    done = done_case.run("evidence", "add", "K-1", str(tmp_path / "a"), "--as", LEE)
    assert done.code == 7


@pytest.mark.parametrize("name", ["none", "empty", "link"])
def test_what_cannot_be_handed_over_is_10(done_case: Home, tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to("/etc/hostname")
    done = done_case.run("evidence", "add", "K-1", str(tmp_path / name))
    assert done.code == 10
    assert str(tmp_path / name) in done.err


# -- the journal ---------------------------------------------------------------------------------


def test_the_journal_is_shown_in_order(done_case: Home) -> None:
    done = done_case.run("audit", "show", "K-1", "--json")
    assert [e["seq"] for e in done.lines] == list(range(1, len(done.lines) + 1))
    assert done.lines[0]["what"] == "case.requested"
    last = done.lines[-1]["seq"]
    (only,) = done_case.run("audit", "show", "--after", str(last - 1), "--json").lines
    assert only == done.lines[-1]
    assert len(done_case.run("audit", "show", "--limit", "3").out.splitlines()) == 3


def test_a_sound_journal_is_0_and_says_what_is_anchored(done_case: Home) -> None:
    done = done_case.run("audit", "verify")
    assert done.code == 0
    assert "anchored by a witness, 0 not" in done.out
    (told,) = done_case.run("audit", "verify", "--json").lines
    assert told["sound"] is True
    assert told["anchored"] == told["entries"]


def test_without_a_witness_nothing_is_anchored_and_it_says_so(
    done_case: Home, tmp_path: Path
) -> None:
    home = done_case.copy(tmp_path / "copy")
    text = home.file.read_text()
    home.file.write_text(text.replace("witness:\n  file: witness/heads.jsonl\n", ""))
    done = home.run("audit", "verify")
    assert "0 anchored by a witness" in done.out
    assert "could rewrite" in done.out


def test_a_changed_entry_is_9_and_said_in_a_sentence(done_case: Home, tmp_path: Path) -> None:
    home = done_case.copy(tmp_path / "copy")
    with sqlite3.connect(home.folder / "state" / "killswitch.db") as database:
        database.execute("UPDATE journal SET data = replace(data, 'jo@', 'ed@') WHERE seq = 1")
    database.close()
    done = home.run("audit", "verify")
    assert done.code == 9
    assert "Entry 1 was changed after it was written." in done.out
    assert home.run("audit", "verify", "--json").lines[-1]["sound"] is False


def test_a_cut_tail_is_9(done_case: Home, tmp_path: Path) -> None:
    home = done_case.copy(tmp_path / "copy")
    with sqlite3.connect(home.folder / "state" / "killswitch.db") as database:
        database.execute("DELETE FROM journal WHERE seq > 5")
        database.execute("DELETE FROM heads WHERE seq > 5")
    database.close()
    done = home.run("audit", "verify")
    assert done.code == 9
    assert "is gone" in done.out


def test_a_database_that_is_none_is_9(done_case: Home, tmp_path: Path) -> None:
    home = done_case.copy(tmp_path / "copy")
    for file in (home.folder / "state").glob("killswitch.db*"):
        file.unlink()
    (home.folder / "state" / "killswitch.db").write_bytes(b"nothing of the kind" * 50)
    assert home.run("audit", "verify").code == 9
