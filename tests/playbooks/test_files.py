"""Finding playbooks by name, collecting their errors, their digest; and a fuzz of the loader."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from killswitch import playbooks, strictyaml
from killswitch.model.playbook import Playbook
from killswitch.model.subject import Kind, Subject
from tests.playbooks.support import GOOD, SHIPPED, House, refused, written


def test_lint_collects_and_sorts(tmp_path: Path) -> None:
    text = GOOD.replace("okta.user.suspend", "okta.user.suspnd").replace("branches", "branch")
    found = playbooks.lint(written(tmp_path, text.replace("every: 5m", "every: 0s")))
    assert [error.line for error in found.errors] == [18, 29, 30]


def test_lint_warns_of_an_unused_gate(tmp_path: Path) -> None:
    text = GOOD.replace("  lead: {", "  spare: {approvers: eng-leads}\n  lead: {")
    found = playbooks.lint(written(tmp_path, text))
    assert found.playbook is not None
    assert found.errors == ()
    assert [(w.line, w.why) for w in found.warnings] == [(7, "nothing waits for the gate 'spare'")]


def test_a_value_that_may_be_a_secret_is_never_shown(tmp_path: Path) -> None:
    for old in ("index: agents", "version: 1", "quorum: 2", "branches: all", "window: 7d"):
        text = GOOD.replace(old, f"{old.partition(':')[0]}: sk-fake-0000-not-a-secret")
        found = playbooks.lint(written(tmp_path, text), policy=House())
        assert found.errors
        assert not any("not-a-secret" in str(error) + error.hint for error in found.errors)


def test_a_name_is_never_a_path(tmp_path: Path) -> None:
    file = written(tmp_path, GOOD)
    for name in (str(file), "../playbooks/agent-kill", "agent-kill.yaml", "", "schema", "\n"):
        assert "there is no playbook" in refused(name).why
    assert "did you mean 'agent-kill'?" in refused("agent-kil").why
    assert refused("agent-kil").expected == "one of agent-kill, leaked-credential"


def test_a_configured_directory_takes_the_place_of_those_that_ship(tmp_path: Path) -> None:
    written(tmp_path, GOOD)
    house = House(playbooks=tmp_path)
    assert playbooks.names(policy=house) == ["stop"]
    assert playbooks.load("stop", policy=house).playbook == "stop"
    assert "there is no playbook" in refused("agent-kill", house).why
    assert playbooks.names(policy=House()) == SHIPPED


def test_a_file_holds_the_playbook_of_its_name(tmp_path: Path) -> None:
    written(tmp_path, GOOD, name="agent-kill")
    error = refused("agent-kill", House(playbooks=tmp_path))
    assert (error.line, error.why) == (1, "the file agent-kill.yaml holds the playbook 'stop'")


def test_no_such_file(tmp_path: Path) -> None:
    error = refused(tmp_path / "absent.yaml")
    assert (error.file, error.why) == (str(tmp_path / "absent.yaml"), "there is no such file")


def test_the_digest_is_of_what_it_says_not_of_how_it_looks(tmp_path: Path) -> None:
    def of(text: str) -> str:
        return playbooks.digest(playbooks.load(written(tmp_path, text)))

    first = of(GOOD)
    assert len(first) == 64
    assert of("# a comment\n" + GOOD.replace("- okta.user\n", "- {use: okta.user}\n")) == first
    assert of(GOOD.replace("window: 7d", "window: 168h")) == first
    for change in [
        ("quorum: 2", "quorum: 3"),
        ("24h", "23h"),
        ("all", "default"),
        ("Stop one", "Stop  one"),
    ]:
        assert of(GOOD.replace(*change)) != first


def test_a_dumped_playbook_is_read_back_as_it_was() -> None:
    for name in SHIPPED:
        playbook = playbooks.load(name)
        assert Playbook.model_validate(playbook.model_dump(mode="json", by_alias=True)) == playbook


# Fuzz: whatever stands in the file, the loader answers with Invalid or a playbook

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 10), st.floats(-1, 1).map(lambda f: round(f, 3)),
    st.sampled_from(["okta.user.suspend", "okta.user", "lead", "90s", "person", "${{ case.id }}"]),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=8),
)  # fmt: skip
keys = st.sampled_from(["use", "with", "gate", "steps", "lead", "identity", "for", "x", "escalate"])
anything = st.recursive(
    scalars, lambda t: st.lists(t, max_size=3) | st.dictionaries(keys, t, max_size=3), max_leaves=6
)


@given(st.data())
@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_nothing_but_invalid_is_ever_raised(tmp_path: Path, data: st.DataObject) -> None:
    tree = strictyaml.parse(GOOD.encode(), "f").data
    for _ in range(data.draw(st.integers(1, 3))):
        _put(tree, data)
    file = written(tmp_path, json.dumps(tree))
    found = playbooks.lint(file, policy=House())
    assert (found.playbook is None) == bool(found.errors)
    for error in found.errors:
        assert error.file == str(file)
        assert error.line == 1
        assert error.why
        assert error.expected
    if found.playbook:
        name = "jo@corp.example" if found.playbook.subject is Kind.PERSON else "x"
        done = playbooks.render(found.playbook, Subject(found.playbook.subject, name), "K-1")
        assert len(playbooks.digest(done)) == 64


def _put(tree: object, data: st.DataObject) -> None:
    """Put something random at a random place."""
    while True:
        places = list(tree) if isinstance(tree, dict) else list(range(len(tree)))
        if not places:
            return
        place = data.draw(st.sampled_from(places))
        below = tree[place]
        if isinstance(below, dict | list) and data.draw(st.booleans()):
            tree = below
            continue
        tree[place] = data.draw(anything)
        return
