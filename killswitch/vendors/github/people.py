"""Who the subject is at GitHub, who we are, and who owns the organisation.

A login is matched by the SAML identity that the IdP asserted for it, or, where there is no SAML,
by an e-mail address in a domain that the organisation has verified. Never by a public profile:
anybody can write anything there.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any
from urllib.parse import quote

from killswitch.model.subject import Account, Kind, Subject
from killswitch.vendors.github.accounts import slug
from killswitch.vendors.github.client import GitHubClient, parsed

_IDENTITIES = """
  externalIdentities(first: 100, after: $after, userName: $userName) {
    pageInfo { hasNextPage endCursor }
    nodes {
      samlIdentity { nameId username emails { value } }
      user { login databaseId name }
    }
  }
"""
ORGANIZATION_IDENTITIES = f"""
query($slug: String!, $userName: String, $after: String) {{
  root: organization(login: $slug) {{ samlIdentityProvider {{ {_IDENTITIES} }} }}
}}
"""
ENTERPRISE_IDENTITIES = f"""
query($slug: String!, $userName: String, $after: String) {{
  root: enterprise(slug: $slug) {{ ownerInfo {{ samlIdentityProvider {{ {_IDENTITIES} }} }} }}
}}
"""
VERIFIED_EMAILS = """
query($slug: String!, $after: String) {
  root: organization(login: $slug) {
    membersWithRole(first: 100, after: $after) {
      pageInfo { hasNextPage endCursor }
      nodes { login databaseId name organizationVerifiedDomainEmails(login: $slug) }
    }
  }
}
"""


async def resolve(client: GitHubClient, subject: Subject) -> Sequence[Account]:
    """Every account that is exactly the subject; one person may have several logins."""
    if subject.kind is Kind.PERSON:
        users = {u["databaseId"]: u async for u in _logins_of(client, subject.name)}
        return [await _person(client, user, subject.name) for user in users.values()]
    if subject.kind is Kind.AGENT:
        bots = {b for bots in client.settings.agents.values() for b in bots}
        return [await _bot(client, bot) for bot in sorted(bots) if subject.name in (bot, slug(bot))]
    if subject.kind is Kind.CREDENTIAL and subject.name in client.settings.known_credentials:
        _, owner = await client.token_works(subject.name)
        whose = f"token of {owner}" if owner else "token that no longer works"
        email = await _email_of(client, owner) if owner else ""
        return [
            Account(**_at(client), id=subject.name, login="", label=f"leaked {whose}", email=email)
        ]
    return []


async def whoami(client: GitHubClient) -> Account:
    """Our own App's bot, or the person whose token we use."""
    if client.settings.app_id:
        app = parsed(await client.get("/app"))
        return await _bot(client, f"{app['slug']}[bot]")
    user = parsed(await client.get("/user"))
    return Account(
        **_at(client), id=str(user["id"]), login=user["login"], label=f"{user['login']} (token)"
    )


async def admins(client: GitHubClient) -> Sequence[Account]:
    """The organisation's owners."""
    owners = client.items(f"/orgs/{client.organization}/members", role="admin")
    return [
        Account(
            **_at(client),
            id=str(o["id"]),
            login=o["login"],
            label=f"owner {o['login']}",
            admin=True,
        )
        async for o in owners
    ]


async def _logins_of(client: GitHubClient, email: str) -> AsyncIterator[dict[str, Any]]:
    saml = False
    for query, slug_ in _identity_providers(client):
        # GitHub's filter knows the NameID only; the addresses need the whole list.
        for narrow in (email, None):
            found = False
            async for node in _pages(client, query, slug_, narrow):
                saml = True
                if node["user"] and email in _asserted(node["samlIdentity"]):
                    found = True
                    yield node["user"]
            if found:
                break
    if not saml:
        async for node in _pages(client, VERIFIED_EMAILS, client.organization, None):
            if email in {e.lower() for e in node["organizationVerifiedDomainEmails"]}:
                yield node


async def _email_of(client: GitHubClient, login: str) -> str:
    """The address that the IdP asserted for a login; empty where it asserted none."""
    for query, slug_ in _identity_providers(client):
        async for node in _pages(client, query, slug_, None):
            if node["user"] and node["user"]["login"] == login:
                return min((n for n in _asserted(node["samlIdentity"]) if "@" in n), default="")
    return ""


def _identity_providers(client: GitHubClient) -> list[tuple[str, str]]:
    """The query and slug of the organisation's identity provider, and of the enterprise's."""
    sources = [(ORGANIZATION_IDENTITIES, client.organization)]
    if client.settings.enterprise:
        sources.append((ENTERPRISE_IDENTITIES, client.settings.enterprise))
    return sources


async def _pages(
    client: GitHubClient, query: str, slug_: str, user_name: str | None
) -> AsyncIterator[dict[str, Any]]:
    """The nodes of one connection, to its end; none, if there is no identity provider."""
    variables: dict[str, Any] = {"slug": slug_, "after": None}
    if query is not VERIFIED_EMAILS:
        variables["userName"] = user_name
    while True:
        root = (await client.api.graphql(query, **variables)).get("root") or {}
        root = root.get("ownerInfo") or root
        provider = root.get("samlIdentityProvider") or {}
        listed = provider.get("externalIdentities") or root.get("membersWithRole")
        if not listed:
            return
        for node in listed["nodes"]:
            yield node
        if not listed["pageInfo"]["hasNextPage"]:
            return
        variables["after"] = listed["pageInfo"]["endCursor"]


def _asserted(saml: dict[str, Any] | None) -> set[str]:
    """What the IdP says that this person is called, in lower case."""
    if not saml:
        return set()
    emails = [e["value"] for e in saml.get("emails") or ()]
    return {n.lower() for n in (saml.get("nameId"), saml.get("username"), *emails) if n}


async def _person(client: GitHubClient, user: dict[str, Any], email: str) -> Account:
    login = user["login"]
    membership = await client.get(
        f"/orgs/{client.organization}/memberships/{quote(login)}", allow=(404,)
    )
    member = parsed(membership) if membership.status_code == 200 else {}
    return Account(
        **_at(client),
        id=str(user["databaseId"]),
        login=login,
        label=f"{user['name'] or login} ({login})",
        email=email,
        admin=member.get("role") == "admin",
        enabled=member.get("state") == "active",
        aliases=client.settings.agents.get(email, ()),
    )


async def _bot(client: GitHubClient, bot: str) -> Account:
    user = parsed(await client.get(f"/users/{quote(bot)}"))
    return Account(**_at(client), id=str(user["id"]), login=user["login"], label=f"bot {bot}")


def _at(client: GitHubClient) -> dict[str, Any]:
    return {"connection": client.connection, "vendor": "github"}
