"""A case's evidence as one folder that others can check without us: a BagIt bag (RFC 8493).

BagIt shows damage. Tampering shows in the signatures: each signed document lies beside the
exact bytes that were signed (``.pae``) and the raw signature (``.sig``), so that openssl alone
can check it; the README in the bag says how.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bagit

from killswitch import __version__
from killswitch.evidence import keys
from killswitch.evidence.seal import Problem, open_manifest, read_envelope
from killswitch.evidence.seal import sign as sign_statement
from killswitch.evidence.vault import Vault
from killswitch.model.codec import canonical, digest
from killswitch.model.errors import Broken
from killswitch.model.event import Entry, What

if TYPE_CHECKING:  # it brings boto3 along, which a command that exports nothing need not load
    from securesystemslib.signer import Key, Signer

_BAGIT = "BagIt-Version: 0.97\nTag-File-Character-Encoding: UTF-8\n"
_DRILL = "DRILL: every vendor was simulated; no real account was touched."
_ENTRY = ("seq", "at", "what", "case", "key", "data", "prev", "hash")


@dataclass(frozen=True)
class Exported:
    """Where the bag lies, and what could not be put into it."""

    path: Path
    problems: tuple[Problem, ...] = ()


def export(
    entries: Sequence[Entry],
    heads: Sequence[str],
    *,
    vault: Vault,
    signer: Signer,
    to: Path,
) -> Exported:
    """Write the bag of one case to a folder that must not exist yet (0700).

    ``entries``: the case's journal entries; ``heads``: the signed heads, as JSON. What is missing
    or damaged in the vault is left out, listed in ``data/PROBLEMS.txt`` and returned. Raises
    Broken if the folder cannot be written.
    """
    if not entries:
        raise Broken("there is no such case in the journal")
    unfinished = to.with_name(f".{to.name}.unfinished")
    try:
        if to.exists():
            raise Broken(f"{to} exists already", hint="choose another folder")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700, parents=True)
        problems = _fill(unfinished / "data", entries, heads, vault, signer)
        _tag(unfinished, entries[0].case, _mode(entries))
        unfinished.rename(to)
    except OSError as error:
        raise Broken(f"the bundle {to} cannot be written: {error.strerror}") from error
    return Exported(to, tuple(problems))


def verify_bundle(path: Path, keyring: Sequence[Key] = ()) -> list[Problem]:
    """Check a bag: fixity, signatures, that every listed object is there and what it should be.

    Without a keyring the key in the bag is believed; compare its fingerprint with one that you
    have from elsewhere. What was missing already when the bag was made is in its PROBLEMS.txt.
    Empty: everything holds.
    """
    problems = _check_bag(path)
    data = path / "data"
    try:
        own = keys.read_public((data / "public-key.pem").read_bytes())
        trusted = list(keyring) or [own]
        statement = _check_signed(data / "statement", trusted, problems)
        stored = _check_journal(data, statement, problems)
        _check_manifests(data, statement, stored, trusted, problems)
    except OSError as error:
        problems.append(Problem(str(error.filename), f"cannot be read: {error.strerror}"))
    except (Broken, ValueError, KeyError, TypeError, AttributeError) as error:
        problems.append(Problem("data", f"cannot be read: {error}"))
    return problems


# -- writing -------------------------------------------------------------------------------------


def _mode(entries: Sequence[Entry]) -> str:
    """The mode that the case was asked for in; "" where its first entry is not there."""
    return str(entries[0].data.get("request", {}).get("mode", ""))


def _fill(
    data: Path, entries: Sequence[Entry], heads: Sequence[str], vault: Vault, signer: Signer
) -> list[Problem]:
    for folder in ("objects", "manifest"):
        (data / folder).mkdir(parents=True)
    journal = b"".join(canonical({n: getattr(e, n) for n in _ENTRY}) + b"\n" for e in entries)
    lines = "".join(head + "\n" for head in heads).encode()
    (data / "journal.jsonl").write_bytes(journal)
    (data / "heads.jsonl").write_bytes(lines)
    public: Key = signer.public_key
    mode = _mode(entries)
    pem = keys.public_pem(public, drill=mode == "drill")
    (data / "public-key.pem").write_text(pem, encoding="ascii")
    readme = _readme(entries[0].case, public.keyid)
    (data / "README.txt").write_text(_note(mode) + readme, encoding="utf-8")
    problems = [
        *_copy_objects(data / "objects", entries, vault),
        *_copy_manifests(data / "manifest", entries, vault),
    ]
    if problems:
        said = "".join(f"{p.where}: {p.says}\n" for p in problems)
        (data / "PROBLEMS.txt").write_text(said, encoding="utf-8")
    statement = {
        "format": "killswitch/manifest/1",
        "which": "bundle",
        "case": entries[0].case,
        "mode": mode,
        "entries": len(entries),
        "journal_sha256": hashlib.sha256(journal).hexdigest(),
        "heads_sha256": hashlib.sha256(lines).hexdigest(),
        "manifests": _digests((data / "manifest").iterdir()),
        "problems": [vars(p) for p in problems],
        "tool": f"killswitch {__version__}",
    }
    _write_signed(data / "statement", sign_statement(statement, signer))
    return problems


def _copy_objects(folder: Path, entries: Iterable[Entry], vault: Vault) -> list[Problem]:
    problems = []
    for entry in entries:
        if entry.what is not What.STORED:
            continue
        item = entry.data["item"]
        try:
            _copy(vault, item["sha256"], folder)
        except Broken as error:
            problems.append(Problem(item["sha256"], f"{item['name']!r}: {error.why}"))
    return problems


def _copy(vault: Vault, sha256: str, folder: Path) -> None:
    """One object, checked on the way. Raises Broken and leaves nothing if it is not sound."""
    source = vault.path(sha256)
    path = folder / sha256[:2] / source.name
    path.parent.mkdir(exist_ok=True)
    try:
        with path.open("wb") as out:
            for chunk in vault.chunks(sha256):
                out.write(chunk)
    except Broken:
        path.unlink()
        raise


def _copy_manifests(folder: Path, entries: Iterable[Entry], vault: Vault) -> list[Problem]:
    """Each seal's manifest, with its timestamp where it has one; the newest of a kind."""
    problems = []
    seals = {e.data["which"]: e.data for e in entries if e.what is What.SEALED}
    for which, sealed in seals.items():
        name = "volatile" if which == "volatile" else "final"
        try:
            _write_signed(folder / name, vault.read(sealed["manifest"]))
            if sealed.get("timestamp"):
                (folder / f"{name}.tsr").write_bytes(vault.read(sealed["timestamp"]))
        except Broken as error:
            problems.append(Problem(f"manifest/{name}", error.why))
    return problems


def _digests(paths: Iterable[Path]) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(paths)}


def _write_signed(path: Path, envelope: bytes) -> None:
    """``.dsse.json`` the envelope, ``.json`` what it says, ``.pae`` what was signed, ``.sig``."""
    read = read_envelope(envelope)
    signature = next(iter(read.signatures.values()))
    path.with_suffix(".dsse.json").write_bytes(envelope)
    path.with_suffix(".json").write_bytes(read.payload)
    path.with_suffix(".pae").write_bytes(read.pae())
    path.with_suffix(".sig").write_bytes(bytes.fromhex(signature.signature))


def _note(mode: str) -> str:
    """What stands above everything else in a drill's bag."""
    return f"{_DRILL}\n\n" if mode == "drill" else ""


def _readme(case: str, keyid: str) -> str:
    text = files("killswitch.evidence").joinpath("README.bundle.txt").read_text(encoding="utf-8")
    return text.replace("{case}", case).replace("{keyid}", keyid)


def _tag(bag: Path, case: str, mode: str = "") -> None:
    """Make the folder a bag. ``bagit.make_bag`` would change the process's working directory."""
    payload = sorted(p for p in (bag / "data").rglob("*") if p.is_file())
    size = sum(p.stat().st_size for p in payload)
    info = (
        f"Bag-Software-Agent: killswitch {__version__}\n"
        f"External-Identifier: {'DRILL-' if mode == 'drill' else ''}{case}\n"
        + (f"External-Description: {_DRILL}\n" if mode == "drill" else "")
        + f"Killswitch-Mode: {mode}\n"
        f"Payload-Oxum: {size}.{len(payload)}\n"
    )
    (bag / "bagit.txt").write_text(_BAGIT, encoding="utf-8")
    (bag / "bag-info.txt").write_text(info, encoding="utf-8")
    _checksums(bag, "manifest-sha256.txt", payload)
    tags = [bag / name for name in ("bag-info.txt", "bagit.txt", "manifest-sha256.txt")]
    _checksums(bag, "tagmanifest-sha256.txt", tags)
    for folder, _, _ in os.walk(bag):
        Path(folder).chmod(0o700)


def _checksums(bag: Path, name: str, paths: Iterable[Path]) -> None:
    lines = []
    for path in paths:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        lines.append(f"{sha256}  {path.relative_to(bag).as_posix()}\n")
    (bag / name).write_text("".join(lines), encoding="utf-8")


# -- checking ------------------------------------------------------------------------------------


def _check_bag(path: Path) -> list[Problem]:
    try:
        bagit.Bag(str(path)).validate()
    except bagit.BagValidationError as error:
        return [Problem("bag", str(detail)) for detail in error.details or [error]]
    except (bagit.BagError, OSError, ValueError) as error:
        return [Problem("bag", str(error))]
    return []


def _check_signed(path: Path, trusted: Sequence[Key], problems: list[Problem]) -> dict[str, Any]:
    """The signed document, and whether the files beside the envelope say the same."""
    envelope = path.with_suffix(".dsse.json").read_bytes()
    read = read_envelope(envelope)
    beside = {
        ".json": read.payload,
        ".pae": read.pae(),
        ".sig": b"".join(bytes.fromhex(s.signature) for s in read.signatures.values()),
    }
    for suffix, expected in beside.items():
        if path.with_suffix(suffix).read_bytes() != expected:
            problems.append(Problem(path.name + suffix, "is not what the envelope holds"))
    try:
        return open_manifest(envelope, trusted)
    except Broken as error:
        problems.append(Problem(f"{path.name}.dsse.json", error.why))
        return dict(json.loads(read.payload))


def _check_journal(data: Path, statement: dict[str, Any], problems: list[Problem]) -> set[str]:
    """The entries, and every object that they say was stored. Returns those objects' names."""
    journal = (data / "journal.jsonl").read_bytes()
    heads = (data / "heads.jsonl").read_bytes()
    for name, content in (("journal", journal), ("heads", heads)):
        if hashlib.sha256(content).hexdigest() != statement[f"{name}_sha256"]:
            problems.append(Problem(f"{name}.jsonl", "is not the one that the statement names"))
    said = {problem["where"] for problem in statement["problems"]}
    stored = set()
    for line in journal.splitlines():
        entry = json.loads(line)
        if digest({n: entry[n] for n in _ENTRY if n != "hash"}) != entry["hash"]:
            problems.append(Problem("journal.jsonl", f"entry {entry['seq']} was changed"))
        if entry["what"] == What.STORED:
            item = entry["data"]["item"]
            stored.add(item["sha256"])
            if item["sha256"] not in said:
                problems += _check_object(data / "objects", item)
    return stored


def _check_manifests(
    data: Path,
    statement: dict[str, Any],
    stored: set[str],
    trusted: Sequence[Key],
    problems: list[Problem],
) -> None:
    if _digests((data / "manifest").iterdir()) != statement["manifests"]:
        problems.append(Problem("manifest", "the files are not those that the statement names"))
    for envelope in sorted((data / "manifest").glob("*.dsse.json")):
        name = envelope.name.removesuffix(".dsse.json")
        manifest = _check_signed(data / "manifest" / name, trusted, problems)
        names = {item["sha256"] for item in manifest["items"]}
        problems += [
            Problem(sha256, "was sealed and the journal has no trace of it")
            for sha256 in sorted(names - stored)
        ]
    for path in sorted((data / "objects").glob("*/*")):
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != path.name:
                problems.append(Problem(path.name, "is not what its name says"))


def _check_object(objects: Path, item: dict[str, Any]) -> list[Problem]:
    path = objects / item["sha256"][:2] / item["sha256"]
    if not path.is_file():
        return [Problem(item["sha256"], f"{item['name']!r} was stored and is not in the bag")]
    if path.stat().st_size != item["size"]:
        return [Problem(item["sha256"], f"{item['name']!r} does not have its size")]
    return []
