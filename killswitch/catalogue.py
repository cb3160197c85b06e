"""Which vendors there are: a name and where it lives. Nothing is imported before it is named."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

from killswitch.model.action import Action
from killswitch.model.collector import Collector
from killswitch.model.vendor import Vendor

VENDORS = {
    "okta": "killswitch.vendors.okta.vendor",
    "claude": "killswitch.vendors.claude.vendor",
    "github": "killswitch.vendors.github.vendor",
    "aws": "killswitch.vendors.aws.vendor",
    "splunk": "killswitch.vendors.splunk.vendor",
    "datadog": "killswitch.vendors.datadog.vendor",
    "elastic": "killswitch.vendors.elastic.vendor",
    "google_secops": "killswitch.vendors.google_secops.vendor",
}


@cache
def vendor(name: str) -> Vendor[Any]:
    """The vendor of that name. Raises KeyError."""
    found: Vendor[Any] = importlib.import_module(VENDORS[name]).VENDOR
    return found


def action(name: str) -> type[Action[Any, Any, Any]]:
    """The action ``okta.user.suspend``. Raises KeyError."""
    return next((a for a in _vendor_of(name).actions if a.name == name), None) or _missing(name)


def collector(name: str) -> type[Collector[Any]]:
    """The collector ``okta.system_log``. Raises KeyError."""
    return next((c for c in _vendor_of(name).collectors if c.name == name), None) or _missing(name)


def action_names() -> list[str]:
    """Every action that there is."""
    return sorted(a.name for v in VENDORS for a in vendor(v).actions)


def collector_names() -> list[str]:
    """Every collector that there is."""
    return sorted(c.name for v in VENDORS for c in vendor(v).collectors)


def _vendor_of(name: str) -> Vendor[Any]:
    return vendor(name.partition(".")[0])


def _missing(name: str) -> Any:
    raise KeyError(name)
