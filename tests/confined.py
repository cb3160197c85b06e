"""Work in a process of its own behind the fence of ``killswitch.loopback``.

The fence is for good, so it is never put up in the tests' own process. ``confined(work, …)``
forks a process, notes whatever any library in it tries to look up or to connect to, puts up the
fence, runs the work there and hands back what it returned, with those notes.
"""

from __future__ import annotations

import asyncio
import inspect
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from killswitch.loopback import only_loopback
from tests.forks import forks

WITHIN = 60.0  # seconds
_ASKED = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")
_REACHED = ("socket.connect", "socket.sendto", "socket.sendmsg")


@dataclass(frozen=True)
class Done:
    """What the work returned, and the hosts (with port, where known) that it tried."""

    value: Any
    tried: frozenset[tuple[str, int]]

    @property
    def hosts(self) -> set[str]:
        """The hosts alone."""
        return {host for host, _ in self.tried}


def confined(work: Callable[..., Any], *args: Any, beside: str = "", fence: bool = True) -> Done:
    """Run ``work(*args)``, a function of a module, behind the fence, and wait for it.

    ``fence=False``: without one, for what the notes should show then.
    """
    here, there = forks.Pipe()
    process = forks.Process(target=_run, args=(there, work, args, beside, fence))
    process.start()
    there.close()
    try:
        if not here.poll(WITHIN):
            raise TimeoutError(f"{work.__name__} took longer than {WITHIN:g} s")
        worked, value, tried = here.recv()
    finally:
        process.kill()
        process.join()
    assert worked, value
    return Done(value, frozenset(tried))


def _run(there: Any, work: Callable[..., Any], args: Any, beside: str, fence: bool) -> None:
    tried = note()
    if fence:
        only_loopback(beside)
    try:
        value = work(*args)
        if inspect.isawaitable(value):
            value = asyncio.run(_awaited(value))
        there.send((True, value, list(tried)))
    except BaseException:  # noqa: BLE001  # the tests' own process shows it
        there.send((False, traceback.format_exc(), []))


async def _awaited(value: Any) -> Any:
    return await value


def note(file: Path | None = None) -> set[tuple[str, int]]:
    """From now on: whatever this process tries to look up or to reach, refused or not.

    ``file``: one line each, for a process that hands nothing back.
    """
    tried: set[tuple[str, int]] = set()

    def keep(host: Any, port: Any) -> None:
        name = host.decode() if isinstance(host, bytes) else str(host)
        tried.add((name, port if isinstance(port, int) else 0))
        if file:
            with file.open("a") as out:
                out.write(f"{name}\n")

    def hear(event: str, args: tuple[Any, ...]) -> None:
        if event in _ASKED and args[0]:
            keep(args[0], args[1] if len(args) > 1 else 0)
        elif event in _REACHED and args[1] and args[0].family != socket.AF_UNIX:
            keep(args[1][0], args[1][1])

    sys.addaudithook(hear)
    return tried


class Canary:
    """Somebody else's server on this machine: it counts who comes, and tells what they said."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self._door = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._door.getsockname()[1]}"
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                guest, _ = self._door.accept()
            except OSError:  # closed
                return
            with guest:
                guest.settimeout(1)
                self.heard.append(guest.recv(65536))
                guest.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")

    def close(self) -> None:
        """Listen no more."""
        self._door.close()
