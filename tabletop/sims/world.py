"""The simulated corporation: one world of people, agents, repositories and events for all sims.

Each vendor's simulator keeps its own slice (plain JSON data) under ``World.slices`` and fills it
once from the shared part. The whole world can be dumped, compared and loaded again.
"""

from __future__ import annotations

import copy
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml

WORLDS = Path(__file__).parent.parent / "worlds"


@dataclass
class Person:
    """An employee. ``roles`` are those at the IdP, such as ``SUPER_ADMIN``."""

    email: str
    name: str
    title: str = ""
    manager: str = ""
    groups: list[str] = field(default_factory=list)
    roles: list[str] = field(default_factory=list)

    @property
    def login(self) -> str:
        """The part before the @, which the code host and the cloud use as user name."""
        return self.email.partition("@")[0]


@dataclass
class Agent:
    """A coding agent that works for a person. ``bot`` is its login at the code host."""

    id: str
    product: str
    owner: str
    bot: str = ""
    sessions: list[str] = field(default_factory=list)


@dataclass
class Repository:
    """A repository of the corporation's organisation at the code host."""

    name: str
    tier: str = "internal"
    default_branch: str = "main"


@dataclass
class World:
    """Everything that the simulators know. ``events`` is what the SIEM has indexed."""

    name: str
    domain: str
    organization: str
    people: list[Person]
    agents: list[Agent]
    repositories: list[Repository]
    events: list[dict[str, Any]] = field(default_factory=list)
    slices: dict[str, dict[str, Any]] = field(default_factory=dict)

    def person(self, email: str) -> Person | None:
        """The person with that address."""
        return next((p for p in self.people if p.email == email.lower()), None)

    def agents_of(self, email: str) -> list[Agent]:
        """The agents that work for that person."""
        return [a for a in self.agents if a.owner == email]

    def id(self, prefix: str, *names: str, length: int = 17) -> str:
        """An id that looks like the vendor's and is the same for the same names in every run."""
        text = "/".join((self.name, prefix, *names)).encode()
        return prefix + hashlib.sha256(text).hexdigest()[:length]

    def number(self, *names: str) -> int:
        """A numeric id, the same for the same names in every run."""
        return int(hashlib.sha256("/".join((self.name, *names)).encode()).hexdigest()[:7], 16)

    def log(self, **event: Any) -> None:
        """Let the SIEM index an event; ``_time`` is epoch seconds, now unless given."""
        self.events.append({"_time": time.time(), **event})

    def slice(self, vendor: str, seed: Callable[[World], dict[str, Any]]) -> dict[str, Any]:
        """The vendor's part, made by ``seed`` the first time."""
        if vendor not in self.slices:
            self.slices[vendor] = seed(self)
        return self.slices[vendor]

    def snapshot(self) -> dict[str, dict[str, Any]]:
        """A copy of all vendors' parts, to compare with later."""
        return copy.deepcopy(self.slices)

    def save(self, file: Path) -> None:
        """Write the world so that a later process goes on from here."""
        draft = file.with_suffix(".tmp")
        draft.write_text(json.dumps(asdict(self)))
        draft.replace(file)

    @classmethod
    def load(cls, file: Path) -> World:
        """Read a world that was saved, or one written by hand in YAML."""
        text = file.read_text()
        data = json.loads(text) if file.suffix == ".json" else yaml.safe_load(text)
        return cls(
            **{
                **data,
                "people": [Person(**p) for p in data["people"]],
                "agents": [Agent(**a) for a in data["agents"]],
                "repositories": [Repository(**r) for r in data["repositories"]],
            }
        )

    @classmethod
    def named(cls, name: str) -> World:
        """One of the worlds that ship: ``small``."""
        return cls.load(WORLDS / f"{name}.yaml")
