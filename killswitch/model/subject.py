"""Who or what is killed, and what that is at each connection."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from killswitch.model.errors import SubjectNotFound


class Kind(StrEnum):
    """What a subject can be."""

    PERSON = "person"
    GROUP = "group"
    AGENT = "agent"
    SESSION = "session"
    CREDENTIAL = "credential"


# One address, ASCII only: look-alike letters from other scripts must never reach a vendor.
_EMAIL = re.compile(r"[A-Za-z0-9._%+'-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+")
_NAME = re.compile(r"[A-Za-z0-9._:@/+=-]{1,200}")


@dataclass(frozen=True)
class Subject:
    """``person:jo@corp.example``, ``credential:AKIA…`` and the like. Lower-case for a person."""

    kind: Kind
    name: str

    @classmethod
    def parse(cls, text: str) -> Subject:
        """Read what a person typed. A bare e-mail address means a person.

        Raises SubjectNotFound with what was wrong: non-ASCII look-alikes, spaces, no address.
        """
        text = text.strip()
        if not text.isascii():
            odd = sorted({c for c in text if not c.isascii()})
            raise SubjectNotFound(
                "the subject has letters outside ASCII: "
                + ", ".join(f"U+{ord(c):04X}" for c in odd),
                hint="type the address by hand; a look-alike letter may have been pasted",
            )
        kind, colon, name = text.partition(":")
        if not colon:
            kind, name = Kind.PERSON, text
        if kind not in set(Kind):
            raise SubjectNotFound(
                f"{kind!r} is no kind of subject", hint=f"one of: {', '.join(Kind)}"
            )
        if kind == Kind.PERSON:
            if not _EMAIL.fullmatch(name):
                raise SubjectNotFound(
                    f"{name!r} is no e-mail address", hint="write it out: jo@corp.example"
                )
            name = name.lower()
        elif not _NAME.fullmatch(name):
            raise SubjectNotFound(f"{name!r} is no valid name for a {kind}")
        return cls(Kind(kind), name)

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


@dataclass(frozen=True, kw_only=True)
class Account:
    """The subject at one connection, by the vendor's immutable id.

    ``mark`` is the name that anything which we create for this case carries
    (``killswitch-K-1127``), so that a second apply finds the first. ``aliases`` are further
    logins of the same account at the same vendor, such as the bots that act for the person.
    """

    connection: str
    vendor: str
    id: str
    login: str
    label: str
    email: str = ""
    admin: bool = False
    enabled: bool = True
    aliases: tuple[str, ...] = ()
    session: str = ""
    mark: str = ""
