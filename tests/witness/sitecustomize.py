"""Imported by the interpreter of a server under test, before the server: who is connected to, and what names mean.

Every connection that the process begins is written down as a line in the file that CONNECTIONS names; one to anywhere
but this machine is refused, so that nothing leaves it. Names are resolved here: the outside's resolver would answer
differently from machine to machine, and one that lies is needed.
"""

import os
import socket
import sys
from collections import Counter
from pathlib import Path
from typing import Any

PUBLIC = "8.8.8.8"
_NAMES = {
    "loopback.test": ("127.0.0.1",),
    "v6.test": ("::1",),
    "mapped.test": ("::ffff:127.0.0.1",),
    "6to4.test": ("2002:7f00:1::",),
    "nat64.test": ("64:ff9b::7f00:1",),
    "mixed.test": (PUBLIC, "127.0.0.1"),
    "mixed-last.test": ("127.0.0.1", PUBLIC),
    "metadata.test": ("169.254.169.254",),
    "intranet.test": ("10.0.0.1",),
    "public.test": (PUBLIC,),
}
_HERE = ("127.", "0.0.0.0", "::1", "::ffff:127.", "::ffff:7f00:")
_asked: Counter[str] = Counter()
_of_the_system = socket.getaddrinfo


def _meaning(name: str) -> tuple[str, ...]:
    """A name that begins with `rebinds` is public when first asked for, and this machine from then on."""
    if not name.startswith("rebinds"):
        return _NAMES.get(name, ())
    _asked[name] += 1
    return (PUBLIC,) if _asked[name] == 1 else ("127.0.0.1",)


def _resolve(host: Any, *args: Any, **options: Any) -> list[Any]:
    name = host.decode() if isinstance(host, bytes) else str(host or "")
    known = name.lower().rstrip(".")
    if known.endswith(".test"):
        found = _meaning(known)
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "a name that nobody knows")
        return [entry for address in found for entry in _of_the_system(address, *args, **options)]
    if not name or known == "localhost" or ":" in name or known[0].isdigit():
        return _of_the_system(host, *args, **options)
    raise socket.gaierror(socket.EAI_NONAME, "a name of the outside")


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "socket.connect":
        return
    address = arguments[1]
    if not isinstance(address, tuple):
        return  # of this machine, by a file's name
    host, port = str(address[0]), address[1]
    with Path(os.environ["CONNECTIONS"]).open("a", encoding="utf-8") as written:
        written.write(f"{host} {port}\n")
    if not host.startswith(_HERE) and host != "::":
        raise ConnectionRefusedError(f"nothing leaves this machine, so not to {host}")


if "CONNECTIONS" in os.environ:
    socket.getaddrinfo = _resolve
    sys.addaudithook(_watch)
