"""Where a connection comes from, as all who count or ban addresses take it. Pure."""

import ipaddress
from functools import lru_cache
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
KEPT: Final = 4096  # hosts that were asked for last: a login asks a dozen times for its own


@lru_cache(KEPT)
def address_of(host: str) -> Address | None:
    """The address that it is, without the interface behind a ``%``; IPv4 inside IPv6 is IPv4. None: it is no address."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
