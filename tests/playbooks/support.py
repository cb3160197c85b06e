"""A small playbook that is right, and what a configuration says about it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from killswitch import playbooks
from killswitch.model.errors import Invalid

SHIPPED = ["agent-kill", "leaked-credential"]

GOOD = """\
playbook: stop
version: 1
summary: Stop one person.
subject: person
limits: {people: 1, credentials: 5}
gates:
  lead: {approvers: eng-leads}
  dual: {approvers: eng-leads, quorum: 2, on_timeout: {escalate: duty-directors}}
evidence:
  window: 7d
  collect:
    - okta.user
    - {use: splunk.trail, with: {index: agents}}
layers:
  identity:
    gate: lead
    steps:
      - okta.user.suspend
      - okta.sessions.revoke
  credentials:
    gate: lead
    deadline: 90s
    steps:
      - claude.api_keys.deactivate
      - {use: github.pat_grants.revoke, gate: dual}
  repositories:
    gate: lead
    steps:
      - {use: github.ruleset.lock, with: {branches: all}}
watch: {for: 24h, every: 5m}
restore: lead
comms: [eng-leadership]
"""


@dataclass(frozen=True)
class House:
    """What a configuration says about playbooks."""

    role_names: frozenset[str] = frozenset({"eng-leads", "duty-directors"})
    irreversible_single_approver: bool = False
    playbooks: Path | None = None


def written(folder: Path, text: str, name: str = "stop") -> Path:
    file = folder / f"{name}.yaml"
    file.write_text(text)
    return file


def refused(file: Path | str, policy: playbooks.Policy | None = None) -> Invalid:
    with pytest.raises(Invalid) as error:
        playbooks.load(file, policy=policy)
    return error.value
