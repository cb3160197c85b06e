"""Drafts of messages, one for each audience that the playbook names under ``comms:``.

Facts come from the journal, blanks are for people, and nothing is ever sent from here. A draft
for people who need not know whom it is about leaves out every line that would tell them.
"""

from __future__ import annotations

import re
from typing import Any, cast

from killswitch.model.case import Case, CaseState
from killswitch.report import words
from killswitch.report.pages import environment
from killswitch.report.shape import Report

_SAYS_SOMETHING = {CaseState.CONTAINED, CaseState.PARTIAL, CaseState.RESTORED}
_KNOWN = {"eng-leadership", "affected-users", "legal-if-regulated"}  # others get the general draft
_AUDIENCE = re.compile(r"[a-z][a-z0-9-]{0,62}")


def names(case: Case) -> list[str]:
    """The files that ``drafts`` makes: ``comms-eng-leadership.md``; none before there is news."""
    if case.plan is None or not case.settled_at or case.state not in _SAYS_SOMETHING:
        return []
    audiences = [a for a in dict.fromkeys(case.plan.comms) if _AUDIENCE.fullmatch(a)]
    return [f"comms-{audience}.md" for audience in audiences]


def drafts(case: Case, told: dict[str, Any]) -> dict[str, str]:
    """File name -> draft. ``told``: what ``data.containment`` says of the same case. Pure."""
    report, pages = cast(Report, told), environment()
    noticed, hidden = _noticed(case, report)
    found = {}
    for name in names(case):
        audience = name.removeprefix("comms-").removesuffix(".md")
        template = pages.get_template(f"comms-{audience if audience in _KNOWN else 'other'}.md.j2")
        found[name] = template.render(
            r=report,
            audience=audience,
            standing=_standing(report),
            impacts=_impacts(report),
            noticed=noticed,
            hidden=hidden,
        )
    return found


def _standing(report: Report) -> str:
    """How it stands, without a name."""
    verdict = report["verdict"]
    state = verdict["state"]
    if report["restore"]["outcomes"]:
        return f"{state['label']}. {state['means']}"
    count = words.counted(verdict["required"], "required change")
    return f"{state['label']}: {verdict['contained']} of {count} read back. {state['means']}"


def _impacts(report: Report) -> list[str]:
    """What stops working, each sentence once."""
    changes = [c for layer in report["layers"] for c in layer["changes"] if not c["given_back"]]
    return list(dict.fromkeys(c["impact"] for c in changes if c["impact"]))


def _noticed(case: Case, report: Report) -> tuple[list[str], int]:
    """The same for people who are not told whom it is about; and how many lines that leaves out."""
    telling = [re.compile(rf"(?<!\w){re.escape(n)}(?!\w)", re.IGNORECASE) for n in _telling(case)]
    impacts = _impacts(report)
    shown = [impact for impact in impacts if not any(n.search(impact) for n in telling)]
    return shown, len(impacts) - len(shown)


def _telling(case: Case) -> set[str]:
    """What would tell who it is: address, logins, ids, and each word of their name."""
    subject = case.request.subject.partition(":")[2]
    found = {subject, subject.partition("@")[0]}
    for entry in case.accounts:
        account = {**entry, **entry.get("data", {})}
        found |= {str(account.get(key) or "") for key in ("id", "login")}
        found |= {str(alias) for alias in account.get("aliases") or ()}
        found |= {w.strip("().,") for w in str(account.get("label") or "").split() if "@" not in w}
    return {name for name in found if len(name) > 1}
