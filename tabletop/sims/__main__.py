"""``python -m tabletop.sims``: the simulated vendors as a process, until SIGTERM.

The world is kept in its file, so that the next process goes on where this one ended.
"""

from __future__ import annotations

import argparse
import signal
import threading
from pathlib import Path
from urllib.parse import urlsplit

from tabletop.sims.run import SIMS, Simulators
from tabletop.sims.world import World

SAVE_EVERY = 0.5  # seconds


def main() -> None:
    """Serve a world's vendors on the given addresses."""
    parser = argparse.ArgumentParser(prog="tabletop.sims", description=__doc__)
    parser.add_argument("--world", type=Path, required=True, help="a world's file")
    parser.add_argument("--at", action="append", default=[], metavar="NAME=URL")
    parser.add_argument("--vendor", action="append", default=[], metavar="NAME:VENDOR")
    given = parser.parse_args()
    vendor_of = dict(pair.split(":", 1) for pair in given.vendor)
    ports = {}
    for pair in given.at:
        name, _, url = pair.partition("=")
        vendor = vendor_of.get(name, name)
        if vendor in SIMS:
            ports[vendor] = urlsplit(url).port or 80
    world = World.load(given.world)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with Simulators(world, ports, ports=ports) as sims:
        seen = 0
        while not stop.wait(SAVE_EVERY):
            now = sum(len(sim.exchanges) for sim in sims.sims.values())
            if now != seen:
                world.save(given.world)
                seen = now
    world.save(given.world)


main()
