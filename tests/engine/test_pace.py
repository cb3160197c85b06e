"""How fast, how wide and whereto a connection speaks."""

from __future__ import annotations

import asyncio
import time

import pytest

from killswitch.engine.connections import Connection
from killswitch.engine.pace import Pace
from killswitch.model.errors import Missing, Refused, Transient, Unexpected
from killswitch.model.vendor import Settings
from tests.engine import toy


def pace(rate: float = 1000, burst: int = 1000, concurrency: int = 8) -> Pace:
    return Pace("toy", rate, burst, concurrency, lambda url: None)


def connection(link: Pace) -> Connection:
    return Connection("toy", toy.VENDOR, "", 0.01, link, lambda: Settings(url=""))


async def test_a_burst_is_free_and_what_follows_keeps_the_rate():
    link = pace(rate=20, burst=2)
    began = time.monotonic()
    for _ in range(6):
        async with link.turn():
            pass
    assert time.monotonic() - began >= 0.19  # four tokens at twenty a second
    assert link.requests == 6


async def test_no_more_than_so_many_requests_are_under_way():
    link, under_way, most = pace(concurrency=3), 0, 0

    async def one() -> None:
        nonlocal under_way, most
        async with link.turn():
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0.01)
            under_way -= 1

    await asyncio.gather(*(one() for _ in range(12)))
    assert most == 3


async def test_a_pause_holds_every_branch_and_no_other_connection():
    paused, other = pace(), pace()
    paused.pause(0.2)
    paused.pause(0.05)  # a shorter one does not shorten it
    began = time.monotonic()

    async def waited(link: Pace) -> float:
        async with link.turn():
            return time.monotonic() - began

    first, second, elsewhere = await asyncio.gather(waited(paused), waited(paused), waited(other))
    assert min(first, second) >= 0.19
    assert elsewhere < min(first, second)


async def test_the_guard_is_asked_before_a_host_is_reached():
    def allow(url: str) -> None:
        raise Refused(f"{url} is not an address of toy")

    with pytest.raises(Refused, match=r"evil\.example is not an address of toy"):
        Pace("toy", 1, 1, 1, allow).allow("https://evil.example")


async def test_a_retry_after_pauses_the_whole_connection_and_then_it_goes_on():
    link, asked = pace(), []

    async def ask() -> str:
        async with link.turn():
            asked.append(time.monotonic())
            if len(asked) == 1:
                raise Transient("slow down", retry_after=0.2)
            return "an answer"

    assert await connection(link).steady(5, ask) == "an answer"
    assert asked[1] - asked[0] >= 0.19


async def test_time_is_up_when_the_next_wait_would_pass_it():
    async def ask() -> None:
        raise Transient("slow down", retry_after=60.0)

    began = time.monotonic()
    with pytest.raises(Transient, match="slow down"):
        await connection(pace()).steady(2, ask)
    assert time.monotonic() - began < 2


async def test_only_what_may_pass_is_tried_again():
    asked = []

    async def ask() -> None:
        asked.append(1)
        raise Missing("not there")

    with pytest.raises(Missing):
        await connection(pace()).steady(5, ask)
    assert len(asked) == 1


async def test_what_nobody_foresaw_is_an_error_like_any_other():
    async def ask() -> None:
        raise KeyError("status")

    with pytest.raises(Unexpected, match="unforeseen KeyError: 'status'"):
        await connection(pace()).call(ask)
