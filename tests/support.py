"""What tests of vendors share: a link to loopback and a world with its simulators."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from killswitch.model.errors import Refused


class LoopbackLink:
    """A link without pace that reaches 127.0.0.1 only."""

    def __init__(self, connection: str) -> None:
        self.connection = connection
        self.asked: list[str] = []

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        yield

    def allow(self, url: str) -> None:
        host = urlsplit(url).hostname or ""
        self.asked.append(url)
        try:
            loopback = ipaddress.ip_address(host).is_loopback
        except ValueError:
            loopback = host == "localhost"
        if not loopback:
            raise Refused(f"{host} is not loopback")
