"""The look-ups that a playbook's options may hold, and the text that it may not.

``${{ subject.email }}`` is replaced by what was asked for; there is nothing to evaluate.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from killswitch.model.errors import Invalid, Refused
from killswitch.model.playbook import Playbook
from killswitch.model.subject import Kind, Subject
from killswitch.strictyaml import Document, Where, texts

NAMES = ("subject.email", "subject.name", "subject.kind", "case.id")

# All of these take linear time, whatever the text.
_LOOKUP = re.compile(r"\$\{\{(.{0,60}?)\}\}")
_EXPRESSION = re.compile(r"\{\{|\{%|\$\{|\$\(|`")
_URL = re.compile(r"://|\bwww\.", re.IGNORECASE)
_ADDRESS = re.compile(r"[^\s@<]@[^\s@>]+\.[^\s@>]")
_SECRET = re.compile(
    r"-----BEGIN "
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"  # AWS
    r"|\b(?:gh[opsur]_|github_pat_|glpat-|xox[abeprs]-|sk-|rk_live_|eyJ)[A-Za-z0-9_.-]{8}"
)
_RUN = re.compile(r"[A-Za-z0-9+/=]{32,}")
_FORBIDDEN = (
    (_URL, "a URL in a playbook", "none: addresses stand in killswitch.yaml"),
    (_ADDRESS, "an e-mail address in a playbook", "a role, or ${{ subject.email }}"),
    (_EXPRESSION, "an expression", "a literal or one of the look-ups"),
)
_NO_SECRETS = "none: secrets are references in killswitch.yaml"


def check(document: Document) -> Iterator[Invalid]:
    """Every text in the file that is neither a plain literal nor a known look-up in ``with``."""
    person = document.data.get("subject") == Kind.PERSON
    for where, text in texts(document.data):
        for lookup in _LOOKUP.findall(text):
            if error := _wrong(lookup.strip(), where, document, person=person):
                yield error
        literal = _LOOKUP.sub("", text)
        for pattern, why, expected in _FORBIDDEN:
            if pattern.search(literal):
                yield document.invalid(where, why, expected)
        if _looks_secret(literal):
            yield document.invalid(where, "what looks like a secret", _NO_SECRETS)


def _looks_secret(text: str) -> bool:
    """A known prefix, or 32 and more letters and digits, mixed, in one run."""
    return _SECRET.search(text) is not None or any(
        any(c.isdigit() for c in run) and any(c.isalpha() for c in run)
        for run in _RUN.findall(text)
    )


def render(playbook: Playbook, subject: Subject, case_id: str) -> Playbook:
    """The playbook with every look-up filled in, for one subject and one case.

    Raises Refused when the playbook is for another kind of subject.
    """
    if subject.kind is not playbook.subject:
        raise Refused(
            f"{playbook.playbook} is for a {playbook.subject}, not for a {subject.kind}",
            hint="name another playbook",
        )
    values = {
        "subject.email": subject.name,
        "subject.name": subject.name,
        "subject.kind": subject.kind.value,
        "case.id": case_id,
    }
    layers = {
        layer: plan.model_copy(
            update={"steps": tuple(_entry_filled(step, values) for step in plan.steps)}
        )
        for layer, plan in playbook.layers.items()
    }
    collect = tuple(_entry_filled(entry, values) for entry in playbook.evidence.collect)
    evidence = playbook.evidence.model_copy(update={"collect": collect})
    return playbook.model_copy(update={"layers": layers, "evidence": evidence})


def _wrong(lookup: str, where: Where, document: Document, *, person: bool) -> Invalid | None:
    if lookup not in NAMES:
        known = ", ".join(f"${{{{ {known} }}}}" for known in NAMES)
        return document.invalid(where, f"unknown look-up {lookup[:60]!r}", f"one of {known}")
    if "with" not in where:
        return document.invalid(where, "a look-up outside the options", "look-ups in with: only")
    if lookup == "subject.email" and not person:
        return document.invalid(
            where, "subject.email where the subject is no person", "${{ subject.name }}"
        )
    return None


def _entry_filled(entry: Any, values: Mapping[str, str]) -> Any:
    return entry.model_copy(update={"with_": _filled(entry.with_, values)})


def _filled(value: Any, values: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return _LOOKUP.sub(lambda found: values[found[1].strip()], value)
    if isinstance(value, dict):
        return {key: _filled(inner, values) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, values) for inner in value]
    return value
