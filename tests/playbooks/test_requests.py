"""A request for a playbook: what every door asks with."""

import pytest

from killswitch import playbooks
from killswitch.model.errors import SubjectNotFound
from killswitch.model.plan import Mode
from killswitch.model.playbook import Playbook
from killswitch.model.subject import Kind, Subject

JO = Subject.parse("jo@corp.example")
DANA = "dana@corp.example"


def test_every_default_is_a_playbook_that_ships_and_is_for_that_kind():
    for kind in (Kind.PERSON, Kind.CREDENTIAL):
        assert playbooks.load(playbooks.default(kind)).subject is kind


def test_a_kind_without_a_default_is_said_to_have_none():
    with pytest.raises(SubjectNotFound, match="no playbook is the default for a session"):
        playbooks.default(Kind.SESSION)


def test_the_request_holds_the_whole_playbook_under_its_digest():
    loaded = playbooks.load("agent-kill")

    asked = playbooks.request(loaded, JO, mode=Mode.DRILL, requester=DANA, door="cli", reason="r")

    assert Playbook.model_validate(asked.playbook) == loaded
    assert asked.playbook_digest == playbooks.digest(loaded)
    assert (asked.subject, asked.requester, asked.door) == (str(JO), DANA, "cli")
    assert (asked.mode, asked.reason) == (Mode.DRILL, "r")


def test_a_playbook_for_another_kind_of_subject_is_refused_before_anything_is_written():
    loaded = playbooks.load("leaked-credential")
    with pytest.raises(SubjectNotFound, match="leaked-credential is for a credential, not a perso"):
        playbooks.request(loaded, JO, mode=Mode.DRILL, requester=DANA, door="cli")
