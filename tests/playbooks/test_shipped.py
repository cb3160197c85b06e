"""The playbooks that ship."""

from __future__ import annotations

from pathlib import Path

import pytest

from killswitch import catalogue, config, playbooks
from killswitch.model.action import Undo
from tests.playbooks.support import SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_what_ships_is_clean(name: str, tmp_path: Path) -> None:
    file = tmp_path / "killswitch.yaml"
    file.write_text(config.example())
    found = playbooks.lint(name, policy=config.load(file))
    assert found.errors == ()
    assert found.warnings == ()


def test_what_ships_uses_the_whole_catalogue() -> None:
    loaded = [playbooks.load(name) for name in SHIPPED]
    actions = {step.use for playbook in loaded for _, step, _ in playbook.steps()}
    assert actions == set(catalogue.action_names())
    collectors = {entry.use for playbook in loaded for entry in playbook.evidence.collect}
    assert collectors == set(catalogue.collector_names())


def test_agent_kill_is_ordered_as_responders_want_it() -> None:
    steps = [step.use for _, step, _ in playbooks.load("agent-kill").steps()]
    for first, then in [
        ("okta.user.suspend", "okta.sessions.revoke"),
        ("aws.user.deny_all", "aws.access_keys.deactivate"),
        ("github.agent_pulls.hold", "github.ruleset.lock"),
    ]:
        assert steps.index(first) < steps.index(then)


@pytest.mark.parametrize("name", SHIPPED)
def test_what_cannot_be_undone_asks_two(name: str) -> None:
    playbook = playbooks.load(name)
    alone = [s for _, s, gate in playbook.steps() if playbook.gates[gate].quorum < 2]
    assert not [s.use for s in alone if catalogue.action(s.use).undo_kind is Undo.NONE]
    assert len(alone) < len(playbook.steps())
