"""Find a playbook, read it, and say everything that is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from killswitch import strictyaml, typed
from killswitch.model import codec
from killswitch.model.errors import Invalid
from killswitch.model.playbook import Playbook
from killswitch.playbooks import checks, lookups
from killswitch.playbooks.checks import Policy
from killswitch.strictyaml import Document


@dataclass(frozen=True)
class Lint:
    """What was found in one file, by line. ``playbook`` is None where there are errors."""

    file: str
    playbook: Playbook | None
    errors: tuple[Invalid, ...]
    warnings: tuple[Invalid, ...] = ()


def load(playbook: str | Path, *, policy: Policy | None = None) -> Playbook:
    """The playbook of that name, or in that file. Raises Invalid with the first error in it.

    Text is always a name, a ``Path`` always a file: what somebody typed into a chat can never
    name a file. ``policy`` is the configuration; without it, roles are not checked, and what
    cannot be undone needs two approvers.
    """
    found = lint(playbook, policy=policy)
    if found.playbook is None:
        raise found.errors[0]
    return found.playbook


def lint(playbook: str | Path, *, policy: Policy | None = None) -> Lint:
    """Everything that is wrong, or merely odd, about a playbook. Never raises Invalid."""
    try:
        file = playbook if isinstance(playbook, Path) else _file(playbook, policy)
        document = strictyaml.read(file)
    except Invalid as error:
        return Lint(error.file or str(playbook), None, (error,))
    errors = [*lookups.check(document), *checks.order(document)]
    read, problems = typed.validate(Playbook, _written_out(document.data), document)
    errors += problems
    warnings: list[Invalid] = []
    if read:
        errors += checks.against_catalogue(read, document)
        errors += checks.gates(read, document, policy)
        errors += checks.durations(read, document)
        errors += _named_otherwise(playbook, read, document)
        warnings += checks.unused_gates(read, document)
    errors.sort(key=lambda error: error.line)
    return Lint(document.file, None if errors else read, tuple(errors), tuple(warnings))


def names(*, policy: Policy | None = None) -> list[str]:
    """The names that ``load`` knows: those that ship, or those in the configured directory."""
    return sorted(file.stem for file in _directory(policy).glob("*.yaml"))


def digest(playbook: Playbook) -> str:
    """SHA-256 over the canonical JSON of the playbook: comments and layout don't count."""
    return codec.digest(playbook.model_dump(mode="json", by_alias=True))


def _directory(policy: Policy | None) -> Path:
    configured = policy.playbooks if policy else None
    return configured or Path(str(resources.files("playbooks")))


def _file(name: str, policy: Policy | None) -> Path:
    known = names(policy=policy)
    if name not in known:
        raise Invalid(
            f"there is no playbook {name[:63]!r}{typed.did_you_mean(name, known)}",
            expected=f"one of {', '.join(known)}" if known else "a directory with playbooks",
        )
    return _directory(policy) / f"{name}.yaml"


def _written_out(data: dict[str, Any]) -> dict[str, Any]:
    """The data with ``- okta.user.suspend`` written as ``- {use: okta.user.suspend}``."""
    out = dict(data)
    if isinstance(evidence := out.get("evidence"), dict):
        out["evidence"] = _entries_written_out(evidence, "collect")
    if isinstance(layers := out.get("layers"), dict):
        out["layers"] = {
            name: _entries_written_out(layer, "steps") if isinstance(layer, dict) else layer
            for name, layer in layers.items()
        }
    return out


def _entries_written_out(part: dict[str, Any], key: str) -> dict[str, Any]:
    if not isinstance(entries := part.get(key), list):
        return part
    return {**part, key: [{"use": e} if isinstance(e, str) else e for e in entries]}


def _named_otherwise(asked: str | Path, read: Playbook, document: Document) -> list[Invalid]:
    if isinstance(asked, Path) or read.playbook == asked:
        return []
    why = f"the file {asked}.yaml holds the playbook {read.playbook!r}"
    return [document.invalid(("playbook",), why, f"playbook: {asked}")]
