"""``agent-kill serve`` where ``slack:`` is configured and its libraries are not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tabletop.home import prepare
from tests.bot.office import PLAYBOOK, world
from tests.cli.support import run_anew

# What a machine without the extra sees: the package is nowhere on the path.
WITHOUT = """
import sys
from importlib.machinery import PathFinder

class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name.partition(".")[0] == "{package}":
            return None
        return super().find_spec(name, path, target)

sys.meta_path = [Without if finder is PathFinder else finder for finder in sys.meta_path]
"""
SLACK = {
    "app_id": "A0000000001", "team_id": "T0000000001", "api_base_url": "http://127.0.0.1:9/api/",
    "bot_token": {"plain": "xoxb-fake-token"}, "app_token": {"plain": "xapp-fake-token"},
}  # fmt: skip


@pytest.mark.parametrize("package", ["slack_bolt", "aiohttp"])
def test_a_missing_library_is_said_with_what_to_install(tmp_path: Path, package: str) -> None:
    books = tmp_path / "home" / "playbooks"
    books.mkdir(parents=True)
    (books / "agent-kill.yaml").write_text(PLAYBOOK)
    file, sims = prepare(
        tmp_path / "home", world(), vendors=("okta",), playbooks="playbooks", slack=SLACK
    )
    (tmp_path / "sitecustomize.py").write_text(WITHOUT.format(package=package))
    path = f"{tmp_path}:{Path(__file__).parents[2]}"
    with sims:
        done = run_anew("--config", str(file), "serve", env={"PYTHONPATH": path})
    assert done.code == 10, done
    assert "`slack:` is configured and slack-bolt is not installed" in done.err
    assert "pip install 'agent-kill[slack]'" in done.err
    assert "Traceback" not in done.err
