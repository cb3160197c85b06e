"""``slack:`` in killswitch.yaml: what is refused, by line, and that secrets stay references."""

from __future__ import annotations

from pathlib import Path

import pytest

from killswitch import config
from killswitch.model.errors import Invalid

LIVE = """\
mode: live
company: {domains: [corp.example]}
slack:
  app_id: A0000000001
  team_id: T0000000001
  bot_token: {file: secrets/bot}
  app_token: {env: FAKE_SLACK_APP_TOKEN}
  people: {U0000000001: Dana@corp.example}
"""

REFUSED = [
    ("a secret in the file", "{file: secrets/bot}", "xoxb-fake", "is a secret in the file"),
    ("a plain secret when live", "{file: secrets/bot}", "{plain: xoxb-fake}", "outside a drill"),
    ("no bot token", "  bot_token: {file: secrets/bot}\n", "", "lacks 'bot_token'"),
    ("no app token", "  app_token: {env: FAKE_SLACK_APP_TOKEN}\n", "", "lacks 'app_token'"),
    ("http without secret", "  app_id:", "  mode: http\n  app_id:", "lacks 'signing_secret'"),
    ("no domains", "company: {domains: [corp.example]}\n", "", "without the company's domains"),
    ("app id", "A0000000001", "B0000000001", "slack.app_id"),
    ("team id", "T0000000001", "E0000000001", "slack.team_id"),
    ("a name for a user", "U0000000001", "dana", "is no valid name"),
    ("unknown key", "  people:", "  peopel:", "did you mean 'people'?"),
    ("plain http", "  people:", "  api_base_url: http://x.example/api/\n  people:", "encrypted"),
    ("loopback live", "  people:", "  api_base_url: http://127.0.0.1/api/\n  people:", "loopback"),
    ("no slash", "  people:", "  api_base_url: https://x.example/api\n  people:", "base_url"),
    ("channel", "  people:", "  index_channel: general\n  people:", "slack.index_channel"),
]  # fmt: skip


def written(folder: Path, text: str) -> Path:
    file = folder / "killswitch.yaml"
    file.write_text(text)
    return file


def test_it_loads_and_secrets_are_read_only_when_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = config.load(written(tmp_path, LIVE))
    assert found.written.slack is not None
    assert found.written.slack.people == {"U0000000001": "dana@corp.example"}
    with pytest.raises(Invalid, match="secrets/bot"):
        found.slack()
    secret = tmp_path / "secrets" / "bot"
    secret.parent.mkdir()
    secret.write_text("xoxb-fake\n")
    secret.chmod(0o600)
    monkeypatch.setenv("FAKE_SLACK_APP_TOKEN", "xapp-fake")
    settings = found.slack()
    assert settings is not None
    assert settings.bot_token.get_secret_value() == "xoxb-fake"
    assert "xoxb-fake" not in repr(settings)


@pytest.mark.parametrize(
    ("old", "new", "why"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, old: str, new: str, why: str) -> None:
    text = LIVE.replace(old, new, 1)
    assert text != LIVE
    found, errors = config.lint(written(tmp_path, text))
    assert found is None
    assert any(why in str(e) for e in errors), [str(e) for e in errors]
    assert all(e.line for e in errors)


def test_a_drill_may_be_held_in_a_slack_on_loopback_and_in_the_real_one(tmp_path: Path) -> None:
    for url in ("http://127.0.0.1:9/api/", "https://slack.com/api/"):
        text = LIVE.replace("mode: live", "mode: drill").replace(
            "  people:", f"  api_base_url: {url}\n  people:"
        )
        assert config.load(written(tmp_path, text)).written.slack is not None


def test_without_slack_there_is_none(tmp_path: Path) -> None:
    assert config.load(written(tmp_path, "mode: live\n")).slack() is None
