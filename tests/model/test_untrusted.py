"""Text that strangers wrote reaches no reader unescaped."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from killswitch.model.untrusted import Untrusted, clean


@pytest.mark.parametrize("use", [str, "{}".format, "{:>10}".format, lambda u: f"{u}"])
def test_it_cannot_be_put_into_a_string_by_accident(use):
    with pytest.raises(TypeError, match="needs an escaper"):
        use(Untrusted("harmless"))


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("one\ntwo", "one\\u000atwo"),
        ("\x1b[2Jgone", "\\u001b[2Jgone"),
        ("safe\u202etxt.exe", "safe\\u202etxt.exe"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("bell\a", "bell\\u0007"),
        ("ü 界 🙂", "ü 界 🙂"),
    ],
)
def test_what_hides_or_moves_is_shown_by_its_code(raw, shown):
    assert Untrusted(raw).plain() == shown


def test_html_and_slack_are_escaped():
    raw = Untrusted('<img onerror=alert(1)> & <!channel> <https://evil.example|click> "q"')
    assert "<" not in raw.html()
    assert '"' not in raw.html()
    slack = raw.slack()
    assert "<" not in slack
    assert "&lt;!channel&gt;" in slack
    assert "&amp;" in slack


@given(st.text(max_size=300), st.integers(2, 50))
def test_it_is_one_line_cut_and_visible_whatever_it_was(raw, limit):
    shown = clean(raw, limit)
    assert not {unicodedata.category(c) for c in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert shown.endswith("…") or len(raw) <= limit


@given(st.text(max_size=100))
def test_nothing_escapes_from_html_or_slack(raw):
    assert not set(Untrusted(raw).html()) & set("<>\"'")
    assert not set(Untrusted(raw).slack()) & set("<>")
