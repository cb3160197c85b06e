"""Secrets do not survive, nothing else is lost, and what cannot be read is not handed out.

Every secret here is made up; they are put together at run time so that no scanner trips.
"""

from __future__ import annotations

import hashlib
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from killswitch.evidence.redact import RedactionFailed, Redactor

KEY = b"a key for one case only, made up"


@pytest.fixture(scope="module")
def redactor() -> Redactor:
    return Redactor(KEY)


def letters(length: int, alphabet: str = "FakeNotReal0123456789xyzABCdefGHI") -> str:
    return (alphabet * (length // len(alphabet) + 1))[:length]


HEX = "0123456789abcdef"
BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
PEM = "-----BEGIN {0}PRIVATE KEY-----\n" + letters(64) + "\n" + letters(20) + "==\n"
PEM_END = "-----END {0}PRIVATE KEY-----"

# (name of the rule, the text around it with {} where the secret is, the secret)
SECRETS = [
    ("aws-access-key", "key {} used", "AKIA" + letters(16, BASE32)),
    ("aws-access-key", "{}", "ASIA" + letters(16, BASE32)),
    ("aws-secret-key", "aws_secret_access_key = {}", letters(40)),
    ("aws-secret-key", 'SecretAccessKey: "{}"', letters(39) + "/"),
    ("aws-session-token", "token is {}", "IQoJ" + letters(300)),
    ("aws-bedrock-key", "{}", "ABSK" + letters(100)),
    ("github-token", "git clone with {} now", "ghp_" + letters(36)),
    ("github-token", "{}", "ghs_" + letters(36)),
    ("github-fine-grained", "{}", "github_pat_" + letters(82)),
    ("gitlab-token", "{}", "glpat-" + letters(20)),
    ("slack-token", "{}", "xoxb-" + "123456789012-" * 2 + letters(24)),
    ("slack-token", "{}", "xapp-1-A0FAKE-" + letters(30)),
    ("slack-webhook", "https://{}", "hooks.slack.com/services/T0FAKE/B0FAKE/" + letters(24)),
    ("anthropic-key", "{}", "sk-ant-api03-" + letters(90)),
    ("openai-key", "{}", "sk-proj-" + letters(60)),
    ("openai-key", "{}", "sk-" + letters(48)),
    ("okta-token", "made {}, kept", "00" + letters(40)),
    ("okta-ssws", "SSWS {}", letters(30)),
    ("jwt", "{}", f"eyJ{letters(30)}.eyJ{letters(60)}.{letters(43)}"),
    ("private-key", "{}", PEM.format("") + PEM_END.format("")),
    ("private-key", "{}", PEM.format("OPENSSH ") + PEM_END.format("OPENSSH ")),
    ("private-key", "cut short: {}", PEM.format("RSA ")),
    ("google-api-key", "{}", "AIza" + letters(35)),
    ("google-oauth", "{}", "GOCSPX-" + letters(28)),
    ("azure-secret", "{}", "abc8Q~" + letters(34)),
    ("azure-shared-key", "AccountName=x;AccountKey={};", letters(86) + "=="),
    ("stripe-key", "{}", "sk_live_" + letters(24)),
    ("npm-token", "{}", "npm_" + letters(36)),
    ("npmrc", "//registry.example/:_authToken={}", letters(20, HEX)),
    ("pypi-token", "{}", "pypi-" + letters(120)),
    ("atlassian-token", "{}", "ATATT3" + letters(60)),
    ("sendgrid-key", "{}", "SG." + letters(22) + "." + letters(43)),
    ("twilio-key", "{}", "SK" + letters(32, HEX)),
    ("huggingface-token", "{}", "hf_" + letters(34)),
    ("vault-token", "{}", "hvs." + letters(90)),
    ("digitalocean-token", "{}", "dop_v1_" + letters(64, HEX)),
    ("authorization", "Authorization: Bearer {}", "opaque+made/up=="),
    ("authorization", "authorization: Unheard-Of {}", "not a real one, with spaces"),
    ("authorization", "curl -H 'Authorization: Basic {}' https://x.example", "dXNlcjpub3RyZWFs"),
    ("bearer", "sent bearer {} along", letters(20)),
    ("cookie", "Set-Cookie: {}", "sid=102FAKEabc; idx=made-up; Path=/"),
    ("header", "X-Api-Key: {}", letters(20)),
    ("header", "PRIVATE-TOKEN: {}", letters(20)),
    ("url-password", "postgresql://app:{}@db.corp.example:5432/app", "made:up/pass"),
    ("environment", "export DD_API_KEY={}", letters(32, HEX)),
    ("environment", "DB_PASSWORD='{}'", "made up, with spaces"),
    ("environment", "STAGING_TOKEN_2={}", letters(12)),
    ("assignment", 'password = "{}"', "correct horse"),
    ("assignment", "{{'client_secret': '{}'}}", "made-up"),
    ("option", "tool --password {} --verbose", "made-up-1"),
    ("option", "tool --api-key={}", letters(16)),
    ("curl-user", "curl -s -u admin:{} https://x.example", "made-up-2"),
    ("netrc", "machine x.example login jo password {}", "made-up-3"),
]
IDS = [f"{name}-{number}" for number, (name, _, _) in enumerate(SECRETS)]


@pytest.mark.parametrize(("name", "around", "secret"), SECRETS, ids=IDS)
def test_every_kind_in_text(redactor: Redactor, name: str, around: str, secret: str) -> None:
    shown = redactor.text("before " + around.format(secret) + "\nafter")
    assert secret not in shown
    assert f"[REDACTED:{name}:" in shown
    assert shown.startswith("before ")
    if "cut short" not in around:
        assert shown.endswith("\nafter")


@pytest.mark.parametrize(("name", "around", "secret"), SECRETS, ids=IDS)
def test_every_kind_in_a_transcript(
    redactor: Redactor, name: str, around: str, secret: str
) -> None:
    """As agents write them: JSON lines, the interesting part a string of JSON within JSON."""
    said = around.format(secret)
    inner = json.dumps({"command": said, "note": "keep"})
    line = {"type": "tool_use", "id": 7, "input": inner, "text": said}
    body = (json.dumps(line) + "\n" + json.dumps({"type": "end"}) + "\n").encode()
    shown = redactor.content(body)
    first, second = [json.loads(part) for part in shown.splitlines()]
    assert secret not in json.loads(first["input"])["command"]
    assert secret not in first["text"]
    assert json.dumps(secret)[1:-1].encode() not in shown
    assert json.loads(first["input"])["note"] == "keep"
    assert (first["type"], first["id"], second) == ("tool_use", 7, {"type": "end"})


@pytest.mark.parametrize(("name", "around", "secret"), SECRETS, ids=IDS)
def test_every_kind_in_json_that_was_cut(
    redactor: Redactor, name: str, around: str, secret: str
) -> None:
    """A truncated artifact is no JSON any more; it is read as text, escapes and all."""
    body = json.dumps({"text": around.format(secret), "more": ["x"]}).encode()[:-4]
    shown = redactor.content(body)
    assert json.dumps(secret)[1:-1].encode() not in shown


@pytest.mark.parametrize(
    "field",
    ["password", "client_secret", "SecretAccessKey", "sessionToken", "x-api-key", "Set-Cookie"],
)
def test_a_field_whose_name_says_so(redactor: Redactor, field: str) -> None:
    value = {field: "hunter2", "list": [{field: ["a1", "b2"]}], "user": "jo"}
    shown = redactor.data(value)
    assert shown[field].startswith("[REDACTED:field:")
    assert all(v.startswith("[REDACTED:field:") for v in shown["list"][0][field])
    assert shown["user"] == "jo"


def test_a_field_named_beside_its_value(redactor: Redactor) -> None:
    headers = [{"name": "Cookie", "value": "made up"}, {"name": "Accept", "value": "*/*"}]
    shown = redactor.data(headers)
    assert shown[0]["value"].startswith("[REDACTED:field:")
    assert shown[1] == headers[1]


def test_numbers_in_secret_fields_and_nothing_where_there_is_nothing(redactor: Redactor) -> None:
    shown = redactor.data({"passcode": 123456, "password": "", "token": None, "n": 1, "b": True})
    assert shown["passcode"].startswith("[REDACTED:field:")
    assert (shown["password"], shown["token"], shown["n"], shown["b"]) == ("", None, 1, True)


def test_secrets_in_names_of_fields(redactor: Redactor) -> None:
    secret = "ghp_" + letters(36)
    assert secret not in json.dumps(redactor.data({secret: 1}))


def test_known_secrets_go_first_wherever_they_stand() -> None:
    redactor = Redactor(KEY, ["p@ss w/rd", "p@ss w/rd and more", "ß-geheim"])
    text = "it is p@ss w/rd and more, or p%40ss%20w%2Frd, or ß-geheim; password='p@ss w/rd'"
    shown = redactor.text(text)
    assert "w/rd" not in shown
    assert "w%2Frd" not in shown
    assert "geheim" not in shown
    assert shown.count("[REDACTED:known:") == 4


def test_equal_secrets_look_equal_within_a_case_only() -> None:
    one, other = Redactor(KEY), Redactor(KEY[::-1])
    secret = "ghp_" + letters(36)
    mark = one.text(secret)
    assert one.text(f"a {secret} b {secret}") == f"a {mark} b {mark}"
    assert one.text(f"Authorization: token {secret}").count(mark[-9:]) == 1
    assert other.text(secret) != mark


def test_the_mark_does_not_tell_the_secret() -> None:
    secret = "hunter2-hunter2"
    shown = Redactor(KEY, [secret]).text(secret)
    assert hashlib.sha256(secret.encode()).hexdigest()[:8] not in shown


PLAIN = [
    "The quick brown fox jumps over the lazy dog.",
    "def tokenize(text): return text.split()",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "https://github.com/acme/payments/pull/42",
    "2026-11-21T20:00:00Z okta user.session.start jo@corp.example 00u1abcd",
    "max_tokens: 4096",
    "日本語のテキスト と emoji 😀",
]


@pytest.mark.parametrize("text", PLAIN)
def test_what_is_no_secret_stays(redactor: Redactor, text: str) -> None:
    assert redactor.text(text) == text
    assert json.loads(redactor.content(json.dumps([text]).encode())) == [text]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("ab \n\"'😀\\", max_size=20),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("ab"), inner),
)


@settings(max_examples=60, deadline=None)
@given(value=json_values)
def test_json_without_secrets_is_unchanged_to_the_byte(value: object) -> None:
    body = json.dumps({"a": value}, indent=1).encode()
    assert _SHARED.content(body) == body


@settings(max_examples=100, deadline=None)
@given(
    before=st.text(max_size=40),
    after=st.text(max_size=40),
    which=st.sampled_from([s for s in SECRETS if s[1] == "{}" and s[0] != "jwt"]),
)
def test_a_secret_between_any_text(before: str, after: str, which: tuple[str, str, str]) -> None:
    secret = which[2]
    shown = _SHARED.text(f"{before} {secret} {after}")
    assert secret not in shown


@settings(max_examples=200, deadline=None)
@given(body=st.binary(max_size=200))
def test_any_bytes_are_redacted_or_refused(body: bytes) -> None:
    try:
        _SHARED.content(body)
    except RedactionFailed:
        with pytest.raises(UnicodeDecodeError):
            body.decode()


_SHARED = Redactor(KEY)


@pytest.mark.parametrize(
    "body",
    [b"PK\x03\x04\xff\xfe", "password='x'".encode("utf-16"), b"\x1f\x8b\x08\x00\xe9"],
    ids=["zip", "utf-16", "gzip"],
)
def test_what_is_no_text_is_refused(redactor: Redactor, body: bytes) -> None:
    with pytest.raises(RedactionFailed, match="only text"):
        redactor.content(body)


def test_too_deep_is_refused(redactor: Redactor) -> None:
    with pytest.raises(RedactionFailed, match="nested too deeply"):
        redactor.content(b"[" * 100_000 + b"]" * 100_000)


def test_too_long_is_refused(redactor: Redactor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("killswitch.evidence.redact.LARGEST", 10)
    with pytest.raises(RedactionFailed, match="more than can be redacted"):
        redactor.content(b"x" * 11)


def test_a_field_that_is_there_twice_hides_nothing(redactor: Redactor) -> None:
    for body in (b'{"token": "made-up-1", "token": ""}', b'{"token": "", "token": "made-up-1"}'):
        assert b"made-up-1" not in redactor.content(body)
    inner = json.dumps({"text": '{"pwd": "made-up-2", "pwd": "x", "b": 1}'})
    assert b"made-up-2" not in redactor.content(inner.encode())
    harmless = b'{"a": 1, "a": 2}'
    assert redactor.content(harmless) == harmless


def test_what_is_no_json_is_refused(redactor: Redactor) -> None:
    with pytest.raises(RedactionFailed, match="is no JSON"):
        redactor.data({"a": object()})


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        Redactor(b"short")


def test_lone_surrogates_and_odd_lines(redactor: Redactor) -> None:
    secret = "ghp_" + letters(36)
    body = (
        '{"a": "\\ud800 ' + secret + '"}\r\n'
        "plain " + secret + "\n"
        '{"line": "with \u2028 inside", "password": "made up"}\n'
    ).encode()
    shown = redactor.content(body)
    assert secret.encode() not in shown
    assert b"made up" not in shown
    assert shown.count(b"\n") == 3
    assert "with \u2028 inside" in shown.decode("utf-8", "surrogatepass")


@pytest.mark.parametrize(
    "hostile",
    [
        "-----BEGIN PRIVATE KEY-----" * 40_000,
        "password=" * 100_000,
        'password="' * 100_000,
        "://" * 300_000,
        "a" * 1_000_000,
        "eyJ" * 300_000,
        "curl " * 200_000,
        "{" * 900,
        '"' * 100_000,
    ],
    ids=["pem", "assign", "quote", "url", "letters", "jwt", "curl", "brace", "quotes"],
)
def test_hostile_text_does_not_stall_it(redactor: Redactor, hostile: str) -> None:
    began = time.process_time()
    redactor.content(hostile.encode())
    assert time.process_time() - began < 5
