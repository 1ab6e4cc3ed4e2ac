"""No address that anyone can set leads into the private network: every route, over the real server.

A canary listens on all addresses of this machine, the server's own connections are written down, and what may be
reached is reached on the same routes, so that the silence of the canary means something.
"""

from itertools import cycle

import pytest
from django.urls import get_resolver

from tests.egress_calls import CALLS, KINDS, OTHERS, READERS, asking
from tests.egress_site import Canary, Site
from tests.egress_urls import urls
from tests.witness.sitecustomize import PUBLIC

# Of each way to write an address one that can be saved, so that the guard alone stands before the canary.
FEW = (
    "loopback",
    "decimal",
    "hex-short",
    "mapped-hex",
    "6to4",
    "nat64",
    "v6",
    "localhost",
    "ideographic-dots",
    "name-loopback",
    "name-mapped",
    "name-6to4",
    "name-nat64",
    "name-mixed",
    "name-mixed-last",
    "tls",
    "metadata",
    "metadata-in-protocols",
)
pytest_plugins = ["tests.egress_fixtures"]
REDIRECTS = (301, 302, 303, 307, 308)


def test_every_route_has_a_row() -> None:
    """A new route needs one in tests/egress_calls.py, or its name among those that ask nobody."""
    own = [one for one in get_resolver().url_patterns if getattr(one, "namespace", None) is None]
    found = {pattern.name for one in own for pattern in getattr(one, "url_patterns", [one])} - {None}
    assert found == ({call.route for call in (*CALLS, *READERS)} | OTHERS) - {"admin"}


@pytest.mark.parametrize("kind", KINDS)
def test_with_leave_each_call_reaches_the_canary(site: Site, canary: Canary, kind: str) -> None:
    row, name = "", f"allowed-{kind}"
    reached = set()
    for call in (*CALLS, *READERS):
        if not row or call in READERS:
            row = site.save(row, name, kind, canary.url, private=True)
        before = len(canary.requests)
        answer = call.make(site, name, row)
        reached |= {str(call)} if len(canary.requests) > before else set()
        assert "address is in a private network" not in answer.text, call
    assert reached == {str(call) for call in asking(kind)}


@pytest.mark.parametrize("kind", KINDS)
def test_without_leave_none_does(site: Site, untouched: Canary, kind: str) -> None:
    row, name = "", f"guarded-{kind}"
    addresses = urls(untouched.port)
    mine = FEW[KINDS.index(kind) % len(KINDS) :: len(KINDS)]
    for address, call in zip(cycle(mine), asking(kind), strict=False):
        row = site.save(row, name, kind, addresses[address])
        assert row, address
        answer = call.make(site, name, row)
        assert answer.status_code == call.status, (address, str(call), answer.text)
        assert call.refused in answer.text, (address, str(call), answer.text)
        assert site.went_nowhere(), (address, str(call))


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_that_changes_its_meaning_is_asked_for_once(site: Site, untouched: Canary, kind: str) -> None:
    """Public when it is checked, this machine when asked for again: what was checked is what is connected to."""
    row, name = "", f"rebound-{kind}"
    for number, call in enumerate(asking(kind)[KINDS.index(kind) % 2 :: 2]):
        row = site.save(row, name, kind, f"http://rebinds-{kind}-{number}.test:{untouched.port}")
        for _ in range(2):
            answer = call.make(site, name, row)
            assert answer.status_code == call.status, (str(call), answer.text)
        assert set(site.connections()) == {f"{PUBLIC} {untouched.port}"}, str(call)


@pytest.mark.parametrize("kind", KINDS)
def test_no_redirect_is_followed(site: Site, untouched: Canary, other: Canary, kind: str) -> None:
    row, name = "", f"redirected-{kind}"
    there = f"{untouched.url}/v1"
    other.headers = {"Location": there, "Refresh": f"0;url={there}", "Alt-Svc": f'h2="127.0.0.1:{untouched.port}"'}
    for number, call in enumerate(asking(kind)):
        other.status = REDIRECTS[(number + KINDS.index(kind)) % len(REDIRECTS)]
        if not row or call in READERS:
            row = site.save(row, name, kind, other.url, private=True)
        before = len(other.requests)
        answer = call.make(site, name, row)
        assert len(other.requests) > before, str(call)
        assert answer.status_code == call.status, (str(call), answer.text)
        assert str(untouched.port) not in answer.text, str(call)
        assert not {"location", "refresh", "alt-svc"} & answer.headers.keys(), str(call)
