"""A home for drills: a folder with a world, a killswitch.yaml that points at its simulators."""

from __future__ import annotations

import os
import pwd
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from killswitch import catalogue, references
from tabletop.sims.run import USUAL, Simulators
from tabletop.sims.world import World

_UNPACED = {"rate": 1000.0, "burst": 1000, "lookup_rate": 1000.0}
OPERATOR = "dana@corp.example"  # whom the person at the keyboard plays


class _NoAliases(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def prepare(
    folder: Path,
    world: World,
    *,
    vendors: Iterable[str] = USUAL,
    unpaced: bool = False,
    **more: Any,
) -> tuple[Path, Simulators]:
    """Write ``killswitch.yaml`` and ``world.json`` for simulators on free ports of this machine.

    Returns the configuration file and the simulators, which are not started. ``more`` is laid
    over the configuration, key by key. ``unpaced``: simulators are asked as fast as they answer,
    where a real vendor's shared quota would be spared.
    """
    vendors = tuple(vendors)
    pace = _UNPACED if unpaced else {}
    folder.mkdir(parents=True, exist_ok=True)
    sims = Simulators(world, vendors, ports={v: _free_port() for v in vendors})
    sims.assign()
    world.save(folder / "world.json")
    config: dict[str, Any] = {
        "mode": "drill",
        "state": "state",
        "company": {"domains": [world.domain]},
        "roles": {
            "secops": ["okta:secops", OPERATOR],
            "eng-leads": ["okta:eng-leads"],
            "duty-directors": ["okta:duty-directors"],
        },
        "people": {"os_logins": {pwd.getpwuid(os.getuid()).pw_name: OPERATOR}},
        "protected": {"people": [f"ceo@{world.domain}"], "groups": ["okta:board"]},
        "policy": {"kills_per_hour": 100},
        "connections": {
            v.replace("_", "-"): _connection(v, sims[v].settings(), pace) for v in sims.sims
        },
        "witness": {"file": "witness/heads.jsonl"},
        "drill": {"world": "world.json", "watch_for": "4s", "watch_every": "2s"},
    }
    for key, value in more.items():
        config[key] = {**config.get(key, {}), **value} if isinstance(value, dict) else value
    file = folder / "killswitch.yaml"
    file.write_text(yaml.dump(config, Dumper=_NoAliases, sort_keys=False))
    return file, sims


def _connection(vendor: str, settings: dict[str, Any], pace: dict[str, Any]) -> dict[str, Any]:
    """The settings as killswitch.yaml has them; a drill may write its secrets plainly."""
    kind = catalogue.vendor(vendor).settings
    known = {key: value for key, value in pace.items() if key in kind.model_fields}
    data = {"vendor": vendor, **settings, **known}
    for where, value in list(references.places(kind, settings)):
        place: Any = data
        for part in where[:-1]:
            place = place[part]
        place[where[-1]] = {"plain": value}
    return data


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
