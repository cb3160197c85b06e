"""From a loaded playbook to a request: the same for every door."""

from __future__ import annotations

from typing import Required, TypedDict, Unpack

from killswitch.model.case import Request
from killswitch.model.errors import SubjectNotFound
from killswitch.model.plan import Mode
from killswitch.model.playbook import Assurance, Playbook
from killswitch.model.subject import Kind, Subject
from killswitch.playbooks.files import digest

_DEFAULTS = {Kind.PERSON: "agent-kill", Kind.CREDENTIAL: "leaked-credential"}


class Asked(TypedDict, total=False):
    """The fields of a Request that whoever asks fills in; its own defaults for the rest."""

    mode: Required[Mode]
    requester: Required[str]
    door: Required[str]
    assurance: Assurance
    severity: str
    reason: str
    break_glass: bool
    automatic: bool
    detected_at: str
    link: str


def default(kind: Kind) -> str:
    """The name of the playbook that is run where nobody names one. Raises SubjectNotFound."""
    if kind not in _DEFAULTS:
        raise SubjectNotFound(f"no playbook is the default for a {kind}", hint="name a playbook")
    return _DEFAULTS[kind]


def request(playbook: Playbook, subject: Subject, **asked: Unpack[Asked]) -> Request:
    """Ask for this playbook against this subject. Raises SubjectNotFound for another kind.

    The request holds the whole playbook: who edits the file later changes no running case.
    """
    if playbook.subject is not subject.kind:
        raise SubjectNotFound(
            f"playbook {playbook.playbook} is for a {playbook.subject}, not a {subject.kind}"
        )
    return Request(
        subject=str(subject),
        playbook=playbook.model_dump(mode="json", by_alias=True),
        playbook_digest=digest(playbook),
        **asked,
    )
