"""At Claude: calls with each API key, and another session that calls with the same one."""

from __future__ import annotations

import httpx

from tabletop.acts.act import Act, Doing, Options, known, outcome, told, until_let_in
from tabletop.sims.claude import Claude
from tabletop.sims.run import Simulators
from tabletop.sims.world import Person


async def call(http: httpx.AsyncClient, sims: Simulators, person: Person, options: Options) -> Act:
    """Ask Claude something with each of the person's API keys."""
    known(options)
    claude: Claude = sims["claude"]
    keys = claude.keys_of(person)
    let_in = sum([(await outcome(claude.ask(http, key))).worked for key in keys])
    says = f"{let_in} of {len(keys)} Claude API keys of {person.login} were let through"
    return Act("claude.call", bool(let_in), says)


async def start_sub_agent(
    http: httpx.AsyncClient, sims: Simulators, person: Person, options: Options
) -> Act:
    """Start another session of Claude Code, which calls with the first API key that still works."""
    known(options, "session")
    claude: Claude = sims["claude"]
    number = len(claude.state["local"]) + 1
    session = str(options.get("session", f"cc-sub{number:03d}"))
    keys = claude.keys_of(person)
    ended = await until_let_in(outcome(claude.ask(http, key, session)) for key in keys)
    what = f"start of the sub-agent {session} of {person.login}"
    return told("claude.start_sub_agent", what, ended)


ACTS: dict[str, Doing] = {"claude.call": call, "claude.start_sub_agent": start_sub_agent}
