"""Act and read back: what may be called contained, and what each answer of a vendor comes to."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from killswitch.clock import utc_now
from killswitch.engine.connections import Connection
from killswitch.engine.pace import Pace
from killswitch.engine.settle import Outcome, Settle, safely
from killswitch.model.case import ChangeState
from killswitch.model.errors import (
    Already,
    Broken,
    Denied,
    Missing,
    Refused,
    Transient,
    Unexpected,
)
from killswitch.model.vendor import Settings
from tests.engine import toy

HERE = "http://127.0.0.1:1"


class Door:
    """The front door of a room, being locked."""

    def __init__(self, **on):
        self.room = toy.Room(on=on)
        toy.ROOMS[HERE] = self.room
        self.said: list[str] = []
        self.acts = 0

    async def locked(self, *, keep_trying: float = 0.5, deadline: float = 60.0, stop=None):
        pace = Pace("toy", 1000, 1000, 8, lambda url: None)
        connection = Connection("toy", toy.VENDOR, HERE, 0.001, pace, lambda: Settings(url=HERE))
        action, target = toy.Lock(), toy.Door(id="front", label="door front")

        async def applying(attempt: int) -> None:
            self.acts = attempt

        async def retrying(detail: str) -> None:
            self.said.append(detail)

        return await Settle(
            house=SimpleNamespace(now=utc_now),
            connection=connection,
            action=action,
            target=target,
            want=toy.DoorState(open=False),
            act=lambda: action.apply(connection.client(), target, toy.DoorState(open=True)),
            applying=applying,
            retrying=retrying,
            probe=True,
            deadline=deadline,
            keep_trying=keep_trying,
            **({"stop": stop} if stop else {}),
        ).run()


def raising(*errors: BaseException | None):
    """Each call raises the next of these; the last one stays. None: nothing happens."""
    left = list(errors)

    def happens() -> None:
        error = left.pop(0) if len(left) > 1 else left[0]
        if error:
            raise error

    return happens


async def test_contained_is_two_reads_that_agree_and_a_probe_that_is_refused():
    door = Door()
    outcome = await door.locked()
    assert (outcome.state, len(outcome.reads), outcome.detail) == (ChangeState.CONTAINED, 2, "")
    assert outcome.probe.refused
    assert door.room.calls == ["apply", "capture", "capture", "probe"]


async def test_it_acts_even_if_a_read_would_say_that_it_is_done():
    door = Door()
    door.room.open["front"] = False
    assert (await door.locked()).state is ChangeState.CONTAINED
    assert door.room.calls[0] == "apply"


async def test_two_reads_must_agree_one_after_the_other():
    door = Door()
    flicker = iter([False, True, False, False])
    door.room.on["capture"] = lambda: door.room.open.update(front=next(flicker))
    outcome = await door.locked()
    assert outcome.state is ChangeState.CONTAINED
    assert door.room.calls.count("capture") == 4


async def test_already_so_is_believed_only_if_it_reads_so():
    lies = Door(apply=raising(Already("it is locked")))
    outcome = await lies.locked()
    assert outcome.state is ChangeState.FAILED
    assert outcome.detail == "acted, but it does not read back as done"
    lies.room.open["front"] = False
    assert (await lies.locked()).state is ChangeState.CONTAINED


@pytest.mark.parametrize("error", [Denied("no", scope="doors:lock"), Unexpected("a teapot")])
async def test_what_is_refused_is_failed_at_once_and_says_why(error):
    door = Door(apply=raising(error))
    outcome = await door.locked(keep_trying=60)
    assert (outcome.state, door.acts) == (ChangeState.FAILED, 1)
    assert error.why in outcome.detail
    assert ("our credential lacks doors:lock" in outcome.detail) is isinstance(error, Denied)


async def test_refused_but_done_by_somebody_else_is_contained():
    door = Door(apply=raising(Denied("no")))
    door.room.open["front"] = False
    assert (await door.locked()).state is ChangeState.CONTAINED


async def test_gone_meanwhile_is_contained_and_says_so():
    door = Door(apply=raising(Missing("no such door")))
    del door.room.open["front"]
    outcome = await door.locked()
    assert outcome.state is ChangeState.CONTAINED
    assert outcome.detail.startswith("gone: it was there when planned")
    assert outcome.probe is None


async def test_the_vendor_calls_it_missing_but_it_is_there():
    door = Door(apply=raising(Missing("not found")))
    outcome = await door.locked()
    assert (outcome.state, outcome.detail) == (ChangeState.FAILED, "not found")


async def test_never_sent_is_tried_again():
    door = Door(apply=raising(Transient("busy"), Transient("busy"), None))
    assert (await door.locked(keep_trying=5)).state is ChangeState.CONTAINED
    assert door.acts == 3


async def test_a_time_out_after_the_effect_is_decided_by_reading():
    door = Door(apply=raising(Transient("cut off", sent=True)))
    door.room.open["front"] = False  # the request had arrived
    assert (await door.locked()).state is ChangeState.CONTAINED
    assert door.acts == 1


async def test_a_time_out_that_cannot_be_read_back_is_neither_success_nor_failure():
    down = Transient("cut off", sent=True)
    door = Door(apply=raising(down), capture=raising(down))
    outcome = await door.locked()
    assert outcome.state is ChangeState.UNVERIFIED
    assert "cut off" in outcome.detail


@pytest.mark.parametrize("then", [Denied("no"), Transient("no connection")])
async def test_what_was_taken_and_cannot_be_read_stays_unverified_when_a_retry_fails(then):
    door = Door(apply=raising(None, then), capture=raising(Denied("hidden")))
    outcome = await door.locked(keep_trying=1.0)
    assert door.acts > 1
    assert outcome.state is ChangeState.UNVERIFIED
    assert outcome.detail == f"{then.why}; could not be read back"


async def test_what_was_taken_and_reads_as_not_done_is_failed_when_a_retry_is_refused():
    door = Door(apply=raising(Already("so they say"), Denied("no")))
    outcome = await door.locked(keep_trying=5.0)
    assert (outcome.state, outcome.detail, door.acts) == (ChangeState.FAILED, "no", 2)


async def test_done_but_unreadable_is_unverified():
    door = Door(capture=raising(Denied("not for you")))
    outcome = await door.locked()
    assert outcome.state is ChangeState.UNVERIFIED
    assert outcome.detail == "cannot be read back: not for you"


async def test_read_back_as_done_but_the_old_access_works_is_never_contained():
    door = Door()
    door.room.works = True
    outcome = await door.locked()
    assert outcome.state is ChangeState.UNVERIFIED
    assert outcome.detail == ("read back as done, but the old access still works: pulled at front")
    assert outcome.data()["probe"]["refused"] is False


async def test_a_probe_that_cannot_be_tried_says_so_and_does_not_undo_what_was_read():
    door = Door(probe=raising(Transient("busy")))
    outcome = await door.locked()
    assert outcome.state is ChangeState.CONTAINED
    assert (outcome.probe.refused, outcome.probe.how) == (None, "could not be tried: busy")


async def test_an_unforeseen_error_of_an_sdk_is_a_failed_step_and_no_crash():
    door = Door(apply=raising(ValueError("1 validation error for Door")))
    outcome = await door.locked()
    assert outcome.state is ChangeState.FAILED
    assert outcome.detail == "unforeseen ValueError: 1 validation error for Door"


async def test_past_the_deadline_it_is_said_once_and_tried_on():
    door = Door(apply=raising(*[Transient("down")] * 3, None))
    outcome = await door.locked(deadline=0.0, keep_trying=10)
    assert outcome.state is ChangeState.CONTAINED
    assert door.said == ["down"]


async def test_lying_success_ends_when_the_time_to_try_is_over():
    door = Door()
    door.room.on["capture"] = lambda: door.room.open.update(front=True)
    began = time.monotonic()
    outcome = await door.locked(keep_trying=0.3)
    assert outcome.state is ChangeState.FAILED
    assert time.monotonic() - began < 10


async def test_a_stop_ends_it_after_the_act_that_is_under_way():
    door = Door(apply=raising(Transient("down")))
    outcome = await door.locked(keep_trying=60, stop=lambda: True)
    assert (outcome.state, door.acts) == (ChangeState.FAILED, 1)


async def test_a_stop_is_noticed_while_it_waits_for_the_next_try():
    door = Door(apply=raising(Transient("later", retry_after=50.0)))
    began = time.monotonic()
    outcome = await door.locked(keep_trying=60, stop=lambda: time.monotonic() - began > 0.3)
    assert outcome.state is ChangeState.FAILED
    assert time.monotonic() - began < 20


async def test_a_retry_after_beyond_the_time_left_is_not_waited_for():
    door = Door(apply=raising(Transient("come back in an hour", retry_after=3600)))
    outcome = await door.locked(keep_trying=5)
    assert outcome.detail == "come back in an hour"


async def test_safely_makes_faults_of_our_own_an_honest_failure_but_not_a_broken_journal():
    async def wrong() -> Outcome:
        raise ZeroDivisionError("division by zero")

    async def refused() -> Outcome:
        raise Refused("evil.example is not an address of toy")

    async def broken() -> Outcome:
        raise Broken("the journal cannot be written")

    outcome = await safely("a change", wrong)
    assert (outcome.state, outcome.detail) == (
        ChangeState.FAILED,
        "unforeseen ZeroDivisionError: division by zero",
    )
    assert (await safely("a change", refused)).detail == "evil.example is not an address of toy"
    with pytest.raises(Broken, match="cannot be written"):
        await safely("a change", broken)
