"""What is found out when a drill is over."""

from __future__ import annotations

from pathlib import Path

from tabletop.found import secrets_in

SECRETS = {"ghp_fake+token.1", "fake-secret-" + "a" * 20, "sk-fake|(odd)"}


def test_a_secret_in_a_file_is_found_and_not_repeated(tmp_path: Path) -> None:
    clean, leaky = tmp_path / "clean.md", tmp_path / "report.md"
    clean.write_text("ghp_fake-token-1 and sk-fake, which are none")
    leaky.write_bytes(b"\xff token=ghp_fake+token.1; sk-fake|(odd)")
    assert secrets_in([clean, leaky], SECRETS) == [
        "ghp_\u2026 (16 characters) in report.md",
        "sk-f\u2026 (13 characters) in report.md",
    ]


def test_a_world_without_secrets_has_none_to_find(tmp_path: Path) -> None:
    file = tmp_path / "report.md"
    file.write_text("anything")
    assert secrets_in([file], set()) == []
