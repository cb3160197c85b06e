"""What a playbook must keep to beyond its shape: the catalogue, the order, the gates."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

from killswitch import catalogue, typed
from killswitch.model.action import Layer, Undo
from killswitch.model.errors import Invalid
from killswitch.model.playbook import LAYERS, Collect, Escalate, Gate, Playbook, Step
from killswitch.strictyaml import Document, Where


class Policy(Protocol):
    """What the configuration says about playbooks. ``killswitch.config.Config`` is one."""

    @property
    def role_names(self) -> Collection[str]:
        """The roles that somebody is in."""

    @property
    def irreversible_single_approver(self) -> bool:
        """Whether one person may approve what cannot be undone."""

    @property
    def playbooks(self) -> Path | None:
        """The directory to take playbooks from instead of those that ship."""


def order(document: Document) -> Iterator[Invalid]:
    """Evidence before changes, and the layers in the order in which they run."""
    top = list(document.data)
    if "evidence" in top and "layers" in top and top.index("evidence") > top.index("layers"):
        yield document.invalid(
            ("evidence",), "evidence after a change", "evidence: above layers:, as it runs first"
        )
    layers = document.data.get("layers")
    if not isinstance(layers, dict):
        return
    if not layers:
        yield document.invalid(("layers",), "no layers", f"one or more of {', '.join(LAYERS)}")
    known = [layer for layer in layers if layer in set(Layer)]
    for written, wanted in zip(known, [x for x in LAYERS if x in known], strict=True):
        if written != wanted:
            yield document.invalid(
                ("layers", written),
                f"the {written} layer is out of order",
                f"{wanted} here: layers run {', '.join(LAYERS)}",
            )
            return


def against_catalogue(playbook: Playbook, document: Document) -> Iterator[Invalid]:
    """Known collectors under evidence, known actions under their own layer, right options."""
    collected: list[Collect] = []
    for number, entry in enumerate(playbook.evidence.collect):
        where: Where = ("evidence", "collect", number)
        yield from _collector(entry, where, document)
        if entry in collected:
            yield document.invalid(where, f"{entry.use} is collected twice", "it once")
        collected.append(entry)
    used: set[str] = set()
    for layer, plan in playbook.layers.items():
        for number, step in enumerate(plan.steps):
            where = ("layers", layer.value, "steps", number)
            yield from _action(step, layer, where, document)
            if step.use in used:
                yield document.invalid(where, f"{step.use} is used twice", "every action once")
            used.add(step.use)


def _collector(entry: Collect, where: Where, document: Document) -> Iterator[Invalid]:
    try:
        found = catalogue.collector(entry.use)
    except KeyError:
        known = catalogue.collector_names()
        if entry.use in catalogue.action_names():
            yield document.invalid(where, f"{entry.use} is an action", "it under its layer")
        else:
            guess = typed.did_you_mean(entry.use, known)
            yield document.invalid(
                where, f"unknown collector {entry.use!r}{guess}", _entries(entry.use, known)
            )
        return
    yield from _options(found, entry, where, document)


def _action(step: Step, layer: Layer, where: Where, document: Document) -> Iterator[Invalid]:
    try:
        found = catalogue.action(step.use)
    except KeyError:
        known = catalogue.action_names()
        if step.use in catalogue.collector_names():
            yield document.invalid(
                where, f"{step.use} is a collector: evidence after a change", "it under evidence"
            )
        else:
            guess = typed.did_you_mean(step.use, known)
            yield document.invalid(
                where, f"unknown action {step.use!r}{guess}", _entries(step.use, known)
            )
        return
    if found.layer is not layer:
        yield document.invalid(
            where, f"{step.use} under {layer}", f"it under layers.{found.layer.value}"
        )
    yield from _options(found, step, where, document)


def _entries(name: str, known: list[str]) -> str:
    """The entries of the same vendor, or the vendors that there are."""
    vendor = name.partition(".")[0]
    same = [entry for entry in known if entry.startswith(f"{vendor}.")]
    return f"one of {', '.join(same)}" if same else f"a vendor of {', '.join(catalogue.VENDORS)}"


def _options(
    kind: type[Any], entry: Step | Collect, where: Where, document: Document
) -> Iterator[Invalid]:
    """Options are the fields of the action's or collector's dataclass."""
    fields = [f.name for f in dataclasses.fields(kind)] if dataclasses.is_dataclass(kind) else []
    known = {key: value for key, value in entry.with_.items() if key in fields}
    for key in entry.with_.keys() - known.keys():
        why = f"{entry.use} has no option {key[:60]!r}{typed.did_you_mean(key, fields)}"
        expected = f"one of {', '.join(fields)}" if fields else "no options"
        yield document.invalid((*where, "with", key), why, expected)
    if known:
        yield from typed.validate(kind, known, document, (*where, "with"))[1]


def gates(playbook: Playbook, document: Document, policy: Policy | None) -> Iterator[Invalid]:
    """Every gate that is named is defined, its people are too, and there are enough of them."""
    for where, name in _named_gates(playbook):
        if name not in playbook.gates:
            guess = typed.did_you_mean(name, playbook.gates)
            yield document.invalid(
                where, f"the gate {name!r} is not defined{guess}", _one_of(playbook.gates)
            )
    for name, gate in playbook.gates.items():
        yield from _roles(gate, ("gates", name), document, policy)
    if not (policy and policy.irreversible_single_approver):
        yield from _lonely_approvers(playbook, document)


def _named_gates(playbook: Playbook) -> Iterator[tuple[Where, str]]:
    for layer, plan in playbook.layers.items():
        yield ("layers", layer.value, "gate"), plan.gate
        for number, step in enumerate(plan.steps):
            if step.gate:
                yield ("layers", layer.value, "steps", number, "gate"), step.gate
    if playbook.restore:
        yield ("restore",), playbook.restore


def _roles(
    gate: Gate, where: Where, document: Document, policy: Policy | None
) -> Iterator[Invalid]:
    asked = [((*where, "approvers"), gate.approvers)]
    if isinstance(gate.on_timeout, Escalate):
        asked.append(((*where, "on_timeout", "escalate"), gate.on_timeout.escalate))
    for place, role in asked:
        if policy is not None and role not in policy.role_names:
            guess = typed.did_you_mean(role, policy.role_names)
            why = f"nobody is in the role {role!r}: killswitch.yaml does not define it{guess}"
            yield document.invalid(place, why, _one_of(policy.role_names))


def _lonely_approvers(playbook: Playbook, document: Document) -> Iterator[Invalid]:
    for layer, plan in playbook.layers.items():
        for number, step in enumerate(plan.steps):
            name = step.gate or plan.gate
            gate = playbook.gates.get(name)
            if gate and gate.quorum < 2 and _irreversible(step.use):
                yield document.invalid(
                    ("layers", layer.value, "steps", number),
                    f"{step.use} cannot be undone and its gate {name!r} asks one person",
                    "a gate with quorum: 2 or more",
                )


def _irreversible(name: str) -> bool:
    return name in catalogue.action_names() and catalogue.action(name).undo_kind is Undo.NONE


def unused_gates(playbook: Playbook, document: Document) -> Iterator[Invalid]:
    """Gates that nothing waits for."""
    named = {name for _, name in _named_gates(playbook)}
    for name in playbook.gates.keys() - named:
        yield document.invalid(("gates", name), f"nothing waits for the gate {name!r}", "a use")


def durations(playbook: Playbook, document: Document) -> Iterator[Invalid]:
    """No wait of nothing, none beyond reason."""
    second, hour, day = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
    evidence, watch = playbook.evidence, playbook.watch
    bounds: list[tuple[Where, timedelta, timedelta, timedelta]] = [
        (("evidence", "window"), evidence.window, second, 400 * day),
        (("evidence", "deadline"), evidence.deadline, second, hour),
        (("watch", "for"), watch.for_, 0 * day, 30 * day),
        (("watch", "every"), watch.every, second, day),
    ]
    for name, gate in playbook.gates.items():
        bounds.append((("gates", name, "timeout"), gate.timeout, second, 7 * day))
    for layer, plan in playbook.layers.items():
        at: Where = ("layers", layer.value)
        bounds.append(((*at, "deadline"), plan.deadline, second, day))
        bounds.append(((*at, "keep_trying"), plan.keep_trying, 0 * day, 7 * day))
    for where, value, low, high in bounds:
        if not low <= value <= high:
            expected = f"{_said(low)} to {_said(high)}"
            yield document.invalid(where, f"{typed.name(where)} is out of bounds", expected)


def _said(value: timedelta) -> str:
    days, seconds = value.days, value.seconds
    return f"{days}d" if days else f"{seconds // 3600}h" if seconds >= 3600 else f"{seconds}s"


def _one_of(known: Collection[str]) -> str:
    return f"one of {', '.join(sorted(known))}" if known else "none are defined"
