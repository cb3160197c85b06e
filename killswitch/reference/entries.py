"""Actions, collectors and scopes: what each does, what it needs, what it leaves behind."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from killswitch import catalogue, playbooks
from killswitch.model.action import Action, Undo
from killswitch.model.collector import Collector
from killswitch.model.playbook import LAYERS
from killswitch.model.vendor import Vendor
from killswitch.reference import fields
from killswitch.reference.markdown import code, codes, docstring, sentence, table
from killswitch.report import words


def actions() -> str:
    """docs/reference/actions.md."""
    return "\n".join(_actions())


def _actions() -> Iterator[str]:
    yield (
        "# Actions\n\nWhat a playbook may list under `layers:`. Each is applied, read back until "
        "two reads agree, and undone only as the line *undo* says.\n"
    )
    every = [action for vendor in _vendors() for action in vendor.actions]
    rows = []
    for layer in LAYERS:
        rows += [
            (layer, _link(a.name), sentence(a), words.UNDO[a.undo_kind])
            for a in every
            if a.layer is layer
        ]
    yield table(("layer", "action", "what it does", "undo"), rows)
    for vendor in _vendors():
        if vendor.actions:
            yield f"## {vendor.title}\n"
        for action in vendor.actions:
            yield _action(action)


def _action(action: type[Action[Any, Any, Any]]) -> str:
    undo = words.UNDO[action.undo_kind]
    if action.undo_kind is not Undo.EXACT and action.reissue:
        undo += f": {action.reissue}"
    residual = action.residual
    figure = (
        "time unknown" if residual.seconds is None else f"up to {words.duration(residual.seconds)}"
    )
    nothing = residual.seconds == 0
    rows = [
        ("layer", str(action.layer)),
        ("undo", undo),
        ("scopes", codes(sorted(action.scopes)) or "none"),
        ("may live on", residual.what + ("" if nothing else f" ({figure})")),
        ("who says so", residual.source),
        ("the vendor's page", f"<{action.doc_url}>"),
        ("playbooks that ship with it", codes(_used_in(action.name)) or "none"),
    ]
    return (
        f"### {action.name}\n\n{docstring(action)}\n\n" + table(("", ""), rows) + _options(action)
    )


def collectors() -> str:
    """docs/reference/collectors.md."""
    return "\n".join(_collectors())


def _collectors() -> Iterator[str]:
    yield (
        "# Collectors\n\nWhat a playbook may list under `evidence.collect:`. All only read. What "
        "is *volatile* is destroyed by containment: it is sealed before the first change, or its "
        "gap is recorded.\n"
    )
    yield table(
        ("collector", "what it keeps", "volatile"),
        [
            (_link(c.name), sentence(c), "yes" if c.volatile else "")
            for vendor in _vendors()
            for c in vendor.collectors
        ],
    )
    for vendor in _vendors():
        if vendor.collectors:
            yield f"## {vendor.title}\n"
        for collector in vendor.collectors:
            yield _collector(collector)


def _collector(collector: type[Collector[Any]]) -> str:
    volatile = "yes: sealed before the first change" if collector.volatile else "no"
    rows = [
        ("volatile", volatile),
        ("scopes", codes(sorted(collector.scopes)) or "none"),
        ("the vendor's page", f"<{collector.doc_url}>"),
        ("playbooks that ship with it", codes(_used_in(collector.name)) or "none"),
    ]
    return (
        f"### {collector.name}\n\n{docstring(collector)}\n\n"
        + table(("", ""), rows)
        + _options(collector)
    )


def scopes() -> str:
    """docs/reference/scopes.md."""
    return "\n".join(_scopes())


def _scopes() -> Iterator[str]:
    yield (
        "# Scopes\n\nThe least that each vendor's credential must be allowed, in the vendor's own "
        "words, and what needs it. Leave out an action and its scopes may go. `agent-kill doctor` "
        "tries them; how to grant them stands on the vendor's page.\n"
    )
    for vendor in _vendors():
        yield f"## {vendor.title}\n\n[Set-up](../vendors/{vendor.name}.md)\n"
        needed: dict[str, list[str]] = defaultdict(list)
        users = [(a.name, a.scopes) for a in vendor.actions]
        users += [(c.name, c.scopes) for c in vendor.collectors]
        for name, wanted in users:
            for scope in wanted:
                needed[scope].append(name)
        yield table(
            ("scope", "needed by"),
            [(code(scope), codes(sorted(needed[scope]))) for scope in sorted(needed)],
        )


def _options(kind: type[Any]) -> str:
    options = fields.of(kind)
    if not options:
        return ""
    rows = [(code(o.key), o.kind, o.default, o.note) for o in options]
    return "\nOptions, under `with:`\n\n" + table(("option", "what", "default", ""), rows)


def _vendors() -> list[Vendor[Any]]:
    return [catalogue.vendor(name) for name in catalogue.VENDORS]


def _link(name: str) -> str:
    return f"[{name}](#{name.replace('.', '')})"


def _used_in(name: str) -> list[str]:
    found = []
    for known in playbooks.names():
        book = playbooks.load(known)
        used = [step.use for _, step, _ in book.steps()] + [c.use for c in book.evidence.collect]
        if name in used:
            found.append(known)
    return found
