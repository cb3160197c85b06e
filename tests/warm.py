"""Imported once by the fork server: everything that a command or an engine loads."""

from __future__ import annotations

import gc
import importlib

from killswitch.cli.main import Commands

for _name in (
    "anthropic",
    "anyio._backends._asyncio",
    "bot.run",
    "httpcore",
    "httpcore2",
    "okta.request_executor",
    "killswitch.api",
    "killswitch.engine.engine",
    "killswitch.report.files",
    "killswitch.vendors.claude.vendor",
    "killswitch.vendors.okta.vendor",
    "tests.engine_process",
    "uvicorn",
    *(where.partition(":")[0] for where, _ in Commands.table.values()),
):
    importlib.import_module(_name)

gc.freeze()  # a collection in a fork would touch, and so copy, every page
