"""Every error that we raise on purpose, in one tree.

::

    KillswitchError
    ├─ Invalid(file, line, why)        a playbook or killswitch.yaml is wrong; nothing ran
    ├─ SubjectNotFound                 nobody, or more than one, answers to that name
    ├─ Refused                         policy said no; nothing was touched
    │  ├─ NotAllowed                   this person may not do this
    │  ├─ Protected                    the subject is on the protected list, or is ourselves
    │  ├─ TooWide                      the plan exceeds the limits
    │  ├─ LastAdmins                   fewer than two enabled admins would be left
    │  └─ Storm                        too many kills in the last hour
    ├─ VendorError(operation, request_id)
    │  ├─ Transient(retry_after, sent) try again; ``sent``: it may have had its effect
    │  ├─ Denied(scope)                401 or 403: our own credential does not suffice
    │  ├─ Missing                      the object is not there (or is hidden from us)
    │  ├─ Already                      the vendor says it is so already
    │  └─ Unexpected                   an answer that we do not understand
    ├─ Drifted                         somebody else changed the object since we did
    └─ Broken                          journal, vault or seal damaged or unwritable: fail closed

Decisions are made by class, never by message text.
"""

from __future__ import annotations


class KillswitchError(Exception):
    """Base of all; ``hint`` says what the reader should do next."""

    def __init__(self, why: str, *, hint: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.hint = hint


class Invalid(KillswitchError):
    """A file that people write is wrong. ``expected`` says what would be right."""

    def __init__(self, why: str, *, file: str = "", line: int = 0, expected: str = "") -> None:
        super().__init__(why, hint=expected and f"expected {expected}")
        self.file = file
        self.line = line
        self.expected = expected

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: " if self.file else ""
        return f"{place}{self.why}" + (f" (expected {self.expected})" if self.expected else "")


class SubjectNotFound(KillswitchError):
    """No account, or more than one, answers to the subject."""


class Refused(KillswitchError):
    """Policy said no. Nothing was touched."""


class NotAllowed(Refused):
    """This person may not do this."""


class Protected(Refused):
    """The subject is protected, or is one of our own service identities."""


class TooWide(Refused):
    """The plan hits more than the playbook's limits allow."""


class LastAdmins(Refused):
    """Fewer than two enabled administrators would be left at a connection."""


class Storm(Refused):
    """More kills in the last hour than the configuration allows."""


class VendorError(KillswitchError):
    """A vendor did not do what we asked. ``operation`` is the vendor's own verb and path."""

    def __init__(
        self, why: str, *, operation: str = "", request_id: str = "", hint: str = ""
    ) -> None:
        super().__init__(why, hint=hint)
        self.operation = operation
        self.request_id = request_id


class Transient(VendorError):
    """Worth another try: 429, 5xx, a reset or a time-out.

    ``retry_after``: seconds that the vendor asked for, if it did.
    ``sent``: the request had left us, so its effect is unknown until read back.
    """

    def __init__(
        self,
        why: str,
        *,
        retry_after: float | None = None,
        sent: bool = False,
        operation: str = "",
        request_id: str = "",
    ) -> None:
        super().__init__(why, operation=operation, request_id=request_id)
        self.retry_after = retry_after
        self.sent = sent


class Denied(VendorError):
    """401 or 403. ``scope`` names what our credential lacks, as far as the vendor says."""

    def __init__(
        self, why: str, *, scope: str = "", operation: str = "", request_id: str = ""
    ) -> None:
        super().__init__(
            why, operation=operation, request_id=request_id, hint="run `agent-kill doctor`"
        )
        self.scope = scope


class Missing(VendorError):
    """404 or its like. At GitHub and others this can also mean: no permission to see it."""


class Already(VendorError):
    """The vendor refuses because the object is in that state already."""


class Unexpected(VendorError):
    """An answer outside the vendor's documented ones; shown as it is, never guessed around."""


class Drifted(KillswitchError):
    """The object is neither as we left it nor as it was before: a person must decide."""


class Broken(KillswitchError):
    """The journal, the vault or a seal cannot be trusted or written. We stop."""
