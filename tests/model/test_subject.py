"""What a person typed becomes a subject, or is refused with what was wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from killswitch.model.errors import SubjectNotFound
from killswitch.model.subject import Kind, Subject


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("jo@corp.example", "person:jo@corp.example"),
        ("person:Jo@Corp.Example", "person:jo@corp.example"),
        ("  JO@CORP.EXAMPLE\n", "person:jo@corp.example"),
        ("person:jo.o'neil+x@corp.co.example", "person:jo.o'neil+x@corp.co.example"),
        ("group:agents-pilot", "group:agents-pilot"),
        ("agent:claude-code", "agent:claude-code"),
        ("session:cc-7f31b2", "session:cc-7f31b2"),
        ("credential:sk-ant-api03-R2D...igAA", "credential:sk-ant-api03-R2D...igAA"),
        ("credential:AKIAIOSFODNN7EXAMPLE", "credential:AKIAIOSFODNN7EXAMPLE"),
    ],
)
def test_what_people_type(text, wanted):
    assert str(Subject.parse(text)) == wanted


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("j\u043e@corp.example", "U+043E"),  # Cyrillic о
        ("jo@c\u03bfrp.example", "U+03BF"),  # Greek omicron
        ("j\uff4f@corp.example", "U+FF4F"),  # full width
        ("jo\u200b@corp.example", "U+200B"),  # zero width
        ("jo@corp\u2024example", "U+2024"),  # a leader that looks like a dot
        ("jo@corp.example\u202e", "U+202E"),  # right to left
    ],
)
def test_look_alike_letters_are_named_by_their_code(text, code):
    with pytest.raises(SubjectNotFound, match="letters outside ASCII") as caught:
        Subject.parse(text)
    assert code in caught.value.why
    assert "look-alike" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is no e-mail address"),
        ("jo", "is no e-mail address"),
        ("jo@corp", "is no e-mail address"),
        ("jo@corp.example,kim@corp.example", "is no e-mail address"),
        ("jo@corp.example kim@corp.example", "is no e-mail address"),
        ('jo" or profile.login pr or "@corp.example', "is no e-mail address"),
        ("person:", "is no e-mail address"),
        ("machine:laptop-7", "'machine' is no kind of subject"),
        ("Person:jo@corp.example", "'Person' is no kind of subject"),
        ("agent:", "is no valid name for a agent"),
        ("group:a b", "is no valid name for a group"),
        ("session:" + "x" * 201, "is no valid name for a session"),
    ],
)
def test_what_is_nobody(text, why):
    with pytest.raises(SubjectNotFound, match=why):
        Subject.parse(text)


@given(st.text(max_size=80))
def test_any_text_is_a_subject_that_parses_to_itself_or_is_refused(text):
    try:
        subject = Subject.parse(text)
    except SubjectNotFound:
        return  # and nothing else is raised
    assert Subject.parse(str(subject)) == subject
    assert str(subject).isascii()
    assert not any(c in subject.name for c in '"\\ \t\r\n,;<>()*')


@given(st.emails())
def test_a_person_is_one_whatever_the_case(address):
    try:
        subject = Subject.parse(address)
    except SubjectNotFound:
        return  # rarer characters than we let through
    assert subject.kind is Kind.PERSON
    assert Subject.parse(address.upper()) == subject
