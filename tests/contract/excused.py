"""What a walk does not ask of an action or a collector, and why.

One line a case. A walk fails as well on an excuse that is not needed any more.
"""

from __future__ import annotations

EFFECT = "the suspect notices"
GONE = "gone with its owner"
APPLY = "can be applied in the simulated corporation"

EXCUSED: dict[tuple[str, str], str] = {
    (EFFECT, "okta.grants.revoke"): (
        "a consent opens no door by itself: it is what the next sign-in would have used"
    ),
    (GONE, "github.ruleset.lock"): (
        "it locks the organisation's repositories, which are there whoever leaves"
    ),
    (APPLY, "github.sso_authorizations.revoke[revoke_credentials=True]"): (
        "for Enterprise Managed Users only, and the simulated organisation has none"
    ),
}


def excused(rule: str, name: str) -> bool:
    """Whether that rule is not asked of that name."""
    return (rule, name) in EXCUSED
