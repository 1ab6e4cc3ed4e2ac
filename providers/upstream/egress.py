"""The egress guard: which addresses a provider may be reached at.

Checked when connecting, on the address that the connection then goes to, so a name that resolves differently the
second time gains nothing.
"""

import errno
import ipaddress
import socket
from functools import lru_cache

from aiohttp import AddrInfoType
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from providers.errors import AddressRefused

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# All that was ever given out as addresses on the internet (https://www.iana.org/assignments/ipv6-address-space).
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
# What Python takes for global, or did in some version, and is not the internet:
# https://www.iana.org/assignments/iana-ipv4-special-registry and iana-ipv6-special-registry.
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(network)
    for network in (
        "192.0.0.0/24",  # protocol assignments (RFC 6890); a cloud's metadata service is at 192.0.0.192
        "192.88.99.0/24",  # relays into 6to4, deprecated (RFC 7526)
        "168.63.129.16/32",  # a cloud platform's own services, seen from inside it
        "3fff::/20",  # documentation (RFC 9637)
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
        if ip not in _GLOBAL_UNICAST:
            return False
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in _NOT_PUBLIC)


@lru_cache(maxsize=1024)  # nearly all are names, and to find that out takes two exceptions
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


def public_socket(found: AddrInfoType) -> socket.socket:
    """A socket for one address that is about to be connected to: the last door, whatever led here.

    Raises PermissionError, which the client library takes for a failed connection, like any OSError.
    """
    family, kind, protocol, _, address = found
    host = str(address[0])
    if not is_public(host):
        raise PermissionError(errno.EACCES, f"{host} is no public address")
    return socket.socket(family, kind, protocol)
