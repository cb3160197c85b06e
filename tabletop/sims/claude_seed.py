"""Who is in the simulated Anthropic organisation, which API keys there are, what was recorded."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from tabletop.sims.world import Person, World

MODEL = "claude-opus-5-5"

Item = dict[str, Any]


def user(world: World, person: Person, now: datetime) -> Item:
    """The person as a member."""
    engineer = "engineering" in person.groups
    return {
        "type": "user",
        "id": world.id("user_01", person.email, length=22),
        "email": person.email,
        "name": person.name,
        "role": "admin" if person.roles else "developer" if engineer else "user",
        "added_at": stamp(now - timedelta(days=200)),
    }


def keys(world: World, person: Person, now: datetime) -> Iterable[Item]:
    """Names, statuses and who made them; one of jo's keys was made for jo by an administrator."""
    if "claude-code" not in {a.product for a in world.agents_of(person.email)}:
        return
    mine = world.id("user_01", person.email, length=22)
    admin = next((world.id("user_01", p.email, length=22) for p in world.people if p.roles), mine)
    wanted: list[tuple[str, str, str, Item | None]] = [("laptop", "active", mine, None)]
    if person.login == "jo":
        wanted += [
            ("ci-payments", "active", mine, None),
            ("batch-review", "active", admin, {"type": "user_actor", "user_id": mine}),
            ("old-experiment", "inactive", mine, None),
            ("spike-2024", "archived", mine, None),
        ]
    for name, status, made_by, principal in wanted:
        key = world.id("apikey_01", person.email, name, length=22)
        yield {
            "type": "api_key",
            "id": key,
            "name": f"{person.login}-{name}",
            "status": status,
            "partial_key_hint": f"sk-ant-api03-{key[9:12]}...{key[-4:]}",
            "created_at": stamp(now - timedelta(days=90)),
            "created_by": {"type": "user", "id": made_by},
            "principal": principal,
            "expires_at": None,
            "scope": {"type": "workspace", "workspace_id": world.id("wrkspc_01", "default")},
        }


def activities(world: World, person: Person, now: datetime) -> Iterable[Item]:
    """What the audit trail says that the person did."""
    kinds = ["claude_user_signed_in"]
    if world.agents_of(person.email):
        kinds.append("platform_api_key_created")
    for hours, kind in enumerate(kinds, start=2):
        yield {
            "id": world.id("activity_01", person.email, kind, length=22),
            "type": kind,
            "created_at": stamp(now - timedelta(hours=hours)),
            "organization_id": None,
            "organization_uuid": uuid(world, "organization"),
            "actor": {
                "type": "user_actor",
                "user_id": world.id("user_01", person.email, length=22),
                "email_address": person.email,
                "ip_address": "192.0.2.34",
                "user_agent": "Mozilla/5.0",
            },
        }


def usage_of(world: World, key: Item) -> Item:
    """What the key used on the day."""
    return {
        "api_key_id": key["id"],
        "workspace_id": key["scope"]["workspace_id"],
        "model": MODEL,
        "uncached_input_tokens": 1500 + world.number(key["id"]) % 9000,
        "cache_read_input_tokens": 200,
        "cache_creation": {"ephemeral_1h_input_tokens": 0, "ephemeral_5m_input_tokens": 500},
        "output_tokens": 500,
        "server_tool_use": {"web_search_requests": 0},
        "service_tier": "standard",
        "context_window": None,
    }


def claude_code_usage(world: World, email: str, day: str) -> Item:
    """What Claude Code did for the person on the day, in figures."""
    return {
        "actor": {"type": "user_actor", "email_address": email},
        "organization_id": uuid(world, "organization"),
        "customer_type": "api",
        "date": f"{day}T00:00:00Z",
        "terminal_type": "vscode",
        "core_metrics": {
            "num_sessions": 2,
            "lines_of_code": {"added": 342, "removed": 128},
            "commits_by_claude_code": 8,
            "pull_requests_by_claude_code": 2,
        },
        "tool_actions": {"edit_tool": {"accepted": 25, "rejected": 3}},
        "model_breakdown": [],
    }


def message(number: int) -> Item:
    """What Claude says to anybody."""
    return {
        "id": f"msg_01{number:022d}",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": [{"type": "text", "text": "ok"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 3, "output_tokens": 1},
    }


def secret(world: World, key: str) -> str:
    """The secret of that key, which the organisation can never read back."""
    return world.id("sk-ant-api03-FAKE-", key, length=40)


def stamp(moment: datetime) -> str:
    """RFC 3339 in UTC, as the vendor writes it."""
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def uuid(world: World, name: str) -> str:
    """A UUID, the same for the same name in every run."""
    text = world.id("", name, length=32)
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
