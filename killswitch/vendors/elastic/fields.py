"""Field names in alerts: ``{"kibana.alert.uuid": …}`` and ``{"kibana": {"alert": …}}`` are one.

Elasticsearch indexes both alike. Kibana stores its own fields dotted and those of the event as
they came; what its connector sends has the dotted ones nested as well. So an alert that was read
is given both ways, as a pushed one has them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]


def field(document: Any, name: str) -> Any:
    """The value of a field, whichever way its name is written; None if there is none.

    Where several ways hold different values it is the list of them, which no one takes for one.
    """
    found: list[Any] = []
    for value in _values(document, name):
        if value not in found:
            found.append(value)
    return found[0] if len(found) == 1 else found or None


def both_ways(source: Json) -> Json:
    """The document with every field under ``kibana`` dotted, and every dotted field nested.

    Where two ways held different values, both hold the list of them afterwards.
    """
    whole: Json = {k: v for k, v in source.items() if "." not in k}
    for name in sorted(k for k in source if "." in k):  # kibana.alert before kibana.alert.uuid
        whole[name] = field(source, name)
        _nest(whole, name.split("."), whole[name])
    for name in list(_dotted(whole.get("kibana"), "kibana")):
        whole[name] = field(whole, name)
        _nest(whole, name.split("."), whole[name])
    return whole


def _values(document: Any, name: str) -> Iterator[Any]:
    """Every value of that name, with each way to put the dots."""
    if not isinstance(document, dict):
        return
    if name in document:
        yield document[name]
    parts = name.split(".")
    for length in range(1, len(parts)):
        head = ".".join(parts[:length])
        if head in document:
            yield from _values(document[head], ".".join(parts[length:]))


def _nest(into: Json, path: list[str], value: Any) -> None:
    """Set a value at a path; nothing is put under what is no object. Nothing shared is changed."""
    *above, last = path
    for name in above:
        below = into.get(name, {})
        if not isinstance(below, dict):
            return
        into[name] = dict(below)
        into = into[name]
    into[last] = value


def _dotted(document: Any, name: str) -> Iterator[str]:
    """The names of all values under an object; an object with no others in it is one."""
    if isinstance(document, dict) and document:
        for key, value in document.items():
            yield from _dotted(value, f"{name}.{key}")
    elif name != "kibana":
        yield name
