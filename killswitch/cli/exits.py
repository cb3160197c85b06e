"""The exit codes: what a script, or a tired person's prompt, learns from us."""

from __future__ import annotations

from enum import IntEnum

from killswitch.alerts.alert import NoSuchAlert
from killswitch.api import NoSuchCase
from killswitch.cli.engine_process import EngineRuns, NoEngine
from killswitch.model import errors
from killswitch.model.case import CaseState


class Exit(IntEnum):
    """Documented in docs/reference/cli.md; never renumbered."""

    DONE = 0
    INTERNAL = 1
    USAGE = 2
    FAILED = 3
    PARTIAL = 4
    WAITING = 5
    DENIED = 6
    REFUSED = 7
    NOT_FOUND = 8
    INTEGRITY = 9
    INVALID = 10
    OBJECTIVES = 11
    BLOCKED = 12
    LATER = 75
    INTERRUPTED = 130


MEANS = {
    Exit.DONE: "done and verified, or there was nothing to do",
    Exit.INTERNAL: "a fault of ours",
    Exit.USAGE: "the command was written wrongly",
    Exit.FAILED: "a required step is not contained",
    Exit.PARTIAL: "contained in part: something required is open",
    Exit.WAITING: "waiting for approval (--no-wait)",
    Exit.DENIED: "denied, expired or aborted",
    Exit.REFUSED: "refused by policy",
    Exit.NOT_FOUND: "the subject, the case or the alert is unknown or ambiguous",
    Exit.INTEGRITY: "the audit or evidence check failed",
    Exit.INVALID: "a playbook or killswitch.yaml is wrong",
    Exit.OBJECTIVES: "a drill's objectives failed",
    Exit.BLOCKED: "doctor found a blocking problem",
    Exit.LATER: "temporary: the store or the engine is not to be had",
    Exit.INTERRUPTED: "Ctrl-C: the case goes on",
}

OF_STATE = {
    CaseState.CONTAINED: Exit.DONE,
    CaseState.RESTORED: Exit.DONE,
    CaseState.PLANNED: Exit.DONE,
    CaseState.COLLECTED: Exit.DONE,
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
        case errors.SubjectNotFound() | NoSuchCase() | NoSuchAlert():
            return Exit.NOT_FOUND
        case errors.Refused():
            return Exit.REFUSED
        case errors.Transient():
            return Exit.LATER
        case errors.Broken() | NoEngine() | EngineRuns():
            return Exit.LATER
        case errors.VendorError():
            return Exit.FAILED
        case _:
            return Exit.INTERNAL


def of_refusal(kind: str) -> Exit:
    """The exit code for a case that was refused, by the error class in its journal."""
    return Exit.NOT_FOUND if kind == errors.SubjectNotFound.__name__ else Exit.REFUSED
