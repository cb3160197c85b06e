"""killswitch.yaml: what is refused and how, secrets by reference, and modes that cannot cross."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from killswitch import catalogue, config, references, strictyaml
from killswitch.model.errors import Invalid, Refused
from killswitch.model.plan import Mode
from killswitch.written import Written
from tabletop.sims.run import Simulators
from tabletop.sims.world import World

LIVE = """\
mode: live
state: state
company: {domains: [corp.example]}
roles:
  eng-leads: [okta:eng-leads, Lee@corp.example]
people: {os_logins: {dana: dana@corp.example}}
protected: {people: [ceo@corp.example], groups: [okta:board]}
policy: {kills_per_hour: 5, min_admins: 2}
connections:
  okta:
    vendor: okta
    url: https://acme.okta.com
    token: {env: OKTA_TOKEN}
  claude:
    vendor: claude
    admin_key: {file: secrets/claude}
    drop_folder: transcripts
tsa: https://tsa.example/tsr
"""
DRILL = """\
mode: drill
connections:
  okta:
    vendor: okta
    url: http://127.0.0.1:8001
    token: {plain: fake-token}
drill: {world: small.yaml, watch_for: 30s, watch_every: 5s}
"""
SECRET = "fake-0000-not-a-secret"

# what it is, the text that is replaced, by what, the line, what is wrong, what is expected
REFUSED = [
    ("unknown key", "policy:", "polcy:", 8, "did you mean 'policy'?", "mode, state"),
    ("inner key", "min_admins:", "min_admin:", 8, "did you mean 'min_admins'?", "kills_per_hour"),
    ("mode", "mode: live", "mode: plan", 1, "mode is text", "'live' or 'drill'"),
    ("capitals", "mode: live", "mode: LIVE", 1, "mode is text", "'live' or 'drill'"),
    ("text number", "min_admins: 2", "min_admins: '2'", 8, "is text", "a whole number"),
    ("no storm", "kills_per_hour: 5", "kills_per_hour: 0", 8, "is a number", "greater than or eq"),
    ("domain", "[corp.example]", "['@corp']", 3, "company.domains[0] is text", "pattern"),
    ("no list", "[okta:eng-leads, Lee@corp.example]", "okta:x", 5, "roles.eng-leads", "a list"),
    ("role name", "  eng-leads:", "  Eng Leads:", 5, "'Eng Leads' is no valid name", "pattern"),
    ("member", "Lee@corp.example", "lee", 5, "roles.eng-leads[1]", "pattern"),
    ("address", "Lee@corp.example", "lee@", 5, "eng-leads[1]", "an e-mail address"),
    ("homograph", "Lee@corp", "l\u0435e@corp", 5, "eng-leads[1]", "an e-mail address"),
    ("login", "dana@corp.example", "dana", 6, "os_logins.dana", "an e-mail address"),
    ("protected", "[ceo@corp.example]", "[okta:board]", 7, "people[0]", "an e-mail address"),
    ("group", "groups: [okta:board]", "groups: [board]", 7, "groups[0] is text", "pattern"),
    ("no such IdP", "okta:eng-leads", "okt:eng-leads", 5, "did you mean 'okta'?", "okta, claude"),
    ("protected IdP", "okta:board", "entra:board", 7, "no connection 'entra'", "okta, claude"),
    ("no groups", "okta:board", "claude:board", 7, "claude has no groups", "identity provider"),
    ("vendor", "vendor: okta", "vendor: octa", 11, "did you mean 'okta'?", "okta, claude"),
    ("no vendor", "    vendor: okta\n", "", 10, "connections.okta lacks 'vendor'", "'vendor'"),
    ("setting", "url: https", "ulr: https", 12, "'ulr'; did you mean 'url'?", "client_id"),
    ("no address", "    url: https://acme.okta.com\n", "", 10, "okta lacks 'url'", "the key 'url'"),
    ("vendor's rule", "token:", "key_id: x\n    client_id:", 14, "client_id is a", "text"),
    ("no credential", "    token: {env: OKTA_TOKEN}\n", "", 10, "give either client_id", "token"),
    ("setting type", "url: h", "rate: '5'\n    url: h", 12, "okta.rate is text", "a number"),
    ("no secret", "    admin_key: {file: secrets/claude}\n", "", 14, "lacks 'admin_key'", "key"),
    ("secret", "{env: OKTA_TOKEN}", SECRET, 13, "token is a secret in the file", "{env: NAME}"),
    ("number", "{env: OKTA_TOKEN}", "1234", 13, "token is a secret in the file", "{env: NAME}"),
    ("plain", "{env: OKTA_TOKEN}", f"{{plain: {SECRET}}}", 13, "outside a drill", "{env: NAME}"),
    ("two ways", "{env: OKTA_TOKEN}", "{env: A, file: b}", 13, "is no reference", "{env: NAME}"),
    ("other way", "{env: OKTA_TOKEN}", "{vault: a}", 13, "is no reference", "{file: path}"),
    ("nowhere", "{env: OKTA_TOKEN}", "{env: ''}", 13, "refers to nothing", "{env: NAME}"),
    ("a list of it", "{env: OKTA_TOKEN}", "{env: [A]}", 13, "refers to nothing", "{env: NAME}"),
    ("loopback", "https://acme.okta.com", "https://127.0.0.1", 12, "is loopback", "mode: drill"),
    ("plain http", "https://tsa", "http://tsa", 18, "is not encrypted", "use https://"),
    ("vendor http", "drop_f", "url: http://x.example\n    drop_f", 17, "not encrypted", "https"),
    ("user info", "https://tsa", "https://jo:pw@tsa", 18, "user information", "before @"),
    ("look-alike", "https://tsa.ex", "https://xn--tsa-5cd.ex", 18, "internationalised", "ASCII"),
    ("drill in live", "tsa: https://tsa.example/tsr", "drill: {world: w}", 18, "drill: in", "mode"),
    ("twice", "state: state", "mode: live", 2, "'mode' is here twice", "once"),
    ("alias", "{env: OKTA_TOKEN}", "*token", 13, "an alias", "written out"),
]  # fmt: skip


def written(folder: Path, text: str) -> Path:
    file = folder / "killswitch.yaml"
    file.write_text(text)
    return file


def secret_file(folder: Path, content: bytes = b"fake-key\n", mode: int = 0o600) -> Path:
    file = folder / "secrets" / "claude"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content)
    file.chmod(mode)
    return file


def refused(call: Callable[[], object]) -> Invalid:
    with pytest.raises(Invalid) as error:
        call()
    return error.value


def test_what_is_written_is_what_is_in_force(tmp_path: Path) -> None:
    found = config.load(written(tmp_path, LIVE))
    assert found.mode is Mode.LIVE
    assert found.state == tmp_path / "state"
    assert found.signing_key == tmp_path / "state" / "signing-key.pem"
    assert found.playbooks is None
    assert found.role_names == {"eng-leads"}
    assert found.written.roles["eng-leads"] == ("okta:eng-leads", "lee@corp.example")
    assert found.connections == {"okta": "okta", "claude": "claude"}
    assert found.written.protected.people == ("ceo@corp.example",)
    assert not found.irreversible_single_approver


def test_nothing_written_is_a_live_configuration_that_can_do_nothing(tmp_path: Path) -> None:
    found = config.load(written(tmp_path, "policy: {}\n"))
    assert (found.mode, found.connections, found.role_names) == (Mode.LIVE, {}, frozenset())
    assert (found.written.policy.kills_per_hour, found.written.policy.min_admins) == (5, 2)


def test_a_role_without_members_is_no_role(tmp_path: Path) -> None:
    text = LIVE.replace("[okta:eng-leads, Lee@corp.example]", "[]")
    assert config.load(written(tmp_path, text)).role_names == frozenset()


@pytest.mark.parametrize(
    ("old", "new", "line", "why", "expected"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_refuses(tmp_path: Path, old: str, new: str, line: int, why: str, expected: str) -> None:
    assert old in LIVE
    file = written(tmp_path, LIVE.replace(old, new, 1))
    found, errors = config.lint(file)
    assert found is None
    about = [error for error in errors if why in error.why]
    assert about, [str(error) for error in errors]
    assert (about[0].file, about[0].line) == (str(file), line)
    assert expected in about[0].expected
    assert str(refused(lambda: config.load(file))) == str(errors[0])
    assert not any(SECRET in str(error) + error.hint for error in errors)


def test_lint_collects_and_sorts(tmp_path: Path) -> None:
    text = LIVE.replace("okta:board", "entra:board").replace("https://tsa", "http://tsa")
    _, errors = config.lint(written(tmp_path, text.replace("vendor: claude", "vendor: clod")))
    assert [error.line for error in errors] == [7, 15, 18]


def test_no_such_file(tmp_path: Path) -> None:
    error = refused(lambda: config.load(tmp_path / "absent.yaml"))
    assert (error.file, error.why) == (str(tmp_path / "absent.yaml"), "there is no such file")


def test_the_example_loads(tmp_path: Path) -> None:
    found = config.load(written(tmp_path, config.example()))
    assert set(found.connections.values()) == set(catalogue.VENDORS)
    assert found.role_names == {"eng-leads", "duty-directors", "secops"}


def test_the_example_shows_every_key() -> None:
    for key in Written.model_fields:
        assert re.search(rf"^(# )?{key}:", config.example(), re.MULTILINE), key


def test_what_the_example_has_in_comments_is_right_too(tmp_path: Path) -> None:
    text = re.sub(r"^( *)# ((?:  )?[a-z_]+:)", r"\1\2", config.example(), flags=re.MULTILINE)
    assert text.count("\n#") < config.example().count("\n#")
    _, errors = config.lint(written(tmp_path, text))
    assert [error.why for error in errors] == ["drill: in live mode"]
    found = config.load(written(tmp_path, text[: text.index("drill:\n")]))
    assert found.written.tsa
    assert found.written.witness
    assert found.written.people.allowed_signers
    assert found.playbooks == tmp_path / "playbooks"


# Paths


def test_paths_start_at_the_file(tmp_path: Path) -> None:
    secret_file(tmp_path)
    text = LIVE + "playbooks: mine\nsigning_key: /etc/key.pem\n"
    found = config.load(written(tmp_path, text))
    assert found.playbooks == tmp_path / "mine"
    assert found.signing_key == Path("/etc/key.pem")
    assert found.settings("claude").model_dump()["drop_folder"] == tmp_path / "transcripts"


# Modes


def test_a_drill_may_be_shorter(tmp_path: Path) -> None:
    found = config.load(written(tmp_path, DRILL))
    assert found.mode is Mode.DRILL
    assert found.written.drill is not None
    assert found.written.drill.watch_for == timedelta(seconds=30)
    assert found.settings("okta").model_dump()["token"].get_secret_value() == "fake-token"


def test_cross_wired_modes_are_refused(tmp_path: Path) -> None:
    for text, old, new, why in [
        (DRILL, "http://127.0.0.1:8001", "https://acme.okta.com", "is not loopback"),
        (DRILL, "drill: {", "tsa: https://tsa.example\ndrill: {", "is not loopback"),
        (LIVE, "https://acme.okta.com", "http://127.0.0.1:8001", "is loopback"),
        (LIVE, "mode: live", "mode: drill", "is not loopback"),
        (DRILL, "mode: drill", "mode: live", "a plain secret outside a drill"),
    ]:
        _, errors = config.lint(written(tmp_path, text.replace(old, new)))
        assert why in " ".join(error.why for error in errors)


def test_a_vendors_own_address_is_not_taken_in_a_drill(tmp_path: Path) -> None:
    text = "mode: drill\nconnections:\n  c:\n    vendor: claude\n    admin_key: {plain: fake}\n"
    error = refused(lambda: config.load(written(tmp_path, text)))
    assert (error.line, "api.anthropic.com is not loopback" in error.why) == (3, True)


def test_the_guard_of_a_connection(tmp_path: Path) -> None:
    found = config.load(written(tmp_path, LIVE))
    found.guard("okta").allow("https://acme.okta.com/api/v1/users")
    for url in ("https://api.anthropic.com/v1", "https://acme.okta.com:8443/", "http://127.0.0.1"):
        with pytest.raises(Refused):
            found.guard("okta").allow(url)


def test_a_vendor_with_several_hosts_reaches_all_of_them(tmp_path: Path) -> None:
    text = """\
connections:
  aws: {vendor: aws, profile: killswitch, region: eu-west-1, trail_regions: [eu-west-1, us-east-1]}
"""
    guard = config.load(written(tmp_path, text)).guard("aws")
    for host in ("iam", "sts.eu-west-1", "cloudtrail.eu-west-1", "cloudtrail.us-east-1"):
        guard.allow(f"https://{host}.amazonaws.com/")
    with pytest.raises(Refused):
        guard.allow("https://s3.amazonaws.com/")


@pytest.mark.parametrize("vendor", catalogue.VENDORS)
def test_a_simulators_settings_make_a_drill(tmp_path: Path, world: World, vendor: str) -> None:
    with Simulators(world, [vendor]) as sims:
        plain = sims[vendor].settings()
        made: dict[str, Any] = json.loads(json.dumps(plain))
        for where, secret in list(references.places(catalogue.vendor(vendor).settings, plain)):
            inner = made
            for part in where[:-1]:
                inner = inner[part]
            inner[where[-1]] = {"plain": secret}
        data = {"mode": "drill", "connections": {"sim": {"vendor": vendor, **made}}}
        found = config.load(written(tmp_path, json.dumps(data)))
        assert found.settings("sim") == catalogue.vendor(vendor).settings(**plain)
        found.guard("sim").allow(f"{sims[vendor].url}/any/path")
        assert set(found.addresses("sim")) == {plain["url"]}


# Fuzz

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 10),
    st.sampled_from(["okta", "okta:board", "live", "30s", "jo@corp.example", "https://a.example"]),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=8),
)  # fmt: skip
keys = st.sampled_from(["env", "file", "plain", "vendor", "url", "token", "okta", "x", "people"])
anything = st.recursive(
    scalars, lambda t: st.lists(t, max_size=3) | st.dictionaries(keys, t, max_size=3), max_leaves=6
)


@given(st.data(), st.sampled_from([LIVE, DRILL]))
@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_nothing_but_invalid_is_ever_raised(
    tmp_path: Path, data: st.DataObject, start: str
) -> None:
    tree: Any = strictyaml.parse(start.encode(), "f").data
    for _ in range(data.draw(st.integers(1, 3))):
        inside = tree
        while True:
            places = list(inside) if isinstance(inside, dict) else list(range(len(inside)))
            if not places:
                break
            place = data.draw(st.sampled_from(places))
            if isinstance(inside[place], dict | list) and data.draw(st.booleans()):
                inside = inside[place]
                continue
            inside[place] = data.draw(anything)
            break
    file = written(tmp_path, json.dumps(tree))
    found, errors = config.lint(file)
    assert (found is None) == bool(errors)
    for error in errors:
        assert (error.file, error.line) == (str(file), 1)
        assert error.why
        assert error.expected
    if found:
        for connection in found.connections:
            found.guard(connection)
