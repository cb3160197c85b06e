"""Whose is it? Logins and numeric ids in GitHub's answers, compared with an account."""

from __future__ import annotations

from typing import Any

from killswitch.model.subject import Account


def logins(account: Account) -> list[str]:
    """The account's own login and its agents' bots; none for a leaked credential."""
    return [login for login in (account.login, *account.aliases) if login]


def is_one_of(login: str, account: Account) -> bool:
    """Whether that login is the account's or one of its agents' (GitHub ignores case)."""
    return login.lower() in {known.lower() for known in logins(account)}


def made_by(user: dict[str, Any] | None, account: Account) -> bool:
    """Whether a user in an answer is the account, by its id, or one of its agents' bots."""
    if not user or not account.login:
        return False
    return str(user["id"]) == account.id or is_one_of(user["login"], account)


def slug(bot: str) -> str:
    """The App behind a bot's login: ``claude-jo[bot]`` acts for ``claude-jo``."""
    return bot.removesuffix("[bot]")
