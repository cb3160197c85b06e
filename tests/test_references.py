"""Secrets are followed when a connection is made, and never from a file that others may read."""

from __future__ import annotations

from pathlib import Path

import pytest

from killswitch import config
from tests.test_config import DRILL, LIVE, SECRET, refused, secret_file, written


def test_loading_reads_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OKTA_TOKEN", raising=False)
    found = config.load(written(tmp_path, LIVE))
    assert found.plain_settings("okta").url == "https://acme.okta.com"
    error = refused(lambda: found.settings("okta"))
    assert (error.line, error.expected) == (13, "export OKTA_TOKEN=…")
    monkeypatch.setenv("OKTA_TOKEN", SECRET)
    settings = found.settings("okta").model_dump()
    assert settings["token"].get_secret_value() == SECRET
    assert SECRET not in repr(found.settings("okta")) + repr(found)


@pytest.mark.parametrize("content", [b"fake-key", b"fake-key\n", b"fake-key\r\n"])
def test_a_secret_from_a_file(tmp_path: Path, content: bytes) -> None:
    secret_file(tmp_path, content)
    found = config.load(written(tmp_path, LIVE))
    assert found.settings("claude").model_dump()["admin_key"].get_secret_value() == "fake-key"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o601, 0o610, 0o777])
def test_a_secret_that_others_may_read_is_refused_in_live_mode(tmp_path: Path, mode: int) -> None:
    file = secret_file(tmp_path, mode=mode)
    found = config.load(written(tmp_path, LIVE))
    error = refused(lambda: found.settings("claude"))
    assert error.line == 16
    assert f"can be read by others (mode {mode:04o})" in error.why
    assert error.expected == f"mode 0600: chmod 600 {file}"


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_secret_that_only_we_may_read_is_fine(tmp_path: Path, mode: int) -> None:
    secret_file(tmp_path, mode=mode)
    config.load(written(tmp_path, LIVE)).settings("claude")


def test_a_drill_does_not_mind_who_reads_its_fakes(tmp_path: Path) -> None:
    secret_file(tmp_path, mode=0o644)
    text = DRILL.replace("{plain: fake-token}", "{file: secrets/claude}")
    settings = config.load(written(tmp_path, text)).settings("okta").model_dump()
    assert settings["token"].get_secret_value() == "fake-key"


def test_a_link_to_a_secret_is_judged_by_the_file(tmp_path: Path) -> None:
    file = secret_file(tmp_path, mode=0o644)
    file.rename(tmp_path / "real")
    file.symlink_to(tmp_path / "real")
    found = config.load(written(tmp_path, LIVE))
    assert "can be read by others" in refused(lambda: found.settings("claude")).why


@pytest.mark.parametrize(
    ("content", "why"), [(None, "No such file"), (b"\n", "is empty"), (b"\xff\xfe", "is not UTF-8")]
)
def test_a_secret_that_is_none(tmp_path: Path, content: bytes | None, why: str) -> None:
    if content is not None:
        secret_file(tmp_path, content)
    found = config.load(written(tmp_path, LIVE))
    error = refused(lambda: found.settings("claude"))
    assert (error.line, why in error.why) == (16, True)


def test_secrets_inside_mappings_are_references_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = """\
connections:
  github:
    vendor: github
    organization: acme
    token: {env: GITHUB}
    agent_apps:
      claude-jo: {app_id: 1, private_key: {env: APP}}
    known_credentials:
      sha256-1: {env: LEAKED}
"""
    for name in ("GITHUB", "APP", "LEAKED"):
        monkeypatch.setenv(name, f"fake-{name}")
    found = config.load(written(tmp_path, text)).settings("github").model_dump()
    assert found["token"].get_secret_value() == "fake-GITHUB"
    assert found["agent_apps"]["claude-jo"]["private_key"].get_secret_value() == "fake-APP"
    assert found["known_credentials"]["sha256-1"].get_secret_value() == "fake-LEAKED"
    for inner, line in (("{env: APP}", 7), ("{env: LEAKED}", 9)):
        wrong = written(tmp_path, text.replace(inner, SECRET))
        error = refused(lambda file=wrong: config.load(file))
        assert (error.line, "is a secret in the file" in error.why) == (line, True)
