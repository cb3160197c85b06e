"""users.*, usergroups.*, team.info and auth.test: who is who."""

from __future__ import annotations

import time

from tabletop.sims.slack_limits import TIER_2, TIER_3, TIER_4
from tabletop.sims.slack_method import Args, Method, paged
from tabletop.sims.slack_state import Json, SlackError, User, Workspace


def user_json(space: Workspace, user: User) -> Json:
    """A user as Slack describes them; the address only where the app may read addresses."""
    stranger = user.team_id != space.team_id
    first, _, last = user.real_name.partition(" ")
    profile: Json = {
        "real_name": user.real_name,
        "real_name_normalized": user.real_name,
        "display_name": user.name,
        "display_name_normalized": user.name,
        "first_name": first,
        "last_name": last,
        "team": user.team_id,
        "title": "",
        "status_text": "",
    }
    if user.email and not stranger and "users:read.email" in space.scopes:
        profile["email"] = user.email
    if user.is_bot:
        profile |= {"bot_id": user.bot_id, "api_app_id": user.app_id, "always_active": True}
    shown: Json = {
        "id": user.id,
        "team_id": user.team_id,
        "name": user.name,
        "real_name": user.real_name,
        "deleted": user.deleted,
        "profile": profile,
        "is_bot": user.is_bot,
        "is_app_user": False,
        "is_stranger": stranger,
        "updated": int(time.time()) - 86_400,
    }
    if not user.deleted:
        shown |= {
            "tz": "Europe/Zurich",
            "is_admin": False,
            "is_owner": False,
            "is_primary_owner": False,
            "is_restricted": user.is_restricted,
            "is_ultra_restricted": user.is_ultra_restricted,
            "is_email_confirmed": user.is_email_confirmed,
        }
    if user.enterprise_id:
        shown["enterprise_user"] = {
            "id": user.id,
            "enterprise_id": user.enterprise_id,
            "enterprise_name": "Corp",
            "teams": [user.team_id],
        }
    return shown


def _auth_test(space: Workspace, _: Args) -> Json:
    enterprise = {"enterprise_id": space.enterprise_id} if space.enterprise_id else {}
    return {
        "url": f"https://{space.team_domain}.slack.example/",
        "team": space.team_domain,
        "user": space.bot.name,
        "team_id": space.team_id,
        "user_id": space.bot.id,
        "bot_id": space.bot.bot_id,
        "is_enterprise_install": space.org_install,
        **enterprise,
    }


def _info(space: Workspace, args: Args) -> Json:
    user = space.users.get(args.text("user"))
    if user is None:
        raise SlackError("user_not_found")
    return {"user": user_json(space, user)}


def _list(space: Workspace, args: Args) -> Json:
    page, metadata = paged(list(space.users.values()), args)
    return {
        "members": [user_json(space, user) for user in page],
        "cache_ts": int(time.time()),
        "response_metadata": metadata,
    }


def _lookup(space: Workspace, args: Args) -> Json:
    email = args.text("email").lower()
    for user in space.users.values():
        if user.email == email and not user.deleted and user.team_id == space.team_id:
            return {"user": user_json(space, user)}
    raise SlackError("users_not_found")


def _group_members(space: Workspace, args: Args) -> Json:
    group = space.groups.get(args.text("usergroup"))
    if group is None:
        raise SlackError("no_such_subteam")
    return {"users": list(group[1])}


def _groups(space: Workspace, _: Args) -> Json:
    return {
        "usergroups": [
            {
                "id": id_,
                "team_id": space.team_id,
                "is_usergroup": True,
                "name": handle,
                "handle": handle,
                "user_count": len(members),
                "date_delete": 0,
            }
            for id_, (handle, members) in space.groups.items()
        ]
    }


def _bot(space: Workspace, args: Args) -> Json:
    for user in space.users.values():
        if user.bot_id and user.bot_id == args.text("bot", ""):
            return {
                "bot": {
                    "id": user.bot_id,
                    "deleted": user.deleted,
                    "name": user.name,
                    "app_id": user.app_id,
                    "user_id": user.id,
                }
            }
    raise SlackError("bot_not_found")


def _team(space: Workspace, _: Args) -> Json:
    return {
        "team": {
            "id": space.team_id,
            "name": space.team_domain,
            "domain": space.team_domain,
            "email_domain": space.world.domain,
        }
    }


METHODS = {
    "api.test": Method(lambda _space, args: {"args": args.values}, a_minute=TIER_4),
    "auth.test": Method(_auth_test, a_minute=600),  # "hundreds a minute"
    "bots.info": Method(_bot, "users:read", TIER_3),
    "team.info": Method(_team, "team:read", TIER_3),
    "usergroups.list": Method(_groups, "usergroups:read", TIER_2),
    "usergroups.users.list": Method(_group_members, "usergroups:read", TIER_2),
    "users.info": Method(_info, "users:read", TIER_4),
    "users.list": Method(_list, "users:read", TIER_2),
    "users.lookupByEmail": Method(_lookup, "users:read.email", TIER_3),
}
