"""Imported once by the fork server: everything that an engine loads, so that forks are quick."""

from __future__ import annotations

import gc
import importlib

for _name in (
    "anthropic",
    "anyio._backends._asyncio",
    "httpcore",
    "httpcore2",
    "okta.request_executor",
    "killswitch.api",
    "killswitch.cli.serve",
    "killswitch.engine.engine",
    "killswitch.report.files",
    "killswitch.vendors.claude.vendor",
    "killswitch.vendors.okta.vendor",
    "tests.faults.engine_process",
    "uvicorn",
):
    importlib.import_module(_name)

gc.freeze()  # a collection in a fork would touch, and so copy, every page
