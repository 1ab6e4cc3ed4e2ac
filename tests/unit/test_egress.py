"""The egress guard: which addresses are public, in whatever spelling. What is connected to: test_egress_connect.py."""

import socket

import pytest
from aiohttp import AddrInfoType

from providers.errors import AddressRefused
from providers.upstream.egress import PublicResolver, is_public, public_socket, refuse_private_literal
from tests.unit.resolvers import Answers

PRIVATE = {
    "127.0.0.1": "loopback",
    "127.255.255.254": "loopback-end",
    "0.0.0.0": "unspecified",
    "0.1.2.3": "this-network",
    "10.0.0.1": "private-10",
    "172.16.0.1": "private-172",
    "172.31.255.255": "private-172-end",
    "192.168.1.1": "private-192",
    "169.254.169.254": "metadata",
    "169.254.1.1": "link-local",
    "100.64.0.1": "cgnat",
    "100.127.255.255": "cgnat-end",
    "192.0.0.1": "protocol-assignments",
    "192.0.0.192": "metadata-in-protocol-assignments",
    "192.88.99.1": "6to4-relay",
    "100.100.100.200": "metadata-in-cgnat",
    "192.0.2.1": "documentation",
    "198.18.0.1": "benchmarking",
    "198.51.100.1": "documentation-2",
    "203.0.113.9": "documentation-3",
    "224.0.0.1": "multicast",
    "239.255.255.250": "multicast-ssdp",
    "240.0.0.1": "reserved",
    "255.255.255.255": "broadcast",
    "::": "v6-unspecified",
    "::1": "v6-loopback",
    "0:0:0:0:0:0:0:1": "v6-loopback-in-full",
    "fe80::1": "v6-link-local",
    "fe80::1%eth0": "v6-link-local-zone",
    "::1%lo": "v6-loopback-zone",
    "fc00::1": "v6-unique-local",
    "fd12:3456:789a::1": "v6-unique-local-2",
    "fd00:ec2::254": "v6-metadata",
    "ff02::1": "v6-multicast",
    "ff0e::1": "v6-multicast-global",
    "100::1": "v6-discard",
    "2001:db8::1": "v6-documentation",
    "fec0::1": "v6-site-local",
    "3fff::1": "v6-documentation-2",
    "5f00::1": "v6-segment-routing",
    "100:0:0:1::1": "v6-dummy",
    "1fff:ffff::1": "before-global-unicast",
    "4000::1": "after-global-unicast",
    "2002:c000:c0::1": "6to4-metadata-in-protocol-assignments",
    "::127.0.0.1": "compatible-loopback",
    "::8.8.8.8": "compatible-is-deprecated",
    "::ffff:0:127.0.0.1": "translated-loopback",
    "64:ff9b:1::7f00:1": "nat64-local-use",
    "168.63.129.16": "cloud-platform",
    "::ffff:168.63.129.16": "mapped-cloud-platform",
    "::ffff:127.0.0.1": "mapped-loopback",
    "::ffff:7f00:1": "mapped-loopback-hex",
    "::ffff:169.254.169.254": "mapped-metadata",
    "::ffff:100.64.0.1": "mapped-cgnat",
    "::ffff:224.0.0.1": "mapped-multicast",
    "2002:7f00:1::": "6to4-loopback",
    "2002:a9fe:a9fe::1": "6to4-metadata",
    "2002:c0a8:101::": "6to4-private",
    "64:ff9b::127.0.0.1": "nat64-loopback",
    "64:ff9b::a9fe:a9fe": "nat64-metadata",
    "64:ff9b::10.0.0.1": "nat64-private",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2": "teredo-documentation",
    "2001:0:4136:e378:8000:63bf:80ff:fffe": "teredo-loopback",
    "2001:0:4136:e378:8000:63bf:5601:5601": "teredo-metadata",
}
PUBLIC = {
    "1.1.1.1": "v4",
    "8.8.8.8": "v4-2",
    "100.63.255.255": "before-cgnat",
    "100.128.0.0": "after-cgnat",
    "172.15.255.255": "before-private-172",
    "172.32.0.0": "after-private-172",
    "169.253.255.255": "before-link-local",
    "223.255.255.255": "before-multicast",
    "2606:4700:4700::1111": "v6",
    "2a00:1450:4001:80b::200e": "v6-2",
    "2400:cb00:2048:1::c629:d7a2": "v6-3",
    "192.0.1.1": "after-protocol-assignments",
    "192.88.98.255": "before-6to4-relay",
    "::ffff:8.8.8.8": "mapped",
    "2002:808:808::1": "6to4",
    "64:ff9b::8.8.8.8": "nat64",
    "2001:0:4136:e378:8000:63bf:f7f7:f7f7": "teredo",
}
# The C library reads these as addresses of the same machines, and aiohttp asks no resolver about some of them.
SPELLINGS = {
    "2130706433": "decimal",
    "017700000001": "octal",
    "0x7f000001": "hex",
    "0X7F000001": "hex-upper-case",
    "0177.0.0.1": "octal-part",
    "0x7f.0.0.1": "hex-part",
    "0x7f.1": "hex-short",
    "127.1": "short",
    "127.0.1": "shorter-by-one",
    "0": "zero",
    "00000177.1": "leading-zeros",
    "2852039166": "decimal-metadata",
    "0xa9fea9fe": "hex-metadata",
    "169.254.43518": "short-metadata",
    "012.0.0.1": "octal-ten",
    "10.1": "short-private",
    "192.168.257": "short-private-192",
    "[::1]": "brackets",
    "[::ffff:127.0.0.1]": "brackets-mapped",
    "[fe80::1%25eth0]": "brackets-zone",
}


def address_info(address: str) -> AddrInfoType:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return (family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, 443))


@pytest.mark.parametrize("address", PRIVATE, ids=PRIVATE.values())
def test_not_public(address: str) -> None:
    assert not is_public(address)
    with pytest.raises(AddressRefused) as refused:
        refuse_private_literal(address)
    assert not refused.value.retryable
    with pytest.raises(PermissionError):
        public_socket(address_info(address))


@pytest.mark.parametrize("address", PUBLIC, ids=PUBLIC.values())
def test_public(address: str) -> None:
    assert is_public(address)
    refuse_private_literal(address)
    refuse_private_literal(f"[{address}]")
    public_socket(address_info(address)).close()


@pytest.mark.parametrize("host", SPELLINGS, ids=SPELLINGS.values())
def test_other_spellings_are_refused(host: str) -> None:
    with pytest.raises(AddressRefused):
        refuse_private_literal(host)


@pytest.mark.parametrize(
    "host",
    ["134744072", "0x08080808", "8.8.2056", "010.8.8.8", "api.example.com", "localhost", "1e100.net", "münchen.de"],
)
def test_public_spellings_and_names_are_not_refused_here(host: str) -> None:
    refuse_private_literal(host)


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["8.8.8.8", "10.0.0.1"],
        ["10.0.0.1", "8.8.8.8"],
        ["8.8.8.8", "1.1.1.1", "169.254.169.254"],
        ["2606:4700:4700::1111", "::1"],
        ["2606:4700:4700::1111", "::ffff:192.168.0.1"],
        ["fe80::1%2"],
    ],
    ids=", ".join,
)
async def test_one_private_answer_refuses_the_name(addresses: list[str]) -> None:
    with pytest.raises(AddressRefused):
        await PublicResolver(Answers(addresses)).resolve("rebound.example", 443)


async def test_public_answers_are_handed_over_as_they_came() -> None:
    inner = Answers(["8.8.8.8", "2606:4700:4700::1111"])
    resolver = PublicResolver(inner)
    found = await resolver.resolve("api.example.com", 443)
    assert [(one["hostname"], one["host"], one["port"]) for one in found] == [
        ("api.example.com", "8.8.8.8", 443),
        ("api.example.com", "2606:4700:4700::1111", 443),
    ]
    await resolver.close()
    assert inner.closed
