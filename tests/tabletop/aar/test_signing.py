"""The signature over a drill's files: what it covers, and what it notices."""

from __future__ import annotations

import json

import pytest

from killswitch.evidence import keys, seal
from tabletop.aar import files, signing
from tests.tabletop.aar.records import bad, good


@pytest.fixture
def signer(tmp_path):
    return keys.create(tmp_path / "keys" / "audit.pem")


@pytest.fixture
def folder(tmp_path, signer):
    files.write(good(), tmp_path / "drill", signer)
    return tmp_path / "drill"


def verified(folder, signer) -> dict[str, str]:
    return {p.where: p.says for p in signing.verify(folder, [signer.public_key])}


def test_what_was_signed_verifies_with_the_public_key_alone(folder, signer):
    public = keys.read_public(keys.public_pem(signer.public_key))
    assert signing.verify(folder, [public]) == []


@pytest.mark.parametrize("name", signing.SIGNED)
def test_a_changed_file_is_found(folder, signer, name):
    with (folder / name).open("a") as file:
        file.write(" ")
    assert verified(folder, signer) == {name: "it was changed after it was signed"}


@pytest.mark.parametrize("name", signing.SIGNED)
def test_a_missing_file_is_found(folder, signer, name):
    (folder / name).unlink()
    assert list(verified(folder, signer)) == [name]


def test_a_form_that_is_filled_in_breaks_nothing(folder, signer):
    (folder / files.HOT_WASH).write_text("we were tired")
    assert verified(folder, signer) == {}


def test_somebody_elses_signature_does_not_count(folder, tmp_path):
    other = keys.create(tmp_path / "keys" / "other.pem")
    assert verified(folder, other) == {signing.FILE: "none of the known keys signed it"}


def test_without_a_key_nothing_is_verified(folder):
    [problem] = signing.verify(folder, [])
    assert "no public key" in problem.says


def test_a_changed_list_does_not_count(folder, signer):
    file = folder / signing.FILE
    envelope = json.loads(file.read_text())
    payload = envelope["payload"]
    envelope["payload"] = payload[:40] + ("A" if payload[40] != "A" else "B") + payload[41:]
    file.write_text(json.dumps(envelope))
    assert verified(folder, signer) == {signing.FILE: "none of the known keys signed it"}


def test_a_signed_manifest_of_evidence_is_no_signed_drill(folder, signer):
    (folder / signing.FILE).write_bytes(seal.sign({"files": {}}, signer))
    assert "manifest" in verified(folder, signer)[signing.FILE]


@pytest.mark.parametrize("text", ["", "{}", "[]", "no json"])
def test_what_is_no_signature_is_said_to_be_none(folder, signer, text):
    (folder / signing.FILE).write_text(text)
    assert "no signed list" in verified(folder, signer)[signing.FILE]


def test_no_signature_is_found_to_be_missing(folder, signer):
    (folder / signing.FILE).unlink()
    assert "there is no signature" in verified(folder, signer)[signing.FILE]


def test_another_report_in_the_same_folder_does_not_keep_the_old_signature(folder, signer):
    written = files.write(bad(), folder)
    assert signing.FILE not in written
    assert not (folder / signing.FILE).exists()
    files.write(bad(), folder, signer)
    assert verified(folder, signer) == {}


def test_the_report_names_the_key(folder, signer):
    page = (folder / "report.html").read_text()
    assert signer.public_key.keyid in page
