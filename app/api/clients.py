"""Whose request it is: the address at the other end, or the one that a trusted proxy names.

X-Forwarded-For is written by whoever likes to. Each proxy adds the address that it spoke to at the right, so it is
read from the right, and only as far as the proxies that the settings trust.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

NOWHERE = "local"
MOST_HOPS = 32
_V6_PREFIX = 64  # what one line has is at least a /64; single addresses cost its owner nothing
_Address = IPv4Address | IPv6Address


def client_of(peer: str | None, forwarded: Sequence[str], trusted: Sequence[str]) -> str:
    """The client as limits know it: an IPv4 address, an IPv6 network of 64 bits, or `local` without an address.

    Args:
        peer: address at the other end of the connection; None on a local socket.
        forwarded: values of X-Forwarded-For, as they came.
        trusted: networks of the proxies that are believed.
    """
    here = _address(peer or "")
    if here is None:
        return NOWHERE
    hops = [hop for value in forwarded for hop in value.split(",")]
    for hop in reversed(hops[-MOST_HOPS:]):
        if not _is_trusted(here, tuple(trusted)):
            break
        before = _address(hop)
        if before is None:
            break  # what a trusted proxy did not write as an address tells nothing of those before it
        here = before
    if isinstance(here, IPv6Address):
        return str(IPv6Network((int(here), _V6_PREFIX), strict=False))
    return str(here)


def _address(text: str) -> _Address | None:
    """An address, also with a port as some proxies write it, and without the zone."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


def _is_trusted(address: _Address, trusted: tuple[str, ...]) -> bool:
    return any(address in network for network in _networks(trusted))


@lru_cache(maxsize=8)
def _networks(texts: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(text) for text in texts)
