"""What people type after ``/agent-kill``: cleaned, told apart, never guessed.

Phones change quotes and dashes, Slack wraps addresses into links whose label may lie, and
letters of other scripts look like ours. ``parse`` undoes the first, and refuses the rest with
one sentence for the person who typed it.
"""

from __future__ import annotations

import html
import re
import shlex
from dataclasses import dataclass
from enum import StrEnum

from killswitch.model.errors import KillswitchError, SubjectNotFound
from killswitch.model.subject import Kind, Subject

SEVERITIES = ("low", "medium", "high", "critical")
LONGEST = 3000  # characters; Slack itself cuts later


class Verb(StrEnum):
    """What may be asked for. ``kill`` is what a subject in the first place means."""

    KILL = "kill"
    STATUS = "status"
    PLAN = "plan"
    APPROVE = "approve"
    DENY = "deny"
    ABORT = "abort"
    RESTORE = "restore"
    LIST = "list"
    ALERTS = "alerts"
    DRILL = "drill"
    HELP = "help"


class Misread(KillswitchError):
    """What was typed cannot be understood; nothing was started."""


@dataclass(frozen=True)
class Command:
    """One command, read. ``subject`` is as ``Subject.parse`` gives it.

    ``user``: a Slack user id in place of a subject, to be looked up.
    """

    verb: Verb
    subject: str = ""
    user: str = ""
    case: str = ""
    gate: str = ""
    playbook: str = ""
    severity: str = "high"
    reason: str = ""
    dry_run: bool = False
    note: str = ""  # what was understood differently than it was typed


_SMART = str.maketrans(
    {
        **dict.fromkeys("\u201c\u201d\u201e\u00ab\u00bb", '"'),
        **dict.fromkeys("\u2018\u2019\u201a", "'"),
        "\u2014": "--",
        "\u2013": "-",
        "\u2212": "-",
        **dict.fromkeys("\u00a0\u2007\u202f", " "),
        **dict.fromkeys("\u200b\u2060\ufeff"),
    }
)
_LINK = re.compile(r"<([^<>\s|]*)(?:\|([^<>]*))?>")
_CASE = re.compile(r"K-\d{1,9}", re.IGNORECASE)
_GATE = re.compile(r"[a-z0-9][a-z0-9/-]{0,80}")
_MENTION = re.compile(r"@?[UW][A-Z0-9]{2,}")


def normalise(text: str) -> str:
    """The text with plain quotes, dashes and spaces, and Slack's wrappings undone.

    Raises Misread for an address whose label shows another one.
    """
    text = text[:LONGEST].translate(_SMART)
    return html.unescape(_LINK.sub(_unwrapped, text)).strip()


def _unwrapped(found: re.Match[str]) -> str:
    target, label = found[1], found[2] or ""
    if target.startswith("mailto:"):
        address = target.removeprefix("mailto:")
        if label and label.strip().lower() != address.lower():
            raise Misread(
                "that address is a link that shows another address",
                hint="type the address by hand",
            )
        return address
    if target.startswith(("http://", "https://")):
        return _host_or_link(target, label)
    if target.startswith(("!subteam^", "#", "!", "@")):
        return target
    raise Misread(
        "there is something in angle brackets that cannot be read", hint="type it by hand"
    )


def _host_or_link(target: str, label: str) -> str:
    """A bare domain that Slack made a link of, such as the end of an address, is itself again."""
    bare = re.sub(r"^https?://", "", target).rstrip("/")
    return bare if label and label.lower() == bare.lower() else target


def parse(text: str, *, domains: tuple[str, ...] = ()) -> Command:
    """The command in the text. Raises Misread with one clear sentence.

    ``domains``: the company's own; where there is only one, a login without a dot after ``@`` is
    read as an address in it, and the command's ``note`` says so.
    """
    clean = normalise(text)
    if not clean:
        raise Misread("who should be stopped?", hint="/agent-kill jo@corp.example, or help")
    words = _words(clean)
    first = words[0].lower()
    if first in set(Verb) - {Verb.KILL}:
        return _with_verb(Verb(first), words[1:], domains)
    if first == Verb.KILL:
        words = words[1:]
        if not words:
            raise Misread("who should be stopped?", hint="/agent-kill jo@corp.example")
    return _kill(words, domains)


def _words(text: str) -> list[str]:
    """The words. A lone apostrophe in a reason makes the rest after the first word the reason."""
    try:
        return shlex.split(text)
    except ValueError:
        first, _, rest = text.partition(" ")
        if first.lower() in set(Verb):
            second, _, rest = rest.partition(" ")
            return [word for word in (first, second, "--reason", rest) if word]
        return _flags_kept(first, rest)


def _flags_kept(first: str, rest: str) -> list[str]:
    """Flags before the unreadable reason keep their meaning; the rest is the reason."""
    words = [first]
    while found := re.match(r"(--dry-run|--(?:playbook|severity)[ =]\S+)\s+", rest):
        words += re.split(r"[ =]", found[1], maxsplit=1)
        rest = rest[found.end() :]
    rest = re.sub(r"^--reason[ =]", "", rest).strip("'\" ")
    return [*words, "--reason", rest]


def _with_verb(verb: Verb, words: list[str], domains: tuple[str, ...]) -> Command:
    if verb in (Verb.LIST, Verb.ALERTS, Verb.DRILL, Verb.HELP):
        return Command(verb)
    if verb is Verb.PLAN and words and not _CASE.fullmatch(words[0]):
        return _kill([*words, "--dry-run"], domains)
    if not words:
        if verb is Verb.STATUS:
            return Command(Verb.LIST)
        raise Misread(f"{verb} which case?", hint=f"/agent-kill {verb} K-12")
    if not _CASE.fullmatch(words[0]):
        raise Misread(f"{_shown(words[0])} is no case", hint=f"/agent-kill {verb} K-12")
    case, gate, rest = words[0].upper(), "", words[1:]
    if verb in (Verb.APPROVE, Verb.DENY) and rest and not rest[0].startswith("--"):
        gate, rest = rest[0], rest[1:]
        if not _GATE.fullmatch(gate):
            raise Misread(f"{_shown(gate)} is no gate", hint=f"/agent-kill {verb} {case} lead")
    flags, left = _flags(rest, {"--reason"})
    return Command(verb, case=case, gate=gate, reason=flags.get("--reason", "") or " ".join(left))


def _kill(words: list[str], domains: tuple[str, ...]) -> Command:
    flags, left = _flags(words, {"--playbook", "-p", "--severity", "--reason", "-r", "--dry-run"})
    if not left:
        raise Misread("who should be stopped?", hint="/agent-kill jo@corp.example")
    severity = flags.get("--severity", "high").lower()
    if severity not in SEVERITIES:
        raise Misread(f"{_shown(severity)} is no severity", hint=", ".join(SEVERITIES))
    subject, user, note = _subject(left[0], domains)
    return Command(
        Verb.KILL,
        subject=subject,
        user=user,
        playbook=flags.get("--playbook") or flags.get("-p", ""),
        severity=severity,
        reason=flags.get("--reason") or flags.get("-r") or " ".join(left[1:]),
        dry_run="--dry-run" in flags,
        note=note,
    )


def _flags(words: list[str], known: set[str]) -> tuple[dict[str, str], list[str]]:
    """Flags with their values, and the words between. ``--reason`` takes what follows."""
    flags: dict[str, str] = {}
    left: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("-"):
            left.append(word)
            continue
        name, equals, value = word.partition("=")
        if name not in known:
            raise Misread(f"{_shown(name)} is not known", hint="/agent-kill help")
        if name == "--dry-run":
            flags[name] = "yes"
            continue
        if not equals:
            if not rest:
                raise Misread(f"{name} needs a value", hint="/agent-kill help")
            value = rest.pop(0)
        if name in ("--reason", "-r"):
            while rest and not rest[0].startswith("--"):
                value += " " + rest.pop(0)
        flags[name] = value.strip()
    return flags, left


def _subject(word: str, domains: tuple[str, ...]) -> tuple[str, str, str]:
    """Subject, Slack user id, note: the first two never both."""
    if word.startswith("!subteam^"):
        raise Misread("a group is not stopped from Slack", hint="name its people one by one")
    if word.startswith(("!", "#")):
        raise Misread("that is a channel or a broadcast, not a person", hint="jo@corp.example")
    if _MENTION.fullmatch(word):
        return "", word.lstrip("@"), ""
    if word.startswith("@"):
        raise Misread("that name is not resolved by Slack", hint="use the e-mail address")
    if word.startswith(("http://", "https://")):
        raise Misread("that is a link, not a person", hint="jo@corp.example")
    note = ""
    name, at, place = word.partition("@")
    if at and place and "." not in place and word.isascii():
        if len(domains) != 1:
            raise Misread(
                f"{_shown(word)} has no full domain", hint="write it out: jo@corp.example"
            )
        if domains[0].partition(".")[0] != place.lower():
            raise Misread(f"{_shown(place)} is not our domain {domains[0]}", hint="write it out")
        note, word = f"{_shown(word)} was read as {name}@{domains[0]}", f"{name}@{domains[0]}"
    try:
        subject = Subject.parse(word)
    except SubjectNotFound as error:
        raise Misread(error.why, hint=error.hint) from error
    if subject.kind is Kind.GROUP:
        raise Misread("a group is not stopped from Slack", hint="name its people one by one")
    return str(subject), "", note


def _shown(word: str) -> str:
    return repr(word[:60])
