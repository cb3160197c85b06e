"""What people type: every row that phones, Slack and attackers make of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.grammar import Command, Misread, Verb, normalise, parse

JO = "person:jo@corp.example"


def kill(**more: object) -> Command:
    return Command(Verb.KILL, subject=JO, **more)


READ = [
    ("plain", "jo@corp.example", kill()),
    ("capitals", "Jo@Corp.Example", kill()),
    ("kill, spelled out", "kill jo@corp.example", kill()),
    ("mailto", "<mailto:jo@corp.example|jo@corp.example>", kill()),
    ("mailto without label", "<mailto:jo@corp.example>", kill()),
    ("reason in plain quotes", 'jo@corp.example --reason "a b"', kill(reason="a b")),
    ("reason in smart quotes", "jo@corp.example --reason “a b”", kill(reason="a b")),
    ("reason in single smart quotes", "jo@corp.example --reason ‘a b’", kill(reason="a b")),
    ("reason without quotes", "jo@corp.example --reason a b c", kill(reason="a b c")),
    ("reason without a flag", "jo@corp.example pushes to main", kill(reason="pushes to main")),
    ("apostrophe", "jo@corp.example it's pushing", kill(reason="it's pushing")),
    (
        "apostrophe after flags",
        "jo@corp.example --severity critical --reason it's pushing",
        kill(severity="critical", reason="it's pushing"),
    ),
    ("apostrophe and dry run", "jo@corp.example --dry-run it's", kill(dry_run=True, reason="it's")),
    ("em dash", "jo@corp.example —dry-run", kill(dry_run=True)),
    ("no-break space", "jo@corp.example\u00a0--dry-run", kill(dry_run=True)),
    ("zero-width", "jo\u200b@corp\u2060.example\ufeff", kill()),
    ("escaped", "jo@corp.example --reason a &amp; b &lt;x&gt;", kill(reason="a & b <x>")),
    ("playbook", "jo@corp.example --playbook mine", kill(playbook="mine")),
    ("short flags", "jo@corp.example -p mine -r why", kill(playbook="mine", reason="why")),
    ("flag with =", "jo@corp.example --severity=low", kill(severity="low")),
    ("flags first", "--severity low jo@corp.example", kill(severity="low")),
    ("domain made a link", "jo@<http://corp.example|corp.example>", kill()),
    ("mention", "<@U123ABC|jo>", Command(Verb.KILL, user="U123ABC")),
    ("mention of the grid", "<@W123ABC>", Command(Verb.KILL, user="W123ABC")),
    ("plan", "plan jo@corp.example", kill(dry_run=True)),
    ("plan of a case", "plan K-7", Command(Verb.PLAN, case="K-7")),
    ("status", "status k-12", Command(Verb.STATUS, case="K-12")),
    ("status of all", "status", Command(Verb.LIST)),
    ("approve", "approve K-12 dual", Command(Verb.APPROVE, case="K-12", gate="dual")),
    (
        "approve a restore",
        "approve K-12 restore-1/lead --reason ok",
        Command(Verb.APPROVE, case="K-12", gate="restore-1/lead", reason="ok"),
    ),
    ("deny", "deny K-12", Command(Verb.DENY, case="K-12")),
    ("abort", "abort K-1 it's wrong", Command(Verb.ABORT, case="K-1", reason="it's wrong")),
    ("restore", "restore K-12", Command(Verb.RESTORE, case="K-12")),
    ("list", "list", Command(Verb.LIST)),
    ("alerts", "Alerts", Command(Verb.ALERTS)),
    ("drill", "drill", Command(Verb.DRILL)),
    ("help", "HELP", Command(Verb.HELP)),
    (
        "credential",
        "credential:AKIAEXAMPLE0000001",
        Command(Verb.KILL, subject="credential:AKIAEXAMPLE0000001"),
    ),
]  # fmt: skip

REFUSED = [
    ("empty", "", "who should be stopped"),
    ("blanks", "  \u200b ", "who should be stopped"),
    ("label spoof", "<mailto:evil@corp.example|jo@corp.example>", "shows another address"),
    ("a link's label", "<https://evil.example|jo@corp.example>", "a link, not a person"),
    ("homoglyph", "jo@corp.\u0435xample", "U+0435"),
    ("homoglyph in the name", "j\u043e@corp.example", "U+043E"),
    ("full-width", "ｊo@corp.example", "outside ASCII"),
    ("group", "<!subteam^S1|@eng>", "a group is not stopped"),
    ("group subject", "group:agents-pilot", "a group is not stopped"),
    ("broadcast", "<!channel>", "a channel or a broadcast"),
    ("channel", "<#C1|general>", "a channel or a broadcast"),
    ("unresolved name", "@jo", "not resolved"),
    ("unknown flag", "jo@corp.example --force", "'--force' is not known"),
    ("unknown flag for abort", "abort K-1 --dry-run", "'--dry-run' is not known"),
    ("flag without value", "jo@corp.example --playbook", "--playbook needs a value"),
    ("severity", "jo@corp.example --severity huge", "no severity"),
    ("no address", "jo", "no e-mail address"),
    ("two @", "jo@@corp.example", "no e-mail address"),
    ("case", "status jo", "no case"),
    ("no case", "abort", "which case"),
    ("gate", "approve K-1 LEAD|x", "no gate"),
    ("kill nobody", "kill", "who should be stopped"),
    ("flags only", "--dry-run", "who should be stopped"),
    ("odd brackets", "<jo@corp.example>", "angle brackets"),
    ("shell", "jo@corp.example;rm", "no e-mail address"),
]


@pytest.mark.parametrize(("text", "command"), [r[1:] for r in READ], ids=[r[0] for r in READ])
def test_what_is_read(text: str, command: Command) -> None:
    assert parse(text, domains=("corp.example",)) == command


@pytest.mark.parametrize(("text", "why"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_what_is_refused(text: str, why: str) -> None:
    with pytest.raises(Misread) as refused:
        parse(text, domains=("corp.example",))
    assert why in refused.value.why
    assert "\n" not in refused.value.why


def test_a_login_without_a_dot_is_read_in_the_one_domain_and_said() -> None:
    command = parse("jo@corp", domains=("corp.example",))
    assert command.subject == JO
    assert command.note == "'jo@corp' was read as jo@corp.example"


@pytest.mark.parametrize("domains", [(), ("corp.example", "corp.test"), ("other.example",)])
def test_a_login_without_a_dot_is_never_guessed(domains: tuple[str, ...]) -> None:
    with pytest.raises(Misread):
        parse("jo@corp", domains=domains)


@given(st.text(max_size=200))
def test_whatever_is_typed_is_read_or_refused(text: str) -> None:
    try:
        command = parse(text, domains=("corp.example",))
    except Misread:
        return
    assert command.subject.isascii()


@given(st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.from_regex(r"[a-z]{1,8}", fullmatch=True))
def test_no_label_ever_stands_for_another_target(target: str, label: str) -> None:
    text = f"<mailto:{target}@corp.example|{label}@corp.example>"
    if target == label:
        assert normalise(text) == f"{target}@corp.example"
        return
    with pytest.raises(Misread, match="shows another address"):
        normalise(text)
