"""State that notices when it is changed."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from tabletop.sims.kept import KeptDict, kept, watching

BEFORE = {"name": "jo", "keys": [3, 1, 2], "by": {"a": {"on": True}}, "none": [], "bare": {}}
CHANGES: dict[str, Callable[[Any], object]] = {
    "a value": lambda s: s.__setitem__("name", "kim"),
    "the same value": lambda s: s.__setitem__("name", "jo"),
    "a new key": lambda s: s.__setitem__("new", None),
    "a value deep inside": lambda s: s["by"]["a"].__setitem__("on", False),
    "a deleted key": lambda s: s.__delitem__("name"),
    "a popped key": lambda s: s.pop("name"),
    "a popped key that is not there": lambda s: s.pop("nobody", None),
    "a popped item": lambda s: s.popitem(),
    "a default": lambda s: s.setdefault("other", 1),
    "a default that is there": lambda s: s.setdefault("name", 1),
    "an update": lambda s: s.update({"name": "kim"}, more=1),
    "an update to the same": lambda s: s.update(name="jo"),
    "a merge": lambda s: s.__ior__({"name": "kim"}),
    "a cleared dictionary": lambda s: s["by"].clear(),
    "an empty one cleared": lambda s: s["bare"].clear(),
    "an appended item": lambda s: s["keys"].append(4),
    "items added": lambda s: s["keys"].__iadd__([4, 5]),
    "no items added": lambda s: s["keys"].extend([]),
    "an inserted item": lambda s: s["keys"].insert(0, 4),
    "a replaced item": lambda s: s["keys"].__setitem__(0, 4),
    "a replaced slice": lambda s: s["keys"].__setitem__(slice(0, 2), [{"x": 1}]),
    "a deleted item": lambda s: s["keys"].__delitem__(0),
    "a removed item": lambda s: s["keys"].remove(1),
    "a popped place": lambda s: s["keys"].pop(),
    "a cleared list": lambda s: s["keys"].clear(),
    "an empty list cleared": lambda s: s["none"].clear(),
    "a sorted list": lambda s: s["keys"].sort(key=lambda k: -k),
    "a sorted empty list": lambda s: s["none"].sort(),
    "a reversed list": lambda s: s["keys"].reverse(),
    "a repeated list": lambda s: s["keys"].__imul__(2),
    "a read": lambda s: [s["name"], s.get("x"), *s["keys"], {**s["by"]}, sorted(s["keys"])],
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_is_noticed_exactly_when_there_is_one(change: Callable[[Any], object]) -> None:
    state, plain = kept(copy.deepcopy(BEFORE)), copy.deepcopy(BEFORE)
    with watching() as changes:
        change(state)
    change(plain)
    assert state == plain, "it behaves as plain data"
    assert changes.made == (json.dumps(state) != json.dumps(BEFORE))


def test_what_is_put_in_is_noticed_from_then_on() -> None:
    state = KeptDict()
    state["users"] = [{"name": "jo"}]
    state["users"].append({"groups": [[]]})
    with watching() as changes:
        state["users"][0]["name"] = "kim"
    assert changes.made
    with watching() as changes:
        state["users"][1]["groups"][0].append("eng")
    assert changes.made


def test_a_copy_is_plain_and_changes_nothing() -> None:
    state = kept(copy.deepcopy(BEFORE))
    with watching() as changes:
        twin = copy.deepcopy(state)
        twin["by"]["a"]["on"] = False
        twin["keys"].append(4)
    assert not changes.made
    assert type(twin) is dict
    assert type(twin["keys"]) is list
    assert state == BEFORE


async def test_requests_side_by_side_do_not_take_each_others_changes_for_theirs() -> None:
    state = kept({"n": 0})

    async def request(*, writes: bool) -> bool:
        with watching() as changes:
            await asyncio.sleep(0)
            if writes:
                await asyncio.to_thread(state.__setitem__, "n", 1)
            await asyncio.sleep(0.01)
        return changes.made

    found = await asyncio.gather(request(writes=True), request(writes=False))
    assert found == [True, False]
