"""Makes ``worlds/midsize.yaml``: ``python -m tabletop.worldmaking``.

About two hundred people in teams, forty-one of whom pilot coding agents, and sixty repositories.
Everybody of the small world is in it, with the same addresses. The same seed makes the same file,
byte for byte: everything is drawn with ``Random.random``, which Python promises not to change.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tabletop.sims.world import WORLDS, World

SEED = 4711
FILE = WORLDS / "midsize.yaml"
PILOT = "agents-pilot"
PILOTS = 41
DOMAIN = "corp.example"
TITLE = "# A corporation of two hundred. Made by `python -m tabletop.worldmaking`: change that.\n"


def _words(text: str) -> list[str]:
    return text.split()


FIRST = _words(
    "Amara Anton Bela Bruna Cato Chiara Dario Delia Edda Emil Fadi Femke Goran Hana Ida Ilja "
    "Jana Joris Kaito Lena Livia Malik Mina Nadia Nils Odile Oskar Petra Pilar Quinn Rafa Rosa "
    "Samir Senna Tariq Tessa Umar Vera Wim Yara"
)
LAST = _words(
    "Abel Arden Bassi Bohm Calder Cruz Dietz Dunn Ekker Falk Faro Gill Haas Hale Ilves Jansen "
    "Keita Kral Lund Maro Moss Nagy Nord Obi Orlov Pavel Quist Rao Reyes Sands Sato Thorn Toth "
    "Udo Vance Voss Weld Yilmaz Zeller Zorn"
)

CORE = "team-core"  # the small world's engineers, and its repositories
# Each other team of engineers, with its repositories.
TEAMS = {
    "team-checkout": "checkout-api checkout-ui cart coupons tax",
    "team-identity": "login sessions scim-bridge consent",
    "team-data": "warehouse events-pipeline metrics lineage",
    "team-mobile": "app-ios app-android app-core push-gateway",
    "team-search": "search-api indexer ranking suggestions",
    "team-infra": "terraform cluster-config ci-runners base-images edge",
    "team-risk": "fraud-rules scoring disputes limits",
    "team-growth": "landing experiments referrals mailer",
    "team-ledger": "ledger reconciliation payouts statements fx-rates",
    "team-support": "helpdesk macros knowledge-base chat-widget",
    "team-tools": "dev-portal lint-rules code-search release-bot test-grid",
    "team-partners": "partner-api webhooks sdk-python sdk-js sandbox-data partner-docs",
}
CROWN_JEWELS = {
    "login", "terraform", "cluster-config", "ledger", "payouts", "fraud-rules", "warehouse",
}  # fmt: skip
FACING = {"team-checkout", "team-mobile", "team-search", "team-growth", "team-partners"}
ENGINEERS = 9  # in a team, beside its lead

# Who else there is: group, title, how many.
OTHERS = (
    ("secops", "Security responder", 4),
    ("it", "IT administrator", 4),
    ("support", "Support agent", 24),
    ("sales", "Account manager", 20),
    ("finance", "Accountant", 10),
    ("people", "People partner", 6),
    ("legal", "Counsel", 4),
)
# product -> how its sessions begin, and the bot that it works as at the code host, if any
PRODUCTS = {
    "claude-code": ("cc", "claude"),
    "codex": ("cx", "codex"),
    "jules": ("jl", "jules"),
    "cursor": ("cu", ""),
    "kiro": ("ki", ""),
    "windsurf": ("ws", ""),
}
SHARES = ("claude-code", "claude-code", "codex", "cursor", "claude-code", "jules", "codex", "kiro",
          "cursor", "windsurf")  # fmt: skip
SECOND_AGENTS = 2  # this many of the new pilots have another agent beside their first


@dataclass
class Making:
    """A world in the making; ``draw`` decides what is left open."""

    draw: random.Random
    people: list[dict[str, Any]] = field(default_factory=list)
    agents: list[dict[str, Any]] = field(default_factory=list)
    repositories: list[dict[str, Any]] = field(default_factory=list)

    def below(self, end: int) -> int:
        """A number from 0 to ``end`` - 1."""
        return int(self.draw.random() * end)

    def hire(self, title: str, manager: str, *groups: str, roles: tuple[str, ...] = ()) -> str:
        """Somebody new, whose name nobody else has; their address."""
        taken = {p["email"] for p in self.people}
        while True:
            first, last = FIRST[self.below(len(FIRST))], LAST[self.below(len(LAST))]
            email = f"{first}.{last}@{DOMAIN}".lower()
            if email not in taken:
                break
        person = {"email": email, "name": f"{first} {last}", "title": title, "manager": manager}
        self.people.append({**person, "groups": ["everyone", *groups], "roles": [*roles]})
        return email


def make(seed: int = SEED) -> dict[str, Any]:
    """The world as ``World.load`` reads it."""
    small = World.named("small")
    making = Making(random.Random(seed))
    _everybody_of(small, making)
    for team, repositories in TEAMS.items():
        _team(making, team, repositories.split())
    for group, title, number in OTHERS:
        for place in range(number):
            roles = ("SUPER_ADMIN",) if group == "it" and place < 1 else ()
            making.hire(title, f"max@{DOMAIN}", group, roles=roles)
    making.hire("Director on duty", f"ceo@{DOMAIN}", "duty-directors")
    _pilot(making)
    return {
        "name": "midsize",
        "domain": DOMAIN,
        "organization": small.organization,
        "people": making.people,
        "agents": making.agents,
        "repositories": making.repositories,
    }


def _everybody_of(small: World, making: Making) -> None:
    """The small world's people, agents and repositories; its engineers are one team."""
    for person in small.people:
        core = [CORE] if "engineering" in person.groups else []
        known = {"email": person.email, "name": person.name, "title": person.title}
        groups = {"groups": [*person.groups, *core], "roles": [*person.roles]}
        making.people.append({**known, "manager": person.manager, **groups})
    making.agents += [dict(vars(agent)) for agent in small.agents]
    for repository in small.repositories:
        making.repositories.append(
            {"name": repository.name, "tier": repository.tier, "teams": [CORE]}
        )


def _team(making: Making, team: str, repositories: list[str]) -> None:
    lead = making.hire("Engineering lead", f"max@{DOMAIN}", "engineering", "eng-leads", team)
    for _ in range(ENGINEERS):
        making.hire("Software engineer", lead, "engineering", team)
    for name in repositories:
        facing = "customer-facing" if team in FACING else "internal"
        tier = "crown-jewel" if name in CROWN_JEWELS else facing
        making.repositories.append({"name": name, "tier": tier, "teams": [team]})


def _pilot(making: Making) -> None:
    """Engineers from every team try agents, until the pilot has its forty-one."""
    already = [p for p in making.people if PILOT in p["groups"]]
    engineers = [p for p in making.people if p["title"] == "Software engineer" and p not in already]
    by_team = [
        [p for p in engineers if team in p["groups"]] for team in TEAMS
    ]  # in turn, so that no team has many more than another
    for number in range(PILOTS - len(already)):
        team = by_team[number % len(by_team)]
        person = team.pop(making.below(len(team)))
        person["groups"].append(PILOT)
        making.agents.append(_agent(making, person, SHARES[number % len(SHARES)]))
        if number < SECOND_AGENTS:
            making.agents.append(_agent(making, person, "codex" if number else "cursor"))


def _agent(making: Making, person: dict[str, Any], product: str) -> dict[str, Any]:
    begins, bot = PRODUCTS[product]
    login = person["email"].partition("@")[0].replace(".", "-")
    count = 1 + making.below(2)
    return {
        "id": f"{product}-{login}",
        "product": product,
        "owner": person["email"],
        "bot": f"{bot}-{login}[bot]" if bot else "",
        "sessions": [f"{begins}-{making.below(16**6):06x}" for _ in range(count)],
    }


def text(world: dict[str, Any]) -> str:
    """The world as YAML: a line for each person, agent and repository."""
    lines = [
        TITLE.rstrip(),
        *(f"{key}: {world[key]}" for key in ("name", "domain", "organization")),
    ]
    for key in ("people", "agents", "repositories"):
        lines.append(f"{key}:")
        lines += [f"  - {_line(entry)}" for entry in world[key]]
    return "\n".join(lines) + "\n"


def _line(entry: dict[str, Any]) -> str:
    said = {k: v for k, v in entry.items() if v or k == "manager"}
    return yaml.safe_dump(
        said, default_flow_style=True, sort_keys=False, width=float("inf"), allow_unicode=True
    ).strip()


def main(file: Path = FILE) -> None:
    """Write the file."""
    file.write_text(text(make()))


if __name__ == "__main__":
    main()
