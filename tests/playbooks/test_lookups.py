"""Look-ups are filled in, once, and nothing is evaluated."""

from __future__ import annotations

from pathlib import Path

import pytest

from killswitch import playbooks
from killswitch.model.errors import Refused
from killswitch.model.subject import Subject
from tests.playbooks.support import GOOD, refused, written

JO = Subject.parse("person:jo@corp.example")


def test_render_fills_look_ups(tmp_path: Path) -> None:
    text = GOOD.replace("index: agents", "index: '${{case.id}}-${{ subject.name }}'").replace(
        "- okta.user\n", "- {use: aws.cloudtrail}\n"
    )
    text = text.replace("index: '", "user_field: '${{ subject.kind }}', session_field: x, index: '")
    playbook = playbooks.load(written(tmp_path, text))
    done = playbooks.render(playbook, JO, "K-1127")
    assert done.evidence.collect[1].with_ == {
        "user_field": "person",
        "session_field": "x",
        "index": "K-1127-jo@corp.example",
    }
    assert "${{" in playbook.evidence.collect[1].with_["index"]  # the playbook itself stays
    assert playbooks.render(done, JO, "K-1128") == done
    assert playbooks.digest(done) != playbooks.digest(playbook)


def test_render_does_not_look_into_what_it_filled_in(tmp_path: Path) -> None:
    file = written(tmp_path, GOOD.replace("index: agents", "index: '${{ case.id }}'"))
    done = playbooks.render(playbooks.load(file), JO, "${{ subject.email }}")
    assert done.evidence.collect[1].with_["index"] == "${{ subject.email }}"


def test_render_refuses_another_kind_of_subject() -> None:
    playbook = playbooks.load("agent-kill")
    with pytest.raises(Refused, match="agent-kill is for a person, not for a group"):
        playbooks.render(playbook, Subject.parse("group:agents-pilot"), "K-1127")


def test_subject_email_needs_a_person(tmp_path: Path) -> None:
    text = GOOD.replace("index: agents", "index: '${{ subject.email }}'")
    playbooks.load(written(tmp_path, text))
    error = refused(written(tmp_path, text.replace("subject: person", "subject: group")))
    assert (error.line, error.expected) == (13, "${{ subject.name }}")
