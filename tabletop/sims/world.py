"""The simulated corporation: one world of people, agents, repositories and events for all sims.

Each vendor's simulator keeps its own slice (plain JSON data) under ``World.slices`` and fills it
once from the shared part. The whole world can be dumped, compared and loaded again.
"""

from __future__ import annotations

import copy
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from killswitch.model.errors import Invalid
from tabletop.sims.kept import KeptDict

WORLDS = Path(__file__).parent.parent / "worlds"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster, where it was built
Entry = Mapping[str, Any]
Kind = TypeVar("Kind", "Person", "Agent", "Repository")


@dataclass
class Person:
    """An employee. ``roles`` and ``status`` are those at the IdP: ``SUPER_ADMIN``, ``ACTIVE``."""

    email: str
    name: str
    title: str = ""
    manager: str = ""
    groups: list[str] = field(default_factory=list)
    roles: list[str] = field(default_factory=list)
    status: str = "ACTIVE"

    @property
    def login(self) -> str:
        """The user name at the code host, which knows no dots, and at the cloud."""
        return self.email.partition("@")[0].replace(".", "-")


@dataclass
class Agent:
    """A coding agent that works for a person.

    ``bot`` is its login at the code host; without one it works as the person.
    """

    id: str
    product: str
    owner: str
    bot: str = ""
    sessions: list[str] = field(default_factory=list)


@dataclass
class Repository:
    """A repository of the corporation's organisation at the code host.

    ``teams``: the groups whose people may write to it; none named: everybody may.
    """

    name: str
    tier: str = "internal"
    default_branch: str = "main"
    teams: list[str] = field(default_factory=list)

    def writable(self, person: Person) -> bool:
        """Whether the person may write to it."""
        return not self.teams or bool(set(self.teams) & set(person.groups))


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
        if not isinstance(self.slices[vendor], KeptDict):
            self.slices[vendor] = KeptDict(self.slices[vendor])
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
        data = json.loads(text) if file.suffix == ".json" else yaml.load(text, _LOADER)  # noqa: S506  # a safe one
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
        """One of the worlds that ship: ``small`` or ``midsize``. Raises Invalid."""
        if not (file := WORLDS / f"{name}.yaml").is_file():
            known = ", ".join(sorted(f.stem for f in WORLDS.glob("*.yaml")))
            raise Invalid(f"there is no world {name!r}", expected=known)
        return cls.load(file)

    def with_changes(
        self,
        people: Iterable[Entry] = (),
        agents: Iterable[Entry] = (),
        repositories: Iterable[Entry] = (),
    ) -> World:
        """The same world, in which nothing has happened yet, with these entries laid over it.

        One that names an existing ``email``, ``id`` or ``name`` changes that entry, any other is
        added. Raises Invalid for what an entry cannot say, lacks, or who is not in the world.
        """
        if self.slices:
            raise Invalid("a world changes before its simulators are made, not afterwards")
        changed = replace(
            self,
            people=_laid_over(Person, "email", self.people, people),
            agents=_laid_over(Agent, "id", self.agents, agents),
            repositories=_laid_over(Repository, "name", self.repositories, repositories),
        )
        for agent in changed.agents:
            if changed.person(agent.owner) is None:
                raise Invalid(f"agents: {agent.id} works for {agent.owner}, who is not there")
        return changed


def _laid_over(
    kind: type[Kind], key: str, entries: list[Kind], changes: Iterable[Entry]
) -> list[Kind]:
    """The entries, changed and added to."""
    found = {getattr(entry, key): entry for entry in entries}
    where = {Person: "people", Agent: "agents", Repository: "repositories"}[kind]
    known = [f.name for f in fields(kind)]
    for change in changes:
        if stray := sorted(set(change) - set(known)):
            raise Invalid(f"{where}: unknown key {stray[0]!r}", expected=", ".join(known))
        if key not in change:
            raise Invalid(f"{where}: an entry without `{key}:`", expected=f"{key}: …")
        name = change[key]
        try:
            given = {**(vars(found[name]) if name in found else {}), **change}
            found[name] = TypeAdapter(kind).validate_python(given)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise Invalid(f"{where}: {name}: {place}: {first['msg']}") from error
    return list(found.values())
