"""The ways in which a vendor's client can reach its vendor: itself, or through the gateway."""

from dataclasses import dataclass

from tests.vendors.server import KEY, Vendor


@dataclass(frozen=True)
class Way:
    """An address for a client of `vendor`.

    name: `direct`, to the vendor itself; `front`, to the gateway's compatible front; `proxy`, to its pass-through.
    prefix: what goes before a model's name. key: what the vendor, or the gateway, accepts.
    """

    name: str
    vendor: Vendor
    url: str
    key: str
    prefix: str = ""

    def model(self, name: str) -> str:
        return self.prefix + name


def check_what_arrived(way: Way) -> None:
    """Whatever a test asked for: a vendor behind the gateway sees its own key and nothing of the caller's."""
    for arrived in way.vendor.requests if way.name != "direct" else []:
        assert way.key not in f"{arrived.path} {arrived.pairs}"
        assert way.key.encode() not in arrived.body
        assert way.vendor.key_in(arrived) == KEY
        assert not {"cookie", "x-forwarded-for", "via", "x-request-id"} & arrived.headers.keys()
