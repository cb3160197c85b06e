"""What the simulated Okta org starts with: users, groups, roles, clients, sessions, a past."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from tabletop.sims.okta_log import happened, stamp
from tabletop.sims.world import Agent, Person, World

Json = dict[str, Any]

DAY = 86_400
# Accounts that only Okta knows, one for each status that a person's account can be stuck in.
ODD_ONES = {
    "staged@": "STAGED",
    "provisioned@": "PROVISIONED",
    "recovery@": "RECOVERY",
    "locked.out@": "LOCKED_OUT",
    "expired@": "PASSWORD_EXPIRED",
    "suspended@": "SUSPENDED",
    "leaver@": "DEPROVISIONED",
}
SUPER_ADMIN = "SUPER_ADMIN"
SERVICE = "svc-killswitch@"  # whose SSWS token killswitch uses
LABELS = {
    "SUPER_ADMIN": "Super Administrator",
    "ORG_ADMIN": "Organization Administrator",
    "USER_ADMIN": "Group Administrator",
}
AGENT_SCOPES = ("offline_access", "okta.users.read.self", "openid")
PHONE_APP = "Corp Mobile"
ADMIN_APP = "Okta Admin Console"  # through which a super administrator manages the org
ADMIN_SCOPES = ("offline_access", "okta.users.read", "okta.users.manage", "okta.groups.read")


@dataclass(frozen=True)
class Refresh:
    """A refresh token that somebody holds, with the client that it was issued to."""

    client: str
    token: str

    @property
    def form(self) -> dict[str, str]:
        """What the client sends to have an access token for it."""
        kind = {"grant_type": "refresh_token", "client_id": self.client}
        return {**kind, "refresh_token": self.token}


@dataclass(frozen=True)
class Credentials:
    """What a person, or whoever took over their agents, holds. All of it is made up."""

    password: str
    sessions: tuple[str, ...]
    refresh_tokens: tuple[Refresh, ...]


def seed(world: World) -> Json:
    """The org, and its recent past in the world's event log."""
    state: Json = {
        "users": {},
        "passwords": {},
        "groups": {},
        "members": {},
        "roles": {},
        "group_roles": {},
        "clients": {},
        "grants": {},
        "refresh_tokens": {},
        "access_tokens": {},
        "sessions": {},
        "factors": {},
        "app_links": {},
    }
    for name in sorted({g for p in world.people for g in p.groups}):
        state["groups"][world.id("00g", name)] = _group(world, name)
        state["members"][world.id("00g", name)] = []
    for product in sorted({a.product for a in world.agents} | {PHONE_APP, ADMIN_APP}):
        state["clients"][client_id(world, product)] = {
            "client_id": client_id(world, product),
            "client_name": product,
            "client_uri": None,
            "logo_uri": None,
        }
    for person in world.people:
        _join(world, state, person, person.status)
    for local, status in ODD_ONES.items():
        _join(world, state, Person(local + world.domain, local.rstrip("@").title()), status)
    if world.person(SERVICE + world.domain) is None:  # a world may give us other roles
        ours = Person(SERVICE + world.domain, "killswitch Service", roles=["USER_ADMIN"])
        _join(world, state, ours)
    return state


def user_id(world: World, email: str) -> str:
    """The id ``00u…`` of the user with that address."""
    return world.id("00u", email)


def client_id(world: World, product: str) -> str:
    """``0oa…`` of the OAuth client of an agent product."""
    return world.id("0oa", product)


def credentials(world: World, person: Person) -> Credentials:
    """What the person held when the world began, whatever became of it since."""
    agents = world.agents_of(person.email)
    held = [
        Refresh(client_id(world, a.product), _refresh(world, a.id, s))
        for a in agents
        for s in a.sessions
    ]
    apps = [PHONE_APP, *([ADMIN_APP] if SUPER_ADMIN in person.roles else [])]
    held += [Refresh(client_id(world, app), _refresh(world, person.email, app)) for app in apps]
    return Credentials(
        password=f"fake-password-of-{person.login}",
        sessions=tuple(_session(world, person.email, by) for by in _browsers(agents)),
        refresh_tokens=tuple(held),
    )


def _join(world: World, state: Json, person: Person, status: str = "ACTIVE") -> None:
    """Everything that a person has at Okta."""
    now, email = time.time(), person.email
    id_ = user_id(world, email)
    user = _user(world, person, status, now)
    state["users"][id_] = user
    state["passwords"][id_] = credentials(world, person).password
    for name in person.groups:
        state["members"][world.id("00g", name)].append(id_)
    if person.roles:
        state["roles"][id_] = [_role(world, email, role) for role in person.roles]
    state["factors"][id_] = [
        _factor(world, email, kind) for kind in ("push", "token:software:totp")
    ]
    state["app_links"][id_] = [
        _link(world, email, n, app) for n, app in enumerate(("GitHub Enterprise Cloud", "AWS"))
    ]
    if status != "ACTIVE":
        return
    agents = world.agents_of(email)
    for by in _browsers(agents):
        session = _session(world, email, by)
        state["sessions"][session] = {"id": session, "userId": id_, "login": email}
        begun = now - 3 * 3600
        happened(world, "user.session.start", "User login to Okta", actor=user, when=begun, by=by,
                 session=_external(session))  # fmt: skip
    _consent(world, state, user, PHONE_APP, _refresh(world, email, PHONE_APP), ("offline_access",))
    if SUPER_ADMIN in person.roles:
        _consent(world, state, user, ADMIN_APP, _refresh(world, email, ADMIN_APP), ADMIN_SCOPES)
    for agent in agents:
        for session in agent.sessions:
            token = _refresh(world, agent.id, session)
            _consent(world, state, user, agent.product, token, AGENT_SCOPES)
            _works(world, user, agent, session, now)


def _works(world: World, user: Json, agent: Agent, session: str, now: float) -> None:
    """The agent renews its token every half hour; jo's do so at night, from somewhere else."""
    stolen = user["profile"]["login"].startswith("jo@")
    for turn in range(6):
        happened(
            world,
            "app.oauth2.token.grant.refresh_token",
            "OIDC refresh token is granted",
            actor={"id": client_id(world, agent.product), "type": "PublicClientApp",
                   "name": agent.product},
            targets=[user],
            when=now - 1800 * (6 - turn),
            agent=agent.id,
            by=f"{agent.product}/2.1",
            session=session,
            ip="203.0.113.66" if stolen else "198.51.100.7",
        )  # fmt: skip


def _consent(
    world: World, state: Json, user: Json, product: str, token: str, scopes: tuple[str, ...]
) -> None:
    client, now = client_id(world, product), time.time()
    issuer = f"https://{world.organization}.okta.example"
    common = {
        "status": "ACTIVE",
        "issuer": issuer,
        "created": stamp(now - DAY),
        "lastUpdated": stamp(now - DAY),
    }
    for scope in scopes:
        id_ = world.id("oag", user["id"], client, scope)
        state["grants"][id_] = common | {
            "id": id_,
            "userId": user["id"],
            "clientId": client,
            "scopeId": scope,
            "source": "END_USER",
            "createdBy": {"id": user["id"], "type": "User"},
        }
    id_ = world.id("oar", token)
    state["refresh_tokens"][token] = common | {
        "id": id_,
        "userId": user["id"],
        "clientId": client,
        "expiresAt": stamp(now + 90 * DAY),
        "scopes": list(scopes),
    }


def _user(world: World, person: Person, status: str, now: float) -> Json:
    first, _, last = person.name.partition(" ")
    return {
        "id": user_id(world, person.email),
        "status": status,
        "created": stamp(now - 700 * DAY),
        "activated": None if status == "STAGED" else stamp(now - 700 * DAY),
        "statusChanged": stamp(now - 30 * DAY),
        "lastLogin": stamp(now - 3 * 3600) if status == "ACTIVE" else None,
        "lastUpdated": stamp(now - 30 * DAY),
        "passwordChanged": stamp(now - 30 * DAY),
        "type": {"id": world.id("oty", "default")},
        "profile": {
            "login": person.email,
            "email": person.email,
            "secondEmail": None,
            "mobilePhone": None,
            "firstName": first,
            "lastName": last or "Unknown",
            "title": person.title or None,
            "manager": person.manager or None,
        },
        "credentials": {"provider": {"type": "OKTA", "name": "OKTA"}},
    }


def _group(world: World, name: str) -> Json:
    when = stamp(time.time() - 700 * DAY)
    return {
        "id": world.id("00g", name),
        "created": when,
        "lastUpdated": when,
        "lastMembershipUpdated": when,
        "objectClass": ["okta:user_group"],
        "type": "OKTA_GROUP",
        "profile": {"name": name, "description": f"People of {name}"},
    }


def _role(world: World, email: str, kind: str) -> Json:
    when = stamp(time.time() - 300 * DAY)
    return {
        "id": world.id("ra1", email, kind),
        "label": LABELS.get(kind, kind),
        "type": kind,
        "status": "ACTIVE",
        "created": when,
        "lastUpdated": when,
        "assignmentType": "USER",
    }


def _factor(world: World, email: str, kind: str) -> Json:
    when = stamp(time.time() - 300 * DAY)
    return {
        "id": world.id("opf" if kind == "push" else "ost", email, kind),
        "factorType": kind,
        "provider": "OKTA",
        "vendorName": "OKTA",
        "status": "ACTIVE",
        "created": when,
        "lastUpdated": when,
        "profile": {"credentialId": email},
    }


def _link(world: World, email: str, order: int, app: str) -> Json:
    return {
        "id": user_id(world, email),
        "label": app,
        "linkUrl": f"https://{world.organization}.okta.example/home/{order}",
        "logoUrl": f"https://{world.organization}.okta.example/img/{order}.png",
        "appName": app.lower().replace(" ", "_"),
        "appInstanceId": world.id("0oa", app),
        "appAssignmentId": world.id("0ua", email, app),
        "credentialsSetup": False,
        "hidden": False,
        "sortOrder": order,
    }


def _browsers(agents: list[Agent]) -> list[str]:
    return ["Mozilla/5.0 Firefox/140.0", *(f"{a.product}/2.1" for a in agents)]


def _session(world: World, email: str, by: str) -> str:
    return world.id("102", "session", email, by, length=22)


def _external(session: str) -> str:
    """The System Log's name for a session, which is not its id."""
    return "trs" + session[3:]


def _refresh(world: World, holder: str, name: str) -> str:
    return world.id("fake-refresh-", holder, name, length=32)
