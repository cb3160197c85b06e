"""The exit codes: what a script, or a tired person's prompt, learns from us."""

from __future__ import annotations

from enum import IntEnum

from killswitch.api import NoSuchCase
from killswitch.model import errors
from killswitch.model.case import CaseState


class Exit(IntEnum):
    """Documented in docs/reference/cli.md; never renumbered."""

    DONE = 0  # done and verified, or there was nothing to do
    INTERNAL = 1  # a fault of ours
    USAGE = 2  # the command was written wrongly
    FAILED = 3  # a required step is not contained
    PARTIAL = 4  # contained in part: something required is open
    WAITING = 5  # waiting for approval (--no-wait)
    DENIED = 6  # denied, expired or aborted
    REFUSED = 7  # refused by policy
    NOT_FOUND = 8  # the subject or the case is unknown or ambiguous
    INTEGRITY = 9  # the audit or evidence check failed
    INVALID = 10  # a playbook or killswitch.yaml is wrong
    OBJECTIVES = 11  # a drill's objectives failed
    BLOCKED = 12  # doctor found a blocking problem
    LATER = 75  # temporary: the store or the engine is not to be had
    INTERRUPTED = 130  # Ctrl-C: the case goes on


OF_STATE = {
    CaseState.CONTAINED: Exit.DONE,
    CaseState.RESTORED: Exit.DONE,
    CaseState.PLANNED: Exit.DONE,
    CaseState.PARTIAL: Exit.PARTIAL,
    CaseState.REFUSED: Exit.REFUSED,
    CaseState.DENIED: Exit.DENIED,
    CaseState.ABORTED: Exit.DENIED,
}


def of_error(error: errors.KillswitchError) -> Exit:
    """The exit code for an error of ours, by its class."""
    match error:
        case errors.Invalid():
            return Exit.INVALID
        case errors.SubjectNotFound() | NoSuchCase():
            return Exit.NOT_FOUND
        case errors.Refused():
            return Exit.REFUSED
        case errors.Transient():
            return Exit.LATER
        case errors.Broken():
            return Exit.LATER
        case errors.VendorError():
            return Exit.FAILED
        case _:
            return Exit.INTERNAL


def of_refusal(kind: str) -> Exit:
    """The exit code for a case that was refused, by the error class in its journal."""
    return Exit.NOT_FOUND if kind == errors.SubjectNotFound.__name__ else Exit.REFUSED
