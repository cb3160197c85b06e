"""The strict reader: what it refuses, what it keeps as text, and that it is never surprised."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from killswitch import strictyaml
from killswitch.model.errors import Invalid

REFUSED = [
    ("alias", "a: &x 1\n", 1, "an anchor (&)", "no anchors"),
    ("alias alone", "a: 1\nb: *a\n", 2, "an alias (*)", "written out"),
    ("anchored mapping", "a:\n  b: &x {c: 1}\n", 2, "an anchor (&)", "no anchors"),
    ("anchored list", "a: &x [1]\n", 1, "an anchor (&)", "no anchors"),
    ("anchored key", "&x a: 1\n", 1, "an anchor (&)", "no anchors"),
    ("tag", "a: !!str 1\n", 1, "a tag (!)", "without tags"),
    ("own tag", "a: 1\nb: !python/name:os.system x\n", 2, "a tag (!)", "without tags"),
    ("bare tag", "a: ! x\n", 1, "a tag (!)", "without tags"),
    ("tagged mapping", "a: !!map {b: 1}\n", 1, "a tag (!)", "without tags"),
    ("merge", "a: 1\n<<: {b: 2}\n", 2, "a merge key (<<)", "written out"),
    ("duplicate", "a: 1\nb: 2\na: 3\n", 3, "the key 'a' is here twice (first on line 1)", "once"),
    ("inner duplicate", "a:\n  b: 1\n  'b': 2\n", 3, "'b' is here twice (first on line 2)", "once"),
    ("empty key", "a: 1\n'': 2\n", 2, "an empty key", "a key before the colon"),
    ("list as key", "a: 1\n? [b]\n: 2\n", 2, "a key that is no text", "a plain key"),
    ("mapping as key", "{a: 1}: 2\n", 1, "a key that is no text", "a plain key"),
    ("second document", "a: 1\n---\nb: 2\n", 2, "a second document", "one document"),
    ("version", "%YAML 1.1\n---\na: 1\n", 1, "a directive (%)", "no %YAML"),
    ("tag handle", "\n%TAG ! tag:x,2000:\n---\na: 1\n", 2, "a directive (%)", "no %YAML"),
    ("too deep", "a: 1\nb: " + "[" * 20 + "]" * 20, 2, "nested too deeply", "at most 20 levels"),
    ("far too deep", "a: " + "[" * 100_000, 1, "nested too deeply", "at most 20 levels"),
    ("many", "a:\n" + "- 1\n" * 5_000, 5_000, "too many values", "at most 5,000"),
    ("a large integer", "a: 1\nb: 9007199254740992\n", 2, "a number this large", "at most 900719"),
    ("a very large one", f"a: {'9' * 5000}\n", 1, "a number this large", "at most 900719"),
    ("a large float", "a: 1.0e999\n", 1, "a number this large", "a finite number"),
    ("no colon", "a: 1\nb\n", 3, "not YAML", "YAML"),
    ("tab", "a:\n\tb: 1\n", 2, "not YAML", "YAML"),
    ("open quote", "a: 'b\n", 2, "not YAML", "YAML"),
    ("turned around", "a: 1\nb: x\u202egpj\n", 2, "an invisible character, U+202E", "can see"),
    ("turned by escape", 'a: 1\nb: "\\u202e"\n', 2, "an invisible character, U+202E", "can see"),
    ("zero width", "pay\u200bments: 1\n", 1, "an invisible character, U+200B", "can see"),
    ("tag characters", "a: x\U000e0041\n", 1, "an invisible character, U+E0041", "can see"),
    ("bell", "a: 1\nb: \x07\n", 2, "an invisible character, U+0007", "can see"),
    ("bell by escape", 'a: "\\a"\n', 1, "an invisible character, U+0007", "can see"),
    ("line separator", "a: 1\u2028b: 2\n", 1, "an invisible character, U+2028", "can see"),
    ("byte order mark", "\ufeffa: 1\n", 1, "an invisible character, U+FEFF", "can see"),
    ("nothing", "", 1, "the file holds no mapping", "key: value"),
    ("comment only", "# nothing\n", 1, "the file holds no mapping", "key: value"),
    ("list", "- a\n", 1, "the file holds no mapping", "key: value"),
    ("text", "\nagent-kill\n", 2, "the file holds no mapping", "key: value"),
]


@pytest.fixture(params=["libyaml", "python"])
def loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Either parser of PyYAML: wheels have libyaml, a build from source may not."""
    if request.param == "python":
        monkeypatch.setattr(strictyaml, "_LOADER", yaml.SafeLoader)


@pytest.mark.usefixtures("loader")
@pytest.mark.parametrize(
    ("text", "line", "why", "expected"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_refuses(text: str, line: int, why: str, expected: str) -> None:
    with pytest.raises(Invalid) as refused:
        strictyaml.parse(text.encode(), "some.yaml")
    error = refused.value
    assert (error.file, error.line) == ("some.yaml", line)
    assert why in error.why
    assert expected in error.expected
    assert str(error).startswith(f"some.yaml:{line}: ")


def test_refuses_what_is_not_utf_8() -> None:
    for raw in ("a: b".encode("utf-16"), b"a: 1\nb: \xff\n", "a: ä".encode("latin-1")):
        with pytest.raises(Invalid, match="not UTF-8"):
            strictyaml.parse(raw, "some.yaml")


@pytest.mark.usefixtures("loader")
def test_refuses_half_a_surrogate() -> None:
    with pytest.raises(Invalid) as refused:
        strictyaml.parse(b'a: 1\nb: "\\ud800"\n', "some.yaml")
    assert refused.value.line == 2


def test_refuses_more_than_256_kb() -> None:
    largest = b"a: " + b"x" * (strictyaml.LARGEST - 4) + b"\n"
    assert len(strictyaml.parse(largest, "f").data["a"]) == strictyaml.LARGEST - 4
    with pytest.raises(Invalid, match="the file is too large"):
        strictyaml.parse(largest + b"\n", "f")


def test_twenty_levels_are_fine() -> None:
    deep = strictyaml.parse(b"a: " + b"[" * 19 + b"]" * 19, "f").data["a"]
    for _ in range(18):
        (deep,) = deep
    assert deep == []


SURPRISES = [
    "on", "off", "yes", "no", "y", "n", "True", "FALSE", "~", "Null", "12:30:45", "190:20:30",
    "017", "0o17", "0x1F", "0b1", "1_000", "+1", "1e3", ".5", "1.", ".inf", "-.inf", ".nan", "=",
    "2024-01-01", "2001-12-14t21:59:43.10-05:00", "12e03", "0123456789", "1.2.3",
]  # fmt: skip


@pytest.mark.usefixtures("loader")
@pytest.mark.parametrize("surprise", SURPRISES)
def test_surprises_of_yaml_1_1_stay_text(surprise: str) -> None:
    assert strictyaml.parse(f"{surprise}: {surprise}\n".encode(), "f").data == {surprise: surprise}


@pytest.mark.usefixtures("loader")
def test_reads_plain_values() -> None:
    text = """
        nothing: null
        empty:
        yes_: true
        no_: false
        count: 17
        below: -3
        ratio: 1.50
        small: 1.0e-3
        quoted: '17'
        words: "true"
        block: |
          two
          lines
        list: [a, {b: 1}]
    """
    assert strictyaml.parse(text.encode(), "f").data == {
        "nothing": None,
        "empty": None,
        "yes_": True,
        "no_": False,
        "count": 17,
        "below": -3,
        "ratio": 1.5,
        "small": 0.001,
        "quoted": "17",
        "words": "true",
        "block": "two\nlines\n",
        "list": ["a", {"b": 1}],
    }


@pytest.mark.usefixtures("loader")
def test_knows_the_line_of_every_part() -> None:
    document = strictyaml.parse(b"# first\na:\n  - b\n  - c: 1\n    d: [x,\n      y]\ne: 2\n", "f")
    assert document.lines == {
        (): 2,
        ("a",): 2,
        ("a", 0): 3,
        ("a", 1): 4,
        ("a", 1, "c"): 4,
        ("a", 1, "d"): 5,
        ("a", 1, "d", 0): 5,
        ("a", 1, "d", 1): 6,
        ("e",): 7,
    }
    assert document.line(("a", 1, "d", 7, "deeper")) == 5  # the nearest part around it
    assert document.line(("nowhere",)) == 2
    error = document.invalid(("a", 1, "c"), "is odd", "something even")
    assert str(error) == "f:4: is odd (expected something even)"


def test_read_says_when_there_is_no_file(tmp_path: Path) -> None:
    for missing in (tmp_path / "absent.yaml", tmp_path):
        with pytest.raises(Invalid, match="there is no such file") as refused:
            strictyaml.read(missing)
        assert refused.value.file == str(missing)


def test_read_names_the_file(tmp_path: Path) -> None:
    file = tmp_path / "some.yaml"
    file.write_text("a: 1\na: 2\n")
    with pytest.raises(Invalid) as refused:
        strictyaml.read(file)
    assert (refused.value.file, refused.value.line) == (str(file), 2)


def test_texts_are_all_texts_but_keys() -> None:
    data = {"a": "x", "b": ["y", 1, {"c": "z"}], "d": None}
    assert dict(strictyaml.texts(data)) == {("a",): "x", ("b", 0): "y", ("b", 2, "c"): "z"}


TOKENS = ["a", "b: ", ": ", "- ", "? ", "\n", "\n  ", "  ", "{", "}", "[", "]", ", ", "'", '"']
TOKENS += ["&x ", "*x", "!", "!!str ", "|", ">", "%", "#", "<<: ", "---\n", "...\n", "\t", "\\"]
TOKENS += ["\\u202e", "\r", "\r\n", "\x00", "\x85", "\u2028", "\ufeff", "17", "0x1", "1.0e999"]


@given(st.one_of(st.binary(), st.lists(st.sampled_from(TOKENS)).map(lambda t: "".join(t).encode())))
@example(b"? ? ? ?")
@example(b"a: |9\n b")
@settings(max_examples=500, deadline=None)
def test_nothing_but_invalid_is_ever_raised(raw: bytes) -> None:
    document, error = _parsed(raw)
    if error is None:
        assert json.loads(json.dumps(document)) == document
    else:
        assert error.file == "f"
        assert error.line >= 1
        assert error.why
        assert error.expected


def _parsed(raw: bytes) -> tuple[object, Invalid | None]:
    try:
        return strictyaml.parse(raw, "f").data, None
    except Invalid as error:
        return None, error


VISIBLE = [chr(c) for c in (*range(0x20, 0x7F), *range(0xA0, 0xAD), 0x3B1, 0x4E2D, 0x1F600)]
visible = st.text(VISIBLE, max_size=12)
values = st.one_of(st.none(), st.booleans(), st.integers(-(2**53) + 1, 2**53 - 1), visible)
trees = st.recursive(
    values,
    lambda inner: st.lists(inner) | st.dictionaries(visible.filter(bool), inner),
    max_leaves=12,
)


@given(st.dictionaries(visible.filter(lambda key: key not in ("", "<<")), trees))
@settings(max_examples=200, deadline=None)
def test_json_is_read_as_what_it_says(data: dict[str, object]) -> None:
    raw = json.dumps(data, ensure_ascii=False).encode()
    if b'"<<"' not in raw:
        assert strictyaml.parse(raw, "f").data == data


FULL = {
    "list": b"a: [" + b"1," * 131_000 + b"]",
    "depth": b"a: " + b"[" * 262_000,
    "lists": b"- " * 131_000,
    "keys in keys": b"? " * 131_000,
    "open mappings": b"{" * 262_000,
    "keys": b"".join(b"key%d: v\n" % number for number in range(20_000)),
    "one word": b"a: " + b"x" * 262_000,
    "words": b"a: " + b"x " * 131_000,
    "lines": b"a: '" + b"x\n" * 131_000 + b"'",
    "escapes": b'a: "' + b"\\u0041" * 43_000 + b'"',
    "tag handles": b"".join(b"%%TAG !a%d! x\n" % number for number in range(15_000)),
    "comments": b"#\n" * 131_000,
    "anchors": b"a: &a " * 43_000,
    "laughs": b"a: &a [x]\n" + b"".join(b"b%d: &b%d [*a,*a]\n" % (n, n) for n in range(9_000)),
}


@pytest.mark.parametrize("raw", FULL.values(), ids=FULL.keys())
def test_256_kb_take_at_most_50_ms(raw: bytes) -> None:
    best = 1.0
    for _ in range(5):
        start = time.process_time()
        _parsed(raw)
        best = min(best, time.process_time() - start)
    assert best <= 0.05
