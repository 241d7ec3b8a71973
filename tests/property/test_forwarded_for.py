"""X-Forwarded-For is believed as far as trusted proxies wrote it, and no further."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.clients import client_of

PROXIES = ("10.0.0.0/8", "fd00::/8")
OUTSIDE = st.ip_addresses(v=4).filter(lambda one: one not in ip_network("10.0.0.0/8"))
INSIDE = st.ip_addresses(v=4, network="10.0.0.0/8")
JUNK = st.text(alphabet='0123456789abcdef.:,[]%" \tx', max_size=60)


@given(peer=OUTSIDE, forged=st.lists(JUNK | OUTSIDE.map(str), max_size=5))
def test_what_a_stranger_writes_changes_nothing(peer: object, forged: list[str]) -> None:
    assert client_of(str(peer), forged, PROXIES) == str(peer)
    assert client_of(str(peer), forged, ()) == str(peer)


@given(forged=st.lists(JUNK, max_size=5), client=OUTSIDE, hops=st.lists(INSIDE, max_size=5), peer=INSIDE)
def test_the_first_hop_from_the_right_that_is_no_proxy_is_the_client(
    forged: list[str], client: object, hops: list[object], peer: object
) -> None:
    line = ", ".join([*forged, str(client), *map(str, hops)])
    assert client_of(str(peer), [line], PROXIES) == str(client)
    assert client_of(str(peer), line.split(","), PROXIES) == str(client), "several fields are one list"


@given(peer=st.none() | JUNK | st.ip_addresses().map(str), values=st.lists(JUNK, max_size=5))
def test_whatever_comes_the_answer_is_an_address_a_network_or_local(peer: str | None, values: list[str]) -> None:
    found = client_of(peer, values, PROXIES)
    assert found == "local" or ("/64" in found and ip_network(found)) or ip_address(found).version == 4


@given(line=st.integers(1, 2**64 - 1), one=st.integers(0, 2**64 - 1), other=st.integers(0, 2**64 - 1))
def test_addresses_of_one_line_are_one_client(line: int, one: int, other: int) -> None:
    first, second = (client_of(str(IPv6Address(line << 64 | low)), (), ()) for low in (one, other))
    assert first == second == f"{IPv6Address(line << 64)}/64"


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("::ffff:192.0.2.1", [], "192.0.2.1"),
        ("10.0.0.1", ["192.0.2.7:4711"], "192.0.2.7"),
        ("10.0.0.1", ['"[2001:db8:1:2:3::4]:80"'], "2001:db8:1:2::/64"),
        ("10.0.0.1", ["192.0.2.7, unknown"], "10.0.0.1"),
        ("10.0.0.1", ["192.0.2.7,"], "10.0.0.1"),
        ("fd00::1", ["192.0.2.7", "10.2.3.4"], "192.0.2.7"),
        ("10.0.0.1", [], "10.0.0.1"),
        (None, ["192.0.2.7"], "local"),
    ],
)
def test_forms_of_addresses(peer: str | None, forwarded: list[str], client: str) -> None:
    assert client_of(peer, forwarded, PROXIES) == client
