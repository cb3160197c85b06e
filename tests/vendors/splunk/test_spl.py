from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from killswitch.model.errors import Refused
from killswitch.vendors.splunk.spl import Glance, Search


def test_a_search_reads_as_it_is_meant() -> None:
    search = Search("agents", "user", "o'neil+a@corp.example")
    assert str(search) == 'search index="agents" user="o\'neil+a@corp.example" | sort 0 _time'
    assert str(Glance("agents")) == 'search index="agents" | head 1'


@pytest.mark.parametrize(
    "value",
    [
        '" OR user="ceo@corp.example',
        "x\\",
        "a | delete",
        "[search index=*]",
        "`macro`",
        "*",
        "j?",
        "$token$",
        "jo@corp.example\n",
        "",
        "a" * 201,
        "јо@corp.example",
    ],
)
def test_a_value_that_could_change_the_search_is_refused(value: str) -> None:
    with pytest.raises(Refused):
        Search("agents", "user", value)


@pytest.mark.parametrize("index", ["*", 'a" OR "', "Agents x", "", "a|b"])
def test_an_odd_index_is_refused(index: str) -> None:
    with pytest.raises(Refused):
        Glance(index)
    with pytest.raises(Refused):
        Search(index, "user", "jo@corp.example")


@pytest.mark.parametrize("field", ["user OR x", "", "1user", 'u"', "user="])
def test_an_odd_field_is_refused(field: str) -> None:
    with pytest.raises(Refused):
        Search("agents", field, "jo@corp.example")


@given(st.text())
def test_no_text_ever_leaves_its_quotes(text: str) -> None:
    try:
        search = str(Search("agents", "user", text))
    except Refused:
        return
    assert search == f'search index="agents" user="{text}" | sort 0 _time'
    assert not set(text) & set('"\\|[]`*?$ \n\t')
