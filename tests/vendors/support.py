"""What tests of alert readers share: samples of pushes, the rules that ship, a drill's link."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from killswitch import playbooks
from killswitch.alerts.rules import Rule, Trigger
from killswitch.engine.pace import Pace
from killswitch.hosts import HostGuard
from killswitch.model.plan import Mode

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "../shared/samples"
DEV = "dev@corp.example"


def sample(name: str) -> dict[str, Any]:
    """A vendor's push; the test is skipped where the samples are not there."""
    file = SAMPLES / f"{name}-alert.json"
    if not file.is_file():
        pytest.skip(f"no sample {file.name} beside this repository")
    read: dict[str, Any] = json.loads(file.read_text())
    return read


def shipped(name: str) -> Rule:
    """A trigger rule of ours, as it is in its file."""
    text = (ROOT / f"playbooks/triggers/{name}.yaml").read_text()
    trigger = Trigger.model_validate(yaml.safe_load(text))
    return Rule(trigger, playbooks.load(trigger.playbook))


def drill_link(connection: str, url: str) -> Pace:
    """The link that a drill lends to this connection."""
    return Pace(connection, 1000, 1000, 8, HostGuard(Mode.DRILL, [url]).allow)
