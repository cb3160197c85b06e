"""A process that reaches this machine and nothing else: the second line behind ``hosts.py``.

In a drill every request passes its connection's host guard. Should one get past it, through a
library that opens a socket of its own or follows a link by itself, the interpreter stops it
here: ``only_loopback`` hangs a hook on Python's audit events (PEP 578), through which every
socket of every library written in Python goes. The hook cannot be taken off again.

It does not see what is no Python in this process:

- Other processes. Of these the product starts ``ssh-keygen -Y``, which reads files and at most
  asks the SSH agent on its unix socket; ``agent-kill serve``, which confines itself; and
  ``tabletop.sims``, which answers and asks nobody. No ``git`` and no shell is started.
- Sockets that a library in C opens by itself, such as libpq's. A drill uses none: its database
  is a file.
- A name that is handed straight to ``socket.connect``: the C library looks it up before the
  event is raised. The connection is refused all the same; what we use resolves first, and
  there a name is refused before anybody is asked for it.
"""

from __future__ import annotations

import ipaddress
import socket
import sys
from typing import Any

from killswitch.model.errors import Refused

_HINT = "a drill stays on this machine; nothing was sent"
_NAMED = frozenset(
    {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo"}
)
_ADDRESSED = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})


class NotLoopback(Refused, PermissionError):
    """The process wanted to reach another machine. Nothing was looked up and nothing was sent.

    A PermissionError, too: that is what a library expects of a socket that it may not use.
    """


class _Fence:
    """What may be reached. ``beside``: one host, with the names below it, that may be, too."""

    def __init__(self, beside: str) -> None:
        self.beside = beside.lower()
        self.addresses: set[str] = set()  # what the resolver gave for ``beside``

    def hear(self, event: str, args: tuple[Any, ...]) -> None:
        """The audit hook. Raises NotLoopback."""
        if event in _ADDRESSED:
            self._connects(args[0], args[1])
        elif event in _NAMED:
            asked = args[0]
            self._named(event, _text(asked[0] if isinstance(asked, tuple) else asked))

    def _connects(self, sock: socket.socket, address: Any) -> None:
        if address is None or sock.family == socket.AF_UNIX:  # connected already, or a file
            return
        if sock.family not in (socket.AF_INET, socket.AF_INET6):
            raise NotLoopback(f"a socket of family {sock.family} is not loopback", hint=_HINT)
        host = _text(address[0])
        if not _here(host) and host not in self.addresses:
            why = f"{host} is not loopback, and a drill reaches nothing else"
            raise NotLoopback(why, hint=_HINT)

    def _named(self, event: str, host: str) -> None:
        if not host or _here(host) or host in self.addresses or self.is_beside(host):
            return
        raise NotLoopback(
            f"{host} is not loopback: a drill neither looks it up nor reaches it", hint=_HINT
        )

    def is_beside(self, host: str) -> bool:
        """Whether that is the one host outside, or a name below it."""
        return bool(self.beside) and f".{host.lower()}".endswith(f".{self.beside}")


_fences: list[_Fence] = []  # one at the most: it is for good


def only_loopback(beside: str = "") -> None:
    """From now on this process reaches loopback addresses and unix sockets, and nothing else.

    Whatever else it tries to look up, to connect to or to send to raises NotLoopback. For good;
    a second call changes nothing. ``beside``: a host such as ``slack.com`` that may be reached
    with the names below it, for a drill that people answer in a real Slack.
    """
    if _fences:
        return
    fence = _Fence(beside)
    _fences.append(fence)
    if beside:
        _remember_addresses(fence)
    sys.addaudithook(fence.hear)


def _remember_addresses(fence: _Fence) -> None:
    """Let the fence know which addresses are those of the one host outside.

    The event of a connection tells the address alone, so what the resolver said is kept.
    """
    resolve = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **options: Any) -> Any:
        found = resolve(host, *args, **options)
        if fence.is_beside(_text(host)):
            fence.addresses.update(str(address[0]) for *_, address in found)
        return found

    socket.getaddrinfo = getaddrinfo


def _text(host: Any) -> str:
    """A host as sockets take it: text, bytes, or nothing."""
    if isinstance(host, (bytes, bytearray)):
        return host.decode("ascii", "backslashreplace")
    return str(host or "")


def _here(host: str) -> bool:
    """Whether that is this machine's loopback. What is written in half is not."""
    if host.lower() == "localhost":
        return True
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return False
    return (getattr(ip, "ipv4_mapped", None) or ip).is_loopback
