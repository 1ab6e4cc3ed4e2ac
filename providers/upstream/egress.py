"""The egress guard: which addresses a provider may be reached at.

Checked when connecting, on the address that the connection then goes to, so a name that resolves differently the
second time gains nothing.
"""

import ipaddress
import socket

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from providers.errors import AddressRefused

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# What Python takes for global, or did in some version, and is not the internet.
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(network)
    for network in (
        "64:ff9b:1::/48",  # NAT64 for local use (RFC 8215)
        "::/96",  # IPv4-compatible, deprecated (RFC 4291)
        "::ffff:0:0:0/96",  # IPv4-translated (RFC 2765)
        "fec0::/10",  # site-local, deprecated (RFC 3879)
        "168.63.129.16/32",  # a cloud platform's own services, seen from inside it
    )
)


def is_public(address: str) -> bool:
    """Whether an IP address is out on the internet: not private, loopback, link-local, metadata, multicast, reserved.

    IPv6 forms that carry an IPv4 address (mapped, 6to4, NAT64, Teredo) are judged by what they carry.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        carried = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in _NAT64:
            carried = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if carried is not None:
            return is_public(str(carried))
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in _NOT_PUBLIC)


def refuse_private_literal(host: str) -> None:
    """Raises AddressRefused for a host that is itself a non-public address: aiohttp asks no resolver about those.

    Also for the short and numeric spellings (`127.1`, `2130706433`, `0x7f.1`) that the C library reads as addresses.
    """
    literal = host.strip("[]")
    try:
        address = str(ipaddress.ip_address(literal))
    except ValueError:
        try:
            address = socket.inet_ntoa(socket.inet_aton(literal))
        except (OSError, UnicodeEncodeError):
            return
    if not is_public(address):
        raise AddressRefused(f"{host} is no public address")


class PublicResolver(AbstractResolver):
    """Resolves names to public addresses only. One private answer among several refuses the name as a whole."""

    def __init__(self, inner: AbstractResolver | None = None) -> None:
        self._inner = inner or ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """As aiohttp's resolvers. Raises AddressRefused, OSError."""
        found = await self._inner.resolve(host, port, family)
        for result in found:
            if not is_public(result["host"]):
                raise AddressRefused(f"{host} resolves to {result['host']}, which is no public address")
        return found

    async def close(self) -> None:
        await self._inner.close()
