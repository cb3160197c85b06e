"""Everything that a playbook is refused for: where, why, and what was expected."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from killswitch import playbooks
from killswitch.model.action import Layer
from tests.playbooks.support import GOOD, House, refused, written

# what it is, the text that is replaced, by what, the line, what is wrong, what is expected
REFUSED = [
    # shape
    ("unknown key", "restore: lead", "retsore: lead", 31, "did you mean 'restore'?", "playbook, v"),
    ("python name", "watch: {for:", "watch: {for_:", 30, "unknown key 'for_'", "for, every"),
    ("inner key", "quorum: 2,", "quorm: 2,", 8, "'quorm'; did you mean 'quorum'?", "approvers"),
    ("step key", "gate: dual}", "gat: dual}", 25, "'gat'; did you mean 'gate'?", "use, with"),
    ("collect key", "with: {index", "wiht: {index", 13, "'wiht'; did you mean", "use, with"),
    ("escalation key", "escalate:", "escalat:", 8, "'escalat'; did you mean", "escalate"),
    ("missing", "version: 1\n", "", 1, "the file lacks 'version'", "the key 'version'"),
    ("missing inside", "{approvers: eng-leads}", "{}", 7, "gates.lead lacks 'approvers'", "appr"),
    ("text number", "quorum: 2", "quorum: '2'", 8, "gates.dual.quorum is text", "a whole number"),
    ("a word", "version: 1", "version: one", 2, "version is text", "a whole number"),
    ("yes", "gate: dual}", "required: yes}", 25, "required is text", "true or false"),
    ("empty", "summary: Stop one person.", "summary:", 3, "summary is empty", "text"),
    ("long", "Stop one person.", "x" * 301, 3, "summary is text", "at most 300 characters"),
    ("quorum", "quorum: 2", "quorum: 6", 8, "quorum is a number", "less than or equal to 5"),
    ("subject", "subject: person", "subject: robot", 4, "subject is text", "'person'"),
    ("duration", "window: 7d", "window: 1 week", 10, "window is text", "90s, 15m, 24h or 7d"),
    ("bare number", "window: 7d", "window: 7", 10, "window is a number", "90s, 15m, 24h or 7d"),
    ("gate name", "  lead: {a", "  Lead!: {a", 7, "'Lead!' is no valid name", "pattern"),
    ("time-out", "{escalate: duty-directors}", "never", 8, "on_timeout", "'reversible_only'"),
    ("no list", "collect:\n    - okta.user\n    -", "collect:\n     ", 11, "is a map", "a list"),
    ("a list", "limits: {people: 1, credentials: 5}", "limits: [1]", 5, "is a list", "a mapping"),
    # order
    ("unknown layer", "  repositories:", "  network:", 26, "'network' is no valid", "'identity'"),
    ("entry", "- okta.user.suspend", "- Okta.User", 18, "use is text", "match pattern"),
    # the catalogue
    ("action", "okta.user.suspend", "okta.user.suspnd", 18, "did you mean 'okta.user.sus", "okta."),
    ("vendor", "okta.user.suspend", "octa.user.suspend", 18, "unknown action", "okta, claude"),
    ("collector", "- okta.user\n", "- okta.usr\n", 12, "did you mean 'okta.user'", "okta.apps"),
    ("wrong layer", "okta.sessions.revoke", "github.ruleset.lock", 19, "under identity", "rep"),
    ("collect late", "- okta.sessions.revoke", "- okta.groups", 19, "evidence after", "under evid"),
    ("act early", "- okta.user\n", "- okta.user.suspend\n", 12, "is an action", "under its layer"),
    ("action twice", "- okta.sessions.revoke", "- okta.user.suspend", 19, "used twice", "once"),
    ("again", "{use: splunk.trail, with: {index: agents}}", "okta.user", 13, "twice", "once"),
    # options
    ("option", "branches: all", "branch: all", 29, "did you mean 'branches'?", "branches, tags"),
    ("no options", "- okta.user\n", "- {use: okta.user, with: {a: 1}}\n", 12, "'a'", "no options"),
    ("option value", "branches: all", "branches: some", 29, "is text", "'all' or 'default'"),
    ("option type", "branches: all", "tags: 'true'", 29, "tags is text", "true or false"),
    ("option list", "index: agents", "index: [agents]", 13, "index is a list", "text"),
    # gates
    ("no such gate", "gate: dual}", "gate: duel}", 25, "'duel' is not defined", "dual, lead"),
    ("layer's gate", "identity:\n    gate: lead", "identity:\n    gate: x", 16, "'x' is", "lead"),
    ("restore", "restore: lead", "restore: leads", 31, "did you mean 'lead'?", "dual, lead"),
    ("lonely", "gate: dual}", "gate: lead}", 25, "cannot be undone", "quorum: 2"),
    ("lonely layer", ", gate: dual}", "}", 25, "cannot be undone", "quorum: 2"),
    # waits
    ("no wait", "every: 5m", "every: 0s", 30, "watch.every is out of bounds", "1s to 1d"),
    ("long watch", "for: 24h", "for: 999999d", 30, "watch.for is out of bounds", "0s to 30d"),
    ("long window", "window: 7d", "window: 401d", 10, "evidence.window is out", "1s to 400d"),
    ("instant", "deadline: 90s", "deadline: 0s", 22, "credentials.deadline is out", "1s to 1d"),
    # text
    ("URL", "index: agents", "index: 'https://x.example'", 13, "a URL", "killswitch.yaml"),
    ("summary URL", "Stop one person.", "See www.x.example", 3, "a URL", "killswitch.yaml"),
    ("address", "approvers: eng-leads}", "approvers: jo@corp.example}", 7, "e-mail", "a role"),
    ("AWS key", "index: agents", "index: AKIAIOSFODNN7EXAMPLE", 13, "looks like", "refer"),
    ("token", "index: agents", "index: ghp_0000fake0000", 13, "looks like", "references"),
    ("PEM", "index: agents", "index: '-----BEGIN KEY-----'", 13, "looks like", "ref"),
    ("long and mixed", "index: agents", f"index: {'0fake' * 8}", 13, "looks like", "ref"),
    ("look-up", "index: agents", "index: '${{ subject.password }}'", 13, "look-up", "case.id"),
    ("attribute", "index: agents", "index: '${{ subject.__class__ }}'", 13, "look-up", "case.id"),
    ("filter", "index: agents", "index: '${{ case.id | upper }}'", 13, "unknown look-up", "case"),
    ("unclosed", "index: agents", "index: '${{ case.id'", 13, "an expression", "look-ups"),
    ("Jinja", "index: agents", "index: '{{ case.id }}'", 13, "an expression", "look-ups"),
    ("shell", "index: agents", "index: $(id)", 13, "an expression", "look-ups"),
    ("look-up outside", "Stop one person.", "Case ${{ case.id }}", 3, "outside", "with:"),
    # YAML
    ("twice", "version: 1", "playbook: stop", 2, "'playbook' is here twice", "once"),
    ("alias", "{index: agents}", "*x", 13, "an alias", "written out"),
    ("tag", "index: agents", "index: !!str agents", 13, "a tag", "without tags"),
]  # fmt: skip


def test_a_good_one_loads(tmp_path: Path) -> None:
    playbook = playbooks.load(written(tmp_path, GOOD), policy=House())
    assert [(layer.value, step.use, gate) for layer, step, gate in playbook.steps()] == [
        ("identity", "okta.user.suspend", "lead"),
        ("identity", "okta.sessions.revoke", "lead"),
        ("credentials", "claude.api_keys.deactivate", "lead"),
        ("credentials", "github.pat_grants.revoke", "dual"),
        ("repositories", "github.ruleset.lock", "lead"),
    ]
    assert playbook.layers[Layer.CREDENTIALS].deadline == timedelta(seconds=90)
    assert playbook.evidence.collect[1].with_ == {"index": "agents"}


@pytest.mark.parametrize(
    ("old", "new", "line", "why", "expected"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_refuses(tmp_path: Path, old: str, new: str, line: int, why: str, expected: str) -> None:
    assert old in GOOD
    file = written(tmp_path, GOOD.replace(old, new, 1))
    found = playbooks.lint(file, policy=House())
    assert found.playbook is None
    about = [e for e in found.errors if why in e.why]
    assert about, [str(e) for e in found.errors]
    assert (about[0].file, about[0].line) == (str(file), line)
    assert expected in about[0].expected
    first = refused(file, House())
    assert str(first) == str(found.errors[0])
    assert first.line <= line


def test_refuses_evidence_after_changes(tmp_path: Path) -> None:
    head, rest = GOOD.split("evidence:")
    evidence, layers = rest.split("layers:")
    error = refused(written(tmp_path, f"{head}layers:{layers}evidence:{evidence}"))
    assert (error.line, error.why) == (28, "evidence after a change")
    assert "above layers:" in error.expected


def test_refuses_a_playbook_without_layers(tmp_path: Path) -> None:
    text = GOOD[: GOOD.index("layers:")] + "layers: {}\n"
    error = refused(written(tmp_path, text))
    assert (error.line, error.why) == (14, "no layers")


@pytest.mark.parametrize("order", ["cri", "rci", "irc", "rc", "ri", "ci"])
def test_refuses_every_wrong_order_of_layers(tmp_path: Path, order: str) -> None:
    layers = {
        "i": "  identity: {gate: lead, steps: [okta.user.suspend]}\n",
        "c": "  credentials: {gate: lead, steps: [claude.api_keys.deactivate]}\n",
        "r": "  repositories: {gate: lead, steps: [github.ruleset.lock]}\n",
    }
    head = GOOD[: GOOD.index("layers:")]
    text = head + "layers:\n" + "".join(layers.get(letter, "") for letter in order)
    assert "out of order" in refused(written(tmp_path, text)).why


def test_refuses_roles_that_nobody_is_in(tmp_path: Path) -> None:
    file = written(tmp_path, GOOD)
    error = refused(file, House(role_names=frozenset({"eng-lead"})))
    assert error.line == 7
    assert "killswitch.yaml does not define it; did you mean 'eng-lead'?" in error.why
    assert error.expected == "one of eng-lead"
    found = playbooks.lint(file, policy=House(role_names=frozenset({"eng-leads"})))
    assert [(e.line, e.expected) for e in found.errors] == [(8, "one of eng-leads")]
    assert refused(file, House(role_names=frozenset())).expected == "none are defined"
    playbooks.load(file)  # without a configuration nobody can tell


def test_one_approver_for_the_irreversible_only_by_policy(tmp_path: Path) -> None:
    file = written(tmp_path, GOOD.replace(", gate: dual}", "}"))
    assert "asks one person" in refused(file).why
    assert "asks one person" in refused(file, House()).why
    playbooks.load(file, policy=House(irreversible_single_approver=True))
